//! Runs helper programs that are not measured.

use eyre::{Context, ensure};
use std::process::Command;

/// Runs a command to its end, and returns what it wrote; anything but success is an error.
pub(crate) fn output(command: &mut Command) -> eyre::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .wrap_err_with(|| format!("cannot start {name}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{name} ended with {}: {}",
        output.status,
        errors.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program answers at all.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}
