//! The client's side of a session with a daemon.

use std::{sync::Arc, time::Duration};

use blit_contract::{
    Cancel, Cx, DeletionPlan, Entry, Error, ErrorKind, Event, History, Peer, Planner, Problem,
    RelPath, Result, Side,
};
use blit_wire::{
    Figures, LaneWishes, Place, Reply, Report, Request, Role, Rules, SessionRequest, Stop, Top,
};
use tokio::{sync::mpsc, time::timeout};

use super::request::{Asking, hung_up, unexpected};
use crate::{
    Confirm, Doomed, Half, HalfRole, Options, Progress, lane::is_violation, progress::Told,
    session::run_half,
};

/// How long the daemon may take to say how it ended, once this side has.
pub const REPORT_WAIT: Duration = Duration::from_secs(30);

/// A session between a tree of this process and one of a daemon.
pub struct RemoteJob {
    /// The daemon.
    pub peer: Arc<dyn Peer>,
    /// The directory there.
    pub place: Place,
    /// If the daemon is the source: which entries of that directory.
    pub top: Top,
    /// How the lanes should be.
    pub lanes: LaneWishes,
    /// Which entries take part, for the daemon: the same that `options.select` chooses.
    pub rules: Rules,
    /// The daemon's leave, where it is asked on behalf of another machine.
    pub token: Option<String>,
    /// If the daemon is the target: where it keeps what it replaces or deletes, if it shall.
    pub backup: Option<Place>,
    /// The role and tree of this side.
    pub role: HalfRole,
    /// Who chooses how to move what, if this side is the source.
    pub planner: Arc<dyn Planner>,
    /// How to behave.
    pub options: Options,
    /// Who is asked before a mirror deletes.
    pub confirm: Arc<dyn Confirm>,
    /// What earlier runs measured.
    pub history: Arc<dyn History>,
    /// Where events of both sides go.
    pub events: mpsc::Sender<Event>,
    /// Figures of both sides.
    pub progress: Arc<Progress>,
    /// Ends the session soon and cleanly.
    pub cancel: Cancel,
}

/// Runs the session to its end, like [`crate::run`]: what stopped it early is in the report, which tells
/// of both sides.
pub async fn run_remote(job: RemoteJob) -> Report {
    let remote_side = match job.role {
        HalfRole::Source(_) => Side::Target,
        HalfRole::Target(_) => Side::Source,
    };
    match begin(&job).await {
        Ok((asking, connection)) => {
            let told = match remote_side {
                Side::Source => Told::Source,
                Side::Target => Told::Target { scans: false },
            };
            let audience = Audience {
                confirm: Arc::clone(&job.confirm),
                events: job.events.clone(),
                progress: Arc::clone(&job.progress),
            };
            let listener = Listener::new(asking, audience, told);
            let ending = job.cancel.child();
            let half = Half {
                role: job.role,
                planner: job.planner,
                connection,
                asked: Some(job.top),
                options: job.options,
                confirm: job.confirm,
                history: job.history,
                events: job.events,
                progress: job.progress,
                cancel: ending.clone(),
            };
            let (report, theirs) = both(half, listener, &ending).await;
            // That this side was stopped for the daemon's sake is no wish of the user.
            let is_wished = job.cancel.is_cancelled();
            join(report, theirs, remote_side, is_wished)
        }
        Err(error) => stopped(remote_side, error),
    }
}

async fn begin(job: &RemoteJob) -> Result<(Asking, Box<dyn blit_contract::Connection>)> {
    let cx = Cx::new(job.cancel.child());
    let role = match job.role {
        HalfRole::Source(_) => Role::Target,
        HalfRole::Target(_) => Role::Source,
    };
    let request = SessionRequest {
        place: job.place.clone(),
        role,
        terms: job.options.terms(),
        top: job.top.clone(),
        is_relayed: false,
        lanes: job.lanes,
        rules: job.rules.clone(),
        token: job.token.clone(),
        backup: job.backup.clone().filter(|_| role == Role::Target),
    };
    let request = Request::Session(Box::new(request));
    let mut asking = Asking::ask(&cx, &*job.peer, request).await?;
    match asking.next().await? {
        Reply::Session(grant) => Ok((asking, job.peer.session(&cx, &grant).await?)),
        _ => Err(unexpected()),
    }
}

/// A session that came to nothing on that side.
#[must_use]
pub fn stopped(side: Side, error: Error) -> Report {
    let path = error.path().cloned().unwrap_or_default();
    let mut report = Report::default();
    report.stop = Some(Stop::Failed(Arc::new(Problem::new(side, path, error))));
    report
}

