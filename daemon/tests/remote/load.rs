//! Many at once: machines that only stay connected, sessions at the same time, and those who take what they can
//! get. What is held against them is counted: sessions, connections, descriptors and memory, never time.

mod crowd;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use blit_conform::{assert_same, need_root, scaled};
use blit_contract::{
    Cancel, Chunk, Cx, DeletionPlan, Durability, Error, ErrorKind, Event, NoHistory, Peer, RelPath,
    Stream, StreamKind,
};
use blit_control::Client;
use blit_engine::{
    Answer, Confirm, Doomed, HalfRole, Options, Progress, RemoteJob, Report, Source, Top, Verb,
    ask_status, run_remote,
};
use blit_registry::{PluginConfig, Registry};
use blit_store_mem::MemStore;
use blit_wire::{LaneWishes, Place, Reply, Role, Rules};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::{mpsc, watch};

use crate::{
    bench::{Daemon, Two, contents, there},
    floods::{descriptors, resident_kib},
    hostile::attacker::{Ends, request},
};
use crowd::Crowd;

/// What takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// How many sessions a machine may have, and all of them.
const OF_MACHINE: usize = 16;
const OF_ALL: usize = 256;

/// How many connections a machine may have.
const CONNECTIONS_OF_MACHINE: usize = 24;

/// Waits until `is_so`, or fails: what the daemon does by itself takes a moment.
pub(crate) async fn comes_to_be(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "it never came to be that {what}");
}

/// How many connections and lanes it has. Directories stay open for a while after the session that used them.
fn sockets(daemon: &Daemon) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap();
    let is_socket = |link: &Path| link.to_string_lossy().starts_with("socket:");
    open.filter_map(|it| std::fs::read_link(it.unwrap().path()).ok())
        .filter(|link| is_socket(link))
        .count()
}

/// Waits until it has no more sockets than it had.
async fn lets_go(daemon: &Daemon, before: usize) {
    let is_so = async || sockets(daemon) <= before;
    comes_to_be("the sockets are closed again", is_so).await;
}

/// What all sessions wait for in their middle.
struct Together {
    waiting: watch::Sender<usize>,
    go: watch::Sender<bool>,
}

impl Together {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: watch::Sender::new(0),
            go: watch::Sender::new(false),
        })
    }
}

/// Asked before something is deleted, when all else has been compared.
#[async_trait]
impl Confirm for Together {
    async fn confirm(&self, _plan: DeletionPlan, _doomed: &dyn Doomed) -> Answer {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let gone = self.go.subscribe().wait_for(|go| *go).await.is_ok();
        assert!(gone, "nobody lets them go on");
        Answer::Yes
    }
}

/// What each session brings.
fn tree(session: usize) -> MemStore {
    let store = MemStore::new();
    for number in 0..scaled(6, 60) {
        let content = vec![(session + number) as u8; 500 * (number + 1)];
        store.add_file(&format!("d/f{number}"), content).unwrap();
    }
    store
}

/// Mirrors `tree` into a directory of the module `m`.
async fn mirrors(
    client: Client,
    directory: &str,
    tree: MemStore,
    confirm: Arc<Together>,
) -> Report {
    let (events, mut heard) = mpsc::channel::<Event>(64);
    tokio::spawn(async move { while heard.recv().await.is_some() {} });
    let planner = Registry::builtin().unwrap();
    let name = blit_contract::Name::new(directory.as_bytes()).unwrap();
    let mut options = Options::new(Verb::Mirror);
    options.durability = Durability::None;
    run_remote(RemoteJob {
        peer: Arc::new(client),
        token: None,
        backup: None,
        place: Place {
            module: "m".to_owned(),
            path: [name].into_iter().collect::<RelPath>(),
        },
        top: Top::Contents,
        lanes: LaneWishes::default(),
        rules: Rules::default(),
        role: HalfRole::Source(Source {
            store: Arc::new(tree),
            top: Top::Contents,
        }),
        planner: planner.planner(None, &PluginConfig::new()).unwrap(),
        options,
        confirm,
        history: Arc::new(NoHistory),
        events,
        progress: Arc::new(Progress::default()),
        cancel: Cancel::default(),
    })
    .await
}

