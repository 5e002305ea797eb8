//! Follows a session: shows its events, draws its progress, keeps its problems.

use std::{sync::Arc, time::Instant};

use blit_contract::{Escaped, Event as Told, Item, ItemOp, Problem, Totals};
use blit_engine::{Report, UNCARRIED, Verb};
use blit_jobs::{Outcome, not_entered, plan_event, problem_event, stalled};
use tokio::sync::{Notify, mpsc};

use super::{Trip, options, summary};
use crate::{
    app::App,
    errors::slug_of,
    events::{self, Event, PathField, is_difference, method_word, op_word},
    progress::{Meter, TICK},
    ui::Volume,
    units,
};

/// How many events may wait: a slow terminal slows the session, and nothing is dropped.
const EVENTS_MAX: usize = 1_024;

/// Follows the sessions of a run.
pub(super) struct Listener<'a> {
    app: &'a App,
    trip: &'a Trip,
    sender: mpsc::Sender<Told>,
    events: mpsc::Receiver<Told>,
    meter: Meter,
    outcome: Outcome,
    is_last: bool,
    has_said_plan: bool,
    has_plan: Arc<Notify>,
    sessions: usize,
}

impl<'a> Listener<'a> {
    /// Follows nothing yet.
    pub(super) fn new(app: &'a App, trip: &'a Trip) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        Self {
            app,
            trip,
            sender,
            events,
            meter: Meter::new(&app.ui, app.settings().output.progress, trip.legs.len()),
            outcome: Outcome::default(),
            is_last: false,
            has_said_plan: false,
            has_plan: Arc::default(),
            sessions: 0,
        }
    }

    /// Where the events of the next session go.
    pub(super) fn sender(&self) -> mpsc::Sender<Told> {
        self.sender.clone()
    }

    /// Told when the plan of a session is complete, and said.
    pub(super) fn has_plan(&self) -> Arc<Notify> {
        Arc::clone(&self.has_plan)
    }

    /// Where the figures of the next session go.
    pub(super) fn next_progress(&mut self) -> Arc<blit_engine::Progress> {
        self.meter.next_session()
    }

    /// Runs a session to its end. Answers whether it stopped before that.
    pub(super) async fn follow(
        &mut self,
        session: impl Future<Output = Report>,
        is_last: bool,
    ) -> bool {
        self.is_last = is_last;
        tokio::pin!(session);
        let mut ticks = tokio::time::interval(TICK);
        let report = loop {
            tokio::select! {
                report = &mut session => break report,
                Some(event) = self.events.recv() => self.hear(event),
                _ = ticks.tick() => self.tick(),
            }
        };
        while let Ok(event) = self.events.try_recv() {
            self.hear(event);
        }
        self.outcome.absorb(report, self.sessions);
        self.sessions += 1;
        self.outcome.stop.is_some()
    }

    /// Whether the last session ended because the other machine was lost. Then another one continues it.
    pub(super) fn take_lost(&mut self) -> bool {
        let was_lost = self.outcome.take_lost();
        self.sessions -= usize::from(was_lost);
        was_lost
    }

    /// What came of all of them.
    pub(super) fn finish(mut self) -> Outcome {
        self.app.ui.hide_row();
        self.outcome.figures = self.meter.figures();
        if self.trip.request.writing.dry_run && !self.has_said_plan && self.outcome.stop.is_none() {
            self.say_plan();
        }
        self.outcome
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if self.app.stop.take_status_wish() {
            self.meter.status(&self.app.ui, now);
        }
        self.meter.tick(&self.app.ui, now);
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Item(item) => {
                if item.op == ItemOp::Skip && UNCARRIED.contains(&item.reason) {
                    self.outcome.skip(&item.path);
                }
                self.item(&item);
            }
            Told::Plan(totals) => self.plan(totals),
            Told::Problem(problem) => self.problem(&problem),
            Told::NotEntered(path) => {
                let (slug, message) = not_entered(&path);
                self.app.ui.warn(slug, &message);
            }
            Told::Stalled {
                waiting_for,
                seconds,
            } => {
                let (slug, message) = stalled(&waiting_for, seconds);
                self.app.ui.warn(slug, &message);
            }
            _ => {}
        }
    }

    fn item(&self, item: &Item) {
        let request = &self.trip.request;
        let is_result = request.verb == Verb::Check && is_difference(item.op);
        if !is_result && !options::tells_items(self.app, request) {
            return;
        }
        let path = PathField::from(&item.path);
        let what = op_word(item.op);
        self.app.ui.tell(match is_difference(item.op) {
            true => Event::Diff(events::Diff { path, what }),
            false => Event::Item(events::Item {
                op: what,
                path,
                bytes: item.bytes,
                reason: item.reason,
                method: item.method.map(method_word),
            }),
        });
        if !self.app.ui.json {
            // Nobody reading the rows is no reason to stop a transfer.
            let _ = self.app.ui.row(&self.item_row(item), b'\n');
        }
    }

    /// `create   photos/a.jpg`, and with -vv why and how.
    fn item_row(&self, item: &Item) -> Vec<u8> {
        let mut row = format!("{:<9}", op_word(item.op)).into_bytes();
        let path = item.path.to_bytes();
        row.extend(Escaped(&path).to_string().into_bytes());
        if self.app.ui.volume >= Volume::Reasons {
            let method = item.method.map_or(String::new(), |method| {
                format!(", by {}", method_word(method))
            });
            row.extend(format!("  ({}{method})", item.reason).into_bytes());
        }
        row
    }

    fn problem(&mut self, problem: &Arc<Problem>) {
        self.outcome.add(problem);
        let slug = slug_of(problem.side, problem.error.kind());
        if self.app.ui.tells_items() {
            let detail = problem
                .error
                .detail()
                .unwrap_or(problem.error.kind().phrase());
            self.app
                .ui
                .say(&format!("{}: {} {detail}", slug.name(), problem.path));
        }
        self.app.ui.tell(problem_event(problem));
    }

    fn plan(&mut self, totals: Totals) {
        let figures = self.meter.figures();
        let is_complete = totals.complete && self.is_last;
        self.app.ui.tell(plan_event(&figures, is_complete));
        let has_work = figures.wanted_files + figures.doomed_entries > 0;
        if is_complete && has_work && !self.has_said_plan {
            self.say_plan();
        }
        if totals.complete {
            self.has_plan.notify_one();
        }
    }

    /// One line that shows what will be done, and where exactly.
    fn say_plan(&mut self) {
        self.has_said_plan = true;
        let figures = self.meter.figures();
        let request = &self.trip.request;
        if request.verb == Verb::Check {
            return;
        }
        let mut parts = vec![format!(
            "{} {} ({}) to {}",
            super::verb_word(request.verb),
            units::files(figures.wanted_files),
            units::size(figures.wanted_bytes),
            summary::shown_target(self.trip),
        )];
        if figures.doomed_entries > 0 {
            parts.push(format!("delete {}", units::entries(figures.doomed_entries)));
        }
        if figures.up_to_date > 0 {
            parts.push(format!("{} up to date", units::count(figures.up_to_date)));
        }
        self.app.ui.say(&format!("plan: {}", parts.join("; ")));
    }
}
