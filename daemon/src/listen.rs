//! Starts, serves until it is to stop, and takes a new configuration on the way.

use std::{
    fs::File,
    net::IpAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use blit_config::Exit;
use blit_control::{
    Admission, Door, Identity, Invitations, LocalServer, Peers, Server, Tokens, socket_of,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};
use tracing_subscriber::{
    EnvFilter, Registry, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::{
    audit::{Audit, by_admin},
    beacon::Beacon,
    config::{Config, Sources},
    confine::Confinement,
    disk::Disks,
    doors::Doors,
    failure::Failure,
    gate::Gate,
    halted::wait_until_trusted,
    jobs::Jobs,
    lanes::UnixDoor,
    manage::Manager,
    modules, notify,
    plugins::Plugins,
    say,
    serve::{Daemon, Held},
    settings::LogLevel,
    sys,
};

/// How often it looks after itself: what was noted is made safe, doors are as they should be.
const BEAT: Duration = Duration::from_secs(1);

/// How long what was said may take to be heard, once all sessions have ended.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(sources: Sources, config: Config) -> Result<(), Failure> {
    let logging = start_logging(config.log);
    let confinement = Confinement::begin(&config.state);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let lock = lock(&config.state)?;
        if !wait_until_trusted(&config).await? {
            return Ok(());
        }
        let node = Node::start(sources, config, (logging, confinement, lock)).await?;
        node.run().await
    })
}

type Logging = reload::Handle<EnvFilter, Registry>;

