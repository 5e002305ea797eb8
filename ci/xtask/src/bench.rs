//! `cargo xtask bench`: all programs built for release, then the harness takes over.

use crate::steps::cargo;
use eyre::ensure;
use std::ffi::OsString;

/// Builds and measures; `arguments` are the harness's.
pub(crate) fn run(arguments: &[OsString]) -> eyre::Result<()> {
    let build = cargo()
        .args([
            "build",
            "--release",
            "--locked",
            "--package=blit-cli",
            "--package=blit-daemon",
            "--package=blit-bench",
        ])
        .status()?;
    ensure!(build.success(), "blit or its bench harness does not build");
    let measure = cargo()
        .args([
            "run",
            "--quiet",
            "--release",
            "--locked",
            "--package=blit-bench",
            "--",
        ])
        .args(arguments)
        .status()?;
    ensure!(measure.success(), "the measurement failed");
    Ok(())
}
