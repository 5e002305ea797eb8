//! Decides who may do what, and lets the engine do it.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use blit_confine::Domain;
use blit_contract::{
    Cancel, Cx, Error, ErrorKind, NoHistory, PeerInfo, Result, Select, SessionGrant, Store, Stream,
    Time,
};
use blit_control::{Identity, LaneOpening, NodeId, Peers, Tokens, VerifiedPeer};
use blit_engine::{Asked, Ended, Playing, answer_with_store};
use blit_wire::{
    Access, Place, Reply, Request, Role, SessionId, SessionRequest, Status, Terms, VERSIONS,
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::{
    audit::Audit,
    backup,
    condition::{Descriptors, why_halted},
    config::Config,
    confine::Confinement,
    delegate::Fetching,
    lanes::LaneRight,
    modules::{Module, make_directories},
    pending::Pending,
    plugins::Plugins,
    record::Wish,
    request::{changes, compiled, place_of, role, store_for},
    sessions::{Guard, Running, Sessions},
};

/// What the daemon is made of.
pub(crate) struct Daemon {
    /// What holds now. Whatever is under way keeps what held when it began.
    held: RwLock<Arc<Held>>,
    pub(crate) peers: Mutex<Peers>,
    pub(crate) pending: Pending,
    pub(crate) audit: Audit,
    pub(crate) identity: Identity,
    pub(crate) tokens: Tokens,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) confinement: Confinement,
    pub(crate) sessions: Sessions,
    /// Where clients on this machine bring their lanes.
    unix: Option<PathBuf>,
    /// Told when somebody became known, or no more is.
    pub(crate) acquainted: Notify,
    is_stopping: AtomicBool,
    pub(crate) descriptors: Descriptors,
    pub(crate) started: Instant,
}

/// What the daemon does now.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) config: Config,
    pub(crate) modules: Vec<Arc<Module>>,
}

/// What a session is about, once it is clear that it may be.
pub(crate) struct Stage {
    pub(crate) module: Arc<Module>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) terms: Terms,
    /// Whether what is replaced or deleted is kept.
    pub(crate) keeps: bool,
    pub(crate) select: Option<Arc<dyn Select>>,
}

/// Who asks, by the name that the daemon knows.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    pub(crate) peer: VerifiedPeer,
}

impl Daemon {
    pub(crate) fn new(
        held: Held,
        (peers, audit): (Peers, Audit),
        (identity, tokens): (Identity, Tokens),
        (plugins, confinement): (Arc<Plugins>, Confinement),
        unix: Option<PathBuf>,
    ) -> Self {
        Self {
            held: RwLock::new(Arc::new(held)),
            peers: Mutex::new(peers),
            pending: Pending::default(),
            audit,
            identity,
            tokens,
            plugins,
            confinement,
            sessions: Sessions::default(),
            unix,
            acquainted: Notify::new(),
            is_stopping: AtomicBool::new(false),
            descriptors: Descriptors::default(),
            started: Instant::now(),
        }
    }

