//! How far a transfer is: figures from the sessions, a rate, and how both are shown.

mod row;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use blit_config::ProgressWhen;
use blit_contract::Phase;

use crate::{
    events::{self, Event, phase_word},
    ui::Ui,
};

/// How often the row is drawn.
pub(crate) const TICK: Duration = Duration::from_millis(200);
/// A run that is over sooner shows no row.
const FIRST_ROW: Duration = Duration::from_millis(300);
/// Over which time the rate is taken.
const RATE_WINDOW: Duration = Duration::from_secs(10);
/// Before that the rate says nothing about the end.
const ETA_AFTER: Duration = Duration::from_secs(3);
/// After that long without data the row says so.
const STILL_AFTER: Duration = Duration::from_secs(5);
const PLAIN_EVERY: Duration = Duration::from_secs(30);
const JSON_EVERY: Duration = Duration::from_millis(500);

/// What is known at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) phase: Option<Phase>,
    pub(crate) scanned_entries: u64,
    pub(crate) scanned_bytes: u64,
    pub(crate) wanted_files: u64,
    pub(crate) wanted_bytes: u64,
    pub(crate) done_files: u64,
    pub(crate) done_bytes: u64,
    pub(crate) up_to_date: u64,
    pub(crate) doomed_entries: u64,
    pub(crate) deleted_entries: u64,
    pub(crate) problems: u64,
    /// Whether the totals will grow no more.
    pub(crate) is_final: bool,
    /// Bytes per second.
    pub(crate) rate: f64,
    /// How long it will take, if that can be told.
    pub(crate) left: Option<Duration>,
    /// How long no data has moved, if that is long.
    pub(crate) still: Option<Duration>,
}

/// Measures a run that may have several sessions, and shows how far it is.
pub(crate) struct Meter {
    sessions: Vec<Arc<blit_engine::Progress>>,
    sessions_total: usize,
    show: Show,
    started: Instant,
    window: VecDeque<(Instant, u64)>,
    moved: Instant,
    shown: Option<(Instant, Option<Phase>)>,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    Row,
    Plain,
    Json,
    Nothing,
}

impl Meter {
    /// A run of so many sessions that begins now.
    pub(crate) fn new(ui: &Ui, when: ProgressWhen, sessions_total: usize) -> Self {
        let now = Instant::now();
        Self {
            sessions: Vec::new(),
            sessions_total,
            show: show(ui, when),
            started: now,
            window: VecDeque::new(),
            moved: now,
            shown: None,
        }
    }

    /// The figures of the next session.
    pub(crate) fn next_session(&mut self) -> Arc<blit_engine::Progress> {
        let progress = Arc::new(blit_engine::Progress::default());
        self.sessions.push(Arc::clone(&progress));
        progress
    }

    /// What is known now.
    pub(crate) fn figures(&self) -> Figures {
        let mut sum = Figures {
            is_final: self.sessions.len() == self.sessions_total,
            ..Figures::default()
        };
        for session in &self.sessions {
            let totals = session.totals();
            sum.phase = Some(session.phase());
            sum.scanned_entries = sum.scanned_entries.saturating_add(totals.entries);
            sum.scanned_bytes = sum.scanned_bytes.saturating_add(totals.bytes);
            sum.wanted_files = sum.wanted_files.saturating_add(totals.copy_files);
            sum.wanted_bytes = sum.wanted_bytes.saturating_add(totals.copy_bytes);
            sum.done_files = sum.done_files.saturating_add(session.done_files.get());
            sum.done_bytes = sum.done_bytes.saturating_add(session.done_bytes.get());
            sum.up_to_date = sum.up_to_date.saturating_add(totals.up_to_date);
            sum.doomed_entries = sum.doomed_entries.saturating_add(totals.delete_entries);
            sum.deleted_entries = sum
                .deleted_entries
                .saturating_add(session.deleted_entries.get());
            sum.problems = sum.problems.saturating_add(session.problems.get());
            sum.is_final &= totals.complete;
        }
        sum
    }

    /// Shows what is due. Called every [`TICK`].
    pub(crate) fn tick(&mut self, ui: &Ui, now: Instant) {
        let figures = self.measure(now);
        let is_due = |every: Duration| {
            self.shown
                .is_none_or(|(last, _)| now.saturating_duration_since(last) >= every)
        };
        let phase_changed = self.shown.is_none_or(|(_, phase)| phase != figures.phase);
        match self.show {
            Show::Row if now.saturating_duration_since(self.started) >= FIRST_ROW => {
                ui.draw_row(row::text(&figures, row::terminal()));
            }
            Show::Plain if is_due(PLAIN_EVERY) && self.started + PLAIN_EVERY <= now => {
                self.shown = Some((now, figures.phase));
                ui.say(&row::text(&figures, row::PLAIN));
            }
            Show::Json if is_due(JSON_EVERY) || phase_changed => {
                self.shown = Some((now, figures.phase));
                ui.tell(event(&figures));
            }
            _ => {}
        }
    }

    /// One line now, because somebody asked.
    pub(crate) fn status(&mut self, ui: &Ui, now: Instant) {
        let figures = self.measure(now);
        ui.say_always(&row::text(&figures, row::PLAIN));
        ui.tell(event(&figures));
    }

    fn measure(&mut self, now: Instant) -> Figures {
        let mut figures = self.figures();
        if self
            .window
            .back()
            .is_none_or(|(_, bytes)| *bytes != figures.done_bytes)
        {
            self.moved = now;
        }
        self.window.push_back((now, figures.done_bytes));
        while self.window.len() > 2 && self.window[1].0 + RATE_WINDOW <= now {
            self.window.pop_front();
        }
        if let Some((since, bytes)) = self.window.front() {
            let seconds = now.saturating_duration_since(*since).as_secs_f64();
            let moved = figures.done_bytes.saturating_sub(*bytes);
            figures.rate = if seconds > 0.0 {
                moved as f64 / seconds
            } else {
                0.0
            };
        }
        let still = now.saturating_duration_since(self.moved);
        figures.still = Some(still).filter(|still| *still >= STILL_AFTER);
        let copied_long_enough = now.saturating_duration_since(self.started) >= ETA_AFTER;
        if figures.is_final && copied_long_enough && figures.rate >= 1.0 {
            let left = figures.wanted_bytes.saturating_sub(figures.done_bytes);
            figures.left = Duration::try_from_secs_f64(left as f64 / figures.rate).ok();
        }
        figures
    }
}

fn show(ui: &Ui, when: ProgressWhen) -> Show {
    use crate::ui::Volume;
    match when {
        ProgressWhen::Never => Show::Nothing,
        _ if ui.json => Show::Json,
        _ if ui.volume == Volume::Quiet => Show::Nothing,
        ProgressWhen::Plain => Show::Plain,
        ProgressWhen::Auto | ProgressWhen::Always if ui.can_draw => Show::Row,
        ProgressWhen::Always => Show::Plain,
        _ => Show::Nothing,
    }
}

fn event(figures: &Figures) -> Event {
    Event::Progress(events::Progress {
        phase: figures.phase.map_or("connect", phase_word),
        files_done: figures.done_files,
        files_total: figures.wanted_files,
        bytes_done: figures.done_bytes,
        bytes_total: figures.wanted_bytes,
        total_is_final: figures.is_final,
        rate: figures.rate,
        eta_s: figures.left.map(|left| left.as_secs_f64()),
        errors: figures.problems,
    })
}
