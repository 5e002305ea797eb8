//! One transfer from end to end: what both roles share, and the loop that drives them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use blit_clock::{Clock, Pace, StallDetector, SystemClock};
use blit_contract::{
    Cancel, Cx, EndState, Error, ErrorKind, Event, Item, ItemOp, Loss, Method, Outcome, Phase,
    Planner, Problem, RelPath, Result, Sample, Side,
};
use blit_wire::Verb;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};

use crate::{
    Half, HalfRole, Job, Options, Progress, Report, Stop, overlap, source::SourceRole,
    target::TargetRole,
};
use blit_channel::{Meter, Metered};

/// How often partial batches are flushed and the stall detector looks.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How often somebody's wish to stop is looked at: soon for a person, rarely for a processor.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// After so many device errors the target is given up: going on would only report each file.
const TARGET_IO_ERRORS_MAX: u32 = 3;

/// Runs the session to its end. It always answers: what stopped it early is in the report.
///
/// Must be called on a tokio runtime with more than one thread, or the blocking calls of stores
/// would wait for each other.
pub async fn run(job: Job) -> Report {
    let session = Arc::new(Session::new(
        Wishes {
            options: job.options.clone(),
            progress: Arc::clone(&job.progress),
            planner: Arc::clone(&job.planner),
            events: job.events.clone(),
            user: job.cancel.clone(),
        },
        Arc::new(SystemClock::default()),
    ));
    let started = session.clock.now();
    match overlap::find(&session.cx, &job.source, &job.target).await {
        Ok(None) => drive(&session, job).await,
        Ok(Some(stop)) => session.stop(stop),
        Err(error) => session.fail(Side::Source, error),
    }
    session.end_report(started)
}

/// Plays one role of a session whose other role is at the other end of the connection, and ends like
/// [`run`].
pub(crate) async fn run_half(half: Half) -> Report {
    let wishes = Wishes {
        options: half.options,
        progress: half.progress,
        planner: Arc::clone(&half.planner),
        events: half.events,
        user: half.cancel,
    };
    let session = Arc::new(Session::new(wishes, Arc::new(SystemClock::default())));
    let started = session.clock.now();
    let meter = Meter::default();
    let connection = Box::new(Metered::new(half.connection, &meter));
    let mut roles = JoinSet::new();
    match half.role {
        HalfRole::Source(source) => {
            let role = SourceRole::new(&session, source, half.planner, half.history);
            roles.spawn(async move { (Side::Source, role.run(connection).await) });
        }
        HalfRole::Target(target) => {
            let role = TargetRole::new(&session, target, half.confirm, half.history)
                .expecting(half.asked.as_ref());
            roles.spawn(async move { (Side::Target, role.run(connection).await) });
        }
    }
    play(&session, roles).await;
    session.note(|report| report.wire_bytes = meter.load(Ordering::Relaxed));
    session.end_report(started)
}

/// Runs both roles until both are through, or something stops the session.
async fn drive(session: &Arc<Session>, job: Job) {
    let (source_end, target_end) = job.connections;
    let source = SourceRole::new(session, job.source, job.planner, job.history.clone());
    let target = TargetRole::new(session, job.target, job.confirm, job.history);
    let mut roles = JoinSet::new();
    roles.spawn(async move { (Side::Source, source.run(source_end).await) });
    roles.spawn(async move { (Side::Target, target.run(target_end).await) });
    play(session, roles).await;
}

/// Waits until the roles are through, or something stops the session.
async fn play(session: &Arc<Session>, mut roles: JoinSet<(Side, Result<()>)>) {
    let heartbeat = session.heartbeat();
    tokio::pin!(heartbeat);
    let mut echo = None;
    loop {
        tokio::select! {
            ended = roles.join_next() => match ended {
                None => {
                    if let Some((side, error)) = echo.take() {
                        session.fail(side, error);
                    }
                    return;
                }
                Some(Ok((_, Ok(())))) => {}
                // Who hears his peer hang up does not know why; the peer does, and is about to say it.
                Some(Ok((side, Err(error)))) if error.kind() == ErrorKind::Unreachable => {
                    echo.get_or_insert((side, error));
                }
                Some(Ok((side, Err(error)))) => session.fail(side, error),
                Some(Err(error)) => session.stop(Stop::Internal(broken_task(error))),
            },
            () = session.stopped.notified() => return,
            () = &mut heartbeat => return,
        }
    }
}

