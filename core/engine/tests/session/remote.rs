//! Sessions whose two roles talk in bytes, as a client and a daemon do.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use blit_contract::{
    Cancel, Chunk, Connection, Cx, Demands, EndState, Entry, Error, ErrorKind, Event, Limits,
    NoHistory, Peer, PeerInfo, RecvStream, RelPath, Result, Select, Selection, SendStream,
    SessionGrant, Store, Stream, StreamKind, TransportCaps,
};
use blit_engine::{
    AlwaysYes, Answer, Asked, Confirm, HalfRole, MaxDelete, NobodyThere, Options, Playing,
    Progress, RemoteJob, RemoteStore, Report, Source, Stop, Subtree, Target, Top, Verb,
    answer_with_store,
};
use blit_store_mem::MemStore;
use blit_wire::{LaneWishes, Place, Reply, Request, Role, Rules};
use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::support::{self, OneByOne, path, tree};

/// What crosses between the two: counted, and cut off after so many bytes.
#[derive(Debug)]
pub(crate) struct Wire {
    crossed: AtomicU64,
    cut_after: u64,
}

impl Wire {
    pub(crate) fn cut_after(bytes: u64) -> Arc<Self> {
        let crossed = AtomicU64::new(0);
        Arc::new(Self {
            crossed,
            cut_after: bytes,
        })
    }

    pub(crate) fn whole() -> Arc<Self> {
        Self::cut_after(u64::MAX)
    }

    pub(crate) fn crossed(&self) -> u64 {
        self.crossed.load(Ordering::Relaxed)
    }

    fn pass(&self, bytes: u64) -> Result<()> {
        if self.crossed.fetch_add(bytes, Ordering::Relaxed) + bytes < self.cut_after {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unreachable, "pass").because("the wire is cut"))
    }
}

/// A connection that carries bytes only, as one that leaves the process.
#[derive(Debug)]
pub(crate) struct BytesOnly(pub(crate) Box<dyn Connection>, pub(crate) Arc<Wire>);

impl BytesOnly {
    fn stream(&self, stream: Stream) -> Stream {
        let wire = || Arc::clone(&self.1);
        let Stream { id, send, recv } = stream;
        let send = send.map(|half| Box::new(Watched(half, wire())) as Box<dyn SendStream>);
        let recv = recv.map(|half| Box::new(Watched(half, wire())) as Box<dyn RecvStream>);
        Stream { id, send, recv }
    }
}

#[derive(Debug)]
struct Watched<T: ?Sized>(Box<T>, Arc<Wire>);

#[async_trait::async_trait]
impl SendStream for Watched<dyn SendStream> {
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> Result<u64> {
        let sent = self.0.send(chunks).await?;
        self.1.pass(sent)?;
        Ok(sent)
    }
    async fn flush(&mut self) -> Result<()> {
        self.0.flush().await
    }
    async fn finish(&mut self) -> Result<()> {
        self.1.pass(0)?;
        self.0.finish().await
    }
    fn reset(&mut self, code: u32) {
        self.0.reset(code);
    }
}

#[async_trait::async_trait]
impl RecvStream for Watched<dyn RecvStream> {
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>> {
        let received = self.0.recv(bytes_max).await?;
        self.1
            .pass(received.as_ref().map_or(0, Chunk::size_bytes))?;
        Ok(received)
    }
    fn stop(&mut self, code: u32) {
        self.0.stop(code);
    }
}

#[async_trait::async_trait]
impl Connection for BytesOnly {
    fn caps(&self) -> TransportCaps {
        TransportCaps::new()
    }
    fn demands(&self) -> Demands {
        self.0.demands()
    }
    fn limits(&self) -> Limits {
        self.0.limits()
    }
    fn peer(&self) -> &PeerInfo {
        self.0.peer()
    }
    async fn open(&self, cx: &Cx, kind: StreamKind) -> Result<Stream> {
        Ok(self.stream(self.0.open(cx, kind).await?))
    }
    async fn accept(&self, cx: &Cx) -> Result<Option<Stream>> {
        let stream = self.0.accept(cx).await?;
        Ok(stream.map(|stream| self.stream(stream)))
    }
    async fn close(&self, code: u32) -> Result<()> {
        self.0.close(code).await
    }
}

