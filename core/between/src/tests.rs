use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use blit_contract::{Connection, Cx, PeerInfo, RelPath, Result, SessionGrant, Stream, StreamKind};
use blit_engine::{Asked, NobodyThere, Progress, Verb};
use blit_wire::{PullRequest, Reply, Request};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::*;

/// What a machine of these tests says to the nth request; nothing: it never answers.
type Says = fn(usize) -> Option<Vec<Reply>>;

/// A machine that says what it was told to say, and remembers what it was asked.
#[derive(Debug)]
struct Machine {
    info: PeerInfo,
    requests: Box<dyn Connection>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Machine {
    fn new(key: Option<u8>, says: Says) -> Arc<Self> {
        let (requests, arriving) = blit_transport_mem::pair();
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let remembered = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok(Some(stream)) = arriving.accept(&Cx::default()).await {
                let (request, mut asked) = Asked::accept(stream).await.unwrap();
                let nth = remembered.lock().len();
                remembered.lock().push(request);
                let Some(replies) = says(nth) else {
                    std::future::pending().await
                };
                for reply in replies {
                    asked.reply(reply).await.unwrap();
                }
                asked.finish().await;
            }
        });
        let mut info = PeerInfo::new("somewhere");
        info.identity = key.map(|key| [key; 32]);
        info.socket = Some(([192, 168, 1, 20], 9_031).into());
        Arc::new(Self {
            info,
            requests,
            asked,
        })
    }

    /// The kinds of what it was asked, in order.
    fn heard(&self) -> Vec<&'static str> {
        let asked = self.asked.lock();
        let kinds = asked.iter().map(|request| match request {
            Request::Token(_) => "token",
            Request::Pull(_) => "pull",
            Request::Session(_) => "session",
            _ => "other",
        });
        kinds.collect()
    }
}

#[async_trait]
impl Peer for Machine {
    fn info(&self) -> &PeerInfo {
        &self.info
    }

    async fn request(&self, cx: &Cx) -> Result<Stream> {
        self.requests.open(cx, StreamKind::TwoWay).await
    }

    async fn session(&self, _: &Cx, _: &SessionGrant) -> Result<Box<dyn Connection>> {
        panic!("no session is passed on in these tests")
    }
}

fn refused(kind: ErrorKind) -> Option<Vec<Reply>> {
    let error = Error::new(kind, "ask").because("it says no");
    Some(vec![Reply::Refused(error)])
}

fn gives_leave(_: usize) -> Option<Vec<Reply>> {
    Some(vec![Reply::Token("leave".to_owned())])
}

fn begun() -> Reply {
    Reply::Session(SessionGrant {
        id: [0; 16],
        offers: Vec::new(),
    })
}

fn fetches(_: usize) -> Option<Vec<Reply>> {
    let mut report = Report::default();
    report.copied_bytes = 5;
    Some(vec![begun(), Reply::Report(Box::new(report))])
}

/// The session between the two, how it ended, and whether it was said that this machine relays.
async fn run(source: &Arc<Machine>, target: &Arc<Machine>, cancel: Cancel) -> (Report, bool) {
    let end = |machine: &Arc<Machine>, module: &str| End {
        peer: Arc::<Machine>::clone(machine),
        place: Place {
            module: module.to_owned(),
            path: RelPath::ROOT,
        },
        lanes: LaneWishes::default(),
    };
    let (events, _heard) = mpsc::channel(64);
    let between = Between {
        source: end(source, "from"),
        top: Top::Contents,
        target: end(target, "to"),
        backup: None,
        rules: Rules::default(),
        options: Options::new(Verb::Move),
        may_delegate: true,
        audience: Audience {
            confirm: Arc::new(NobodyThere),
            events,
            progress: Arc::new(Progress::default()),
        },
        cancel,
    };
    let is_relayed = AtomicBool::new(false);
    let relays = |_: &Error| is_relayed.store(true, Ordering::Relaxed);
    let report = between.run(relays).await;
    (report, is_relayed.into_inner())
}