/// What both roles share.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) progress: Arc<Progress>,
    pub(crate) cx: Cx,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pace: Arc<Pace>,
    /// Told once a second: whoever holds a partial batch lets it go.
    pub(crate) tick: Notify,
    planner: Arc<dyn Planner>,
    events: mpsc::Sender<Event>,
    user: Cancel,
    report: Mutex<Report>,
    stopped: Notify,
    target_io_errors: AtomicU32,
    /// `None` while a person is asked: that is no stall.
    waiting_for: Mutex<Option<&'static str>>,
}

/// What whoever starts a session wishes of it, whatever its roles are.
pub(crate) struct Wishes {
    pub(crate) options: Options,
    pub(crate) progress: Arc<Progress>,
    pub(crate) planner: Arc<dyn Planner>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) user: Cancel,
}

impl Session {
    pub(crate) fn new(wishes: Wishes, clock: Arc<dyn Clock>) -> Self {
        let pace = Pace::new(Arc::clone(&clock), wishes.options.bytes_per_sec);
        Self {
            pace: Arc::new(pace),
            options: wishes.options,
            progress: wishes.progress,
            cx: Cx::new(wishes.user.child()),
            clock,
            tick: Notify::new(),
            planner: wishes.planner,
            events: wishes.events,
            user: wishes.user,
            report: Mutex::new(Report::default()),
            stopped: Notify::new(),
            target_io_errors: AtomicU32::new(0),
            waiting_for: Mutex::new(Some("the source")),
        }
    }

    /// The report, as it stands at the end.
    fn end_report(&self, started: Duration) -> Report {
        let mut report = std::mem::take(&mut *self.report.lock());
        report.took = self.clock.now().saturating_sub(started);
        report
    }

    /// Lets the planner learn how a piece of work went: files and bytes since `started`.
    pub(crate) fn observe(
        &self,
        item: u64,
        method: Method,
        (files, bytes): (usize, usize),
        started: Duration,
    ) {
        if self.pace.is_limited() {
            // How fast this machine is does not show in what it may.
            return;
        }
        let took = self.clock.now().saturating_sub(started);
        let sample = Sample::new(method, files as u64, bytes as u64, took);
        self.planner.observe(&Outcome::new(item, Some(sample)));
    }

