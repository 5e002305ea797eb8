//! `cargo xtask ci`: what a commit must pass. `./ci/test` calls this after installing the tools.

use crate::steps::{Steps, cargo, check};
use crate::suites::{self, Tally};
use eyre::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pinned, so that a new release of the tool cannot fail an old commit.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Runs every check; an error when one of them failed.
pub(crate) fn run(long: bool) -> eyre::Result<()> {
    let mut steps = Steps::start();
    steps.step("format", || {
        check(cargo().args(["fmt", "--all", "--", "--check"]))
    });
    steps.step("lint", lint);
    steps.step("document", document);
    steps.step("dependencies", dependencies);
    let mut tally = Tally::default();
    steps.step("test", || suites::workspace(long, &mut tally));
    steps.step("test the portable file store", || {
        suites::portable(long, &mut tally)
    });
    steps.step("test the examples in the documentation", examples);
    close(steps, &tally)
}

fn close(steps: Steps, tally: &Tally) -> eyre::Result<()> {
    let (failed, took) = steps.finish();
    let (minutes, seconds) = (took.as_secs() / 60, took.as_secs() % 60);
    for reason in &tally.skipped {
        println!("skipped: {reason}");
    }
    println!(
        "\n{} tests in {} suites, {} failed, {} skipped; {minutes} min {seconds:02} s",
        tally.tests,
        tally.suites,
        tally.failed,
        tally.skipped.len()
    );
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    println!("all checks passed");
    Ok(())
}

fn lint() -> eyre::Result<()> {
    check(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny=warnings",
    ]))
}

fn document() -> eyre::Result<()> {
    let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
    check(
        cargo()
            .args(arguments)
            .env("RUSTDOCFLAGS", "--deny=warnings"),
    )
}

fn examples() -> eyre::Result<()> {
    check(cargo().args(["test", "--workspace", "--doc", "--locked", "--quiet"]))
}

/// Licences, bans and sources. Advisories need the network, so they are not a check of a commit.
fn dependencies() -> eyre::Result<()> {
    let tool = cargo_deny()?;
    check(Command::new(tool).args(["--locked", "check", "bans", "licenses", "sources"]))
}

/// The pinned cargo-deny, built below `target/` when the machine has another or none.
fn cargo_deny() -> eyre::Result<PathBuf> {
    let installed = PathBuf::from("cargo-deny");
    if is_pinned(&installed) {
        return Ok(installed);
    }
    let tools = suites::target_folder().join("tools");
    let built = tools.join("bin/cargo-deny");
    if !is_pinned(&built) {
        let version = format!("--version={CARGO_DENY_VERSION}");
        let mut install = cargo();
        install.args(["install", "cargo-deny", "--locked", "--debug", "--quiet"]);
        install.arg(version).arg("--root").arg(&tools);
        install.arg("--target-dir").arg(tools.join("build"));
        check(&mut install).wrap_err("cargo-deny cannot be installed")?;
    }
    Ok(built)
}

fn is_pinned(tool: &Path) -> bool {
    let output = Command::new(tool).arg("--version").output();
    output.is_ok_and(|it| {
        String::from_utf8_lossy(&it.stdout)
            .split_whitespace()
            .any(|it| it == CARGO_DENY_VERSION)
    })
}
