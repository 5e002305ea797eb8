//! The jobs of a daemon: those that run, and those that it remembers.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use blit_config::Exit;
use blit_contract::Cancel;
use blit_control::{JobRefusal, jobs::JobRow};
use blit_events::{Event, Slug, UserError};
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::Notify;

use crate::{
    End, Feed, JobState, Record, Spec, WATCHERS_MAX, Watch, new_id, record, run, timestamp,
    verb_word,
};

/// How many jobs run at a time.
pub const RUNNING_MAX: usize = 16;

/// How many sources of a job are listed.
const SOURCES_SHOWN: usize = 8;

/// How often old jobs are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// What of the jobs that are over is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// For how long; zero: for ever.
    pub age: Duration,
    /// How many.
    pub jobs: usize,
    /// How many bytes of them on disk.
    pub bytes: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(90 * 24 * 3_600),
            jobs: 1_000,
            bytes: 64 << 20,
        }
    }
}

/// All of them.
#[derive(Debug)]
pub struct Book {
    folder: PathBuf,
    state: Mutex<State>,
    /// Told whenever a job has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    jobs: BTreeMap<String, Kept>,
    is_closing: bool,
    tidied: Option<Instant>,
}

/// A job, without what only its file knows.
#[derive(Debug)]
struct Kept {
    verb: &'static str,
    sources: Vec<bytes::Bytes>,
    more_sources: usize,
    target: bytes::Bytes,
    /// By this the same job is known again.
    digest: blake3::Hash,
    state: JobState,
    began: String,
    ended: String,
    exit: u8,
    size_bytes: u64,
    live: Option<Arc<Live>>,
}

/// What there is only of a job that runs.
#[derive(Debug)]
struct Live {
    feed: Arc<Feed>,
    cancel: Cancel,
    /// It is the daemon that ends, not the job's user who does not want it any more.
    is_interrupted: AtomicBool,
}

/// A job that is to run now.
#[derive(Debug)]
pub struct Begun {
    /// What it is called.
    pub id: String,
    /// It was interrupted before.
    pub resumes: bool,
    /// What it is to do.
    pub spec: Spec,
    /// Where it tells.
    pub feed: Arc<Feed>,
    /// Ends it.
    pub cancel: Cancel,
    began: String,
}

impl Kept {
    fn of(record: &Record, size_bytes: u64) -> Self {
        let message = record.spec.to_message();
        Self {
            verb: verb_word(record.spec.terms.verb),
            digest: blake3::hash(&message.encode_to_vec()),
            more_sources: message.sources.len().saturating_sub(SOURCES_SHOWN),
            sources: message.sources.into_iter().take(SOURCES_SHOWN).collect(),
            target: message.target,
            state: match record.state {
                // Whoever wrote this did not come to write how it ended.
                JobState::Running => JobState::Interrupted,
                other => other,
            },
            began: record.began.clone(),
            ended: record.ended.clone(),
            exit: record.exit,
            size_bytes,
            live: None,
        }
    }

    fn row(&self, id: &str) -> JobRow {
        JobRow {
            id: id.to_owned(),
            verb: self.verb.to_owned(),
            sources: self.sources.clone(),
            more_sources: u32::try_from(self.more_sources).unwrap_or(u32::MAX),
            target: self.target.clone(),
            state: self.state.into(),
            began: self.began.clone(),
            ended: self.ended.clone(),
            exit: self.exit.into(),
            figures: self.live.as_ref().and_then(|live| live.feed.figures()),
        }
    }

    fn is_older(&self, age: Duration, now: jiff::Timestamp) -> bool {
        let last = match self.ended.as_str() {
            "" => &self.began,
            ended => ended,
        };
        let last: Option<jiff::Timestamp> = last.parse().ok();
        last.is_some_and(|last| now.duration_since(last).unsigned_abs() > age && now > last)
    }
}

