//! The daemon's side of a request.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use blit_contract::{
    Cancel, Connection, Cx, DeletionPlan, Durability, EndState, Entry, Error, ErrorKind, Event,
    History, ListOptions, Planner, Preserve, RelPath, Result, Select, Store, SyncScope,
    WritePolicy,
};
use blit_subtree::{joined, within};
use blit_wire::{Answer, LISTING_ENTRIES_MAX, Reply, Report, Request, Terms, Top};
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};

use super::{
    Asked, Audience,
    request::{hung_up, unexpected},
};
use crate::{Confirm, Doomed, Half, HalfRole, Options, Progress, session::run_half};

/// How often the client learns how far this side is.
const FIGURES_EVERY: Duration = Duration::from_millis(250);

/// How many of the doomed entries the client gets to show.
const SAMPLE_MAX: usize = 1_000;

/// How many events wait for the client.
const EVENTS_QUEUE: usize = 256;

/// A role that a daemon plays.
pub struct Playing {
    /// The role and its tree.
    pub role: HalfRole,
    /// What a source on a third machine was asked for; a target takes nothing else.
    pub asked: Option<Top>,
    /// The user's wishes.
    pub terms: Terms,
    /// Whether a target keeps what it replaces or deletes, in its store's backup tree.
    pub keeps: bool,
    /// Which entries take part; all if there is none.
    pub select: Option<Arc<dyn Select>>,
    /// The connection of the session.
    pub connection: Box<dyn Connection>,
    /// Who chooses how to move what.
    pub planner: Arc<dyn Planner>,
    /// What earlier runs measured.
    pub history: Arc<dyn History>,
    /// Ends the session soon and cleanly.
    pub cancel: Cancel,
}

impl Playing {
    /// Plays the role to its end, and tells the client all the while. Answers how it ended.
    ///
    /// # Errors
    /// `Unreachable` if the client is gone: then the session ends too.
    pub async fn run(self, asked: &mut Asked) -> Result<Ended> {
        let cancel = self.cancel.clone();
        let mut options = Options::from_terms(&self.terms);
        options.select = self.select;
        options.backup = self.keeps;
        let play = |audience: Audience| {
            run_half(Half {
                role: self.role,
                planner: self.planner,
                connection: self.connection,
                asked: self.asked,
                options,
                confirm: audience.confirm,
                history: self.history,
                events: audience.events,
                progress: audience.progress,
                cancel: self.cancel,
            })
        };
        tell(asked, &cancel, play).await
    }
}

/// Runs what `play` makes to its end, and tells the client all the while. Answers how it ended.
///
/// # Errors
/// `Unreachable` if the client is gone: then `cancel` is called, and the session ends too.
pub async fn tell<F>(
    asked: &mut Asked,
    cancel: &Cancel,
    play: impl FnOnce(Audience) -> F,
) -> Result<Ended>
where
    F: Future<Output = Report>,
{
    let (events, mut told) = mpsc::channel(EVENTS_QUEUE);
    let (questions, mut asks) = mpsc::channel(1);
    let progress = Arc::new(Progress::default());
    let playing = play(Audience {
        confirm: Arc::new(AskClient(questions)),
        events,
        progress: Arc::clone(&progress),
    });
    tokio::pin!(playing);
    let mut ticks = tokio::time::interval(FIGURES_EVERY);
    let mut ended: Option<Report> = None;
    loop {
        tokio::select! {
            biased;
            event = told.recv() => match event {
                Some(event) => {
                    if let Event::Plan(_) = event {
                        // Whoever hears of the plan looks at the figures.
                        asked.reply(Reply::Figures(progress.figures())).await?;
                    }
                    asked.reply(Reply::Event(event)).await?;
                }
                // The session and all that tells of it is gone.
                None => break,
            },
            Some(question) = asks.recv() => ask(asked, question).await?,
            report = &mut playing, if ended.is_none() => ended = Some(report),
            _ = ticks.tick() => asked.reply(Reply::Figures(progress.figures())).await?,
            gone = asked.requests.recv() => {
                // Nothing is due from the client but answers: it is gone, or breaks the protocol.
                cancel.cancel();
                return Err(match gone {
                    Ok(Some(_)) => unexpected(),
                    Ok(None) => hung_up(),
                    Err(error) => error,
                });
            }
        }
    }
    asked.reply(Reply::Figures(progress.figures())).await?;
    let report = ended.ok_or_else(|| crate::source::bug("a session without a report"))?;
    let ended = Ended::of(&report);
    asked.reply(Reply::Report(Box::new(report))).await?;
    Ok(ended)
}

/// How a role of a daemon ended, for its own records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// Bytes in the files that were copied.
    pub copied_bytes: u64,
    /// How many entries came to an end.
    pub entries: u64,
    /// How many of them were deleted.
    pub deleted: u64,
    /// Whether all of it was done, without a problem.
    pub is_clean: bool,
}

impl Ended {
    fn of(report: &Report) -> Self {
        Self {
            copied_bytes: report.copied_bytes,
            entries: report.ends.total(),
            deleted: report.ends.get(EndState::Deleted),
            is_clean: report.stop.is_none() && report.problems_total == 0,
        }
    }
}