fn start_logging(level: LogLevel) -> Logging {
    let (filter, logging) = reload::Layer::new(filter_of(level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
    logging
}

/// `BLIT_LOG` wins: whoever sets it looks for something.
fn filter_of(level: LogLevel) -> EnvFilter {
    EnvFilter::try_from_env("BLIT_LOG").unwrap_or_else(|_| EnvFilter::new(level.name()))
}

/// A running daemon, and what it needs to take a new configuration.
pub(crate) struct Node {
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) doors: tokio::sync::Mutex<Doors>,
    pub(crate) identity: Identity,
    beacon: parking_lot::Mutex<Beacon>,
    pub(crate) jobs: Arc<Jobs>,
    sources: Sources,
    logging: Logging,
    server: parking_lot::Mutex<Option<Server>>,
    _lock: File,
}

/// Asks the configuration that holds now.
struct AllowFrom {
    daemon: Arc<Daemon>,
    others: Arc<AtomicBool>,
}

impl Admission for AllowFrom {
    fn admits(&self, from: IpAddr) -> bool {
        let is_here = from.to_canonical().is_loopback();
        (is_here || self.others.load(Ordering::Acquire))
            && self.daemon.held().config.allow_from.contain(from)
    }
}

impl Node {
    async fn start(
        sources: Sources,
        config: Config,
        (logging, confinement, lock): (Logging, Confinement, File),
    ) -> Result<Arc<Self>, Failure> {
        confinement.make_spool()?;
        let audit = Audit::open(&config.state);
        let is_new = !config.state.join("identity").exists();
        let identity = Identity::load_or_create(&config.state).map_err(|error| broken(&error))?;
        audit.sign_as(identity.clone());
        if is_new {
            drop(audit.record(&by_admin("key.create", identity.id().to_string())));
        }
        let peers = Peers::load(&config.state).map_err(|error| broken(&error))?;
        let disks = Arc::new(Disks::load(&config.state)?);
        let plugins = Plugins::load()?;
        let modules = modules::open(&config.modules, &disks, &plugins)?;
        let names: Vec<&str> = config.modules.iter().map(|it| it.name.as_str()).collect();
        drop(audit.record(&by_admin("config.load", names.join(", "))));
        let invitations = Invitations::of(&config.state);
        let wanted = config.listen.clone();
        let lanes_here = UnixDoor::open(&config.state);
        let unix = lanes_here.as_ref().map(UnixDoor::path);
        let held = Held { config, modules };
        let means = (plugins, confinement);
        let tokens = Tokens::new(identity.clone()).map_err(|error| broken(&error))?;
        let who = (identity.clone(), tokens);
        let daemon = Arc::new(Daemon::new(held, (peers, audit), who, means, unix));
        if let Some(door) = lanes_here {
            tokio::spawn(door.serve(Arc::clone(&daemon)));
        }
        let others = Arc::new(AtomicBool::new(false));
        let admission = Arc::new(AllowFrom {
            daemon: Arc::clone(&daemon),
            others: Arc::clone(&others),
        });
        let handed = sys::handed_sockets()?;
        let (server, door): (Server, Door) = Server::new(&identity, invitations, admission)?;
        Ok(Arc::new(Self {
            jobs: Arc::new(Jobs::open(&daemon)?),
            daemon,
            doors: tokio::sync::Mutex::new(Doors::new(door, wanted, handed, others)),
            identity,
            beacon: parking_lot::Mutex::default(),
            sources,
            logging,
            server: parking_lot::Mutex::new(Some(server)),
            _lock: lock,
        }))
    }

    async fn run(self: Arc<Self>) -> Result<(), Failure> {
        // Before anybody is told that it is ready, and could send one.
        let (mut wish, mut hangup) = (Stop::new()?, signal(SignalKind::hangup())?);
        let state = self.daemon.held().config.state.clone();
        let socket = socket_of(&state);
        let local = bind_local(&socket)?;
        let (closing, closed) = stop_sign();
        let managing = tokio::spawn(local.serve(Manager(Arc::clone(&self)), closed));
        let invites = self.has_nobody() && !self.daemon.held().modules.is_empty();
        self.doors
            .lock()
            .await
            .set(invites || self.is_wide())
            .await?;
        self.introduce(invites).await;
        let (stop, stopped) = stop_sign();
        let server = self.server.lock().take();
        let server = server.ok_or_else(|| Failure::from(std::io::Error::other("served twice")))?;
        let arrivals = Arc::new(Gate {
            daemon: Arc::clone(&self.daemon),
            jobs: Arc::clone(&self.jobs),
        });
        let serving = server.serve(arrivals, stopped);
        let mut serving = tokio::spawn(serving);
        notify::ready(&self.in_a_line());
        tokio::select! {
            () = self.look_after(&mut wish, &mut hangup) => {}
            ended = &mut serving => {
                return Err(std::io::Error::other(format!("the server ended: {ended:?}")).into());
            }
        }
        notify::stopping();
        self.beacon.lock().set(None);
        self.doors.lock().await.close();
        stop.notify_one();
        let patience = self.daemon.held().config.stop_timeout;
        let ending = async {
            tokio::join!(self.daemon.drained(), self.jobs.book.drained());
            closing.notify_one();
            // What the last of them has said is on its way out: the connections end when it is out.
            let said = async { tokio::join!(serving, managing) };
            drop(tokio::time::timeout(LAST_WORDS, said).await);
        };
        tokio::select! {
            ended = tokio::time::timeout(patience, ending) => {
                if ended.is_err() {
                    self.jobs.interrupt().await;
                    say("sessions were stopped; running them again continues");
                }
            }
            () = wish.wished() => say("stopped at once; running the sessions again continues"),
        }
        self.daemon.audit.seal();
        self.daemon.audit.sync(u64::MAX);
        // The next one takes the place of a socket that is left, but need not.
        drop(std::fs::remove_file(socket));
        Ok(())
    }

    /// Until a signal to stop.
    async fn look_after(&self, wish: &mut Stop, hangup: &mut Signal) {
        let watchdog = notify::watchdog().map(|it| it / 2);
        let mut beat = tokio::time::interval(watchdog.unwrap_or(BEAT).min(BEAT));
        loop {
            tokio::select! {
                () = wish.wished() => return,
                _ = hangup.recv() => self.reload_and_tell().await,
                () = self.daemon.acquainted.notified() => {}
                _ = beat.tick() => {
                    let held = self.daemon.held();
                    self.daemon.audit.sync(held.config.audit_size.bytes);
                    if !held.config.audit_keep.is_zero() {
                        self.daemon.audit.tidy(held.config.audit_keep);
                    }
                    self.jobs.book.tidy(held.config.history);
                    notify::alive(&self.in_a_line());
                }
            }
            self.settle().await;
        }
    }

    /// Opens or closes the doors as it should be now.
    pub(crate) async fn settle(&self) {
        let mut doors = self.doors.lock().await;
        match doors.set(self.is_wide()).await {
            Ok(false) => {}
            Ok(true) => say(&format!("listening on {}", doors.addresses().join(", "))),
            Err(failure) => tracing::error!("{}", failure.told()),
        }
        let told = self.announcement(&doors.sockets());
        self.beacon.lock().set(told);
    }

    fn has_nobody(&self) -> bool {
        self.daemon.peers.lock().iter().next().is_none()
    }

    /// Whether there is something to have, and somebody who may come from elsewhere.
    pub(crate) fn is_wide(&self) -> bool {
        let held = self.daemon.held();
        let invitations = Invitations::of(&held.config.state);
        let may_come = || held.config.is_open || !self.has_nobody() || invitations.is_any_open();
        !held.modules.is_empty() && may_come()
    }

    async fn reload_and_tell(&self) {
        if let Err(failure) = self.reload() {
            tracing::error!(
                slug = failure.slug(),
                "the configuration before it stays in force: {}",
                failure.told()
            );
        }
    }

    /// Takes the configuration and the peers as they are now; or leaves everything as it was. Answers what
    /// needs a restart.
    pub(crate) fn reload(&self) -> Result<Vec<String>, Failure> {
        notify::reloading();
        let taken = self.take_anew();
        let (object, decision) = match &taken {
            Ok(_) => (String::new(), "allow"),
            Err(failure) => (failure.to_string(), "deny"),
        };
        let mut event = by_admin("config.reload", object);
        event.decision = decision;
        drop(self.daemon.audit.record(&event));
        notify::ready(&self.in_a_line());
        taken
    }

    fn take_anew(&self) -> Result<Vec<String>, Failure> {
        let before = self.daemon.held();
        let mut config = self.sources.load()?;
        let peers = Peers::load(&before.config.state).map_err(|error| broken(&error))?;
        let disks = Arc::new(Disks::load(&before.config.state)?);
        let modules = modules::open(&config.modules, &disks, &self.daemon.plugins)?;
        let mut notes = Vec::new();
        for (key, is_same) in [
            ("daemon.listen", config.listen == before.config.listen),
            ("daemon.state_dir", config.state == before.config.state),
        ] {
            if !is_same {
                notes.push(format!("{key} takes effect after a restart"));
            }
        }
        config.listen.clone_from(&before.config.listen);
        config.state.clone_from(&before.config.state);
        // Only a process that is about to end has no subscriber any more.
        drop(self.logging.reload(filter_of(config.log)));
        self.daemon.take(Held { config, modules }, peers);
        tracing::info!("the configuration was read anew");
        Ok(notes)
    }

    /// What it says when it starts.
    async fn introduce(&self, invites: bool) {
        let held = self.daemon.held();
        let addresses = self.doors.lock().await.addresses();
        let (name, key) = (&held.config.name, self.identity.id().short());
        let listening = addresses.join(", ");
        say(&format!("{name} · key {key} · listening on {listening}"));
        for module in &held.modules {
            let path = module.config.path.display();
            let access = access_words(module.config.access);
            let state = module
                .trouble()
                .map_or(String::new(), |why| format!(", offline: {why}"));
            say(&format!(
                "{} → {path} ({access}{state})",
                module.config.name
            ));
        }
        if held.modules.is_empty() {
            say("it exports nothing yet; for example: blit-daemon --module photos=/srv/photos:rw");
        }
        if let Some(why) = self.daemon.audit.trouble() {
            say(&format!(
                "the audit log cannot be written, so nothing is changed: {why}"
            ));
        }
        if !invites {
            return say("ready");
        }
        let invitations = Invitations::of(&held.config.state);
        match invitations.invite(self.identity.id(), addresses.clone()) {
            Ok(invitation) => {
                say("To let another machine in, run there within 15 minutes:");
                let port = port_of(&addresses);
                say(&format!("  blit pair {name}{port} {invitation}"));
            }
            Err(error) => say(&format!("nobody is invited: {error}\nready")),
        }
    }

    fn in_a_line(&self) -> String {
        let held = self.daemon.held();
        format!(
            "{} modules, {} peers, {} sessions",
            held.modules.len(),
            self.daemon.peers.lock().iter().count(),
            self.daemon.sessions.len()
        )
    }
}

/// What ends a server, and what it waits for.
fn stop_sign() -> (Arc<Notify>, impl Future<Output = ()> + Send) {
    let sign = Arc::new(Notify::new());
    let seen = Arc::clone(&sign);
    (sign, async move { seen.notified().await })
}

/// The wish to stop, in either form.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(crate) async fn wished(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Where the administrator of this machine comes.
pub(crate) fn bind_local(socket: &Path) -> Result<LocalServer, Failure> {
    LocalServer::bind(socket).map_err(|cause| {
        let text = format!("cannot make the socket {}", socket.display());
        Failure::new("net.listen", Exit::Failed, text).because(&cause)
    })
}

/// Held as long as the process lives, however it ends.
fn lock(state: &Path) -> Result<File, Failure> {
    use rustix::fs::{FlockOperation, flock};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)?;
    let path = state.join("daemon.lock");
    let mut options = File::options();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let text = format!(
            "another daemon uses the state directory {}",
            state.display()
        );
        Failure::new("state.locked", Exit::Failed, text)
            .next("stop that one, or give this one its own with --state-dir")
    })?;
    Ok(file)
}

fn broken(error: &dyn std::error::Error) -> Failure {
    Failure::new("config.read", Exit::Usage, error.to_string())
}

/// `:PORT` if it is not the usual one.
pub(crate) fn port_of(addresses: &[String]) -> String {
    let port = addresses
        .first()
        .and_then(|address| address.rsplit_once(':'))
        .map(|(_, port)| port);
    match port {
        Some("9031") | None => String::new(),
        Some(port) => format!(":{port}"),
    }
}

pub(crate) fn access_words(access: blit_wire::Access) -> &'static str {
    match access {
        blit_wire::Access::ReadOnly => "read-only",
        blit_wire::Access::AddOnly => "add-only",
        blit_wire::Access::ReadWrite => "read-write",
    }
}