impl Book {
    /// The jobs that are kept in `folder`. Files that are no jobs are left alone.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut state = State::default();
        for id in record::ids(folder)? {
            match Record::read(folder, &id) {
                Ok(record) => {
                    let size_bytes = record.to_bytes().len() as u64;
                    state.jobs.insert(id, Kept::of(&record, size_bytes));
                }
                Err(error) => tracing::warn!(%id, %error, "a job cannot be read"),
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            state: Mutex::new(state),
            ended: Notify::new(),
        })
    }

    /// Takes a job over. The same as one that was interrupted goes on with that one.
    ///
    /// # Errors
    /// [`JobRefusal`]
    pub fn begin(&self, spec: Spec) -> Result<Begun, JobRefusal> {
        let mut state = self.state.lock();
        if state.is_closing {
            return Err(JobRefusal::Stopping);
        }
        if state.running().count() >= RUNNING_MAX {
            let text = format!("{RUNNING_MAX} jobs run already");
            return Err(JobRefusal::Limit(text));
        }
        let now = jiff::Timestamp::now();
        let digest = blake3::hash(&spec.to_message().encode_to_vec());
        let interrupted = state
            .jobs
            .iter()
            .find(|(_, kept)| kept.state == JobState::Interrupted && kept.digest == digest);
        let again = interrupted.map(|(id, _)| id.clone());
        let resumes = again.is_some();
        let record = Record {
            id: again.unwrap_or_else(|| new_id(now)),
            spec,
            state: JobState::Running,
            began: timestamp(now),
            ended: String::new(),
            exit: 0,
            lines: Vec::new(),
        };
        let size_bytes = record.write(&self.folder).map_err(|cause| {
            let folder = self.folder.display();
            JobRefusal::Unkept(format!("a job cannot be kept in {folder}: {cause}"))
        })?;
        let feed = Arc::new(Feed::new(&record.id));
        let cancel = Cancel::default();
        let mut kept = Kept::of(&record, size_bytes);
        kept.state = JobState::Running;
        kept.live = Some(Arc::new(Live {
            feed: Arc::clone(&feed),
            cancel: cancel.clone(),
            is_interrupted: AtomicBool::new(false),
        }));
        state.jobs.insert(record.id.clone(), kept);
        Ok(Begun {
            id: record.id,
            resumes,
            spec: record.spec,
            feed,
            cancel,
            began: record.began,
        })
    }

    /// Writes down how a job ended; of one that was lost to a defect nobody can say. Only then those who
    /// watch it hear the end. Answers what it is.
    pub fn end(&self, job: Begun, end: Option<End>) -> JobState {
        let feed = Arc::clone(&job.feed);
        let state = self.keep_end(job, end);
        feed.release();
        state
    }

    fn keep_end(&self, job: Begun, end: Option<End>) -> JobState {
        let mut end = end.unwrap_or_else(|| run::lost(&job.feed));
        let mut state = self.state.lock();
        let Some(kept) = state.jobs.get_mut(&job.id) else {
            return end.state;
        };
        let live = kept.live.take();
        let is_interrupted = live.is_some_and(|it| it.is_interrupted.load(Ordering::Acquire));
        if end.state == JobState::Cancelled && is_interrupted {
            end.state = JobState::Interrupted;
        }
        let record = Record {
            id: job.id,
            spec: job.spec,
            state: end.state,
            began: job.began,
            ended: timestamp(jiff::Timestamp::now()),
            exit: end.exit.code(),
            lines: job.feed.lines(),
        };
        match record.write(&self.folder) {
            Ok(size_bytes) => *kept = Kept::of(&record, size_bytes),
            Err(cause) => {
                tracing::error!(id = %record.id, %cause, "how a job ended cannot be kept");
                *kept = Kept::of(&record, kept.size_bytes);
            }
        }
        drop(state);
        self.ended.notify_waiters();
        end.state
    }

    /// All of them, in the order in which they first began.
    #[must_use]
    pub fn rows(&self) -> Vec<JobRow> {
        let state = self.state.lock();
        state.jobs.iter().map(|(id, kept)| kept.row(id)).collect()
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.state.lock().running().count()
    }

    /// What a job tells; of no name the one that runs and began last, or else the last one.
    ///
    /// # Errors
    /// [`JobRefusal`]
    pub fn watch(&self, id: &str) -> Result<Watch, JobRefusal> {
        let state = self.state.lock();
        let id = match id {
            "" => state.running().last().or(state.jobs.keys().next_back()),
            id => state.jobs.get_key_value(id).map(|(id, _)| id),
        };
        let id = id.ok_or(JobRefusal::Unknown)?;
        let kept = &state.jobs[id];
        if let Some(live) = &kept.live {
            let text = || format!("{WATCHERS_MAX} watch this job already");
            return live.feed.watch().ok_or_else(|| JobRefusal::Limit(text()));
        }
        let record = Record::read(&self.folder, id);
        let record = record.map_err(|error| JobRefusal::Unkept(error.to_string()))?;
        Ok(match kept.state {
            JobState::Interrupted => interrupted(&record),
            _ => Watch::of(record.lines, record.exit),
        })
    }

    /// Stops a job, and waits until it has ended. One that has ended already stays what it is, and one
    /// that was interrupted will not be gone on with.
    ///
    /// # Errors
    /// [`JobRefusal`]
    pub async fn cancel(&self, id: &str) -> Result<JobState, JobRefusal> {
        loop {
            let ended = self.ended.notified();
            {
                let mut state = self.state.lock();
                let kept = state.jobs.get_mut(id).ok_or(JobRefusal::Unknown)?;
                match &kept.live {
                    Some(live) => live.cancel.cancel(),
                    None if kept.state == JobState::Interrupted => {
                        *kept = self.forget(id)?;
                        return Ok(kept.state);
                    }
                    None => return Ok(kept.state),
                }
            }
            ended.await;
        }
    }

    /// The job that was interrupted, as one that nobody wants any more.
    fn forget(&self, id: &str) -> Result<Kept, JobRefusal> {
        let unkept = |why: String| JobRefusal::Unkept(why);
        let record = Record::read(&self.folder, id).map_err(|error| unkept(error.to_string()))?;
        let record = Record {
            state: JobState::Cancelled,
            ended: timestamp(jiff::Timestamp::now()),
            exit: Exit::Interrupted.code(),
            lines: interrupted_lines(&record),
            ..record
        };
        let written = record.write(&self.folder);
        let size_bytes = written.map_err(|cause| unkept(cause.to_string()))?;
        Ok(Kept::of(&record, size_bytes))
    }

    /// Takes no job from now on, and waits until none runs.
    pub async fn drained(&self) {
        self.state.lock().is_closing = true;
        loop {
            let ended = self.ended.notified();
            if self.running() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Stops all that run: the same commands go on with them.
    pub fn interrupt(&self) {
        for live in self
            .state
            .lock()
            .jobs
            .values()
            .filter_map(|it| it.live.as_ref())
        {
            live.is_interrupted.store(true, Ordering::Release);
            live.cancel.cancel();
        }
    }

    /// Forgets what is to be kept no longer, the oldest first; looks for it now and then.
    pub fn tidy(&self, keep: Keep) {
        let mut state = self.state.lock();
        if state.tidied.is_some_and(|last| last.elapsed() < TIDY_EVERY) {
            return;
        }
        state.tidied = Some(Instant::now());
        for id in state.too_many(keep, jiff::Timestamp::now()) {
            if let Err(cause) = Record::remove(&self.folder, &id) {
                tracing::warn!(%id, %cause, "an old job cannot be removed");
            }
            state.jobs.remove(&id);
        }
    }
}

impl State {
    fn running(&self) -> impl Iterator<Item = &String> {
        let running = self.jobs.iter().filter(|(_, kept)| kept.live.is_some());
        running.map(|(id, _)| id)
    }

    /// Which of those that are over are to be forgotten.
    fn too_many(&self, keep: Keep, now: jiff::Timestamp) -> Vec<String> {
        let (mut jobs, mut bytes) = (0, 0_u64);
        let newest_first = self
            .jobs
            .iter()
            .rev()
            .filter(|(_, kept)| kept.live.is_none());
        let goes = newest_first.filter(|(_, kept)| {
            jobs += 1;
            bytes = bytes.saturating_add(kept.size_bytes);
            let is_old = !keep.age.is_zero() && kept.is_older(keep.age, now);
            is_old || jobs > keep.jobs || bytes > keep.bytes
        });
        goes.map(|(id, _)| id.clone()).collect()
    }
}

/// What is told of a job that did not come to its end.
fn interrupted(record: &Record) -> Watch {
    Watch::of(
        interrupted_lines(record),
        Slug::JobInterrupted.exit().code(),
    )
}

fn interrupted_lines(record: &Record) -> Vec<String> {
    let feed = Feed::new(&record.id);
    feed.tell(Event::Start(run::start_of(&record.spec)));
    let error = UserError::new(Slug::JobInterrupted, "the daemon ended before the job did")
        .state("what is there under its final name is complete")
        .changed(blit_events::Changed::Unknown)
        .next("run the same command again; it continues");
    feed.tell(Event::Error((&error).into()));
    feed.lines()
}

#[cfg(test)]
mod tests;
