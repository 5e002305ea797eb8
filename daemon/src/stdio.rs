//! One client at standard input and output: `blit-daemon --stdio`, which ssh starts.
//!
//! Who may come in, ssh has decided. The client may do what this user may do: there are no modules, no
//! key, no state and no audit log, and nothing is left when it goes.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use blit_config::{Exit, LoginPath, resolved};
use blit_contract::{
    Cancel, Cx, Error, ErrorKind, NoHistory, PeerInfo, RelPath, Result, SessionGrant, Store, Stream,
};
use blit_control::{Greeting, LaneOpening, PipeCalls, serve_pipe};
use blit_engine::{Asked, Playing, answer_with_store};
use blit_registry::{RegistryError, StoreConfig};
use blit_transport_grpc::Arrived;
use blit_wire::{Place, Reply, Request, Role, SessionId, SessionRequest, Status, VERSIONS, Verb};
use parking_lot::Mutex;
use rustix::fs::FileType;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{UnixStream, unix::pipe},
    sync::Notify,
};
use tracing_subscriber::EnvFilter;

use crate::{
    backup,
    config::host_name,
    failure::Failure,
    plugins::Plugins,
    request::{changes, compiled, role},
    serve::{new_session, now},
};

/// How long sessions may take to put things in order when the client is gone.
const LAST_DEEDS: Duration = Duration::from_secs(10);

/// Serves until standard input ends.
pub(crate) fn run() -> std::result::Result<(), Failure> {
    let filter = EnvFilter::try_from_env("BLIT_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // Standard output belongs to the client.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let home = std::env::home_dir().ok_or_else(|| {
        Failure::new(
            "config.read",
            Exit::Usage,
            "this user has no home directory",
        )
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve(home));
    // A read of standard input that nobody waits for any more would hold this up.
    runtime.shutdown_background();
    Ok(served?)
}

async fn serve(home: PathBuf) -> std::io::Result<()> {
    let (input, mut output) = (input()?, output()?);
    let greeting = Greeting {
        versions: VERSIONS,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    output.write_all(greeting.to_string().as_bytes()).await?;
    output.flush().await?;
    let desk = Arc::new(Desk {
        home,
        plugins: Plugins::load().map_err(std::io::Error::other)?,
        sessions: Mutex::default(),
        ended: Notify::new(),
        started: Instant::now(),
    });
    let calls: Arc<dyn PipeCalls> = Arc::<Desk>::clone(&desk);
    let served = serve_pipe(tokio::io::join(input, output), calls).await;
    // Whoever is in the middle of something hears that the client is gone, and ends.
    drop(tokio::time::timeout(LAST_DEEDS, desk.drained()).await);
    served
}

/// What ssh gives is a pipe or a socket, which need no thread that waits for them.
fn input() -> std::io::Result<Box<dyn AsyncRead + Send + Unpin>> {
    let fd = std::io::stdin().as_fd().try_clone_to_owned()?;
    Ok(
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::Fifo => Box::new(pipe::Receiver::from_owned_fd(fd)?),
            FileType::Socket => Box::new(socket(fd)?),
            _ => Box::new(tokio::io::stdin()),
        },
    )
}

fn output() -> std::io::Result<Box<dyn AsyncWrite + Send + Unpin>> {
    let fd = std::io::stdout().as_fd().try_clone_to_owned()?;
    Ok(
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::Fifo => Box::new(pipe::Sender::from_owned_fd(fd)?),
            FileType::Socket => Box::new(socket(fd)?),
            _ => Box::new(tokio::io::stdout()),
        },
    )
}

fn socket(fd: OwnedFd) -> std::io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(fd);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Takes what the client asks.
struct Desk {
    home: PathBuf,
    plugins: Arc<Plugins>,
    sessions: Mutex<HashMap<SessionId, Arrived>>,
    ended: Notify,
    started: Instant,
}

#[async_trait]
impl PipeCalls for Desk {
    async fn request(&self, stream: Stream) {
        match Asked::accept(stream).await {
            Ok((request, mut asked)) => match self.answer(request, &mut asked).await {
                Ok(()) => asked.finish().await,
                Err(error) => asked.refuse(error).await,
            },
            Err(error) => tracing::info!(%error, "no request"),
        }
    }

    fn lane(&self, opening: LaneOpening, stream: Stream) -> bool {
        let sessions = self.sessions.lock();
        let arrived = sessions.get(&opening.session);
        arrived.is_some_and(|arrived| arrived.put(opening.reverse, stream))
    }
}

impl Desk {
    async fn answer(&self, request: Request, asked: &mut Asked) -> Result<()> {
        let cx = Cx::default();
        let (store, select) = match &request {
            Request::Status => return asked.reply(Reply::Status(self.status())).await,
            Request::Session(session) => return self.session(session, asked).await,
            Request::Stat(place) if place.path.is_root() => {
                let found = self.look(&cx, place).await?;
                return asked.reply(Reply::Found(found)).await;
            }
            Request::List { place, rules, .. } => {
                (self.open(place, |it| it)?, compiled(rules).await?)
            }
            Request::Stat(place) | Request::Usage(place) => (self.open(place, |it| it)?, None),
            Request::Delete { place, .. } | Request::Sync(place) => {
                (self.open(place, |it| it.with_writable(true))?, None)
            }
            _ => return Err(Error::new(ErrorKind::Unsupported, "ask")),
        };
        answer_with_store(&cx, asked, &*store, request, select).await
    }

