//! Runs the binary the way a script would: clean environment, pipes, no terminal.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::{Inject, Scratch};

/// One command line of blit, not run yet.
#[derive(Debug)]
pub struct Blit {
    binary: PathBuf,
    home: Scratch,
    wrapper: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    user: Option<u32>,
    limit: Duration,
}

impl Blit {
    /// The binary at `binary`, or the one that `BLIT_BIN` names.
    #[must_use]
    pub fn at(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: std::env::var_os("BLIT_BIN").map_or_else(|| binary.into(), PathBuf::from),
            home: Scratch::new(),
            wrapper: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            user: None,
            limit: HANG,
        }
    }

    /// Hangs only after that time: for work that takes its time, as in the long run.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<I: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = I>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|it| it.as_ref().to_owned()));
        self
    }

    /// A variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The directory to run in.
    #[must_use]
    pub fn current_dir(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Runs as the user `nobody`, without any privilege. Needs root.
    #[must_use]
    pub fn as_nobody(mut self) -> Self {
        // The checkout may be where nobody else can enter.
        let public = self.home.path("blit");
        std::fs::copy(&self.binary, &public).expect("a copy of the binary");
        let home = self.home.root();
        std::os::unix::fs::chown(home, Some(NOBODY), Some(NOBODY)).expect("root may");
        self.binary = public;
        self.user = Some(NOBODY);
        self
    }

    /// Runs under `strace`, which does `inject` to it; that runs under whatever it was to run under before.
    #[must_use]
    pub fn inject(mut self, inject: &Inject) -> Self {
        self.wrapper.extend(inject.command_line());
        self
    }

    /// Runs under another program: its words come before ours.
    #[must_use]
    pub fn under<I: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = I>) -> Self {
        self.wrapper = wrapper
            .into_iter()
            .map(|it| it.as_ref().to_owned())
            .collect();
        self
    }

    /// Where it keeps its configuration and state.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.root()
    }

    /// The whole as a command of the standard library, with pipes for output.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut words = self.wrapper.iter().map(OsString::as_os_str);
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command.args(&self.arguments).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .env("HOME", self.home())
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color");
        for (name, folder) in FOLDERS {
            command.env(name, self.home().join(folder));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.current_dir(self.directory.as_deref().unwrap_or(self.home()));
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it does not start, or hangs, or writes what does not belong into a pipe.
    #[must_use]
    pub fn run(&self) -> Ran {
        self.try_run().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// What came of [`Blit::command`], for a test that starts and ends it in its own way.
    #[must_use]
    pub fn ended(&self, output: Output) -> Ran {
        Ran::new(output, &self.arguments)
    }

    /// The same, for a test that collects what goes wrong.
    ///
    /// # Errors
    /// In words: when it hangs, or writes what does not belong into a pipe.
    ///
    /// # Panics
    /// When it does not start.
    pub fn try_run(&self) -> Result<Ran, String> {
        let child = self
            .command()
            .process_group(0)
            .spawn()
            .expect("the binary starts");
        let id = child.id();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = receiver.recv_timeout(self.limit) else {
            // With all that it started: without strace the binary would live on.
            let id = rustix::process::Pid::from_raw(id.cast_signed()).expect("a process id");
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
            return Err(format!("{:?} hangs", self.arguments));
        };
        let ran = Ran::new(output.expect("its output"), &self.arguments);
        ran.plain()?;
        Ok(ran)
    }
}

impl Blit {
    /// Runs it at a terminal of its own, where somebody types `typed`. Both outputs are on that
    /// terminal, with everything that a terminal is sent.
    ///
    /// # Panics
    /// When `script`, which makes the terminal, does not start.
    #[must_use]
    pub fn at_a_terminal(&self, typed: &str) -> Ran {
        let words = std::iter::once(self.binary.as_os_str())
            .chain(self.arguments.iter().map(OsString::as_os_str));
        let quoted: Vec<String> = words
            .map(|it| format!("'{}'", it.to_string_lossy().replace('\'', "'\\''")))
            .collect();
        let plain = self.command();
        let mut script = Command::new("script");
        script
            // What is typed is not shown: it would stand wherever the machine is quick enough for it.
            .args(["-E", "never", "-qec", &quoted.join(" "), "/dev/null"])
            .env_clear()
            .env("SHELL", "/bin/sh");
        script.envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        if let Some(directory) = plain.get_current_dir() {
            script.current_dir(directory);
        }
        script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = script.spawn().expect("script starts");
        let mut keyboard = child.stdin.take().expect("a keyboard");
        keyboard
            .write_all(typed.as_bytes())
            .expect("it is listened to");
        let output = child.wait_with_output().expect("its output");
        Ran::new(output, &self.arguments)
    }
}

/// What a run of the binary left.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    shown: String,
}

impl Ran {
    fn new(output: Output, arguments: &[OsString]) -> Self {
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
            shown: format!("{arguments:?}"),
        }
    }

    /// The same, after making sure of the exit code.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of {self}");
        self
    }

    /// Makes sure of exit code 0.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn succeeds(self) {
        let _ = self.exits(0);
    }

    /// The same, after making sure that standard error says `text`.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    #[must_use]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is missing in {self}");
        self
    }

    /// No escape byte, no panic and no backtrace ever reach a pipe.
    fn plain(&self) -> Result<(), String> {
        let text = [self.stdout.as_str(), &self.stderr].concat();
        let found = NEVER.iter().find(|it| text.contains(**it));
        found.map_or(Ok(()), |it| Err(format!("{it:?} in {self}")))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            code,
            signal,
            stdout,
            stderr,
            shown,
        } = self;
        write!(
            f,
            "blit {shown}\ncode {code:?} signal {signal:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// What never reaches a pipe.
const NEVER: [&str; 5] = [
    "\u{1b}",
    "panicked at",
    "stack backtrace",
    "RUST_BACKTRACE",
    "BACKTRACE",
];
/// Many times what the slowest honest run of the normal tests takes.
const HANG: Duration = Duration::from_secs(60);
const NOBODY: u32 = 65_534;
const FOLDERS: [(&str, &str); 5] = [
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_RUNTIME_DIR", "run"),
    ("XDG_STATE_HOME", "state"),
];
