//! Weighs one run of one command: wall time, CPU seconds, peak memory.
//!
//! A process inherits the peak memory of whoever started it, up to the moment of `exec`. The
//! harness is large, so each run is started by a small copy of it, `blit-bench measure`.

use crate::shell;
use crate::sys::wait_with_usage;
use eyre::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What one run cost.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Sample {
    /// From start to exit.
    pub wall_s: f64,
    /// User and system time of the process and all its descendants.
    pub cpu_s: f64,
    /// The largest resident size that any one of these processes had.
    pub peak_bytes: u64,
}

/// Runs `command` in a small process of its own, and weighs it.
///
/// # Errors
/// When it cannot be started, or ends with anything but success.
pub fn measure(command: &[OsString]) -> eyre::Result<Sample> {
    let mut harness = Command::new(std::env::current_exe()?);
    let answer = shell::output(harness.arg("measure").arg("--").args(command))?;
    serde_json::from_str(&answer).wrap_err("the measuring process said something else")
}

/// The small process: runs `command` and returns what it cost.
///
/// # Errors
/// When it cannot be started, or ends with anything but success.
pub fn here(command: &[OsString]) -> eyre::Result<Sample> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| eyre::eyre!("no command"))?;
    let mut prepared = Command::new(program);
    prepared
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let started = Instant::now();
    let child = prepared
        .spawn()
        .wrap_err_with(|| program.display().to_string())?;
    let (status, usage) = wait_with_usage(&child)?;
    let wall_s = started.elapsed().as_secs_f64();
    ensure!(
        status.success(),
        "{} ended with {status}",
        program.display()
    );
    Sample::of(wall_s, &usage)
}

impl Sample {
    /// What the kernel counted of a process that has ended, and of its descendants.
    pub(crate) fn of(wall_s: f64, usage: &libc::rusage) -> eyre::Result<Self> {
        Ok(Self {
            wall_s,
            cpu_s: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            peak_bytes: u64::try_from(usage.ru_maxrss)? * 1_024,
        })
    }
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &[&str]) -> Vec<OsString> {
        command.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_command_that_works_has_a_cost() {
        let sample = here(&words(&[
            "sh",
            "-c",
            "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done",
        ]));
        let sample = sample.unwrap();
        assert!(sample.cpu_s > 0.0 && sample.wall_s > 0.0 && sample.peak_bytes > 0);
    }

    #[test]
    fn a_command_that_fails_is_an_error_and_no_sample() {
        let error = here(&words(&["false"])).unwrap_err();
        assert!(error.to_string().starts_with("false ended with"), "{error}");
    }
}