    /// Opens what a place begins at. As on one machine it may be a link, or lead through one.
    fn open(
        &self,
        place: &Place,
        configure: impl FnOnce(StoreConfig) -> StoreConfig,
    ) -> Result<Arc<dyn Store>> {
        let path = self.path(place)?;
        let opened = self.plugins.directory(&configure(StoreConfig::new(path)));
        opened.map_err(|error| match error {
            RegistryError::Plugin(error) => error,
            other => Error::new(ErrorKind::Bug, "open").because(other.to_string()),
        })
    }

    fn path(&self, place: &Place) -> Result<PathBuf> {
        let path = login_path(place)?.on_this_machine(&self.home);
        path.map_err(|problem| invalid(format!("{problem:?}")))
    }

    /// Where a session keeps what it replaces or deletes, which must lie apart from what it changes. As on one
    /// machine it may be anywhere, also behind a link.
    fn kept(&self, request: &SessionRequest) -> Result<Option<PathBuf>> {
        let Some(backup) = &request.backup else {
            return Ok(None);
        };
        if !backup.path.is_root() || !request.place.path.is_root() {
            return Err(backup::refusal("over ssh a place is a path as a whole"));
        }
        backup::check_verb(request.terms.verb)?;
        let path = self.path(backup)?;
        let (kept, changed) = (resolved(&path), resolved(&self.path(&request.place)?));
        match kept.starts_with(&changed) || changed.starts_with(&kept) {
            true => Err(backup::overlap()),
            false => Ok(Some(path)),
        }
    }

    /// What is at the root of a place: a directory, also one behind a link, or else the entry itself.
    async fn look(&self, cx: &Cx, place: &Place) -> Result<Option<blit_contract::Entry>> {
        let error = match self.open(place, |it| it) {
            Ok(store) => return store.stat(cx, &RelPath::ROOT).await,
            Err(error) => error,
        };
        let at = login_path(place)?;
        let (Some(parent), Some(name)) = (at.path.parent(), at.path.name()) else {
            return Err(error);
        };
        let above = LoginPath {
            path: parent.clone(),
            ..at.clone()
        };
        let above = Place {
            module: above.to_string(),
            path: RelPath::ROOT,
        };
        match (self.open(&above, |it| it), error.kind()) {
            (Ok(store), ErrorKind::Conflict | ErrorKind::NotFound) => {
                store.stat(cx, &RelPath::ROOT.join(name.clone())).await
            }
            (Err(error), _) if error.kind() == ErrorKind::NotFound => Ok(None),
            _ => Err(error),
        }
    }

    fn status(&self) -> Status {
        Status {
            name: host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            modules: Vec::new(),
            uptime_secs: self.started.elapsed().as_secs(),
            sessions: u32::try_from(self.sessions.lock().len()).unwrap_or(u32::MAX),
            versions: VERSIONS,
            now: now(),
            keeps: true,
        }
    }

    async fn session(&self, request: &SessionRequest, asked: &mut Asked) -> Result<()> {
        let select = compiled(&request.rules).await?;
        let changes = changes(request);
        let kept = self.kept(request)?;
        let keeps = kept.is_some() && changes;
        let store = match request.role {
            Role::Source => {
                let moves = request.terms.verb == Verb::Move && changes;
                self.open(&request.place, |it| it.with_writable(moves))?
            }
            Role::Target => self.open(&request.place, |it| {
                let it = it.with_writable(changes).with_create_root(true);
                match kept.filter(|_| changes) {
                    Some(kept) => it.with_backup(kept),
                    None => it,
                }
            })?,
        };
        let role = role(request, store);
        let (connection, arrived) = blit_transport_grpc::serving(PeerInfo::new("ssh"));
        let (_running, id) = self.begin(arrived)?;
        let offers = Vec::new();
        asked
            .reply(Reply::Session(SessionGrant { id, offers }))
            .await?;
        let playing = Playing {
            role,
            asked: request.is_relayed.then(|| request.top.clone()),
            terms: request.terms,
            keeps,
            select,
            connection,
            planner: Arc::clone(&self.plugins.planner),
            history: Arc::new(NoHistory),
            cancel: Cancel::default(),
        };
        playing.run(asked).await.map(drop)
    }

    /// Makes room for a session, which ends when the guard is dropped.
    fn begin(&self, arrived: Arrived) -> Result<(Running<'_>, SessionId)> {
        let id = new_session()?;
        self.sessions.lock().insert(id, arrived);
        Ok((Running { desk: self, id }, id))
    }

    /// Waits until no session runs.
    async fn drained(&self) {
        loop {
            let ended = self.ended.notified();
            if self.sessions.lock().is_empty() {
                return;
            }
            ended.await;
        }
    }
}

struct Running<'a> {
    desk: &'a Desk,
    id: SessionId,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.desk.sessions.lock().remove(&self.id);
        self.desk.ended.notify_waiters();
    }
}

fn login_path(place: &Place) -> Result<LoginPath> {
    let read = place.module.parse();
    read.map_err(|problem| invalid(format!("{problem:?}")))
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::Invalid, "open").because(why)
}
