//! Jobs: runs that the daemon does itself, for whoever may manage it.

use std::sync::Arc;

use async_trait::async_trait;
use blit_contract::{Cx, Side};
use blit_control::{
    JobRefusal, ManageJobs, Told,
    jobs::{JobLine, JobRow, JobSpec, JobState, StartJobReply},
};
use blit_engine::{Job, Report, Source, Target, Verb};
use blit_events::{UserError, from_contract, internal};
use blit_jobs::{Begun, Book, Leg, Sessions, Spec, Wishes, connect, open, shown, verb_word};
use futures_util::stream;

use crate::{
    audit::by_admin, failure::Failure, listen::LAST_WORDS, plugins::Plugins, request::compiled,
    serve::Daemon, settings::AuditNames,
};

/// Where they are kept, in the state directory.
const FOLDER: &str = "jobs";

/// The jobs of this daemon.
pub(crate) struct Jobs {
    pub(crate) book: Arc<Book>,
    daemon: Arc<Daemon>,
}

impl Jobs {
    pub(crate) fn open(daemon: &Arc<Daemon>) -> Result<Self, Failure> {
        let folder = daemon.held().config.state.join(FOLDER);
        let book = Arc::new(Book::open(&folder)?);
        let daemon = Arc::clone(daemon);
        Ok(Self { book, daemon })
    }

    /// Stops all that run; whoever asks for them again goes on with them.
    pub(crate) async fn interrupt(&self) {
        self.book.interrupt();
        drop(tokio::time::timeout(LAST_WORDS, self.book.drained()).await);
    }

    fn begin(&self, message: &JobSpec) -> Result<StartJobReply, JobRefusal> {
        let spec = Spec::from_message(message);
        let spec = spec.map_err(|error| JobRefusal::Invalid(error.to_string()))?;
        if let Some(why) = self.daemon.why_no_session() {
            return Err(match self.daemon.is_stopping() {
                true => JobRefusal::Stopping,
                false => JobRefusal::Limit(why),
            });
        }
        // Before there is anything to write down: what cannot be written down is not done.
        let mut event = by_admin("job.start", self.object(&spec));
        let written = self.daemon.audit.record(&event);
        written.map_err(|error| JobRefusal::Unkept(error.to_string()))?;
        let begun = self.book.begin(spec).inspect_err(|refusal| {
            event.decision = "deny";
            event.result = Some(refusal.to_string());
            drop(self.daemon.audit.record(&event));
        })?;
        let reply = StartJobReply {
            id: begun.id.clone(),
            resumes: begun.resumes,
        };
        let (book, daemon) = (Arc::clone(&self.book), Arc::clone(&self.daemon));
        tokio::spawn(follow(book, daemon, begun));
        Ok(reply)
    }

    /// What it does, for the audit log.
    fn object(&self, spec: &Spec) -> String {
        let verb = verb_word(spec.terms.verb);
        match self.daemon.held().config.audit_names {
            AuditNames::Full => format!("{verb} to {}", shown(spec.target.as_os_str())),
            AuditNames::None => verb.to_owned(),
        }
    }
}

/// Runs a job to its end, and writes down what became of it.
async fn follow(book: Arc<Book>, daemon: Arc<Daemon>, begun: Begun) {
    let (spec, feed) = (begun.spec.clone(), Arc::clone(&begun.feed));
    let (cancel, sessions) = (begun.cancel.clone(), Local(Arc::clone(&daemon)));
    // On its own: whatever goes wrong in it, that it has ended is written down.
    let running =
        tokio::spawn(async move { blit_jobs::run(&spec, &feed, &sessions, &cancel).await });
    let end = running.await.ok();
    let mut event = by_admin("job.end", begun.id.clone());
    let state = book.end(begun, end);
    event.result = Some(match (state, end) {
        (JobState::Ended, Some(end)) => end.exit.name().to_owned(),
        (state, _) => word(state).to_owned(),
    });
    // It has happened; that it could not be written down is told to the administrator.
    drop(daemon.audit.record(&event));
}

fn word(state: JobState) -> &'static str {
    match state {
        JobState::Cancelled => "cancelled",
        JobState::Interrupted => "interrupted",
        _ => "failed",
    }
}

#[async_trait]
impl ManageJobs for Jobs {
    async fn start(&self, spec: JobSpec) -> Result<StartJobReply, JobRefusal> {
        self.begin(&spec)
    }

    async fn all(&self) -> Vec<JobRow> {
        self.book.rows()
    }

    async fn watch(&self, id: &str) -> Result<Told, JobRefusal> {
        let watch = self.book.watch(id)?;
        Ok(Box::pin(stream::unfold(watch, |mut watch| async move {
            let said = watch.next().await?;
            let line = JobLine {
                line: said.line.to_string(),
                exit: said.exit.map(u32::from),
            };
            Some((line, watch))
        })))
    }

    async fn cancel(&self, id: &str) -> Result<JobState, JobRefusal> {
        let state = self.book.cancel(id).await?;
        drop(self.daemon.audit.record(&by_admin("job.cancel", id)));
        Ok(state)
    }
}

/// Runs sessions between two directories of this machine.
struct Local(Arc<Daemon>);

#[async_trait]
impl Sessions for Local {
    async fn run(&self, leg: &Leg, wishes: Wishes) -> Result<Report, UserError> {
        let moves = wishes.options.verb == Verb::Move;
        let confinement = &self.0.confinement;
        let domain = confinement.between((&leg.source, moves), &leg.target);
        let domain = domain.map_err(|why| internal(why.to_string()))?;
        let (plugins, leg) = (Arc::clone(&self.0.plugins), leg.clone());
        let session = async move { session(&plugins, &leg, wishes).await };
        match domain {
            None => session.await,
            Some(domain) => {
                let ended = domain.run(session).await;
                ended.unwrap_or_else(|lost| Err(internal(lost.to_string())))
            }
        }
    }
}

/// Both roles are played here.
async fn session(plugins: &Plugins, leg: &Leg, wishes: Wishes) -> Result<Report, UserError> {
    let (registry, mut options) = (&plugins.registry, wishes.options);
    let selected = compiled(&leg.rules).await;
    options.select =
        selected.map_err(|error| from_contract(Side::Source, "the filters", &error))?;
    let moves = options.verb == Verb::Move;
    let source = open(registry, Side::Source, &leg.source, |config| {
        config.with_writable(moves)
    })?;
    let target = open(registry, Side::Target, &leg.target, |config| {
        config.with_writable(true).with_create_root(true)
    })?;
    let cx = Cx::new(wishes.cancel.clone());
    let connections = connect(registry, &cx).await?;
    let source = Source {
        store: source,
        top: leg.top.clone(),
    };
    let planner = Arc::clone(&plugins.planner);
    let target = Target { store: target };
    let mut job = Job::new(source, planner, connections, target, options, wishes.events);
    job.confirm = wishes.confirm;
    job.progress = wishes.progress;
    job.cancel = wishes.cancel;
    Ok(blit_engine::run(job).await)
}