#[tokio::test]
async fn the_target_gets_the_sources_leave_and_exactly_what_the_source_was_told_of() {
    let source = Machine::new(Some(1), gives_leave);
    let target = Machine::new(Some(2), fetches);
    let (report, is_relayed) = run(&source, &target, Cancel::default()).await;
    assert!(report.stop.is_none() && !is_relayed);
    assert_eq!(report.copied_bytes, 5);
    let (wish, pull) = (source.asked.lock().remove(0), target.asked.lock().remove(0));
    let (Request::Token(wish), Request::Pull(pull)) = (wish, pull) else {
        panic!("other requests")
    };
    assert_eq!((wish.bearer, wish.session.role), ([2; 32], Role::Source));
    let PullRequest {
        session,
        source,
        address,
        from,
        token,
        ..
    } = *pull;
    assert_eq!((source, &*token), ([1; 32], "leave"));
    assert_eq!(address.unwrap().to_string(), "192.168.1.20:9031");
    assert_eq!(from, wish.session.place);
    assert_eq!(session.role, Role::Target);
    assert_eq!(session.top, wish.session.top);
    assert_eq!(session.terms, wish.session.terms);
}

#[tokio::test]
async fn whoever_refuses_has_it_relayed_and_that_is_said() {
    let no: Says = |_| refused(ErrorKind::Unsupported);
    let once: Says = |nth| match nth {
        0 => gives_leave(nth),
        _ => refused(ErrorKind::NotFound),
    };
    for (from, to, heard) in [
        (no, fetches as Says, [vec!["token", "session"], vec![]]),
        (once, no, [vec!["token", "session"], vec!["pull"]]),
    ] {
        let (source, target) = (Machine::new(Some(1), from), Machine::new(Some(2), to));
        let (report, is_relayed) = run(&source, &target, Cancel::default()).await;
        assert!(is_relayed && report.stop.is_some());
        assert_eq!([source.heard(), target.heard()], heard);
    }
}

#[tokio::test]
async fn machines_without_a_key_and_a_machine_by_itself_are_not_asked() {
    let no: Says = |_| refused(ErrorKind::NotFound);
    for keys in [[None, Some(2)], [Some(1), None], [Some(1), Some(1)]] {
        let [source, target] = keys.map(|key| Machine::new(key, no));
        let (_, is_relayed) = run(&source, &target, Cancel::default()).await;
        assert!(is_relayed, "{keys:?}");
        assert_eq!(source.heard(), ["session"], "{keys:?}");
    }
}

#[tokio::test]
async fn a_machine_that_is_gone_is_no_reason_to_relay() {
    let gone: Says = |_| refused(ErrorKind::Unreachable);
    for (from, to) in [(gone, fetches as Says), (gives_leave as Says, gone)] {
        let (source, target) = (Machine::new(Some(1), from), Machine::new(Some(2), to));
        let (report, is_relayed) = run(&source, &target, Cancel::default()).await;
        assert!(!is_relayed);
        // Then it is tried again.
        assert!(report.stop.is_some_and(|stop| stop.is_lost_peer()));
    }
}

#[tokio::test]
async fn a_token_that_the_source_does_not_take_has_it_relayed() {
    let not_taken: Says = |nth| {
        let error = Error::new(ErrorKind::Denied, "use token").because("it is too old");
        let report = stopped(Side::Source, error);
        match nth {
            0 => Some(vec![begun(), Reply::Report(Box::new(report))]),
            _ => refused(ErrorKind::NotFound),
        }
    };
    let leave: Says = |nth| match nth {
        0 => gives_leave(nth),
        _ => refused(ErrorKind::NotFound),
    };
    let source = Machine::new(Some(1), leave);
    let target = Machine::new(Some(2), not_taken);
    let (_, is_relayed) = run(&source, &target, Cancel::default()).await;
    assert!(is_relayed);
    assert_eq!(source.heard(), ["token", "session"]);
}

#[tokio::test]
async fn a_target_that_goes_in_the_middle_may_have_changed_something() {
    let goes: Says = |_| Some(vec![begun()]);
    let source = Machine::new(Some(1), gives_leave);
    let target = Machine::new(Some(2), goes);
    let (report, _) = run(&source, &target, Cancel::default()).await;
    assert!(report.changed_anything);
    assert!(report.stop.is_some_and(|stop| stop.is_lost_peer()));
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_it_need_not_wait_for_an_answer() {
    let silent: Says = |_| None;
    for (from, to) in [(silent, fetches as Says), (gives_leave as Says, silent)] {
        let (source, target) = (Machine::new(Some(1), from), Machine::new(Some(2), to));
        let cancel = Cancel::default();
        let stops = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stops.cancel();
        });
        let (report, is_relayed) = run(&source, &target, cancel).await;
        assert!(matches!(report.stop, Some(Stop::Cancelled)) && !is_relayed);
    }
}
