//! Runs the tests with cargo-nextest, or cargo test where that is missing, and counts them: a
//! suite that ran nothing has failed.

use crate::steps::cargo;
use eyre::{Context, ensure};
use serde::Deserialize;
use std::io::{BufRead, BufReader, pipe};
use std::ops::AddAssign;
use std::path::PathBuf;
use std::{env, fs};

/// What a test prints before the reason when it cannot run on this machine.
const SKIPPED: &str = "skipped: ";

/// What a bench prints before how much it has tried, and of which seed.
const COUNTED: &str = "counted: ";

/// What ran.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) suites: usize,
    pub(crate) tests: usize,
    pub(crate) failed: usize,
    /// Why a test could not run here, each reason once.
    pub(crate) skipped: Vec<String>,
    /// What the benches have counted.
    pub(crate) counted: Vec<String>,
    /// The names of the suites, where the runner tells them.
    names: Vec<String>,
}

impl Tally {
    /// Adds what tests have said in these lines.
    fn add_said<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        for line in lines {
            self.counted.extend(said_in(line, COUNTED));
            self.skipped.extend(said_in(line, SKIPPED));
        }
        self.skipped.sort();
        self.skipped.dedup();
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.suites += other.suites;
        self.tests += other.tests;
        self.failed += other.failed;
        self.names.extend(other.names);
        self.counted.extend(other.counted);
        self.skipped.extend(other.skipped);
        self.skipped.sort();
        self.skipped.dedup();
    }
}

/// Where cargo builds.
pub(crate) fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// Tests every crate; one without a test has failed. What ran is added to `tally`.
pub(crate) fn workspace(long: bool, tally: &mut Tally) -> eyre::Result<()> {
    let ran = run(&["--workspace"], long)?;
    let names = ran.names.clone();
    accept(ran, tally)?;
    if !names.is_empty() {
        let silent = silent_suites(&expected_suites()?, &names);
        ensure!(silent.is_empty(), "no test ran in {}", silent.join(", "));
    }
    Ok(())
}

/// Tests the file store once more, on its portable half.
pub(crate) fn portable(long: bool, tally: &mut Tally) -> eyre::Result<()> {
    let selection = ["--package=blit-store-fs", "--features=portable-sys"];
    accept(run(&selection, long)?, tally)
}

/// Counts what ran, and fails when a test failed or none ran.
fn accept(ran: Tally, tally: &mut Tally) -> eyre::Result<()> {
    let (tests, failed) = (ran.tests, ran.failed);
    *tally += ran;
    ensure!(failed == 0, "{failed} tests failed");
    ensure!(tests > 0, "no test ran");
    Ok(())
}

fn run(selection: &[&str], long: bool) -> eyre::Result<Tally> {
    let has_nextest = cargo()
        .args(["nextest", "--version"])
        .output()?
        .status
        .success();
    if has_nextest {
        nextest(selection, long)
    } else {
        cargo_test(selection, long)
    }
}

/// Sets what the long tests look for.
fn long_value(long: bool) -> &'static str {
    if long { "1" } else { "0" }
}

fn nextest(selection: &[&str], long: bool) -> eyre::Result<Tally> {
    let profile = if long { "long" } else { "ci" };
    let report = target_folder().join(format!("nextest/{profile}/junit.xml"));
    // An old report must not count for a run that never came to write one.
    let _ = fs::remove_file(&report);
    let mut command = cargo();
    command
        .args(["nextest", "run", "--profile", profile, "--locked"])
        .args(selection);
    let status = command.env("BLIT_LONG", long_value(long)).status()?;
    let text = fs::read_to_string(&report).wrap_err("the tests do not build")?;
    let tally = from_junit(&text);
    ensure!(
        status.success() || tally.failed > 0,
        "nextest ended with {status}"
    );
    Ok(tally)
}

fn from_junit(report: &str) -> Tally {
    let mut tally = Tally::default();
    for suite in report.split("<testsuite ").skip(1) {
        tally.suites += 1;
        tally.tests += number(suite, "tests");
        tally.failed += number(suite, "failures") + number(suite, "errors");
        tally
            .names
            .extend(attribute(suite, "name").map(str::to_owned));
    }
    tally.add_said(report.lines());
    tally
}

fn number(element: &str, name: &str) -> usize {
    attribute(element, name)
        .and_then(|it| it.parse().ok())
        .unwrap_or(0)
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let start = element.find(&format!("{name}=\""))? + name.len() + 2;
    element[start..].split('"').next()
}

/// What stands behind `mark` in a line, which may be one of an XML file.
fn said_in(line: &str, mark: &str) -> Option<String> {
    const ESCAPED: [(&str, &str); 5] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    let said = line.split_once(mark)?.1.split('<').next()?.to_owned();
    let plain = |said: String, (escaped, plain): &(&str, &str)| said.replace(escaped, plain);
    Some(ESCAPED.iter().fold(said, plain))
}