async fn ask(asked: &mut Asked, question: Question) -> Result<()> {
    let Question {
        plan,
        sample,
        answer,
    } = question;
    asked.reply(Reply::Ask { plan, sample }).await?;
    match asked.requests.recv().await? {
        Some(Request::Answered(said)) => {
            // The session may have ended meanwhile.
            let _ = answer.send(said);
            Ok(())
        }
        Some(_) => Err(unexpected()),
        None => Err(hung_up()),
    }
}

/// A question on its way to the client.
struct Question {
    plan: DeletionPlan,
    sample: Vec<(RelPath, Entry)>,
    answer: oneshot::Sender<Answer>,
}

/// Asks the person at the client.
struct AskClient(mpsc::Sender<Question>);

#[async_trait]
impl Confirm for AskClient {
    async fn confirm(&self, plan: DeletionPlan, doomed: &dyn Doomed) -> Answer {
        let mut sample = Vec::new();
        let shown = doomed.for_each(&mut |path, entry| {
            if sample.len() < SAMPLE_MAX {
                sample.push((path.clone(), entry.clone()));
            }
        });
        let (answer, answered) = oneshot::channel();
        let question = Question {
            plan,
            sample,
            answer,
        };
        if shown.is_err() || self.0.send(question).await.is_err() {
            return Answer::Nobody;
        }
        answered.await.unwrap_or(Answer::Nobody)
    }
}

/// Answers a request that moves no content, from `store`. The places in it are the store's own: whoever
/// calls has found out that the peer may ask this. Of a listing, `select` chooses by paths below its
/// place.
///
/// # Errors
/// `Unreachable` if the client is gone.
pub async fn answer_with_store(
    cx: &Cx,
    asked: &mut Asked,
    store: &dyn Store,
    request: Request,
    select: Option<Arc<dyn Select>>,
) -> Result<()> {
    let answer = match request {
        Request::List {
            place,
            recursive,
            one_file_system,
            rules: _,
        } => {
            let mut options = ListOptions::flat().with_one_file_system(one_file_system);
            options.recursive = recursive;
            options.select = select.map(|select| within(select, &place.path));
            match list(cx, asked, store, &place.path, options).await? {
                Ok(()) => Reply::Done,
                Err(error) => Reply::Refused(error),
            }
        }
        Request::Stat(place) => match store.stat(cx, &place.path).await {
            Ok(found) => Reply::Found(found),
            Err(error) => Reply::Refused(error),
        },
        Request::Usage(_) => match store.usage(cx).await {
            Ok(usage) => Reply::Usage(usage),
            Err(error) => Reply::Refused(error),
        },
        Request::Delete { place, entries } => {
            let entries = entries.into_iter();
            let entries = entries
                .map(|(path, entry)| (joined(&place.path, &path), entry))
                .collect();
            let policy = WritePolicy::new(Durability::Batch, Preserve::NONE);
            match delete(cx, store, policy, entries).await {
                Ok(ends) => Reply::Deleted(ends),
                Err(error) => Reply::Refused(error),
            }
        }
        // What was deleted is durable already: each request has a store of its own.
        Request::Sync(_) => match store.sync(cx, SyncScope::Tree).await {
            Ok(()) => Reply::Done,
            Err(error) => Reply::Refused(error),
        },
        _ => Reply::Refused(Error::new(ErrorKind::Unsupported, "ask")),
    };
    asked.reply(answer).await
}

/// Deletes, and makes that durable before it is told.
async fn delete(
    cx: &Cx,
    store: &dyn Store,
    policy: WritePolicy,
    entries: Vec<(RelPath, Entry)>,
) -> Result<Vec<Result<()>>> {
    let ends = store.delete(cx, policy, entries).await?;
    if ends.iter().any(Result::is_ok) {
        store.sync(cx, SyncScope::Tree).await?;
    }
    Ok(ends)
}

/// Sends a listing. The outer error is the client's, the inner one the store's.
async fn list(
    cx: &Cx,
    asked: &mut Asked,
    store: &dyn Store,
    at: &RelPath,
    options: ListOptions,
) -> Result<Result<()>> {
    let mut batches = store.list(cx, at, options);
    while let Some(batch) = batches.next().await {
        let mut batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Ok(Err(error)),
        };
        while batch.entries.len() > LISTING_ENTRIES_MAX {
            let mut first = blit_contract::EntryBatch::new(batch.directory.clone());
            let rest = batch.entries.split_off(LISTING_ENTRIES_MAX);
            first.entries = std::mem::replace(&mut batch.entries, rest);
            asked.reply(Reply::Batch(first)).await?;
        }
        asked.reply(Reply::Batch(batch)).await?;
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use blit_contract::Name;
    use blit_store_mem::{Fault, Faults, MemStore, Operation};

    use super::*;

    #[tokio::test]
    async fn nothing_is_told_to_be_deleted_that_could_come_back() {
        let faults = Faults::new().with(Fault::fail(Operation::Sync, ErrorKind::Io));
        let store = MemStore::new().with_faults(faults);
        store.add_file("f", "content").unwrap();
        let (cx, path) = (Cx::default(), RelPath::ROOT.join(Name::new(*b"f").unwrap()));
        let entry = store.stat(&cx, &path).await.unwrap().unwrap();
        let policy = WritePolicy::new(Durability::Batch, Preserve::NONE);
        let told = delete(&cx, &store, policy, vec![(path, entry)]).await;
        assert_eq!(told.unwrap_err().kind(), ErrorKind::Io);
    }
}
