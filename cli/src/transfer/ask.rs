//! Asks before a mirror deletes.

use std::{fmt::Write as _, sync::Arc};

use async_trait::async_trait;
use blit_contract::{Cancel, DeletionPlan};
use blit_engine::{AlwaysYes, Answer, Confirm, Doomed, NobodyThere};

use tokio::sync::Notify;

use crate::{app::App, ask::ask, ui::Ui, units};

/// Whoever answers for this run.
///
/// The plan is on the screen before anybody is asked: `has_plan` is told when it is.
pub(super) fn confirm(
    app: &App,
    yes: bool,
    below: String,
    has_plan: Arc<Notify>,
) -> Arc<dyn Confirm> {
    match (yes, app.ui.may_ask) {
        (true, _) => Arc::new(AlwaysYes),
        (false, false) => Arc::new(NobodyThere),
        (false, true) => Arc::new(Prompt {
            ui: Arc::clone(&app.ui),
            cancel: app.stop.cancel.clone(),
            below,
            has_plan,
        }),
    }
}

/// Asks whoever is at the terminal.
struct Prompt {
    ui: Arc<Ui>,
    cancel: Cancel,
    below: String,
    has_plan: Arc<Notify>,
}

#[async_trait]
impl Confirm for Prompt {
    async fn confirm(&self, plan: DeletionPlan, doomed: &dyn Doomed) -> Answer {
        let question = format!(
            "mirror will delete {} ({}) below {}. Go on? [y/N/l] ",
            units::entries(plan.entries),
            units::size(plan.bytes),
            self.below
        );
        self.has_plan.notified().await;
        loop {
            let Some(answer) = ask(&self.ui, &self.cancel, &question).await else {
                return Answer::Nobody;
            };
            match answer.as_str() {
                "y" | "yes" => return Answer::Yes,
                "l" | "list" => self.list(doomed),
                _ => return Answer::No,
            }
        }
    }
}

impl Prompt {
    fn list(&self, doomed: &dyn Doomed) {
        let mut text = String::new();
        let listed = doomed.for_each(&mut |path, entry| {
            let slash = if entry.is_directory() { "/" } else { "" };
            let _ = writeln!(text, "  {path}{slash}");
        });
        if let Err(error) = listed {
            let _ = writeln!(text, "  the rest cannot be read: {error}");
        }
        self.ui.write_err(text.trim_end());
    }
}
