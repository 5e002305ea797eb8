//! A peer that says something else than it should, after everything was right up to there: what it said in an
//! honest session is played again with one change.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use blit_conform::seed;
use blit_contract::{
    Cancel, Chunk, Connection, Cx, NoHistory, Peer, PeerInfo, Result, SessionGrant, Store, Stream,
    StreamKind,
};
use blit_engine::{
    AlwaysYes, HalfRole, Options, Progress, RemoteJob, Report, Source, Stop, Target, Top, Verb,
};
use blit_store_mem::MemStore;
use blit_wire::{LaneWishes, Place, Reply, Rules};
use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use crate::{
    mangle::{Chance, altered},
    remote::{BytesOnly, Way, Wire, content},
    support::{OneByOne, tree},
};

/// A file that comes in pieces, with a digest of all of it.
const LARGE: usize = (1 << 20) + 5;

/// What was said, in its order.
#[derive(Debug, Clone)]
struct Said {
    on: usize,
    frame: Bytes,
    /// How many frames of the other side had been heard on the session's stream before.
    heard: usize,
}

/// One end of a session, and what its other end says there.
#[derive(Debug, Default)]
struct Log {
    said: Mutex<Vec<Said>>,
    heard: Mutex<usize>,
    changed: Notify,
}

/// Writes down what comes in, as the other side says it.
#[derive(Debug)]
struct Recorded<T: ?Sized> {
    on: usize,
    log: Arc<Log>,
    half: Box<T>,
}

#[async_trait::async_trait]
impl blit_contract::RecvStream for Recorded<dyn blit_contract::RecvStream> {
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>> {
        let chunk = self.half.recv(bytes_max).await?;
        if let Some(Chunk::Bytes(frame)) = &chunk {
            self.log.said.lock().push(Said {
                on: self.on,
                frame: frame.clone(),
                heard: *self.log.heard.lock(),
            });
        }
        Ok(chunk)
    }
    fn stop(&mut self, code: u32) {
        self.half.stop(code);
    }
}

#[async_trait::async_trait]
impl blit_contract::SendStream for Recorded<dyn blit_contract::SendStream> {
    async fn send(&mut self, chunks: &mut std::collections::VecDeque<Chunk>) -> Result<u64> {
        let sent = self.half.send(chunks).await?;
        if self.on == 0 {
            *self.log.heard.lock() += 1;
            self.log.changed.notify_waiters();
        }
        Ok(sent)
    }
    async fn flush(&mut self) -> Result<()> {
        self.half.flush().await
    }
    async fn finish(&mut self) -> Result<()> {
        self.half.finish().await
    }
    fn reset(&mut self, code: u32) {
        self.half.reset(code);
    }
}

/// Keeps a log of the streams of a session, the session's own first.
#[derive(Debug)]
struct Logging {
    inner: BytesOnly,
    streams: Mutex<usize>,
    log: Arc<Log>,
}

impl Logging {
    fn stream(&self, stream: Stream) -> Stream {
        let mut streams = self.streams.lock();
        let on = *streams;
        *streams += 1;
        let Stream { id, send, recv } = stream;
        let log = || Arc::clone(&self.log);
        let send = send.map(|half| Recorded {
            on,
            log: log(),
            half,
        });
        let recv = recv.map(|half| Recorded {
            on,
            log: log(),
            half,
        });
        Stream {
            id,
            send: send.map(|half| Box::new(half) as Box<dyn blit_contract::SendStream>),
            recv: recv.map(|half| Box::new(half) as Box<dyn blit_contract::RecvStream>),
        }
    }
}

#[async_trait::async_trait]
impl Connection for Logging {
    fn caps(&self) -> blit_contract::TransportCaps {
        self.inner.caps()
    }
    fn demands(&self) -> blit_contract::Demands {
        self.inner.demands()
    }
    fn limits(&self) -> blit_contract::Limits {
        self.inner.limits()
    }
    fn peer(&self) -> &PeerInfo {
        self.inner.peer()
    }
    async fn open(&self, cx: &Cx, kind: StreamKind) -> Result<Stream> {
        Ok(self.stream(self.inner.open(cx, kind).await?))
    }
    async fn accept(&self, cx: &Cx) -> Result<Option<Stream>> {
        let stream = self.inner.accept(cx).await?;
        Ok(stream.map(|stream| self.stream(stream)))
    }
    async fn close(&self, code: u32) -> Result<()> {
        self.inner.close(code).await
    }
}

/// A daemon that plays again what was said, or, without that, leads to an honest one.
#[derive(Debug)]
struct Player {
    info: PeerInfo,
    log: Arc<Log>,
    honest: Option<Arc<dyn Peer>>,
    plays: Vec<Said>,
    way: Way,
}

#[async_trait::async_trait]
impl Peer for Player {
    fn info(&self) -> &PeerInfo {
        &self.info
    }