    /// What holds now.
    pub(crate) fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read())
    }

    /// From now on this holds, and these are known. Sessions of others end.
    pub(crate) fn take(&self, held: Held, peers: Peers) {
        *self.held.write() = Arc::new(held);
        *self.peers.lock() = peers;
        self.drop_strangers();
    }

    /// Ends the sessions of machines that are not known any more.
    pub(crate) fn drop_strangers(&self) {
        let is_open = self.held().config.is_open;
        let peers = self.peers.lock();
        if !is_open {
            let is_known = |id: &NodeId| peers.with_id(id).is_some();
            self.sessions.drop_strangers(is_known);
        }
    }

    /// Whether it takes no session any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Takes no session from now on, and waits until none runs.
    pub(crate) async fn drained(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.sessions.drained().await;
    }

    pub(crate) fn caller(&self, peer: &VerifiedPeer) -> Option<Caller> {
        Some(Caller {
            id: peer.id(),
            name: self.name_of(&peer.id())?,
            peer: peer.clone(),
        })
    }

    /// What a machine is called here; `None` if it may not come.
    pub(crate) fn name_of(&self, id: &NodeId) -> Option<String> {
        let known = self.peers.lock().with_id(id).cloned();
        match known {
            Some(known) => Some(known.name),
            // No paired machine is called so: names have no blanks.
            None => {
                let is_open = self.held().config.is_open;
                is_open.then(|| format!("guest {}", id.short()))
            }
        }
    }

    /// Whether this peer may see the jobs of this machine, and stop them.
    pub(crate) fn may_see_jobs(&self, caller: &Caller) -> bool {
        let is_let = self.held().config.job_peers.contains(&caller.name);
        // By its key: a guest has no name that could be let.
        is_let && self.peers.lock().with_id(&caller.id).is_some()
    }

    /// The module, if this peer may see it. One that it may not see is one that is not there.
    pub(crate) fn module(&self, caller: &Caller, place: &Place) -> Result<Arc<Module>> {
        let held = self.held();
        let mut seen = held.modules.iter().filter(|it| it.is_for(&caller.name));
        let found = seen.find(|module| module.config.name == place.module);
        found.cloned().ok_or_else(|| {
            let seen = held.modules.iter().filter(|it| it.is_for(&caller.name));
            let names: Vec<&str> = seen.map(|module| module.config.name.as_str()).collect();
            let there = match names.is_empty() {
                true => "there is none for this machine".to_owned(),
                false => format!("there are: {}", names.join(", ")),
            };
            Error::new(ErrorKind::NotFound, "open module")
                .because(format!("no module is called {:?}; {there}", place.module))
        })
    }

    /// Answers. `fetching` is the machine that the request has this one fetch from.
    pub(crate) async fn answer(
        &self,
        caller: &Caller,
        (request, fetching): (Request, Option<Fetching>),
        mut asked: Asked,
    ) {
        let wish = self.wish_of(&request);
        match self
            .try_answer(caller, (request, fetching), &mut asked)
            .await
        {
            Ok(()) => asked.finish().await,
            Err(error) => self.refuse(caller, wish, error, asked).await,
        }
    }

    pub(crate) async fn refuse(&self, caller: &Caller, wish: Wish, error: Error, asked: Asked) {
        tracing::info!(peer = %caller.name, %error, "refused");
        self.note_denial(caller, wish, &error);
        asked.refuse(error).await;
    }

    /// The threads on which it is answered; none, if it is about no module, or nothing is confined.
    pub(crate) fn domain_of(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Option<Arc<Domain>>> {
        let Some(place) = place_of(request) else {
            return Ok(None);
        };
        match self.module(caller, place) {
            Ok(module) => module.domain(&self.confinement),
            // It is refused where it is answered, and written down there.
            Err(_) => Ok(None),
        }
    }

    async fn try_answer(
        &self,
        caller: &Caller,
        (request, fetching): (Request, Option<Fetching>),
        asked: &mut Asked,
    ) -> Result<()> {
        if let Some(why) = why_halted() {
            let text = format!("the daemon serves nobody: {why}");
            return Err(Error::new(ErrorKind::Busy, "answer").because(text));
        }
        if let (Request::Pull(pull), Some(fetching)) = (&request, fetching) {
            return self.audited_pull(caller, (pull, fetching), asked).await;
        }
        let store = match &request {
            Request::Status => return asked.reply(Reply::Status(self.status(caller))).await,
            Request::Session(session) => return self.audited(caller, session, asked).await,
            Request::Token(wish) => {
                let token = self.give_leave(caller, wish)?;
                return asked.reply(Reply::Token(token)).await;
            }
            Request::List { place, .. } | Request::Stat(place) | Request::Usage(place) => {
                self.module(caller, place)?.for_reading()?
            }
            Request::Delete { place, entries } => {
                let module = self.module(caller, place)?;
                let store = module.for_changing()?;
                self.note_deletions(caller, &module, place, entries)?;
                store
            }
            Request::Sync(place) => self.module(caller, place)?.for_changing()?,
            _ => return Err(Error::new(ErrorKind::Unsupported, "ask")),
        };
        let select = match &request {
            Request::List { rules, .. } => compiled(rules).await?,
            _ => None,
        };
        answer_with_store(&Cx::default(), asked, &*store, request, select).await
    }

    fn status(&self, caller: &Caller) -> Status {
        let held = self.held();
        let seen = held.modules.iter().filter(|it| it.is_for(&caller.name));
        Status {
            name: held.config.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            modules: seen.map(|module| module.shown()).collect(),
            uptime_secs: self.started.elapsed().as_secs(),
            sessions: u32::try_from(self.sessions.len()).unwrap_or(u32::MAX),
            versions: VERSIONS,
            now: now(),
            keeps: true,
        }
    }

    /// Plays a role, for the caller or on behalf of `third`.
    pub(crate) async fn session(
        &self,
        (caller, third): (&Caller, Option<NodeId>),
        request: &SessionRequest,
        asked: &mut Asked,
    ) -> Result<Ended> {
        let stage = self.stage(caller, request).await?;
        let role = role(request, stage.store);
        let mut info = PeerInfo::new(caller.peer.address().to_string());
        info.identity = Some(*caller.id.as_bytes());
        let (connection, arrived) = blit_transport_grpc::serving(info);
        let cancel = Cancel::default();
        let id = new_session()?;
        let trusted = &stage.module.config.trusted;
        let unix = self.unix.as_deref();
        let lanes = LaneRight::of(&caller.peer, &id, request.lanes, trusted, unix);
        let offers = lanes.offers.clone();
        let running = Running {
            peer: caller.id,
            third,
            lanes: Some((arrived, lanes)),
            cancel: cancel.clone(),
        };
        let _running = self.begin(id, running)?;
        let grant = SessionGrant { id, offers };
        asked.reply(Reply::Session(grant)).await?;
        let playing = Playing {
            role,
            asked: request.is_relayed.then(|| request.top.clone()),
            terms: stage.terms,
            keeps: stage.keeps,
            select: stage.select,
            connection,
            planner: Arc::clone(&self.plugins.planner),
            history: Arc::new(NoHistory),
            cancel,
        };
        playing.run(asked).await
    }

    /// Finds out what a session is about, and makes its directories.
    pub(crate) async fn stage(&self, caller: &Caller, request: &SessionRequest) -> Result<Stage> {
        let module = self.module(caller, &request.place)?;
        let select = compiled(&request.rules).await?;
        let mut terms = request.terms;
        let kept = backup::named(&module, request)?;
        let mut store = store_for(&module, request)?;
        let changes = changes(request);
        let changed = &request.place.path;
        let cx = Cx::default();
        if let Some(kept) = kept {
            backup::check(&cx, &*store, (changed, kept)).await?;
        }
        if request.role == Role::Target {
            // What is there stays as it is, whatever the client wishes.
            terms.ignore_existing |= module.config.access == Access::AddOnly;
            // Numbers of another machine's users mean others here.
            terms.preserve.owner &= module.config.keeps_owner;
            match kept {
                _ if !changes => {}
                Some(kept) => store = backup::make(&cx, store, (changed, kept)).await?,
                None => make_directories(&cx, &*store, changed).await?,
            }
        }
        Ok(Stage {
            module,
            store,
            terms,
            keeps: kept.is_some() && changes,
            select,
        })
    }

    /// Has a session run in which the caller has no part; it ends when the guard is dropped.
    pub(crate) fn begin_pull(
        &self,
        caller: &Caller,
        from: NodeId,
        cancel: Cancel,
    ) -> Result<(Guard<'_>, SessionGrant)> {
        let id = new_session()?;
        let running = Running {
            peer: caller.id,
            third: Some(from),
            lanes: None,
            cancel,
        };
        let offers = Vec::new();
        Ok((self.begin(id, running)?, SessionGrant { id, offers }))
    }

    /// Gives a lane that came as a socket to its session. Answers whether it did nothing wrong: who hangs up
    /// in the middle, or comes when all is over, was slow.
    pub(crate) fn bring(&self, bound: io::Result<(LaneOpening, Stream)>) -> bool {
        match bound {
            Ok((opening, stream)) => {
                if !self.sessions.put(opening, stream) {
                    tracing::info!("a lane came too late");
                }
                true
            }
            Err(cause) => {
                tracing::info!(%cause, "no lane");
                cause.kind() != io::ErrorKind::InvalidData
            }
        }
    }

    /// Whether a session may begin now.
    pub(crate) fn may_begin(&self) -> Result<()> {
        let Some(why) = self.why_no_session() else {
            return Ok(());
        };
        let kind = match self.is_stopping() {
            true => ErrorKind::Unreachable,
            false => ErrorKind::Busy,
        };
        Err(Error::new(kind, "open session").because(why))
    }

    fn begin(&self, id: SessionId, running: Running) -> Result<Guard<'_>> {
        self.may_begin()?;
        self.sessions.begin(id, running)
    }
}

/// A number that nobody can guess.
pub(crate) fn new_session() -> Result<SessionId> {
    let mut id = SessionId::default();
    SystemRandom::new().fill(&mut id).map_err(|_| {
        Error::new(ErrorKind::Io, "open session").because("the system gives no random numbers")
    })?;
    Ok(id)
}

pub(crate) fn now() -> Time {
    let now = jiff::Timestamp::now();
    Time::new(now.as_second(), now.subsec_nanosecond().unsigned_abs())
}
