//! What a job tells, handed to whoever watches: those who come late are told what is worth knowing.

use std::{collections::VecDeque, sync::Arc};

use blit_control::jobs::JobFigures;
use blit_events::{Event, Line, Progress, VERSION};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::timestamp;

/// How many may watch one job.
pub const WATCHERS_MAX: usize = 16;

/// How many lines may wait for one of them.
const WAITING_MAX: usize = 1_024;

/// How many problems and notes are kept for those who come late.
const NOTES_MAX: usize = 100;

/// What a job tells.
#[derive(Debug)]
pub struct Feed {
    job: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_seq: u64,
    /// What is worth knowing, in its order.
    kept: Vec<(Kind, Said)>,
    notes: usize,
    figures: Option<JobFigures>,
    /// The last line may be heard.
    is_released: bool,
    watchers: Vec<mpsc::Sender<Said>>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// As `--json` writes it.
    pub line: Arc<str>,
    /// It is the last one: what a shell would see of the job.
    pub exit: Option<u8>,
}

/// What of earlier lines is worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All of them.
    Milestone,
    /// The first of them.
    Note,
    /// The newest one.
    Plan,
    /// The newest one; nobody has to hear each.
    Progress,
}

/// What a shell would see, if nothing follows this.
fn exit_of(event: &Event) -> Option<u8> {
    match event {
        Event::Summary(summary) => Some(summary.exit.code),
        Event::Error(failure) => Some(failure.exit),
        _ => None,
    }
}

fn kind_of(event: &Event) -> Kind {
    match event {
        Event::Plan(_) => Kind::Plan,
        Event::Progress(_) => Kind::Progress,
        Event::Start(_) | Event::Summary(_) | Event::Error(_) => Kind::Milestone,
        _ => Kind::Note,
    }
}

fn figures_of(progress: &Progress) -> JobFigures {
    JobFigures {
        files_done: progress.files_done,
        files_total: progress.files_total,
        bytes_done: progress.bytes_done,
        bytes_total: progress.bytes_total,
        total_is_final: progress.total_is_final,
    }
}

impl Feed {
    /// Of the job of that name, which has told nothing yet.
    #[must_use]
    pub fn new(job: &str) -> Self {
        Self {
            job: job.to_owned(),
            state: Mutex::default(),
        }
    }

    /// Tells it. Nobody is waited for: a watcher for whom too much waits is told no progress, and is let
    /// go when there is something that he must not miss. The last line is kept back until [`Feed::release`].
    pub fn tell(&self, event: Event) {
        let (kind, exit) = (kind_of(&event), exit_of(&event));
        let mut state = self.state.lock();
        if state.last().is_some() {
            return;
        }
        if let Event::Progress(progress) = &event {
            state.figures = Some(figures_of(progress));
        }
        let line = Line {
            v: VERSION,
            t: timestamp(jiff::Timestamp::now()),
            seq: state.next_seq,
            job: self.job.clone(),
            event,
        };
        state.next_seq += 1;
        // A line is plain data: writing it cannot fail.
        let line = serde_json::to_string(&line).unwrap_or_default().into();
        let said = Said { line, exit };
        state.keep(kind, &said);
        if exit.is_some() {
            return;
        }
        state.watchers.retain(|watcher| {
            use mpsc::error::TrySendError;
            match watcher.try_send(said.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => kind == Kind::Progress,
                Err(TrySendError::Closed(_)) => false,
            }
        });
    }

    /// Lets the last line be heard: how the job ended is written down.
    pub fn release(&self) {
        let mut state = self.state.lock();
        state.is_released = true;
        let last = state.last().cloned();
        for watcher in std::mem::take(&mut state.watchers) {
            // For one who is full or gone this is the end in any case.
            drop(last.clone().map(|last| watcher.try_send(last)));
        }
    }

    /// What it has told, as far as it is worth knowing.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let state = self.state.lock();
        let lines = state.kept.iter().map(|(_, said)| said.line.to_string());
        lines.collect()
    }

    /// How far it is, if it has told that.
    #[must_use]
    pub fn figures(&self) -> Option<JobFigures> {
        self.state.lock().figures
    }

    /// Watches it from now on; nothing if as many do as may.
    #[must_use]
    pub fn watch(&self) -> Option<Watch> {
        let mut state = self.state.lock();
        state.watchers.retain(|watcher| !watcher.is_closed());
        if state.watchers.len() >= WATCHERS_MAX {
            return None;
        }
        let is_released = state.is_released;
        let may_hear = |said: &&Said| said.exit.is_none() || is_released;
        let kept = state.kept.iter().map(|(_, said)| said);
        let past = kept.filter(may_hear).cloned().collect();
        let live = (!is_released).then(|| {
            let (sender, live) = mpsc::channel(WAITING_MAX);
            state.watchers.push(sender);
            live
        });
        Some(Watch { past, live })
    }
}

