//! Several ways to the same peer: the best that works is used, and it is said which.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use blit_contract::{Carrier, Cx, PeerInfo, Result, SecurityClass, Stream};
use parking_lot::Mutex;
use tokio::time::timeout;

/// How long a way may take to give a lane, before the next one is tried.
pub const LANE_WAIT: Duration = Duration::from_secs(2);

/// One way to open lanes.
#[derive(Debug, Clone)]
pub struct Rung {
    /// The name of its transport.
    pub transport: &'static str,
    /// Who could read what crosses it.
    pub security: SecurityClass,
    /// Opens the lanes.
    pub carrier: Arc<dyn Carrier>,
}

/// What became of the ways. Shared with whoever tells the user.
#[derive(Debug, Default)]
pub struct LaneUse(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    used: Option<Used>,
    passed_over: Vec<PassedOver>,
}

/// A way that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The name of its transport.
    pub transport: &'static str,
    /// Who could read what crossed it.
    pub security: SecurityClass,
    /// How many lanes it gave.
    pub lanes: u32,
}

/// A way that did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The name of its transport.
    pub transport: &'static str,
    /// Why.
    pub why: String,
}

impl LaneUse {
    /// The way that gave the last lane, if any was wanted.
    #[must_use]
    pub fn used(&self) -> Option<Used> {
        self.0.lock().used
    }

    /// The ways that did not work, in the order in which they were tried.
    #[must_use]
    pub fn passed_over(&self) -> Vec<PassedOver> {
        self.0.lock().passed_over.clone()
    }

    /// Keeps what two other machines used.
    pub fn tell(&self, used: Used) {
        self.0.lock().used = Some(used);
    }

    fn gave(&self, rung: &Rung) {
        let mut state = self.0.lock();
        let same = state
            .used
            .filter(|used| used.transport == rung.transport)
            .map_or(0, |used| used.lanes);
        state.used = Some(Used {
            transport: rung.transport,
            security: rung.security,
            lanes: same + 1,
        });
    }

    fn failed(&self, transport: &'static str, why: String) {
        let passed = &mut self.0.lock().passed_over;
        if passed.iter().all(|it| it.transport != transport) {
            passed.push(PassedOver { transport, why });
        }
    }
}

/// Opens the lanes of one session over the first way that works. The session's own stream, which comes
/// first, stays where the two sides already speak.
#[derive(Debug)]
pub struct Ladder {
    rungs: Vec<Rung>,
    /// The last rung, which always works while there is a connection at all.
    in_band: Rung,
    /// The rung that lanes are tried on first.
    at: AtomicUsize,
    has_begun: AtomicBool,
    uses: Arc<LaneUse>,
}

impl Ladder {
    /// Tries `rungs` in their order, then `in_band`.
    #[must_use]
    pub fn new(rungs: Vec<Rung>, in_band: Rung, uses: Arc<LaneUse>) -> Self {
        Self {
            rungs,
            in_band,
            at: AtomicUsize::new(0),
            has_begun: AtomicBool::new(false),
            uses,
        }
    }
}

#[async_trait]
impl Carrier for Ladder {
    fn peer(&self) -> &PeerInfo {
        self.in_band.carrier.peer()
    }