    async fn request(&self, cx: &Cx) -> Result<Stream> {
        if let Some(honest) = &self.honest {
            return honest.request(cx).await;
        }
        let (ours, theirs) = blit_transport_mem::pair();
        tokio::spawn(async move {
            let Ok(Some(mut stream)) = theirs.accept(&Cx::default()).await else {
                return;
            };
            let grant = SessionGrant {
                id: [7; 16],
                offers: Vec::new(),
            };
            let mut send = stream.send.take().unwrap();
            let mut chunks = [Chunk::Bytes(Reply::Session(grant).to_frame())].into();
            drop(send.send(&mut chunks).await);
            // It hangs up when the client does.
            let mut recv = stream.recv.take().unwrap();
            while let Ok(Some(_)) = recv.recv(1 << 20).await {}
        });
        let stream = ours.open(cx, StreamKind::TwoWay).await;
        // The connection lives as long as it is heard.
        std::mem::forget(ours);
        stream
    }

    async fn session(&self, cx: &Cx, grant: &SessionGrant) -> Result<Box<dyn Connection>> {
        let inner = match &self.honest {
            Some(honest) => honest.session(cx, grant).await?,
            None => {
                let (ours, theirs) = blit_transport_mem::pair();
                let (log, plays) = (Arc::clone(&self.log), self.plays.clone());
                tokio::spawn(play(theirs, log, plays, self.way));
                ours
            }
        };
        Ok(Box::new(Logging {
            inner: BytesOnly(inner, Wire::whole()),
            streams: Mutex::default(),
            log: Arc::clone(&self.log),
        }))
    }
}

/// Says all of it, each when the other side has said as much as it had then, or says nothing more.
async fn play(connection: Box<dyn Connection>, log: Arc<Log>, plays: Vec<Said>, way: Way) {
    let cx = Cx::default();
    let streams = plays
        .iter()
        .map(|said| said.on + 1)
        .max()
        .unwrap_or(0)
        .max(5);
    let mut open = Vec::new();
    for on in 0..streams {
        let kind = if on == 0 {
            StreamKind::TwoWay
        } else {
            StreamKind::OneWay
        };
        let stream = match way {
            Way::Pull => connection.open(&cx, kind).await.ok(),
            // The other side may open fewer.
            Way::Push => soon(connection.accept(&cx))
                .await
                .and_then(|it| it.ok().flatten()),
        };
        open.extend(stream);
    }
    // What the other side says is heard, so that it can go on.
    for stream in &mut open {
        if let Some(mut recv) = stream.recv.take() {
            tokio::spawn(async move { while let Ok(Some(_)) = recv.recv(1 << 20).await {} });
        }
    }
    for said in plays {
        let heard = async {
            loop {
                let changed = log.changed.notified();
                if *log.heard.lock() >= said.heard {
                    return;
                }
                changed.await;
            }
        };
        let _ = soon(heard).await;
        let Some(send) = open.get_mut(said.on).and_then(|it| it.send.as_mut()) else {
            continue;
        };
        let mut chunks = [Chunk::Bytes(said.frame)].into();
        let _ = soon(send.send(&mut chunks)).await;
    }
    // Until all of it was thought over.
    let _ = soon(std::future::pending::<()>()).await;
    for stream in &mut open {
        if let Some(send) = &mut stream.send {
            let _ = soon(send.finish()).await;
        }
    }
    // Nothing more is said; whoever waits for it must notice.
    drop(connection);
}

/// In virtual time: nothing else can happen any more.
async fn soon<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(2), future)
        .await
        .ok()
}

/// Runs a session of the client with that daemon.
async fn run(player: Arc<Player>, verb: Verb, here: &MemStore) -> Report {
    let role = match player.way {
        Way::Push => HalfRole::Source(Source {
            store: Arc::new(here.clone()),
            top: Top::Contents,
        }),
        Way::Pull => HalfRole::Target(Target {
            store: Arc::new(here.clone()),
        }),
    };
    let (events, mut heard) = mpsc::channel(64);
    tokio::spawn(async move { while heard.recv().await.is_some() {} });
    let mut options = Options::new(verb);
    options.items = true;
    blit_engine::run_remote(RemoteJob {
        peer: player,
        place: Place {
            module: "m".to_owned(),
            path: blit_contract::RelPath::ROOT,
        },
        top: Top::Contents,
        token: None,
        backup: None,
        rules: Rules::default(),
        lanes: LaneWishes::default(),
        role,
        planner: Arc::new(OneByOne),
        options,
        confirm: Arc::new(AlwaysYes),
        history: Arc::new(NoHistory),
        events,
        progress: Arc::new(Progress::default()),
        cancel: Cancel::default(),
    })
    .await
}

/// What it holds, made once.
fn large() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(|| content(LARGE))
}