    /// Changes the report.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock());
    }

    /// Whether the listing is sealed and nothing has gone wrong so far. Without this nothing is deleted.
    pub(crate) fn is_clean(&self) -> bool {
        let report = self.report.lock();
        report.sealed && report.problems_total == 0
    }

    /// Whether anything at the target was changed.
    pub(crate) fn has_changed_anything(&self) -> bool {
        self.report.lock().changed_anything
    }

    /// Says which phase has begun.
    pub(crate) async fn enter(&self, phase: Phase) {
        self.progress.enter(phase);
        self.tell(Event::Phase(phase)).await;
    }

    /// Says what is waited for, should nothing move.
    pub(crate) fn wait_for(&self, what: &'static str) {
        *self.waiting_for.lock() = Some(what);
    }

    /// Says that a person is asked.
    pub(crate) fn wait_for_a_person(&self) {
        *self.waiting_for.lock() = None;
    }

    /// Sends an event. Nobody listening is no reason to stop.
    pub(crate) async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    /// Brings an entry to its one end, and tells of it if items are wanted.
    pub(crate) async fn end(&self, end: EndState, item: Item) {
        let differs = self.options.verb == Verb::Check && end != EndState::Unchanged;
        self.note(|report| {
            report.ends.add(end);
            report.differences += u64::from(differs && item.op != ItemOp::Skip);
        });
        match end {
            EndState::Unchanged => self.progress.up_to_date.add(1),
            EndState::Deleted => self.progress.deleted_entries.add(1),
            _ => {}
        }
        if self.options.items && end != EndState::Unchanged {
            self.tell(Event::Item(item)).await;
        }
    }

    /// Counts what the target could not keep of one entry.
    pub(crate) fn lose(&self, losses: &[Loss]) {
        if losses.is_empty() {
            return;
        }
        self.note(|report| {
            for loss in losses {
                *report.losses.entry(loss.class).or_default() += 1;
            }
        });
    }

    /// Brings an entry to a bad end. A full, read-only or failing target ends the session.
    pub(crate) async fn problem(&self, side: Side, path: &RelPath, error: Error, retried: u32) {
        if error.kind() == ErrorKind::Cancelled {
            return self.fail(side, error);
        }
        let mut problem = Problem::new(side, path.clone(), error);
        problem.retried = retried;
        self.progress.problems.add(1);
        self.note(|report| report.ends.add(problem.end_state()));
        self.report_problem(problem).await;
    }

    /// Notes a problem that is no entry's end: a directory that could not be listed.
    pub(crate) async fn scan_problem(&self, side: Side, error: Error) {
        let path = error.path().cloned().unwrap_or_default();
        self.progress.problems.add(1);
        if side == Side::Source && error.kind() == ErrorKind::Vanished {
            self.note(|report| report.ends.add(EndState::Vanished));
        }
        self.report_problem(Problem::new(side, path, error)).await;
    }

    async fn report_problem(&self, problem: Problem) {
        let problem = Arc::new(problem);
        self.note(|report| {
            report.problems_total += 1;
            if report.problems.len() < Report::PROBLEMS_MAX {
                report.problems.push(Arc::clone(&problem));
            }
        });
        if self.is_fatal(&problem) {
            self.stop(Stop::Failed(problem));
        } else {
            self.tell(Event::Problem(problem)).await;
        }
    }

    fn is_fatal(&self, problem: &Problem) -> bool {
        if problem.side == Side::Source {
            return false;
        }
        match problem.error.kind() {
            ErrorKind::NoSpace | ErrorKind::ReadOnly => true,
            ErrorKind::Io => {
                self.target_io_errors.fetch_add(1, Ordering::Relaxed) + 1 >= TARGET_IO_ERRORS_MAX
            }
            _ => false,
        }
    }

    /// Ends the session for an error that is no entry's.
    pub(crate) fn fail(&self, side: Side, error: Error) {
        let stop = match error.kind() {
            // One role ends, and the other may hear it hang up before anybody hears why.
            ErrorKind::Cancelled | ErrorKind::Unreachable if self.user.is_cancelled() => {
                Stop::Cancelled
            }
            ErrorKind::Cancelled => return,
            ErrorKind::Bug => Stop::Internal(error),
            _ => {
                let path = error.path().cloned().unwrap_or_default();
                Stop::Failed(Arc::new(Problem::new(side, path, error)))
            }
        };
        self.stop(stop);
    }

    /// Ends the session. The first reason stands.
    pub(crate) fn stop(&self, stop: Stop) {
        self.note(|report| {
            report.stop.get_or_insert(stop);
        });
        self.cx.cancel.cancel();
        self.stopped.notify_one();
    }

    /// Whether a reason to stop is known.
    pub(crate) fn is_stopped(&self) -> bool {
        self.report.lock().stop.is_some()
    }

    /// Ticks, watches for the user's wish to stop, and tells when nothing moves. Ends only by that wish.
    async fn heartbeat(&self) {
        let mut detector = StallDetector::default();
        let mut next_beat = self.clock.now() + HEARTBEAT;
        loop {
            self.clock.sleep(CANCEL_POLL).await;
            if self.user.is_cancelled() {
                return self.stop(Stop::Cancelled);
            }
            let now = self.clock.now();
            if now < next_beat {
                continue;
            }
            next_beat = now + HEARTBEAT;
            self.tick.notify_waiters();
            let waiting_for = *self.waiting_for.lock();
            let activity = self.progress.activity();
            let is_due = waiting_for.is_some() && !self.pace.is_waiting();
            if let Some(still) = detector.observe(now, activity, is_due) {
                let waiting_for = waiting_for.unwrap_or_default().to_owned();
                let seconds = still.as_secs();
                tracing::warn!(seconds, waiting_for, "nothing moves");
                self.tell(Event::Stalled {
                    waiting_for,
                    seconds,
                })
                .await;
            }
        }
    }
}

fn broken_task(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Bug, "run session").with_source(error)
}

/// Unwraps the end of a task of ours: its panic becomes an error of the session.
pub(crate) fn joined<T>(
    ended: std::result::Result<Result<T>, tokio::task::JoinError>,
) -> Result<T> {
    ended.map_err(broken_task)?
}
