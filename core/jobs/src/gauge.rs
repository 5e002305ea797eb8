//! How far a run is: figures from its sessions, and a rate.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use blit_contract::Phase;
use blit_events::{Event, Progress, phase_word};

/// How often somebody should look.
pub const TICK: Duration = Duration::from_millis(200);

/// How often programs are told, if the phase does not change.
pub const TOLD_EVERY: Duration = Duration::from_millis(500);

/// Over which time the rate is taken.
const RATE_WINDOW: Duration = Duration::from_secs(10);
/// Before that the rate says nothing about the end.
const ETA_AFTER: Duration = Duration::from_secs(3);
/// After that long without data it is said.
const STILL_AFTER: Duration = Duration::from_secs(5);

/// What is known at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// What it is doing.
    pub phase: Option<Phase>,
    /// Entries that the source has listed.
    pub scanned_entries: u64,
    /// Bytes in the files that it has listed.
    pub scanned_bytes: u64,
    /// Files to copy.
    pub wanted_files: u64,
    /// Bytes to copy.
    pub wanted_bytes: u64,
    /// Files that are there.
    pub done_files: u64,
    /// Bytes that are there.
    pub done_bytes: u64,
    /// Entries that need nothing.
    pub up_to_date: u64,
    /// Entries to delete.
    pub doomed_entries: u64,
    /// Entries that are deleted.
    pub deleted_entries: u64,
    /// Entries that failed, changed or vanished.
    pub problems: u64,
    /// Whether the totals will grow no more.
    pub is_final: bool,
    /// Bytes per second.
    pub rate: f64,
    /// How long it will take, if that can be told.
    pub left: Option<Duration>,
    /// How long no data has moved, if that is long.
    pub still: Option<Duration>,
}

/// Measures a run that may have several sessions.
#[derive(Debug)]
pub struct Gauge {
    sessions: Vec<Arc<blit_engine::Progress>>,
    sessions_total: usize,
    started: Instant,
    window: VecDeque<(Instant, u64)>,
    moved: Instant,
}

impl Gauge {
    /// A run of so many sessions that begins now.
    #[must_use]
    pub fn new(sessions_total: usize) -> Self {
        let now = Instant::now();
        Self {
            sessions: Vec::new(),
            sessions_total,
            started: now,
            window: VecDeque::new(),
            moved: now,
        }
    }

    /// When the run began.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The figures of the next session.
    pub fn next_session(&mut self) -> Arc<blit_engine::Progress> {
        let progress = Arc::new(blit_engine::Progress::default());
        self.sessions.push(Arc::clone(&progress));
        progress
    }

    /// What is known now.
    #[must_use]
    pub fn figures(&self) -> Figures {
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

    /// What is known at `now`, with a rate. To be called every [`TICK`] or so.
    pub fn measure(&mut self, now: Instant) -> Figures {
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

/// How far a run is, for programs.
#[must_use]
pub fn progress_event(figures: &Figures) -> Event {
    Event::Progress(Progress {
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