type Sessions = Arc<Mutex<HashMap<[u8; 16], Box<dyn Connection>>>>;

/// A daemon with one module, in this process.
#[derive(Debug)]
struct Daemon {
    requests: Box<dyn Connection>,
    sessions: Sessions,
    info: PeerInfo,
    wire: Arc<Wire>,
}

impl Daemon {
    fn with(store: Arc<dyn Store>) -> Arc<Self> {
        Self::behind(store, Wire::whole())
    }

    /// The same, whose sessions go over this wire.
    fn behind(store: Arc<dyn Store>, wire: Arc<Wire>) -> Arc<Self> {
        let (requests, arriving) = blit_transport_mem::pair();
        let sessions = Sessions::default();
        let begun = Arc::clone(&sessions);
        tokio::spawn(async move {
            while let Ok(Some(stream)) = arriving.accept(&Cx::default()).await {
                tokio::spawn(serve(stream, Arc::clone(&store), Arc::clone(&begun)));
            }
        });
        Arc::new(Self {
            requests,
            sessions,
            info: PeerInfo::default(),
            wire,
        })
    }
}

/// An honest daemon whose module is that store.
pub(crate) fn daemon(store: Arc<dyn Store>) -> Arc<dyn Peer> {
    Daemon::with(store)
}

async fn serve(stream: Stream, store: Arc<dyn Store>, sessions: Sessions) {
    let (request, mut asked) = Asked::accept(stream).await.unwrap();
    let Request::Session(session) = request else {
        let served = answer_with_store(&Cx::default(), &mut asked, &*store, request, None).await;
        served.unwrap();
        return asked.finish().await;
    };
    let id = [7; 16];
    let (ours, theirs) = blit_transport_mem::pair();
    sessions.lock().insert(id, theirs);
    let offers = Vec::new();
    let grant = SessionGrant { id, offers };
    asked.reply(Reply::Session(grant)).await.unwrap();
    let store = Subtree::at(store, session.place.path);
    let role = match session.role {
        Role::Source => HalfRole::Source(Source {
            store,
            top: session.top,
        }),
        Role::Target => HalfRole::Target(Target { store }),
    };
    let playing = Playing {
        asked: None,
        role,
        terms: session.terms,
        keeps: false,
        select: None,
        connection: Box::new(BytesOnly(ours, Wire::whole())),
        planner: Arc::new(OneByOne),
        history: Arc::new(NoHistory),
        cancel: Cancel::default(),
    };
    if playing.run(&mut asked).await.is_ok() {
        asked.finish().await;
    }
}

#[async_trait::async_trait]
impl Peer for Daemon {
    fn info(&self) -> &PeerInfo {
        &self.info
    }
    async fn request(&self, cx: &Cx) -> Result<Stream> {
        self.requests.open(cx, StreamKind::TwoWay).await
    }
    async fn session(&self, _cx: &Cx, grant: &SessionGrant) -> Result<Box<dyn Connection>> {
        let connection = self.sessions.lock().remove(&grant.id).unwrap();
        Ok(Box::new(BytesOnly(connection, Arc::clone(&self.wire))))
    }
}

/// Who holds which tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Pull,
    Push,
}

pub(crate) const BOTH: [Way; 2] = [Way::Pull, Way::Push];

pub(crate) struct Run {
    pub(crate) options: Options,
    confirm: Arc<dyn Confirm>,
    at: RelPath,
    pub(crate) wire: Arc<Wire>,
}

impl Run {
    pub(crate) fn new(verb: Verb) -> Self {
        let mut options = Options::new(verb);
        options.items = true;
        Self {
            options,
            confirm: Arc::new(AlwaysYes),
            at: RelPath::ROOT,
            wire: Wire::whole(),
        }
    }

