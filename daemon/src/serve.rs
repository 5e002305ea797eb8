//! Decides who may do what, and lets the engine do it.

use std::{
    collections::HashMap,
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
    Cancel, Cx, Error, ErrorKind, NoHistory, PeerInfo, Result, SecurityClass, Select, SessionGrant,
    Store, Stream, Time,
};
use blit_control::{LaneOpening, NodeId, Peers, VerifiedPeer};
use blit_engine::{Asked, Ended, HalfRole, Playing, Source, Subtree, Target, answer_with_store};
use blit_filter::Filter;
use blit_lanes::Grant;
use blit_transport_grpc::Arrived;
use blit_wire::{
    Access, LaneWishes, Place, Reply, Request, Role, Rules, SessionId, SessionRequest, Status,
    VERSIONS, Verb,
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::{
    access::Networks,
    audit::Audit,
    condition::{Descriptors, why_halted},
    config::Config,
    confine::Confinement,
    lanes::LaneRight,
    modules::{Module, make_directories},
    pending::Pending,
    plugins::Plugins,
};

/// How many sessions run at a time, of all peers and of one.
pub(crate) const SESSIONS_MAX: usize = 256;
const SESSIONS_OF_PEER_MAX: usize = 16;

/// What the daemon is made of.
pub(crate) struct Daemon {
    /// What holds now. Whatever is under way keeps what held when it began.
    held: RwLock<Arc<Held>>,
    pub(crate) peers: Mutex<Peers>,
    pub(crate) pending: Pending,
    pub(crate) audit: Audit,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) confinement: Confinement,
    sessions: Mutex<HashMap<SessionId, Running>>,
    /// Where clients on this machine bring their lanes.
    unix: Option<PathBuf>,
    ended: Notify,
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

struct Running {
    peer: NodeId,
    arrived: Arrived,
    lanes: LaneRight,
    cancel: Cancel,
}

/// Who asks, by the name that the daemon knows.
pub(crate) struct Caller {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    pub(crate) peer: VerifiedPeer,
}

impl Daemon {
    pub(crate) fn new(
        held: Held,
        (peers, audit): (Peers, Audit),
        (plugins, confinement): (Arc<Plugins>, Confinement),
        unix: Option<PathBuf>,
    ) -> Self {
        Self {
            held: RwLock::new(Arc::new(held)),
            peers: Mutex::new(peers),
            pending: Pending::default(),
            audit,
            plugins,
            confinement,
            sessions: Mutex::default(),
            unix,
            ended: Notify::new(),
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
        for running in self.sessions.lock().values() {
            if !is_open && peers.with_id(&running.peer).is_none() {
                running.cancel.cancel();
            }
        }
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.lock().len()
    }

    /// Whether it takes no session any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Takes no session from now on, and waits until none runs.
    pub(crate) async fn drained(&self) {
        self.is_stopping.store(true, Ordering::Release);
        loop {
            let ended = self.ended.notified();
            if self.sessions.lock().is_empty() {
                return;
            }
            ended.await;
        }
    }

    pub(crate) fn caller(&self, peer: &VerifiedPeer) -> Option<Caller> {
        let known = self.peers.lock().with_id(&peer.id()).cloned();
        let name = match known {
            Some(known) => known.name,
            // No paired machine is called so: names have no blanks.
            None if self.held().config.is_open => format!("guest {}", peer.id().short()),
            None => return None,
        };
        Some(Caller {
            id: peer.id(),
            name,
            peer: peer.clone(),
        })
    }

    /// The module, if this peer may see it. One that it may not see is one that is not there.
    fn module(&self, caller: &Caller, place: &Place) -> Result<Arc<Module>> {
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

    pub(crate) async fn answer(&self, caller: &Caller, request: Request, mut asked: Asked) {
        let object = self.object_of(&request);
        match self.try_answer(caller, request, &mut asked).await {
            Ok(()) => asked.finish().await,
            Err(error) => {
                tracing::info!(peer = %caller.name, %error, "refused");
                self.note_denial(caller, object, &error);
                asked.refuse(error).await;
            }
        }
    }

    /// The threads on which it is answered; none, if it is about no module, or nothing is confined.
    pub(crate) fn domain_of(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Option<Arc<Domain>>> {
        let place = match request {
            Request::Session(session) => &session.place,
            Request::List { place, .. }
            | Request::Stat(place)
            | Request::Usage(place)
            | Request::Sync(place)
            | Request::Delete { place, .. } => place,
            _ => return Ok(None),
        };
        match self.module(caller, place) {
            Ok(module) => module.domain(&self.confinement),
            // It is refused where it is answered, and written down there.
            Err(_) => Ok(None),
        }
    }

    async fn try_answer(&self, caller: &Caller, request: Request, asked: &mut Asked) -> Result<()> {
        if let Some(why) = why_halted() {
            let text = format!("the daemon serves nobody: {why}");
            return Err(Error::new(ErrorKind::Busy, "answer").because(text));
        }
        let store = match &request {
            Request::Status => return asked.reply(Reply::Status(self.status(caller))).await,
            Request::Session(session) => return self.audited(caller, session, asked).await,
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
            sessions: u32::try_from(self.sessions.lock().len()).unwrap_or(u32::MAX),
            versions: VERSIONS,
            now: now(),
        }
    }

    pub(crate) async fn session(
        &self,
        caller: &Caller,
        request: &SessionRequest,
        asked: &mut Asked,
    ) -> Result<Ended> {
        let module = self.module(caller, &request.place)?;
        let select = compiled(&request.rules).await?;
        let mut terms = request.terms;
        let changes = changes(request);
        let store = match (request.role, terms.verb) {
            (Role::Source, Verb::Move) if changes => module.for_changing()?,
            (Role::Source, _) => module.for_reading()?,
            (Role::Target, _) if !changes => module.for_reading()?,
            (Role::Target, Verb::Mirror) => module.for_changing()?,
            (Role::Target, _) => module.for_adding()?,
        };
        if request.role == Role::Target {
            // What is there stays as it is, whatever the client wishes.
            terms.ignore_existing |= module.config.access == Access::AddOnly;
            // Numbers of another machine's users mean others here.
            terms.preserve.owner &= module.config.keeps_owner;
            if changes {
                make_directories(&Cx::default(), &*store, &request.place.path).await?;
            }
        }
        let role = role(request, store);
        let mut info = PeerInfo::new(caller.peer.address().to_string());
        info.identity = Some(*caller.id.as_bytes());
        let (connection, arrived) = blit_transport_grpc::serving(info);
        let cancel = Cancel::default();
        let wishes = (request.lanes, &module.config.trusted);
        let (_running, grant) = self.begin(caller, (arrived, cancel.clone()), wishes)?;
        asked.reply(Reply::Session(grant)).await?;
        let playing = Playing {
            role,
            asked: request.is_relayed.then(|| request.top.clone()),
            terms,
            select,
            connection,
            planner: Arc::clone(&self.plugins.planner),
            history: Arc::new(NoHistory),
            cancel,
        };
        playing.run(asked).await
    }

    /// Whether that session is of this peer.
    pub(crate) fn is_of(&self, session: &SessionId, peer: NodeId) -> bool {
        let sessions = self.sessions.lock();
        let running = sessions.get(session);
        running.is_some_and(|running| running.peer == peer)
    }

    /// The right of that session to a lane of that class; `peer` is who brings it, where that is proved.
    pub(crate) fn right(
        &self,
        session: &SessionId,
        peer: Option<NodeId>,
        class: SecurityClass,
    ) -> Option<Arc<Grant>> {
        let sessions = self.sessions.lock();
        let running = sessions.get(session)?;
        let is_theirs = peer.is_none_or(|peer| peer == running.peer);
        running.lanes.grant(class).filter(|_| is_theirs)
    }

    /// Gives a lane that came as a socket to its session. Answers whether it proved that it belongs to one.
    pub(crate) fn bring(&self, bound: io::Result<(LaneOpening, Stream)>) -> bool {
        match bound {
            Ok((opening, stream)) => {
                if !self.put(opening, stream) {
                    tracing::info!("a lane came too late");
                }
                true
            }
            Err(cause) => {
                tracing::info!(%cause, "no lane");
                false
            }
        }
    }

    /// Gives a lane to its session; `false` if that is over, or has as many as it may.
    pub(crate) fn put(&self, opening: LaneOpening, stream: Stream) -> bool {
        let sessions = self.sessions.lock();
        let running = sessions.get(&opening.session);
        running.is_some_and(|running| running.arrived.put(opening.reverse, stream))
    }

    /// Makes room for a session, which ends when the guard is dropped.
    fn begin(
        &self,
        caller: &Caller,
        (arrived, cancel): (Arrived, Cancel),
        (wishes, trusted): (LaneWishes, &Networks),
    ) -> Result<(Guard<'_>, SessionGrant)> {
        if let Some(why) = self.why_no_session() {
            let kind = match self.is_stopping() {
                true => ErrorKind::Unreachable,
                false => ErrorKind::Busy,
            };
            return Err(Error::new(kind, "open session").because(why));
        }
        let id = new_session()?;
        let mut sessions = self.sessions.lock();
        let of_peer = sessions.values().filter(|it| it.peer == caller.id).count();
        if sessions.len() >= SESSIONS_MAX || of_peer >= SESSIONS_OF_PEER_MAX {
            return Err(
                Error::new(ErrorKind::Busy, "open session").because("as many sessions run as may")
            );
        }
        let lanes = LaneRight::of(&caller.peer, &id, wishes, trusted, self.unix.as_deref());
        let grant = SessionGrant {
            id,
            offers: lanes.offers.clone(),
        };
        let running = Running {
            peer: caller.id,
            arrived,
            lanes,
            cancel,
        };
        sessions.insert(id, running);
        Ok((Guard { daemon: self, id }, grant))
    }
}

/// The role that a request asks for, over its place in `store`.
pub(crate) fn role(request: &SessionRequest, store: Arc<dyn Store>) -> HalfRole {
    let store = Subtree::at(store, request.place.path.clone());
    match request.role {
        Role::Source => HalfRole::Source(Source {
            store,
            top: request.top.clone(),
        }),
        Role::Target => HalfRole::Target(Target { store }),
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

/// What a peer's rules choose; compiling them may take a while.
pub(crate) async fn compiled(rules: &Rules) -> Result<Option<Arc<dyn Select>>> {
    if rules.is_empty() {
        return Ok(None);
    }
    let rules = rules.clone();
    let compiling = tokio::task::spawn_blocking(move || Filter::compile(&rules));
    let compiled = compiling
        .await
        .map_err(|error| Error::new(ErrorKind::Bug, "compile rules").because(error.to_string()))?;
    compiled
        .map_err(|error| Error::new(ErrorKind::Invalid, "compile rules").because(error.to_string()))
}

/// Whether a session changes anything in its module.
pub(crate) fn changes(request: &SessionRequest) -> bool {
    let (terms, role) = (&request.terms, request.role);
    let writes = role == Role::Target || terms.verb == Verb::Move;
    writes && !terms.dry_run && terms.verb != Verb::Check
}

struct Guard<'a> {
    daemon: &'a Daemon,
    id: SessionId,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.daemon.sessions.lock().remove(&self.id);
        self.daemon.ended.notify_waiters();
    }
}