/// How a client's copy ends whose daemon says these messages on the session's stream, and nothing more.
pub(crate) async fn hears(frames: Vec<Bytes>, here: &MemStore) -> Report {
    let plays = frames.into_iter().map(|frame| Said {
        on: 0,
        frame,
        heard: 0,
    });
    let player = Player {
        info: PeerInfo::default(),
        log: Arc::default(),
        honest: None,
        plays: plays.collect(),
        way: Way::Pull,
    };
    run(Arc::new(player), Verb::Copy, here).await
}

fn source() -> MemStore {
    let source = tree(&["a", "b", "d/c", "d/e/f"]);
    source.add_file("large", large().to_vec()).unwrap();
    source.add_file("none", Vec::new()).unwrap();
    source
}

fn target() -> MemStore {
    tree(&["a", "d/c", "extra", "was/there"])
}

/// What the daemon's side says in an honest session.
async fn recorded(way: Way, verb: Verb) -> Vec<Said> {
    let (here, there) = match way {
        Way::Push => (source(), target()),
        Way::Pull => (target(), source()),
    };
    let there: Arc<dyn Store> = Arc::new(there);
    let log = Arc::<Log>::default();
    let player = Player {
        info: PeerInfo::default(),
        log: Arc::clone(&log),
        honest: Some(crate::remote::daemon(there)),
        plays: Vec::new(),
        way,
    };
    let report = run(Arc::new(player), verb, &here).await;
    assert!(report.is_clean(), "{way:?} {report:?}");
    let said = log.said.lock().clone();
    assert!(said.len() > 4, "{}", said.len());
    said
}

/// Something of what was said is changed.
fn mangled(mut plays: Vec<Said>, chance: &mut Chance) -> (Vec<Said>, &'static str) {
    let (at, other) = (chance.below(plays.len()), chance.below(plays.len()));
    let what = match chance.below(16) {
        0 => {
            plays.remove(at);
            "dropped"
        }
        1 => {
            plays.insert(at, plays[at].clone());
            "doubled"
        }
        2 => {
            plays.swap(at, other);
            "swapped"
        }
        3 => {
            plays.insert(at, plays[other].clone());
            "spliced"
        }
        4 => {
            let half = plays[at].frame.len() / 2;
            plays[at].frame.truncate(half);
            "cut"
        }
        5 => {
            plays.truncate(at);
            "ended"
        }
        6 => {
            plays[at].on = chance.below(5);
            "on another stream"
        }
        _ => {
            plays[at].frame = altered(&plays[at].frame, chance).into();
            "altered"
        }
    };
    (plays, what)
}

/// What holds whatever the daemon says: the session ends, by no fault of ours, and no file of pieces has
/// another content than its source.
fn judge(report: &Report, way: Way, here: &MemStore) -> std::result::Result<(), String> {
    if let Some(Stop::Internal(error)) = &report.stop {
        return Err(format!("our own fault: {error}"));
    }
    for path in here.paths() {
        let found = here.content(&path).unwrap_or_default();
        if way == Way::Pull && found.len() >= 1 << 20 && found != large() {
            return Err(format!("{path} has another content"));
        }
    }
    Ok(())
}

async fn survives(way: Way, verb: Verb, cases: usize) {
    let said = recorded(way, verb).await;
    let seed = seed();
    for case in 0..cases as u64 {
        let mut chance = Chance::new(seed, case);
        let (plays, what) = mangled(said.clone(), &mut chance);
        let here = match way {
            Way::Push => source(),
            Way::Pull => target(),
        };
        let player = Player {
            info: PeerInfo::default(),
            log: Arc::default(),
            honest: None,
            plays,
            way,
        };
        let patience = Duration::from_secs(3_600);
        let running = tokio::time::timeout(patience, run(Arc::new(player), verb, &here));
        let running = std::panic::AssertUnwindSafe(running).catch_unwind().await;
        let told = || format!("{way:?} {verb:?}, {what}: BLIT_SEED={seed}, case {case}");
        assert!(running.is_ok(), "{}: it panicked", told());
        let report = running.unwrap();
        assert!(report.is_ok(), "{}: it hangs", told());
        let report = report.unwrap();
        let judged = judge(&report, way, &here);
        assert!(judged.is_ok(), "{}: {judged:?} {report:?}", told());
    }
}

/// How many changed conversations of each sort.
fn cases() -> usize {
    blit_conform::cases(500, 50_000)
}

#[tokio::test(start_paused = true)]
async fn a_pull_survives_whatever_the_daemon_says() {
    survives(Way::Pull, Verb::Copy, cases()).await;
}

#[tokio::test(start_paused = true)]
async fn a_mirror_from_a_daemon_survives_whatever_it_says() {
    survives(Way::Pull, Verb::Mirror, cases()).await;
}

#[tokio::test(start_paused = true)]
async fn a_push_survives_whatever_the_daemon_says() {
    survives(Way::Push, Verb::Copy, cases()).await;
}

#[tokio::test(start_paused = true)]
async fn a_move_to_a_daemon_survives_whatever_it_says() {
    survives(Way::Push, Verb::Move, cases()).await;
}