    pub(crate) async fn go(
        self,
        way: Way,
        source: &MemStore,
        target: &MemStore,
    ) -> (Report, Vec<Event>) {
        let (there, role): (Arc<dyn Store>, _) = match way {
            Way::Push => {
                let source = Source {
                    store: Arc::new(source.clone()),
                    top: Top::Contents,
                };
                (Arc::new(target.clone()), HalfRole::Source(source))
            }
            Way::Pull => {
                let target = Target {
                    store: Arc::new(target.clone()),
                };
                (Arc::new(source.clone()), HalfRole::Target(target))
            }
        };
        let (events, mut heard) = mpsc::channel(64);
        let hearing = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(event) = heard.recv().await {
                all.push(event);
            }
            all
        });
        let report = blit_engine::run_remote(RemoteJob {
            peer: Daemon::behind(there, self.wire),
            place: Place {
                module: "m".to_owned(),
                path: self.at,
            },
            top: Top::Contents,
            token: None,
            backup: None,
            rules: Rules::default(),
            lanes: LaneWishes::default(),
            role,
            planner: Arc::new(OneByOne),
            options: self.options,
            confirm: self.confirm,
            history: Arc::new(NoHistory),
            events,
            progress: Arc::new(Progress::default()),
            cancel: Cancel::default(),
        })
        .await;
        (report, hearing.await.unwrap())
    }
}

