//! What a job tells, for people: the lines that programs read, as a run of one's own would say it.

use std::time::Duration;

use serde_json::Value;

use crate::{
    app::App,
    errors::{Result, Slug, UserError},
    progress::{Figures, show_row},
    units,
};

/// Shows the lines of a job as they come.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    verb: String,
}

impl Watcher {
    /// Shows a line.
    ///
    /// # Errors
    /// It is the job's error.
    pub(super) fn show(&mut self, app: &App, line: &str) -> Result<()> {
        // What this version cannot read it need not show.
        let told: Value = serde_json::from_str(line).unwrap_or_default();
        let ui = &app.ui;
        match text(&told, "type") {
            "start" => text(&told, "verb").clone_into(&mut self.verb),
            "progress" => show_row(ui, &figures(&told)),
            "warning" => ui.say(&format!(
                "warning: {}{}",
                path(&told),
                text(&told, "message")
            )),
            "notice" => ui.say(&format!("note: {}{}", path(&told), text(&told, "message"))),
            "item_error" => {
                let (code, message) = (text(&told, "code"), text(&told, "message"));
                ui.say_always(&format!("{code}: {}{message}", path(&told)));
            }
            "summary" => {
                ui.hide_row();
                ui.say(&self.sum_up(&told));
            }
            "error" => {
                ui.hide_row();
                return Err(failure(&told).into());
            }
            _ => {}
        }
        Ok(())
    }

    /// One line that sums the job up.
    fn sum_up(&self, told: &Value) -> String {
        let files = |name: &str| number(&told["files"], name);
        let past = match &*self.verb {
            "move" => "Moved",
            _ => "Copied",
        };
        let seconds = told["seconds"].as_f64().unwrap_or_default();
        let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let mut parts = vec![format!(
            "{past} {}, {} in {}",
            units::entries(files("copied")),
            units::size(number(&told["bytes"], "copied")),
            units::duration(took)
        )];
        let more = [
            ("metadata", "with new metadata only"),
            ("deleted", "deleted"),
            ("up_to_date", "already up to date"),
            ("vanished", "vanished meanwhile"),
            ("failed", "failed"),
        ];
        let more = more.iter().map(|(name, words)| (files(name), words));
        let more = more.filter(|(number, _)| *number > 0);
        parts.extend(more.map(|(number, words)| format!("{} {words}", units::count(number))));
        parts.join("; ") + "."
    }
}

fn figures(told: &Value) -> Figures {
    let left = told["eta_s"].as_f64();
    Figures {
        phase: serde_json::from_value(told["phase"].clone()).ok(),
        done_files: number(told, "files_done"),
        wanted_files: number(told, "files_total"),
        done_bytes: number(told, "bytes_done"),
        wanted_bytes: number(told, "bytes_total"),
        problems: number(told, "errors"),
        is_final: told["total_is_final"].as_bool().unwrap_or_default(),
        rate: told["rate"].as_f64().unwrap_or_default(),
        left: left.and_then(|left| Duration::try_from_secs_f64(left).ok()),
        ..Figures::default()
    }
}

/// The job's error, as a run of one's own would have ended with it.
fn failure(told: &Value) -> UserError {
    let code = text(told, "code");
    let slug = Slug::ALL.iter().find(|slug| slug.name() == code);
    let error = UserError::new(
        slug.copied().unwrap_or(Slug::RunFailed),
        text(told, "message"),
    );
    let exit = u32::try_from(number(told, "exit")).unwrap_or(1);
    let causes = told["cause"].as_array().into_iter().flatten();
    let error = causes
        .filter_map(Value::as_str)
        .fold(error.exits(super::exit_of(exit)), |error, cause| {
            error.cause(cause)
        });
    let error = match told["state"].as_str() {
        Some(state) => error.state(state),
        None => error,
    };
    match told["next"].as_str() {
        Some(next) => error.next(next),
        None => error,
    }
}

/// `photos/a.jpg: `, of a line that is about an entry.
fn path(told: &Value) -> String {
    match told["path"].as_str() {
        Some(path) => format!("{}: ", crate::ui::shown(path.as_ref())),
        None => String::new(),
    }
}

fn text<'a>(told: &'a Value, name: &str) -> &'a str {
    told[name].as_str().unwrap_or_default()
}

fn number(told: &Value, name: &str) -> u64 {
    told[name].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_summed_up_in_one_line() {
        let told = serde_json::json!({
            "seconds": 2.0,
            "files": {"copied": 12, "up_to_date": 1_000, "failed": 1, "deleted": 0},
            "bytes": {"copied": 3 << 20},
        });
        let watcher = Watcher {
            verb: "move".to_owned(),
        };
        assert_eq!(
            watcher.sum_up(&told),
            "Moved 12 entries, 3.00 MiB in 2.0 s; 1 000 already up to date; 1 failed."
        );
    }

    #[test]
    fn the_error_of_a_job_is_the_error_of_a_run() {
        let error = UserError::new(Slug::DeleteBrake, "refusing to delete 9 of 9 entries")
            .cause("source /a is empty; is it mounted?")
            .unchanged()
            .next("if you mean it: add --max-delete 100%");
        let told = serde_json::to_value(crate::events::Failure::from(&error)).unwrap();
        let read = failure(&told);
        assert_eq!(read.exit(), error.exit());
        let expected = error.exits(read.exit());
        assert_eq!(read, expected);
    }
}
