//! Runs a job from its first line to its last.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use blit_config::Exit;
use blit_contract::{Cancel, Event as Told, ItemOp, Phase};
use blit_engine::{AlwaysYes, Confirm, NobodyThere, Options, Progress, Report, Stop, UNCARRIED};
use blit_events::{Changed, Event, Lanes, Note, PathField, Slug, Start, UserError, internal};
use blit_lanes::LaneUse;
use tokio::sync::mpsc;

use crate::{
    Feed, Gauge, JobState, Leg, Outcome, Spec, Stopped, TICK, TOLD_EVERY, not_entered,
    nothing_came, plan_event, problem_event, progress_event, stalled, summary, verb_word,
};

/// How many events of a session may wait.
const EVENTS_MAX: usize = 1_024;

/// Who runs the sessions of a job, each where it reaches what it must.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Runs one to its end.
    ///
    /// # Errors
    /// It could not even begin.
    async fn run(&self, leg: &Leg, wishes: Wishes) -> Result<Report, UserError>;
}

/// How a session of a job is to behave, and what it tells whom.
pub struct Wishes {
    /// All but the selection, which the leg's rules say.
    pub options: Options,
    /// Who is asked before a mirror deletes.
    pub confirm: Arc<dyn Confirm>,
    /// Where its events go.
    pub events: mpsc::Sender<Told>,
    /// Where its figures go.
    pub progress: Arc<Progress>,
    /// Ends it soon and cleanly.
    pub cancel: Cancel,
    /// What became of the ways to it.
    pub lanes: Arc<LaneUse>,
    /// For how long another machine that does not answer is tried again.
    pub patience: Duration,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// What it is now.
    pub state: JobState,
    /// What a shell would see.
    pub exit: Exit,
}

/// Runs it, and tells `feed` all of it, the last line too.
pub async fn run(spec: &Spec, feed: &Feed, sessions: &dyn Sessions, cancel: &Cancel) -> End {
    feed.tell(Event::Start(start_of(spec)));
    let mut course = Course::new(spec, feed);
    for at in 0..spec.legs.len() {
        match course.follow_leg(at, sessions, cancel).await {
            Ok(()) if course.outcome.stop.is_none() => {}
            Ok(()) => break,
            Err(error) => return course.fail(&error),
        }
    }
    course.conclude()
}

/// The end of a job that is lost to a defect.
pub(crate) fn lost(feed: &Feed) -> End {
    feed.tell(Event::Error(
        (&internal("the job ended in the middle")).into(),
    ));
    End {
        state: JobState::Ended,
        exit: Exit::Failed,
    }
}

pub(crate) fn start_of(spec: &Spec) -> Start {
    let field = |path: &std::path::PathBuf| PathField::new(path.as_os_str().as_encoded_bytes());
    Start {
        verb: verb_word(spec.terms.verb),
        version: env!("CARGO_PKG_VERSION"),
        sources: spec.sources.iter().map(field).collect(),
        target: field(&spec.target),
        dry_run: false,
    }
}

/// A job that is under way.
struct Course<'a> {
    spec: &'a Spec,
    feed: &'a Feed,
    gauge: Gauge,
    outcome: Outcome,
    told: Option<(Instant, Option<Phase>)>,
    lanes: Arc<LaneUse>,
}

impl<'a> Course<'a> {
    fn new(spec: &'a Spec, feed: &'a Feed) -> Self {
        Self {
            spec,
            feed,
            gauge: Gauge::new(spec.legs.len()),
            outcome: Outcome::default(),
            told: None,
            lanes: Arc::default(),
        }
    }

    /// Runs one session to its end; whenever the other machine was lost, another one that continues it, if
    /// that machine is found again in time.
    async fn follow_leg(
        &mut self,
        at: usize,
        sessions: &dyn Sessions,
        cancel: &Cancel,
    ) -> Result<(), UserError> {
        let patience = self.spec.retry_for;
        self.follow(at, sessions, (cancel, Duration::ZERO)).await?;
        while !patience.is_zero() && !cancel.is_cancelled() && self.outcome.take_lost() {
            let leg = &self.spec.legs[at];
            let message = format!(
                "the connection to {} was lost; trying again",
                leg.far_shown()
            );
            self.note(Slug::NetUnreachable, message, None);
            let again = self.follow(at, sessions, (cancel, patience)).await;
            again.map_err(|error| {
                error
                    .changed(Changed::Unknown)
                    .state("what is there under its final name is complete")
                    .next("run the same command again; it continues")
            })?;
        }
        if cancel.is_cancelled() && self.outcome.take_lost() {
            self.outcome.stop = Some((Stop::Cancelled, at));
        }
        Ok(())
    }