pub(crate) fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_arrives_whole_either_way() {
    for way in BOTH {
        let source = tree(&["a", "d/b", "d/e/c"]);
        source.add_file("large", content(5 << 20)).unwrap();
        source.add_file("empty", Vec::new()).unwrap();
        let target = MemStore::new();
        let (report, _) = Run::new(Verb::Copy).go(way, &source, &target).await;
        assert!(report.is_clean(), "{way:?} {report:?}");
        assert_eq!(target.paths(), source.paths());
        assert_eq!(target.content("large").unwrap(), content(5 << 20));
        assert_eq!(report.ends.get(EndState::Copied), 7, "{way:?}");
        let (again, _) = Run::new(Verb::Copy).go(way, &source, &target).await;
        assert!(again.is_clean() && !again.changed_anything, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_asks_at_the_client_and_ends_equal_either_way() {
    for way in BOTH {
        let source = tree(&["a", "was-file/now"]);
        let target = tree(&["a", "gone/x", "was-file"]);
        let asked = support::Asked::saying(Answer::Yes);
        let mut run = Run::new(Verb::Mirror);
        run.confirm = asked.clone();
        let (report, events) = run.go(way, &source, &target).await;
        assert!(report.is_clean(), "{way:?} {report:?}");
        assert_eq!(target.paths(), source.paths());
        let heard = asked.heard.lock();
        assert_eq!(heard.len(), 1, "{way:?}");
        assert!(heard[0].1.contains(&"gone/x".to_owned()), "{way:?}");
        assert!(events.iter().any(|event| matches!(event, Event::Item(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brake_holds_at_a_distance() {
    for way in BOTH {
        let (source, target) = (MemStore::new(), tree(&["a", "b"]));
        let (report, _) = Run::new(Verb::Mirror).go(way, &source, &target).await;
        assert!(
            matches!(
                report.stop,
                Some(Stop::Brake {
                    source_is_empty: true,
                    ..
                })
            ),
            "{way:?} {report:?}"
        );
        assert_eq!(target.paths(), ["a", "b"]);
        let mut run = Run::new(Verb::Mirror);
        run.confirm = Arc::new(NobodyThere);
        run.options.max_delete = MaxDelete::Percent(100);
        let (report, _) = run.go(way, &source, &target).await;
        assert!(matches!(report.stop, Some(Stop::Unconfirmed(_))), "{way:?}");
        assert_eq!(target.paths(), ["a", "b"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_removes_what_arrived_either_way() {
    for way in BOTH {
        let source = tree(&["a", "d/b"]);
        let target = MemStore::new();
        let (report, _) = Run::new(Verb::Move).go(way, &source, &target).await;
        assert!(report.is_clean(), "{way:?} {report:?}");
        assert!(source.paths().is_empty(), "{way:?} {:?}", source.paths());
        assert_eq!(target.paths(), ["a", "d", "d/b"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_what_differs_either_way() {
    for way in BOTH {
        let source = tree(&["a", "b"]);
        let target = tree(&["a", "c"]);
        target.add_file("a", b"other".to_vec()).ok();
        let (report, _) = Run::new(Verb::Check).go(way, &source, &target).await;
        assert!(report.stop.is_none(), "{way:?} {report:?}");
        assert!(report.differences >= 2, "{way:?} {report:?}");
        assert!(!report.changed_anything);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_begin_beneath_the_root_of_a_module() {
    let source = tree(&["x/y/a", "x/y/d/b", "x/not"]);
    let target = MemStore::new();
    let mut run = Run::new(Verb::Copy);
    run.at = path("x/y");
    let (report, _) = run.go(Way::Pull, &source, &target).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(target.paths(), ["a", "d", "d/b"]);

    let mut run = Run::new(Verb::Copy);
    run.at = path("x/new");
    let (report, _) = run.go(Way::Push, &target, &source).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(source.content("x/new/d/b").unwrap(), "x/y/d/b");
}

struct NoSecrets;

impl Select for NoSecrets {
    fn select(&self, _directory: &RelPath, entry: &Entry) -> Selection {
        match entry.name.as_bytes() == b"secret" {
            true => Selection::Skip,
            false => Selection::Take,
        }
    }
}

/// The daemon here takes no notice of any rules.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lists_what_was_left_out_is_not_believed() {
    let source = tree(&["a", "d/secret"]);
    let target = MemStore::new();
    let mut run = Run::new(Verb::Copy);
    run.options.select = Some(Arc::new(NoSecrets));
    let (report, _) = run.go(Way::Pull, &source, &target).await;
    let Some(Stop::Failed(problem)) = &report.stop else {
        panic!("{report:?}");
    };
    assert_eq!(problem.error.kind(), ErrorKind::Invalid);
    assert!(!target.paths().iter().any(|path| path.contains("secret")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_lists_what_was_left_out_is_not_believed() {
    let module = tree(&["a", "d/secret"]);
    let place = Place {
        module: "m".to_owned(),
        path: RelPath::ROOT,
    };
    let rules = Rules {
        exclude: vec!["secret".to_owned()],
        ..Rules::default()
    };
    let store = RemoteStore::new(Daemon::with(Arc::new(module)), place).with_rules(rules);
    let (cx, root) = (Cx::default(), RelPath::ROOT);
    let options = blit_contract::ListOptions::recursive().with_select(Arc::new(NoSecrets));
    let mut batches = store.list(&cx, &root, options);
    let mut last = None;
    while let Some(batch) = batches.next().await {
        last = Some(batch);
    }
    let error = last.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_listed_and_deleted_from_a_distance() {
    let module = tree(&["x/a", "x/d/b", "y"]);
    let place = Place {
        module: "m".to_owned(),
        path: path("x"),
    };
    let store = RemoteStore::new(Daemon::with(Arc::new(module.clone())), place);
    let cx = Cx::default();
    let root = store.stat(&cx, &RelPath::ROOT).await.unwrap().unwrap();
    assert!(root.is_directory());
    assert!(store.stat(&cx, &path("nothing")).await.unwrap().is_none());
    let options = blit_contract::ListOptions::recursive();
    let mut names = Vec::new();
    let root = RelPath::ROOT;
    let mut batches = store.list(&cx, &root, options);
    while let Some(batch) = batches.next().await {
        let batch = batch.unwrap();
        let directory = batch.directory.clone();
        let paths = batch
            .entries
            .iter()
            .map(|entry| directory.join(entry.name.clone()));
        names.extend(paths.map(|path| path.to_string()));
    }
    drop(batches);
    names.sort();
    assert_eq!(names, ["a", "d", "d/b"]);
    let doomed = store.stat(&cx, &path("a")).await.unwrap().unwrap();
    let policy = blit_contract::WritePolicy::new(
        blit_contract::Durability::Batch,
        blit_contract::Preserve::NONE,
    );
    let ends = store.delete(&cx, policy, vec![(path("a"), doomed)]).await;
    assert!(ends.unwrap().remove(0).is_ok());
    assert_eq!(module.paths(), ["x", "x/d", "x/d/b", "y"]);
}