/// Holds what arrived against what was sent.
fn assert_arrived(directory: &Path, tree: &MemStore) {
    let mut found = 0;
    for path in tree.paths() {
        let Some(content) = tree.content(&path) else {
            continue;
        };
        assert_eq!(std::fs::read(directory.join(&path)).unwrap(), content);
        found += 1;
    }
    let there = std::fs::read_dir(directory.join("d")).unwrap().count();
    assert_eq!(found, there, "{}", directory.display());
    assert!(!directory.join("extra").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_all_there_at_once_all_end_in_exact_trees() {
    const SESSIONS: usize = 128;
    /// Of memory, for each that waits in its middle.
    const KIB_EACH: u64 = 2 << 10;
    blit_bundled::prepare_process();
    let crowd = Crowd::of(SESSIONS / OF_MACHINE + 1);
    crowd.two.blit(&["ls", &there("m")]).succeeds();
    let daemon = &crowd.two.daemon;
    let (before, memory) = (sockets(daemon), resident_kib(daemon));
    let together = Together::new();
    let mut running = FuturesUnordered::new();
    for session in 0..SESSIONS {
        let directory = format!("s{session}");
        let target = crowd.two.module().join(&directory);
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("extra"), "goes").unwrap();
        let client = crowd.client(session % (SESSIONS / OF_MACHINE)).await;
        let together = Arc::clone(&together);
        running.push(async move {
            let tree = tree(session);
            let report = mirrors(client, &directory, tree.clone(), together).await;
            assert!(report.is_clean(), "{directory}: {report:?}");
            assert_arrived(&target, &tree);
        });
    }
    let mut waiting = together.waiting.subscribe();
    let all = waiting.wait_for(|waiting| *waiting == SESSIONS);
    tokio::select! {
        all = tokio::time::timeout(PATIENCE, all) => drop(all.unwrap().unwrap()),
        _ = running.next() => panic!("one ended before it was asked"),
    }
    let taken = resident_kib(daemon).saturating_sub(memory);
    assert!(taken <= KIB_EACH * SESSIONS as u64, "{taken} KiB");
    // Another machine is answered while they are in their middle, and may have its own session.
    let other = crowd.client(SESSIONS / OF_MACHINE).await;
    let status = ask_status(&Cx::default(), &other).await.unwrap();
    assert_eq!(status.sessions as usize, SESSIONS);
    let granted = asks_for_session(&other).await;
    assert!(matches!(granted, Ok((_, Reply::Session(_)))), "it may");
    // Of a machine that has as many as it may none more begins.
    let one_more = asks_for_session(&crowd.client(0).await).await;
    assert_busy(&one_more);
    together.go.send_replace(true);
    while running.next().await.is_some() {}
    drop((other, granted, one_more));
    lets_go(daemon, before).await;
}

/// Asks for a session, and does nothing more.
async fn asks_for_session(client: &Client) -> blit_contract::Result<(Ends, Reply)> {
    let mut asking = Ends::of(client.request(&Cx::default()).await?);
    let request = request(Role::Target, Verb::Copy, Path::new("held"));
    asking.say(request.to_frame()).await?;
    let reply = asking
        .reply()
        .await?
        .ok_or_else(|| Error::new(ErrorKind::Unreachable, "ask"))?;
    Ok((asking, reply))
}

#[track_caller]
fn assert_busy(answered: &blit_contract::Result<(Ends, Reply)>) {
    match answered {
        Ok((_, Reply::Refused(error))) => assert_eq!(error.kind(), ErrorKind::Busy),
        Ok((_, other)) => panic!("it was answered {other:?}"),
        Err(error) => panic!("it was not answered: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_as_many_sessions_run_as_may_one_more_is_told_to_come_again_and_can() {
    blit_bundled::prepare_process();
    let crowd = Crowd::of(OF_ALL / OF_MACHINE + 1);
    // The threads that serve a module have a socket of their own, for signals.
    crowd.two.blit(&["ls", &there("m")]).succeeds();
    let before = sockets(&crowd.two.daemon);
    let (mut held, mut clients) = (Vec::new(), Vec::new());
    for machine in 0..OF_ALL / OF_MACHINE {
        let client = crowd.another(machine).await.unwrap();
        for session in 0..OF_MACHINE {
            let (asking, reply) = asks_for_session(&client).await.unwrap();
            assert!(matches!(reply, Reply::Session(_)), "{session}: {reply:?}");
            held.push(asking);
        }
        clients.push(client);
    }
    let late = crowd.another(OF_ALL / OF_MACHINE).await.unwrap();
    assert_busy(&asks_for_session(&late).await);
    // What takes no session goes on, and the administrator reads why.
    let status = ask_status(&Cx::default(), &late).await.unwrap();
    assert_eq!(status.sessions as usize, OF_ALL);
    let two = &crowd.two;
    let told = two.blit(&["status"]).exits(0).stdout;
    assert!(told.contains("NO_NEW_SESSIONS"), "{told}");
    two.blit(&["ls", &there("m")]).succeeds();
    held.pop();
    let granted = async || matches!(asks_for_session(&late).await, Ok((_, Reply::Session(_))));
    comes_to_be("the place of one that ended is another's", granted).await;
    drop((held, clients, late));
    lets_go(&two.daemon, before).await;
    let told = two.blit(&["status"]).exits(0).stdout;
    assert!(!told.contains("NO_NEW_SESSIONS"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_only_stay_connected_take_little() {
    /// A connection of TLS and HTTP/2 that sleeps (reliability.md has 48; this is a build without optimization).
    const KIB_EACH: u64 = 64;
    const KIB_ONCE: u64 = 8 << 10;
    blit_bundled::prepare_process();
    let machines = scaled(10, 100);
    let crowd = Crowd::of(machines);
    let two = &crowd.two;
    two.blit(&["ls", &there("m")]).succeeds();
    let (before, memory) = (sockets(&two.daemon), resident_kib(&two.daemon));
    let mut idle = Vec::new();
    for _ in 0..20 {
        for machine in 0..machines {
            let client = crowd.another(machine).await.unwrap();
            ask_status(&Cx::default(), &client).await.unwrap();
            idle.push(client);
        }
    }
    let more = sockets(&two.daemon) - before;
    assert_eq!(more, idle.len(), "each has one, and all stay");
    let taken = resident_kib(&two.daemon).saturating_sub(memory);
    let may = KIB_ONCE + KIB_EACH * idle.len() as u64;
    assert!(taken <= may, "{taken} KiB for {}", idle.len());
    two.blit(&["ls", &there("m")]).succeeds();
    drop(idle);
    lets_go(&two.daemon, before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_has_as_many_connections_as_it_may_and_others_have_theirs() {
    let crowd = Crowd::of(1);
    let answers = async |client: &Client| ask_status(&Cx::default(), client).await.is_ok();
    let mut held = Vec::new();
    for number in 0..CONNECTIONS_OF_MACHINE {
        let client = crowd.another(0).await.unwrap();
        assert!(answers(&client).await, "connection {number}");
        held.push(client);
    }
    // It may be hung up on before or after it has begun to speak.
    if let Ok(one_more) = crowd.another(0).await {
        assert!(!answers(&one_more).await);
    }
    crowd.two.blit(&["ls", &there("m")]).succeeds();
    held.pop();
    let is_let_in = async || match crowd.another(0).await {
        Ok(client) => answers(&client).await,
        Err(_) => false,
    };
    comes_to_be("the place of one that went is another's", is_let_in).await;
}

/// Says as much as it can for ever, and counts it.
async fn sends(mut stream: Stream, sent: Arc<AtomicU64>) {
    let mut half = stream.send.take().unwrap();
    let piece = Bytes::from(vec![0x55; 256 << 10]);
    loop {
        let mut chunks = [Chunk::Bytes(piece.clone())].into();
        match half.send(&mut chunks).await {
            Ok(bytes) => drop(sent.fetch_add(bytes, Ordering::Relaxed)),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_without_end_and_is_not_heard_takes_no_more_memory_than_its_windows() {
    /// The window of a connection, and what it costs to hold it in pieces.
    const KIB_EACH: u64 = (20 + 8) << 10;
    const KIB_ONCE: u64 = 32 << 10;
    /// More than it may have waiting.
    const STREAMS: usize = 24;
    let crowd = Crowd::of(1);
    let two = &crowd.two;
    two.blit(&["ls", &there("m")]).succeeds();
    let (before, memory) = (sockets(&two.daemon), resident_kib(&two.daemon));
    let sent = Arc::<AtomicU64>::default();
    let (mut held, mut sending) = (Vec::new(), tokio::task::JoinSet::new());
    let connections = scaled(3, OF_MACHINE);
    for _ in 0..connections {
        let client = crowd.another(0).await.unwrap();
        let (asking, reply) = asks_for_session(&client).await.unwrap();
        let Reply::Session(grant) = reply else {
            panic!("{reply:?}");
        };
        let cx = Cx::default();
        let connection = client.session(&cx, &grant).await.unwrap();
        // The first is the session's own, on which the daemon waits for a greeting.
        let session = connection.open(&cx, StreamKind::TwoWay).await.unwrap();
        // All before the first says something: where a window is full nothing more can be asked.
        let mut lanes = Vec::new();
        for _ in 0..STREAMS {
            lanes.push(connection.open(&cx, StreamKind::OneWay).await.unwrap());
        }
        for lane in lanes {
            sending.spawn(sends(lane, Arc::clone(&sent)));
        }
        held.push((client, asking, session, connection));
    }
    is_stuck(&sent).await;
    let sent_kib = sent.load(Ordering::Relaxed) >> 10;
    // Four lanes fill the window, and one stays for the session.
    let windows = connections as u64 * (16 << 10);
    assert!(sent_kib >= windows, "only {sent_kib} KiB were said");
    let taken = resident_kib(&two.daemon).saturating_sub(memory);
    let may = KIB_ONCE + KIB_EACH * connections as u64;
    assert!(taken <= may, "{taken} KiB for {connections} connections");
    two.blit(&["ls", &there("m")]).succeeds();
    sending.shutdown().await;
    drop(held);
    lets_go(&two.daemon, before).await;
}

/// Waits until nothing more is added to it for a while.
async fn is_stuck(sent: &AtomicU64) {
    const SAME: usize = 40;
    let (mut last, mut same) = (0, 0);
    let is_stuck = async || {
        let now = sent.load(Ordering::Relaxed);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        same >= SAME
    };
    comes_to_be("nothing more is taken", is_stuck).await;
}

#[test]
fn sessions_one_after_the_other_leave_nothing_behind() {
    let two = Two::new();
    let source = two.scratch.directory("source");
    for number in 0..20_u8 {
        std::fs::write(source.join(format!("f{number}")), vec![number; 20_000]).unwrap();
    }
    let words = [
        "mirror".into(),
        "--yes".into(),
        contents(&source),
        there("m/").into(),
    ];
    let round = |number: usize| {
        std::fs::write(source.join("f0"), vec![1; 30_000 + number]).unwrap();
        two.blit(&words).succeeds();
    };
    // What is made once, is made.
    (0..4).for_each(round);
    let before = [descriptors(&two.daemon), threads(&two.daemon)];
    let memory = resident_kib(&two.daemon);
    let times = scaled(12, 500);
    (4..4 + times).for_each(round);
    let now = [descriptors(&two.daemon), threads(&two.daemon)];
    assert!(now[0] <= before[0] + 2, "descriptors: {before:?}, {now:?}");
    // Threads for calls that block come and go.
    assert!(now[1] <= before[1] + 8, "threads: {before:?}, {now:?}");
    let taken = resident_kib(&two.daemon).saturating_sub(memory);
    assert!(taken <= 16 << 10, "{taken} KiB in {times} sessions");
    let spooled = std::fs::read_dir(two.scratch.path("daemon-state/spool")).unwrap();
    assert_eq!(spooled.count(), 0, "lists that nobody needs any more");
    assert_same(&source, &two.module());
}

fn threads(daemon: &Daemon) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    open.count()
}

#[test]
fn a_listing_takes_one_handshake_and_a_copy_one_more_for_each_lane() {
    use crate::{bench::HOST, relay::Relay};
    const LANES: usize = 4;
    /// Two certificates, two signatures and what is said of HTTP/2 (measured: some 4 KiB).
    const BYTES_MAX: usize = 12 << 10;
    if !need_root("unshare") {
        return;
    }
    let two = Two::strangers();
    let relay = Relay::before(&two.daemon.address);
    let host = format!("{HOST}:{}", relay.port);
    two.blit(&["pair", &host, &two.daemon.invitation])
        .succeeds();
    let source = two.scratch.directory("source");
    std::fs::write(source.join("f"), "f").unwrap();
    let (connections, heard) = (relay.connections(), relay.heard_bytes());
    two.blit(&["ls", &there("m")]).succeeds();
    assert_eq!(relay.connections(), connections + 1);
    let bytes = relay.heard_bytes() - heard;
    assert!(bytes <= BYTES_MAX, "{bytes} bytes for a listing of nothing");
    let words = ["copy".into(), contents(&source), there("m/").into()];
    two.elsewhere(&words).succeeds();
    let made = relay.connections() - connections - 1;
    assert!((2..=1 + LANES).contains(&made), "{made} connections");
}

#[test]
fn a_long_audit_log_does_not_hold_up_the_start() {
    /// What any start reads: libraries, its configuration, and the end of the log.
    const KIB_MORE: u64 = 1 << 10;
    let mut two = Two::new();
    two.blit(&["ls", &there("m")]).succeeds();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    let restart = |two: &mut Two| {
        two.daemon.kill();
        two.daemon = Two::start(&two.scratch, &listen, &[]);
        read_kib(&two.daemon)
    };
    let short = restart(&mut two);
    let log = two.scratch.path("daemon-state/audit/audit.jsonl");
    let lines = std::fs::read_to_string(&log).unwrap();
    let times = scaled(40_000, 1_000_000) / lines.lines().count();
    // The chain is of no matter here: only its last line is looked at.
    std::fs::write(&log, lines.repeat(times)).unwrap();
    let long = restart(&mut two);
    assert!(long <= short + KIB_MORE, "{long} KiB read, and not {short}");
    two.blit(&["ls", &there("m")]).succeeds();
}

fn read_kib(daemon: &Daemon) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", daemon.id())).unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.unwrap().parse::<u64>().unwrap() >> 10
}