    /// Runs one session to its end.
    async fn follow(
        &mut self,
        at: usize,
        sessions: &dyn Sessions,
        (cancel, patience): (&Cancel, Duration),
    ) -> Result<(), UserError> {
        let (events, mut heard) = mpsc::channel(EVENTS_MAX);
        let mut options = Options::from_terms(&self.spec.terms);
        options.bytes_per_sec = self.spec.bytes_per_sec;
        // Of single entries only those are told that a move leaves behind.
        options.items = self.spec.terms.verb == blit_engine::Verb::Move;
        let confirm: Arc<dyn Confirm> = match self.spec.yes {
            true => Arc::new(AlwaysYes),
            false => Arc::new(NobodyThere),
        };
        let wishes = Wishes {
            options,
            confirm,
            events,
            progress: self.gauge.next_session(),
            cancel: cancel.clone(),
            lanes: Arc::clone(&self.lanes),
            patience,
        };
        let spec = self.spec;
        let session = sessions.run(&spec.legs[at], wishes);
        tokio::pin!(session);
        let mut ticks = tokio::time::interval(TICK);
        let report = loop {
            tokio::select! {
                report = &mut session => break report?,
                Some(told) = heard.recv() => self.hear(at, told),
                _ = ticks.tick() => self.tick(Instant::now()),
            }
        };
        while let Ok(told) = heard.try_recv() {
            self.hear(at, told);
        }
        self.outcome.absorb(report, at);
        self.outcome.figures = self.gauge.figures();
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        let figures = self.gauge.measure(now);
        let is_due = self.told.is_none_or(|(last, phase)| {
            phase != figures.phase || now.saturating_duration_since(last) >= TOLD_EVERY
        });
        if is_due {
            self.told = Some((now, figures.phase));
            self.feed.tell(progress_event(&figures));
        }
    }

    fn hear(&mut self, at: usize, told: Told) {
        match told {
            Told::Plan(totals) => {
                let is_last = at + 1 == self.spec.legs.len();
                let figures = self.gauge.figures();
                self.feed
                    .tell(plan_event(&figures, totals.complete && is_last));
            }
            Told::Problem(problem) => {
                self.outcome.add(&problem);
                self.feed.tell(problem_event(&problem));
            }
            Told::Item(item) if item.op == ItemOp::Skip && UNCARRIED.contains(&item.reason) => {
                self.outcome.skip(&item.path);
                let message = "neither file, directory nor link: it was left out".to_owned();
                let path = Some(PathField::from(&item.path));
                self.note(Slug::EntrySkipped, message, path);
            }
            Told::NotEntered(path) => {
                let (slug, message) = not_entered(&path);
                self.note(slug, message, None);
            }
            Told::Stalled {
                waiting_for,
                seconds,
            } => {
                let (slug, message) = stalled(&waiting_for, seconds);
                self.note(slug, message, None);
            }
            _ => {}
        }
    }

    fn note(&self, slug: Slug, message: String, path: Option<PathField>) {
        self.feed.tell(Event::Warning(Note {
            code: slug.name(),
            message,
            path,
        }));
    }

    fn conclude(self) -> End {
        let stop = self.outcome.stop.as_ref();
        if let Some((stop, at)) = stop {
            let error = self.outcome.with_state(self.stopped(*at).reason(stop));
            let exit = error.exit().graver(self.outcome.exit());
            let end = self.fail(&error.exits(exit));
            return match stop {
                Stop::Cancelled => End {
                    state: JobState::Cancelled,
                    ..end
                },
                _ => end,
            };
        }
        if let Some(error) = nothing_came(&self.outcome, false) {
            return self.fail(&error);
        }
        let verb = self.spec.terms.verb;
        let exit = self.outcome.exit_of(verb);
        let summary = summary((verb, false), &self.outcome, exit, Lanes::of(&self.lanes));
        self.feed.tell(Event::Summary(Box::new(summary)));
        End {
            state: JobState::Ended,
            exit,
        }
    }

    fn stopped(&self, at: usize) -> Stopped<'_> {
        let leg = &self.spec.legs[at];
        let sources = self.spec.sources.iter();
        Stopped {
            verb: self.spec.terms.verb,
            max_delete: self.spec.terms.max_delete,
            sources: sources
                .map(|source| crate::shown(source.as_os_str()))
                .collect(),
            directories: (&leg.source, &leg.target),
            top: &leg.top,
            is_far: leg.far.is_some(),
        }
    }

    fn fail(&self, error: &UserError) -> End {
        self.feed.tell(Event::Error(error.into()));
        End {
            state: JobState::Ended,
            exit: error.exit(),
        }
    }
}

#[cfg(test)]
mod tests;
