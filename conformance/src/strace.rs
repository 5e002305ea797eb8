//! What `strace` is used for: counting system calls, and making one of them fail or fatal.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

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
    let flags = ["-f", "-qq", "-c", "-U", "name,calls,errors", "-o"];
    run(command, &flags, &table);
    let table = std::fs::read_to_string(&table).expect("strace wrote its table");
    table.lines().filter_map(count).collect()
}

/// Runs `command` under `strace`, which writes to the file `output`.
fn run(command: &Command, flags: &[&str], output: &Path) {
    let mut strace = Command::new("strace");
    strace.args(flags).arg(output);
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
}

fn count(line: &str) -> Option<(String, Calls)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let made = words.next()?.parse().ok()?;
    let failed = words.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    (name != "total").then(|| (name.to_owned(), Calls { made, failed }))
}

/// Runs `command` to a good end, and answers how often the thread that made each of `calls` most
/// often made it: `when` of an injection counts for each thread.
///
/// # Panics
/// When it does not end well, or `strace` does not work.
#[must_use]
pub fn count_syscalls_by_thread(command: &Command, calls: &[&str]) -> BTreeMap<String, usize> {
    let scratch = Scratch::new();
    let log = scratch.path("log");
    // Those that this `strace` does not know are left out.
    let trace = format!("trace=?{}", calls.join(",?"));
    let flags = ["-f", "-qq", "--seccomp-bpf", "-e", &trace, "-s", "0", "-o"];
    run(command, &flags, &log);
    let log = std::fs::read_to_string(&log).expect("strace wrote its log");
    let mut made: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in log.lines() {
        // `PID CALL(ARGUMENTS…`; a call that is resumed was counted before.
        let mut words = line.splitn(2, ' ').map(str::trim_start);
        let (thread, call) = (words.next(), words.next().and_then(|it| it.split_once('(')));
        if let (Some(thread), Some((call, _))) = (thread, call)
            && !call.starts_with('<')
        {
            *made.entry((call, thread)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((call, _), made) in made {
        let most: &mut usize = most.entry(call.to_owned()).or_default();
        *most = made.max(*most);
    }
    most
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
