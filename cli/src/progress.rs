//! How far a transfer is, shown.

mod row;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use blit_config::ProgressWhen;
use blit_contract::Phase;
use blit_jobs::{Gauge, TOLD_EVERY, progress_event};

use crate::ui::Ui;

pub(crate) use blit_jobs::{Figures, TICK};

/// A run that is over sooner shows no row.
const FIRST_ROW: Duration = Duration::from_millis(300);
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// Measures a run that may have several sessions, and shows how far it is.
pub(crate) struct Meter {
    gauge: Gauge,
    show: Show,
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
        Self {
            gauge: Gauge::new(sessions_total),
            show: show(ui, when),
            shown: None,
        }
    }

    /// The figures of the next session.
    pub(crate) fn next_session(&mut self) -> Arc<blit_engine::Progress> {
        self.gauge.next_session()
    }

    /// What is known now.
    pub(crate) fn figures(&self) -> Figures {
        self.gauge.figures()
    }

    /// Shows what is due. Called every [`TICK`].
    pub(crate) fn tick(&mut self, ui: &Ui, now: Instant) {
        let figures = self.gauge.measure(now);
        let is_due = |every: Duration| {
            self.shown
                .is_none_or(|(last, _)| now.saturating_duration_since(last) >= every)
        };
        let phase_changed = self.shown.is_none_or(|(_, phase)| phase != figures.phase);
        match self.show {
            Show::Row if now.saturating_duration_since(self.gauge.started()) >= FIRST_ROW => {
                ui.draw_row(row::text(&figures, row::terminal()));
            }
            Show::Plain if is_due(PLAIN_EVERY) && self.gauge.started() + PLAIN_EVERY <= now => {
                self.shown = Some((now, figures.phase));
                ui.say(&row::text(&figures, row::PLAIN));
            }
            Show::Json if is_due(TOLD_EVERY) || phase_changed => {
                self.shown = Some((now, figures.phase));
                ui.tell(progress_event(&figures));
            }
            _ => {}
        }
    }

    /// One line now, because somebody asked.
    pub(crate) fn status(&mut self, ui: &Ui, now: Instant) {
        let figures = self.gauge.measure(now);
        ui.say_always(&row::text(&figures, row::PLAIN));
        ui.tell(progress_event(&figures));
    }
}

/// Draws the row of a run that another process does.
pub(crate) fn show_row(ui: &Ui, figures: &Figures) {
    if ui.can_draw {
        ui.draw_row(row::text(figures, row::terminal()));
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