    async fn dial(&self, cx: &Cx, session: [u8; 16], reverse: bool) -> Result<Stream> {
        if !self.has_begun.swap(true, Ordering::AcqRel) {
            return self.in_band.carrier.dial(cx, session, reverse).await;
        }
        loop {
            let at = self.at.load(Ordering::Acquire);
            let Some(rung) = self.rungs.get(at) else {
                let stream = self.in_band.carrier.dial(cx, session, reverse).await?;
                self.uses.gave(&self.in_band);
                return Ok(stream);
            };
            let dialled = timeout(LANE_WAIT, rung.carrier.dial(cx, session, reverse)).await;
            let why = match dialled {
                Ok(Ok(stream)) => {
                    self.uses.gave(rung);
                    return Ok(stream);
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no lane within {} s", LANE_WAIT.as_secs()),
            };
            cx.check()?;
            self.uses.failed(rung.transport, why);
            // Another lane may have found out the same at the same time.
            let next = at + 1;
            let _ = self
                .at
                .compare_exchange(at, next, Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blit_contract::{Error, ErrorKind};

    /// A way that answers as it is told.
    #[derive(Debug)]
    struct Way {
        peer: PeerInfo,
        answers: Answers,
        dialled: AtomicUsize,
    }

    #[derive(Debug, Clone, Copy)]
    enum Answers {
        Stream(u64),
        Error,
        Never,
    }

    impl Way {
        fn rung(transport: &'static str, answers: Answers) -> (Rung, Arc<Self>) {
            let way = Arc::new(Self {
                peer: PeerInfo::default(),
                answers,
                dialled: AtomicUsize::new(0),
            });
            let rung = Rung {
                transport,
                security: SecurityClass::Encrypted,
                carrier: Arc::<Self>::clone(&way),
            };
            (rung, way)
        }
    }

    #[async_trait]
    impl Carrier for Way {
        fn peer(&self) -> &PeerInfo {
            &self.peer
        }

        async fn dial(&self, _: &Cx, _: [u8; 16], _: bool) -> Result<Stream> {
            self.dialled.fetch_add(1, Ordering::SeqCst);
            match self.answers {
                Answers::Stream(id) => Ok(Stream {
                    id,
                    send: None,
                    recv: None,
                }),
                Answers::Error => Err(Error::new(ErrorKind::Unreachable, "dial")),
                Answers::Never => std::future::pending().await,
            }
        }
    }

    async fn dial(ladder: &Ladder) -> u64 {
        let stream = ladder.dial(&Cx::default(), [0; 16], false).await;
        stream.unwrap().id
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_answer_is_passed_over_once_for_all_lanes() {
        let (tcp, dialled) = Way::rung("tcp", Answers::Never);
        let (in_band, _) = Way::rung("grpc", Answers::Stream(2));
        let uses = Arc::<LaneUse>::default();
        let ladder = Ladder::new(vec![tcp], in_band, Arc::clone(&uses));
        let began = tokio::time::Instant::now();
        for _ in 0..4 {
            assert_eq!(dial(&ladder).await, 2);
        }
        assert_eq!(began.elapsed(), LANE_WAIT);
        assert_eq!(dialled.dialled.load(Ordering::SeqCst), 1);
        let passed = uses.passed_over();
        assert_eq!((passed.len(), passed[0].transport), (1, "tcp"));
        let used = uses.used().unwrap();
        assert_eq!((used.transport, used.lanes), ("grpc", 3));
    }

    #[tokio::test]
    async fn the_first_stream_stays_on_the_control_connection() {
        let (tcp, dialled) = Way::rung("tcp", Answers::Stream(1));
        let (in_band, _) = Way::rung("grpc", Answers::Stream(2));
        let ladder = Ladder::new(vec![tcp], in_band, Arc::default());
        assert_eq!(dial(&ladder).await, 2);
        assert_eq!(dialled.dialled.load(Ordering::SeqCst), 0);
        assert_eq!(dial(&ladder).await, 1);
    }

    #[tokio::test]
    async fn ways_are_tried_in_their_order() {
        let (unix, _) = Way::rung("unix", Answers::Error);
        let (tcp, _) = Way::rung("tcp", Answers::Stream(1));
        let (in_band, _) = Way::rung("grpc", Answers::Stream(2));
        let uses = Arc::<LaneUse>::default();
        let ladder = Ladder::new(vec![unix, tcp], in_band, Arc::clone(&uses));
        dial(&ladder).await;
        assert_eq!(dial(&ladder).await, 1);
        assert_eq!(uses.used().unwrap().transport, "tcp");
        assert_eq!(uses.passed_over()[0].transport, "unix");
    }
}
