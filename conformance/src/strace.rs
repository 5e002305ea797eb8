//! What `strace` is used for: counting system calls, and making one of them fail or fatal.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use crate::Scratch;

/// How often each system call was made, in all threads.
pub type SyscallCounts = BTreeMap<String, Calls>;

/// The calls of one name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many.
    pub made: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// Runs `command` to a good end and counts its system calls.
///
/// # Panics
/// When it does not end well, or `strace` does not work.
#[must_use]
pub fn count_syscalls(command: &Command) -> SyscallCounts {
    let scratch = Scratch::new();
    let table = scratch.path("counts");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-c", "-U", "name,calls,errors", "-o"])
        .arg(&table);
    strace.arg(command.get_program()).args(command.get_args());
    // The search path is there for a command that does not clear its environment.
    strace
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    strace.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    if let Some(directory) = command.get_current_dir() {
        strace.current_dir(directory);
    }
    let output = strace.output().expect("strace runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let table = std::fs::read_to_string(&table).expect("strace wrote its table");
    table.lines().filter_map(count).collect()
}

fn count(line: &str) -> Option<(String, Calls)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let made = words.next()?.parse().ok()?;
    let failed = words.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    (name != "total").then(|| (name.to_owned(), Calls { made, failed }))
}

/// What happens at a system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inject {
    calls: String,
    action: String,
    when: String,
}

impl Inject {
    /// The process is killed as it enters the `nth` of these calls in any of its threads.
    #[must_use]
    pub fn kill(calls: &str, nth: usize) -> Self {
        Self {
            calls: calls.into(),
            action: "signal=SIGKILL".into(),
            when: nth.to_string(),
        }
    }

    /// The calls that `when` selects (`3`, `3+`, `1+2`) fail with `error`, and do nothing.
    #[must_use]
    pub fn fail(calls: &str, error: &str, when: &str) -> Self {
        Self {
            calls: calls.into(),
            action: format!("error={error}"),
            when: when.into(),
        }
    }

    /// Each of these calls begins so much later than it would.
    #[must_use]
    pub fn delay(calls: &str, delay: Duration) -> Self {
        Self {
            calls: calls.into(),
            action: format!("delay_enter={}", delay.as_micros()),
            when: "1+".into(),
        }
    }

    pub(crate) fn command_line(&self) -> Vec<OsString> {
        let Self {
            calls,
            action,
            when,
        } = self;
        let inject = format!("inject={calls}:{action}:when={when}");
        let trace = format!("trace={calls}");
        let mut words = vec![
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &trace,
            "-e",
            &inject,
        ];
        // Only the calls that matter are stopped at, and the rest runs at full speed. For a signal
        // this does not do: it would arrive when the call is already made.
        if action.starts_with("error=") {
            words.insert(1, "--seccomp-bpf");
        }
        words.into_iter().map(OsString::from).collect()
    }
}
