//! A daemon with modules, and a machine that is paired with it.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use blit_conform::{Blit, Ran, Scratch};

/// What everybody calls the daemon's machine here.
pub(crate) const HOST: &str = "localhost";

/// A daemon that runs until it is dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: String,
    /// Empty if somebody is paired already.
    pub(crate) invitation: String,
}

impl Daemon {
    /// Starts the program with these arguments, after `wrapper`.
    pub(crate) fn start(wrapper: &[&str], state: &Path, arguments: &[OsString]) -> Self {
        let binary = env!("CARGO_BIN_EXE_blit-daemon");
        let mut command = match wrapper.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command.arg("--state-dir").arg(state).args(arguments);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (mut address, mut invitation) = (String::new(), String::new());
        for line in output.lines() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once("listening on ") {
                address = rest.split(", ").next().unwrap().to_owned();
            }
            if let Some((_, rest)) = line.split_once("blit-join-") {
                invitation = format!("blit-join-{}", rest.trim());
            }
            // The last line that comes by itself.
            if !invitation.is_empty() || line == READY {
                break;
            }
        }
        assert!(
            !address.is_empty(),
            "the daemon did not say where it listens"
        );
        Self {
            child,
            address,
            invitation,
        }
    }

    pub(crate) fn port(&self) -> &str {
        self.address.rsplit_once(':').unwrap().1
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the daemon says last when nobody is invited.
const READY: &str = "ready";

/// Two machines that are paired: this one, and one with a module `m` that can be written and a module
/// `ro` that cannot.
pub(crate) struct Two {
    pub(crate) scratch: Scratch,
    pub(crate) daemon: Daemon,
}

impl Two {
    pub(crate) fn new() -> Self {
        let two = Self::strangers();
        let host = format!("{HOST}:{}", two.daemon.port());
        let invitation = two.daemon.invitation.clone();
        two.blit(&["pair", &host, &invitation]).succeeds();
        two
    }

    /// The same, not paired yet.
    pub(crate) fn strangers() -> Self {
        let scratch = Scratch::new();
        let daemon = Self::start(&scratch, "127.0.0.1:0", &[]);
        Self { scratch, daemon }
    }

    /// Starts the daemon of these two, perhaps once more.
    pub(crate) fn start(scratch: &Scratch, listen: &str, wrapper: &[&str]) -> Daemon {
        let (writable, readable) = (scratch.directory("m"), scratch.directory("ro"));
        let config = scratch.path("daemon.toml");
        let text = format!(
            "[[module]]\nname = \"m\"\npath = {writable:?}\naccess = \"read-write\"\nowner = \"preserve\"\n\
             [[module]]\nname = \"ro\"\npath = {readable:?}\n"
        );
        std::fs::write(&config, text).unwrap();
        let arguments = [
            "--config".into(),
            config.into_os_string(),
            "--name".into(),
            "nas".into(),
            "--listen".into(),
            listen.into(),
        ];
        Daemon::start(wrapper, &scratch.path("daemon-state"), &arguments)
    }

    /// The module that can be written.
    pub(crate) fn module(&self) -> PathBuf {
        self.scratch.path("m")
    }

    /// Runs a command of the client.
    pub(crate) fn blit<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Ran {
        self.command(words).run()
    }

    /// A command of the client that is not run yet.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Blit {
        client(&self.scratch).args(words)
    }
}

/// The command line, whose state is in `scratch`.
pub(crate) fn client(scratch: &Scratch) -> Blit {
    let daemon = PathBuf::from(env!("CARGO_BIN_EXE_blit-daemon"));
    let binary = daemon.with_file_name("blit");
    assert!(
        binary.exists(),
        "{} is missing: cargo build --workspace",
        binary.display()
    );
    Blit::at(binary)
        .env("BLIT_STATE", scratch.path("client-state"))
        .env("BLIT_DAEMON_STATE", scratch.path("daemon-state"))
        .current_dir(scratch.root())
}

/// `HOST:/module/path`.
pub(crate) fn there(path: &str) -> String {
    format!("{HOST}:/{path}")
}

/// The path with a `/` at its end: its contents.
pub(crate) fn contents(path: &Path) -> OsString {
    let mut text = path.as_os_str().to_owned();
    text.push("/");
    text
}
