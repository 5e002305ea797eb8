//! The harness as a program: what it measures, and a whole trial with `cp` in blit's place.

#![expect(clippy::expect_used, reason = "a set-up that fails is a failed test")]

use blit_bench::measure::Sample;
use blit_bench::results::Results;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const HARNESS: &str = env!("CARGO_BIN_EXE_blit-bench");
const MIB: u64 = 1 << 20;

/// What blit does, done by others.
const STAND_IN: &str = r#"#!/bin/sh
case "$1" in
    --version) echo "stand-in 1" ;;
    copy) cp -a "$2." "$3" ;;
    mirror) rsync -aX --delete "$3" "$4/" ;;
esac
"#;

/// The same, but the first file that it copies loses its last byte.
const LIAR: &str = r#"#!/bin/sh
case "$1" in
    --version) echo "liar 1" ;;
    copy) cp -a "$2." "$3" && truncate -s -1 "$(find "$3" -type f | head -n 1)" ;;
esac
"#;

fn output(command: &mut Command) -> Output {
    command.output().expect("it starts")
}

fn measured(command: &[&str]) -> Sample {
    let output = output(Command::new(HARNESS).args(["measure", "--"]).args(command));
    serde_json::from_slice(&output.stdout).expect("it prints a sample")
}

fn program(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("blit");
    fs::write(&path, text).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    path
}

fn trial(folder: &TempDir, blit: &str, arguments: &[&str]) -> Output {
    let path = folder.path();
    let mut command = Command::new(HARNESS);
    command.args([
        "local",
        "--divisor=500",
        "--pairs=1",
        "--peers=cp,rsync,tar,copy-file-range,unverified,walk",
    ]);
    command
        .args(arguments)
        .arg("--blit")
        .arg(program(path, blit));
    command
        .arg("--folder")
        .arg(path.join("work"))
        .arg("--output")
        .arg(path.join("out"));
    output(&mut command)
}

#[test]
fn the_peak_is_that_of_the_command_and_not_of_the_harness() {
    let size_bytes = (64 * MIB).to_string();
    let large = measured(&[HARNESS, "touch", &size_bytes]).peak_bytes;
    let small = measured(&["true"]).peak_bytes;
    assert!(large >= 64 * MIB, "{large}");
    assert!(small < 32 * MIB, "{small}");
}

#[test]
fn a_grandchild_counts() {
    let size_bytes = (64 * MIB).to_string();
    let sample = measured(&[
        "sh",
        "-c",
        "\"$0\" touch \"$1\"; true",
        HARNESS,
        &size_bytes,
    ]);
    assert!(sample.peak_bytes >= 64 * MIB, "{}", sample.peak_bytes);
}

#[test]
fn a_trial_measures_every_work_and_writes_both_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = trial(&folder, STAND_IN, &["--seed=7"]);
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(String::from_utf8_lossy(&ran.stdout).contains("(seed 7)"));

    let json = fs::read(folder.path().join("out/local.json")).expect("the figures");
    let results: Results = serde_json::from_slice(&json).expect("in their shape");
    let ids: Vec<_> = results.works.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(
        ids,
        ["L1", "L2", "L2-reflink", "L3", "L4", "L5", "S1", "V1"]
    );
    let duels = |id: &str| {
        let work = results
            .works
            .iter()
            .find(|it| it.id == id)
            .expect("it was measured");
        work.duels
            .iter()
            .map(|it| it.peer.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(duels("L1"), ["cp -a", "rsync -a", "tar | tar"]);
    assert_eq!(duels("L2"), ["copy_file_range", "cp -a", "rsync -a"]);
    assert_eq!(duels("L4"), ["walk", "rsync -a"]);
    assert_eq!(duels("L5"), ["rsync -a"]);
    assert_eq!(duels("S1"), ["cp -a"]);
    assert_eq!(duels("V1"), ["blit without --verify"]);
    let page = fs::read_to_string(folder.path().join("out/local.md")).expect("the page");
    assert!(page.contains("A trial at 1/500 of the size"));
    assert!(
        !folder.path().join("work").exists(),
        "it leaves nothing behind"
    );
}

#[test]
fn what_a_peer_does_not_keep_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = trial(&folder, STAND_IN, &["--only=L1", "--peers=rsync"]);
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let json = fs::read(folder.path().join("out/local.json")).expect("the figures");
    let results: Results = serde_json::from_slice(&json).expect("in their shape");
    let rsync = results.works[0]
        .duels
        .iter()
        .find(|it| it.peer == "rsync -a");
    let lost = rsync.map(|it| it.other.lost.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(lost, Some(vec!["attributes"]));
}

#[test]
fn a_run_with_a_wrong_result_is_void() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = trial(&folder, LIAR, &["--only=L3"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        !ran.status.success() && said.contains("the result differs"),
        "{said}"
    );
    assert!(!folder.path().join("out").exists());
}