impl State {
    /// The line after which there is none, once it is told.
    fn last(&self) -> Option<&Said> {
        let (_, said) = self.kept.last()?;
        said.exit.and(Some(said))
    }

    fn keep(&mut self, kind: Kind, said: &Said) {
        if kind == Kind::Note {
            self.notes += 1;
            if self.notes > NOTES_MAX {
                return;
            }
        }
        let is_replaced = |old: Kind| match old {
            Kind::Progress => kind == Kind::Progress || said.exit.is_some(),
            Kind::Plan => kind == Kind::Plan,
            _ => false,
        };
        self.kept.retain(|(old, _)| !is_replaced(*old));
        self.kept.push((kind, said.clone()));
    }
}

/// The lines of a job, as one who watches has them.
#[derive(Debug)]
pub struct Watch {
    past: VecDeque<Said>,
    live: Option<mpsc::Receiver<Said>>,
}

impl Watch {
    /// The lines of a job that is over; the last one says how.
    #[must_use]
    pub fn of(lines: Vec<String>, exit: u8) -> Self {
        let last = lines.len();
        let past = (1..).zip(lines).map(|(number, line)| Said {
            line: line.into(),
            exit: (number == last).then_some(exit),
        });
        Self {
            past: past.collect(),
            live: None,
        }
    }

    /// The next line; nothing after the last one, or when too much waited.
    pub async fn next(&mut self) -> Option<Said> {
        if let Some(said) = self.past.pop_front() {
            return Some(said);
        }
        self.live.as_mut()?.recv().await
    }
}

#[cfg(test)]
mod tests {
    use blit_events::{Note, Plan, UserError};

    use super::*;
    use crate::{Figures, progress_event};

    fn progress() -> Event {
        progress_event(&Figures::default())
    }

    fn warning(number: usize) -> Event {
        Event::Warning(Note {
            code: "entry.skipped",
            message: format!("number {number}"),
            path: None,
        })
    }

    fn last() -> Event {
        let error = UserError::new(blit_events::Slug::RunFailed, "it failed");
        Event::Error((&error).into())
    }

    fn types(lines: &[String]) -> Vec<String> {
        let word = |line: &String| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["type"].as_str().unwrap().to_owned()
        };
        lines.iter().map(word).collect()
    }

    async fn all(mut watch: Watch) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(said) = watch.next().await {
            let line = said.line.to_string();
            assert_eq!(said.exit, line.contains("\"error\"").then_some(1), "{line}");
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn who_comes_late_hears_the_plan_the_newest_progress_and_the_rest() {
        let feed = Feed::new("J");
        let early = feed.watch().unwrap();
        for event in [
            Event::Plan(Plan::default()),
            progress(),
            warning(1),
            Event::Plan(Plan::default()),
            progress(),
        ] {
            feed.tell(event);
        }
        let late = feed.watch().unwrap();
        feed.tell(last());
        let waiting = feed.watch().unwrap();
        feed.release();
        assert_eq!(all(waiting).await, feed.lines());
        let (early, late) = (all(early).await, all(late).await);
        let whole = ["plan", "progress", "warning", "plan", "progress", "error"];
        assert_eq!(types(&early), whole);
        assert_eq!(types(&late), ["warning", "plan", "progress", "error"]);
        assert!(early.ends_with(&late[1..]), "the same lines for both");
        let after = all(feed.watch().unwrap()).await;
        assert_eq!(types(&after), ["warning", "plan", "error"]);
        assert_eq!(feed.lines(), after);
        feed.tell(warning(2));
        assert_eq!(feed.lines(), after, "after the last line there is none");
    }

    #[tokio::test]
    async fn who_does_not_listen_misses_progress_and_then_is_let_go() {
        let feed = Feed::new("J");
        let watch = feed.watch().unwrap();
        for _ in 0..WAITING_MAX + 10 {
            feed.tell(progress());
        }
        assert_eq!(feed.state.lock().watchers.len(), 1);
        feed.tell(warning(1));
        assert!(feed.state.lock().watchers.is_empty());
        assert_eq!(all(watch).await.len(), WAITING_MAX);
    }

    #[tokio::test]
    async fn only_so_many_watch_and_who_has_gone_makes_room() {
        let feed = Feed::new("J");
        let mut watching: Vec<Watch> = (0..WATCHERS_MAX).filter_map(|_| feed.watch()).collect();
        assert_eq!(watching.len(), WATCHERS_MAX);
        assert!(feed.watch().is_none());
        watching.pop();
        assert!(feed.watch().is_some());
    }

    #[test]
    fn only_so_many_notes_are_kept() {
        let feed = Feed::new("J");
        (0..NOTES_MAX + 50).for_each(|number| feed.tell(warning(number)));
        feed.tell(last());
        assert_eq!(feed.lines().len(), NOTES_MAX + 1);
    }
}
