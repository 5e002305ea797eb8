//! The other side: a program that serves until it is told to stop, and is weighed then.
//!
//! It is started anew for each run, by a small copy of the harness (`blit-bench serve`), so that the
//! kernel's own account of it and of all its children is that of one run.

use crate::measure::Sample;
use crate::remote::net;
use crate::sys::wait_with_usage;
use eyre::{Context, OptionExt, ensure};
use std::ffi::OsString;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// How long its children may take to end, once nobody calls any more.
const CHILDREN_WAIT: Duration = Duration::from_secs(60);
/// How often it is looked whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A server that runs.
pub(crate) struct Server {
    harness: Child,
}

impl Server {
    /// Starts `command`, and waits until it listens at `port`.
    pub(crate) fn start(command: &[OsString], port: u16) -> eyre::Result<Self> {
        let mut harness = Command::new(std::env::current_exe()?);
        harness.arg("serve").arg("--").args(command);
        let harness = harness.stdin(Stdio::piped()).stdout(Stdio::piped());
        let server = Self {
            harness: harness.spawn()?,
        };
        net::wait_for(port).wrap_err_with(|| format!("{command:?}"))?;
        Ok(server)
    }

    /// Stops it; answers what it cost.
    pub(crate) fn stop(mut self) -> eyre::Result<Sample> {
        drop(self.harness.stdin.take());
        let mut said = String::new();
        let mut output = self.harness.stdout.take().ok_or_eyre("no output")?;
        output.read_to_string(&mut said)?;
        let status = self.harness.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        serde_json::from_str(&said).wrap_err("the serving process said something else")
    }
}

impl Drop for Server {
    /// After a failed run, too, nothing is left that listens.
    fn drop(&mut self) {
        drop(self.harness.stdin.take());
        let _ = self.harness.wait();
    }
}

/// The small process: serves until its input ends, and returns what that cost.
///
/// # Errors
/// When it cannot be started, or its children do not end.
pub fn serve(command: &[OsString]) -> eyre::Result<Sample> {
    let (program, arguments) = command.split_first().ok_or_eyre("no command")?;
    let mut prepared = Command::new(program);
    prepared
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let began = Instant::now();
    let child = prepared
        .spawn()
        .wrap_err_with(|| program.display().to_string())?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    // One that serves a call in a process of its own counts it only when that has ended.
    let waited = Instant::now();
    while has_children(child.id()) {
        ensure!(waited.elapsed() < CHILDREN_WAIT, "a call does not end");
        thread::sleep(LOOK_EVERY);
    }
    if let Some(id) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // It may have ended by itself, after its only call.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    let (_, usage) = wait_with_usage(&child)?;
    Sample::of(began.elapsed().as_secs_f64(), &usage)
}

fn has_children(id: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{id}/task")) else {
        return false;
    };
    tasks.flatten().any(|task| {
        let children = fs::read_to_string(task.path().join("children"));
        children.is_ok_and(|it| !it.trim().is_empty())
    })
}