/// Plays the one role and listens to the other, until both have ended: `ending` ends the one when there is
/// nothing more to hear of the other.
async fn both(half: Half, mut listener: Listener, ending: &Cancel) -> (Report, Result<Report>) {
    let playing = run_half(half);
    let listening = listener.listen();
    tokio::pin!(playing, listening);
    tokio::select! {
        ours = &mut playing => {
            if let Some(Stop::Failed(problem)) = &ours.stop
                && is_violation(&problem.error)
            {
                return (ours, Err(hung_up()));
            }
            // The daemon learns of this side's end by the connection, and then ends too.
            let waited = timeout(REPORT_WAIT, listening).await;
            (ours, waited.unwrap_or_else(|_| Err(hung_up())))
        }
        theirs = &mut listening => match theirs {
            Ok(theirs) => {
                // There is nothing left for this side to wait for.
                if let Ok(ours) = timeout(REPORT_WAIT, &mut playing).await {
                    return (ours, Ok(theirs));
                }
                ending.cancel();
                (playing.await, Err(ended_early()))
            }
            Err(error) => {
                ending.cancel();
                (playing.await, Err(error))
            }
        }
    }
}

fn ended_early() -> Error {
    Error::new(ErrorKind::Unreachable, "ask").because("the peer ended before this side was through")
}

/// How both sides ended.
fn join(mut ours: Report, theirs: Result<Report>, side: Side, is_wished: bool) -> Report {
    match theirs {
        Ok(theirs) => ours.merge(theirs),
        Err(error) => {
            // Without a reason of its own this side came to its end; whether the other did is not known.
            let is_no_reason = match &ours.stop {
                None => true,
                Some(Stop::Cancelled) => !is_wished,
                // The daemon may say why it went.
                Some(stop) => stop.is_lost_peer() && error.kind() != ErrorKind::Unreachable,
            };
            if is_no_reason {
                ours.stop = stopped(side, error).stop;
            }
        }
    }
    ours
}

/// Who hears of a session.
#[derive(Clone)]
pub struct Audience {
    /// Who is asked before a mirror deletes.
    pub confirm: Arc<dyn Confirm>,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// Where figures go.
    pub progress: Arc<Progress>,
}

/// Hears what the daemon tells of its side.
pub struct Listener {
    asking: Asking,
    audience: Audience,
    /// Which side it is.
    of: Told,
    figures: Figures,
}

impl Listener {
    /// Will hear what is answered to `asking`.
    #[must_use]
    pub fn new(asking: Asking, audience: Audience, of: Told) -> Self {
        Self {
            asking,
            audience,
            of,
            figures: Figures::default(),
        }
    }

    /// Until its report.
    ///
    /// # Errors
    /// What the daemon refused it for; `Unreachable` if it is gone.
    pub async fn listen(&mut self) -> Result<Report> {
        loop {
            match self.asking.next().await? {
                Reply::Event(event) => self.tell(event).await,
                Reply::Figures(figures) => {
                    let progress = &self.audience.progress;
                    progress.absorb(&self.figures, &figures, self.of);
                    self.figures = figures;
                }
                Reply::Ask { plan, sample } => self.confirm(plan, sample).await?,
                Reply::Report(report) => return Ok(*report),
                _ => return Err(unexpected()),
            }
        }
    }

    fn is_relayed(&self) -> bool {
        self.of == Told::Target { scans: true }
    }

    async fn tell(&mut self, event: Event) {
        let event = match event {
            // Where this process counts, too, it knows more.
            Event::Plan(_) if !self.is_relayed() => Event::Plan(self.audience.progress.totals()),
            other => other,
        };
        // Nobody listening is no reason to stop.
        drop(self.audience.events.send(event).await);
    }

    async fn confirm(&mut self, plan: DeletionPlan, sample: Vec<(RelPath, Entry)>) -> Result<()> {
        let answer = self.audience.confirm.confirm(plan, &Sample(sample)).await;
        self.asking.requests.send(Request::Answered(answer)).await
    }
}

/// Some of the entries that would be deleted: all that the daemon sends for showing.
struct Sample(Vec<(RelPath, Entry)>);

impl Doomed for Sample {
    fn for_each(&self, each: &mut dyn FnMut(&RelPath, &Entry)) -> Result<()> {
        self.0.iter().for_each(|(path, entry)| each(path, entry));
        Ok(())
    }
}