/// The slower way: cargo prints one line of result for each suite.
fn cargo_test(selection: &[&str], long: bool) -> eyre::Result<Tally> {
    let (reader, writer) = pipe()?;
    let mut command = cargo();
    command
        .args(["test", "--all-targets", "--no-fail-fast", "--locked"])
        .args(selection);
    command
        .env("BLIT_LONG", long_value(long))
        .stderr(writer.try_clone()?)
        .stdout(writer);
    let mut child = command.spawn()?;
    // The command holds the writing ends; while it lives, the pipe has no end.
    drop(command);
    let mut tally = Tally::default();
    for line in BufReader::new(reader).lines() {
        let line = line?;
        println!("{line}");
        add_line(&line, &mut tally);
    }
    ensure!(
        child.wait()?.success() || tally.failed > 0,
        "cargo test failed"
    );
    Ok(tally)
}

/// Reads `test result: ok. 40 passed; 0 failed; …`.
fn add_line(line: &str, tally: &mut Tally) {
    let mut added = Tally::default();
    added.add_said(std::iter::once(line));
    if let Some(counts) = line.strip_prefix("test result: ") {
        let words: Vec<_> = counts.split_whitespace().collect();
        let count = |word: &str| {
            let at = words.iter().position(|it| it.trim_end_matches(';') == word);
            at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok())
                .unwrap_or(0)
        };
        added.failed = count("failed");
        added.tests = count("passed") + added.failed;
        added.suites = usize::from(added.tests > 0);
    }
    *tally += added;
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Every crate, and every file of integration tests as `crate::file`.
fn expected_suites() -> eyre::Result<Vec<String>> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version=1"])
        .output()?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    Ok(metadata.packages.iter().flat_map(suites_of).collect())
}

fn suites_of(package: &Package) -> Vec<String> {
    let tests = package
        .targets
        .iter()
        .filter(|it| it.kind.iter().any(|kind| kind == "test"));
    let named = tests.map(|it| format!("{}::{}", package.name, it.name));
    std::iter::once(package.name.clone()).chain(named).collect()
}

/// Those of `expected` that ran nothing. A crate has run when any suite of it has.
fn silent_suites(expected: &[String], ran: &[String]) -> Vec<String> {
    let has_run = |name: &String| {
        let inside = format!("{name}::");
        ran.iter().any(|it| it == name || it.starts_with(&inside))
    };
    expected
        .iter()
        .filter(|name| !has_run(name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNIT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="5" failures="1" errors="0" uuid="x">
    <testsuite name="blit-tidy" tests="2" disabled="0" errors="0" failures="0">
        <testcase name="a" classname="blit-tidy"></testcase>
            <system-err>skipped: needs mkfs.xfs
counted: [&quot;copy&quot;]: 6 rounds, seed 7</system-err>
    </testsuite>
    <testsuite name="blit-tidy::workspace" tests="3" disabled="0" errors="0" failures="1">
    </testsuite>
</testsuites>"#;

    #[test]
    fn the_report_of_nextest_is_counted_by_suite() {
        let tally = from_junit(JUNIT);
        assert_eq!((tally.suites, tally.tests, tally.failed), (2, 5, 1));
        assert_eq!(tally.names, ["blit-tidy", "blit-tidy::workspace"]);
    }

    #[test]
    fn a_reason_to_skip_is_kept() {
        assert_eq!(from_junit(JUNIT).skipped, ["needs mkfs.xfs"]);
    }

    #[test]
    fn what_a_bench_has_counted_is_kept_as_it_said_it() {
        assert_eq!(from_junit(JUNIT).counted, ["[\"copy\"]: 6 rounds, seed 7"]);
    }

    #[test]
    fn the_lines_of_cargo_test_are_counted() {
        let mut tally = Tally::default();
        add_line(
            "test result: ok. 40 passed; 0 failed; 1 ignored; 0 measured",
            &mut tally,
        );
        add_line(
            "test result: FAILED. 2 passed; 1 failed; 0 ignored",
            &mut tally,
        );
        add_line("test result: ok. 0 passed; 0 failed; 0 ignored", &mut tally);
        assert_eq!((tally.suites, tally.tests, tally.failed), (2, 43, 1));
    }

    #[test]
    fn a_suite_that_ran_nothing_is_named() {
        let expected = ["blit-cli", "blit-cli::trees", "blit-plan"].map(str::to_owned);
        let ran = ["blit-cli::bin/blit", "blit-plan"].map(str::to_owned);
        assert_eq!(silent_suites(&expected, &ran), ["blit-cli::trees"]);
    }

    #[test]
    fn a_crate_whose_name_begins_like_another_is_not_taken_for_it() {
        let expected = ["blit-store".to_owned()];
        let ran = ["blit-store-mem".to_owned()];
        assert_eq!(silent_suites(&expected, &ran), ["blit-store"]);
    }

    #[test]
    fn every_crate_and_file_of_tests_is_expected() {
        let expected = expected_suites().unwrap();
        assert!(expected.contains(&"xtask".to_owned()));
        assert!(expected.contains(&"blit-tidy::workspace".to_owned()));
    }
}
