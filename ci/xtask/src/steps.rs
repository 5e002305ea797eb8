//! Runs one step after the other, says how long each took, and remembers what failed.

use std::ffi::OsStr;
use std::process::Command;
use std::time::{Duration, Instant};

/// The cargo that started this task.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The steps that ran. A failed one does not stop the next: one run shows all that is wrong.
pub(crate) struct Steps {
    started: Instant,
    failed: Vec<String>,
}

impl Steps {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            failed: Vec::new(),
        }
    }

    /// Runs a step under a headline.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> eyre::Result<()>) {
        let started = Instant::now();
        println!("\n==> {name}");
        let outcome = run();
        let seconds = started.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("    {name}: passed in {seconds:.0} s"),
            Err(error) => {
                println!("    {name}: FAILED after {seconds:.0} s: {error:#}");
                self.failed.push(name.to_owned());
            }
        }
    }

    /// The names of the steps that failed, and how long all of them took.
    pub(crate) fn finish(self) -> (Vec<String>, Duration) {
        (self.failed, self.started.elapsed())
    }
}

/// Runs a command to its end; anything but success is an error that repeats the command.
pub(crate) fn check(command: &mut Command) -> eyre::Result<()> {
    let status = command.status()?;
    eyre::ensure!(status.success(), "{} ended with {status}", line_of(command));
    Ok(())
}

fn line_of(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name();
    let words = program
        .into_iter()
        .chain(command.get_args())
        .map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_remembered_and_the_next_still_runs() {
        let mut steps = Steps::start();
        let mut has_run = false;
        steps.step("first", || eyre::bail!("broken"));
        steps.step("second", || {
            has_run = true;
            Ok(())
        });
        assert!(has_run);
        assert_eq!(steps.finish().0, ["first"]);
    }

    #[test]
    fn a_command_that_fails_is_repeated_in_the_error() {
        let error = check(Command::new("false").arg("now")).unwrap_err();
        assert!(
            error.to_string().starts_with("false now ended with"),
            "{error}"
        );
    }
}
