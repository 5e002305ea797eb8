//! Jobs: runs that the daemon does itself, for whoever may manage it.

mod sessions;

use std::sync::Arc;

use async_trait::async_trait;
use blit_control::{
    AuditEvent, JobRefusal, ManageJobs, Told,
    jobs::{JobLine, JobRow, JobSpec, JobState, StartJobReply},
};
use blit_jobs::{Begun, Book, Spec, shown, verb_word};
use futures_util::stream;

use crate::{
    audit::by_admin,
    failure::Failure,
    listen::LAST_WORDS,
    record::of_caller,
    serve::{Caller, Daemon},
    settings::AuditNames,
};
use sessions::Performer;

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
        if let Some(stranger) = self.first_stranger(&spec) {
            return Err(JobRefusal::Unpaired(stranger));
        }
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

    /// Why the first machine that takes part cannot: it is not known, or not where.
    fn first_stranger(&self, spec: &Spec) -> Option<String> {
        let peers = self.daemon.peers.lock();
        spec.machines().find_map(|id| match peers.with_id(&id) {
            None => Some("it does not know that machine".to_owned()),
            Some(known) if known.addresses.is_empty() => {
                Some("it does not know where that machine is".to_owned())
            }
            Some(_) => None,
        })
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
    let (cancel, sessions) = (begun.cancel.clone(), Performer(Arc::clone(&daemon)));
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

/// The jobs, for whoever may ask about them: the administrator, or a machine that was let.
pub(crate) struct Desk {
    pub(crate) jobs: Arc<Jobs>,
    /// The machine; `None` for the administrator.
    pub(crate) caller: Option<Caller>,
}

impl Desk {
    fn event(&self, action: &'static str, object: &str) -> AuditEvent {
        match &self.caller {
            None => by_admin(action, object),
            Some(caller) => of_caller(caller, action, object.to_owned()),
        }
    }

    /// Whether whoever began to ask may still.
    fn is_open(&self) -> bool {
        let caller = self.caller.as_ref();
        caller.is_none_or(|caller| self.jobs.daemon.may_see_jobs(caller))
    }
}

#[async_trait]
impl ManageJobs for Desk {
    async fn start(&self, spec: JobSpec) -> Result<StartJobReply, JobRefusal> {
        match self.caller {
            None => self.jobs.begin(&spec),
            // What a job may do is what the daemon may: nobody else's wish.
            Some(_) => Err(JobRefusal::Denied(
                "a job is handed over where it runs".to_owned(),
            )),
        }
    }

    async fn all(&self) -> Result<Vec<JobRow>, JobRefusal> {
        Ok(self.jobs.book.rows())
    }

    async fn watch(&self, id: &str) -> Result<Told, JobRefusal> {
        let watch = self.jobs.book.watch(id)?;
        let desk = Self {
            jobs: Arc::clone(&self.jobs),
            caller: self.caller.clone(),
        };
        Ok(Box::pin(stream::unfold(
            (watch, desk),
            |(mut watch, desk)| async move {
                let said = watch.next().await.filter(|_| desk.is_open())?;
                let line = JobLine {
                    line: said.line.to_string(),
                    exit: said.exit.map(u32::from),
                };
                Some((line, (watch, desk)))
            },
        )))
    }

    async fn cancel(&self, id: &str) -> Result<JobState, JobRefusal> {
        let state = self.jobs.book.cancel(id).await?;
        drop(self.jobs.daemon.audit.record(&self.event("job.cancel", id)));
        Ok(state)
    }
}
