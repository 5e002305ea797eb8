//! Many at once: machines that only stay connected, sessions at the same time, and those who take what they can
//! get. What is held against them is counted: sessions, connections, descriptors and memory, never time.

mod crowd;

use std::{path::Path, time::Duration};

use blit_conform::{assert_same, need_root, scaled};
use blit_contract::{Cx, Error, ErrorKind, Peer};
use blit_control::Client;
use blit_engine::{Verb, ask_status};
use blit_wire::{Reply, Role};

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
