//! Tells systemd what to do, where it runs.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use blit_config::Exit;

use crate::{failure::Failure, say};

/// The systemd of this machine; or none, and then nothing is done.
#[derive(Debug)]
pub(super) struct Systemd {
    runs: bool,
}

impl Systemd {
    /// Only the files of this very machine are its systemd's business.
    pub(super) fn of(root: &Path) -> Self {
        Self {
            runs: root == Path::new("/") && sd_notify::booted().unwrap_or(false),
        }
    }

    pub(super) fn control(&self, words: &[&str]) -> Result<(), Failure> {
        self.run("systemctl", words)
    }

    /// Runs a program of systemd, and says so.
    pub(super) fn run(&self, program: &str, words: &[&str]) -> Result<(), Failure> {
        if !self.runs {
            return Ok(());
        }
        let line = [&[program], words].concat().join(" ");
        say(&line);
        let failed = |why: String| {
            let text = format!("the files are there, but {line:?} failed: {why}");
            Failure::new("service.start", Exit::Failed, text)
                .next("see why: journalctl -u blit-daemon.service; then the same once more")
        };
        let done = Command::new(program).args(words).status();
        match done.map_err(|cause| failed(cause.to_string()))? {
            status if status.success() => Ok(()),
            status => Err(failed(status.to_string())),
        }
    }

    /// The first line of the answer; `None` where nobody is there to ask.
    pub(super) fn asked(&self, words: &[&str]) -> Option<String> {
        let mut command = Command::new("systemctl");
        command.args(words).stderr(Stdio::null());
        let output = self.runs.then(|| command.output()).and_then(Result::ok)?;
        let text = String::from_utf8_lossy(&output.stdout);
        Some(text.lines().next().unwrap_or_default().to_owned())
    }
}
