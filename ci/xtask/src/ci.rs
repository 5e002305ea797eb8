//! `cargo xtask ci`: what a commit must pass. `./ci/test` calls this after installing the tools.

use crate::fuzz;
use crate::steps::{Steps, cargo, check};
use crate::suites::{self, Tally};
use crate::tools::CARGO_DENY;
use eyre::bail;
use std::process::Command;

/// How long the long run feeds each fuzz target.
const FUZZ_SECONDS: u32 = 60;

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
    if long {
        steps.step("fuzz", || fuzz::all(FUZZ_SECONDS, &mut tally));
    }
    close(steps, &tally)
}

fn close(steps: Steps, tally: &Tally) -> eyre::Result<()> {
    let (failed, took) = steps.finish();
    let (minutes, seconds) = (took.as_secs() / 60, took.as_secs() % 60);
    for line in &tally.counted {
        println!("counted: {line}");
    }
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
    let tool = CARGO_DENY.path()?;
    check(Command::new(tool).args(["--locked", "check", "bans", "licenses", "sources"]))
}
