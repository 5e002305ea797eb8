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

/// blit as it was built, with its daemon beside it.
fn built() -> PathBuf {
    let blit = Path::new(HARNESS).with_file_name("blit");
    assert!(
        blit.exists() && blit.with_file_name("blit-daemon").exists(),
        "{} or its daemon is missing: cargo build --workspace",
        blit.display()
    );
    blit
}

/// A program in blit's place; `$blit` is the real one, whose daemon is beside it.
fn in_place_of_blit(folder: &Path, text: &str) -> PathBuf {
    let blit = built();
    let daemon = blit.with_file_name("blit-daemon");
    std::os::unix::fs::symlink(daemon, folder.join("blit-daemon")).expect("a link");
    let text = format!("#!/bin/sh\nblit={}\n{text}", blit.display());
    program(folder, &text)
}

fn remote_trial(folder: &Path, blit: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(HARNESS);
    command.args(["remote", "--divisor=1000", "--pairs=1"]);
    command.args(arguments).arg("--blit").arg(blit);
    command.arg("--folder").arg(folder.join("work"));
    command.arg("--output").arg(folder.join("out"));
    output(&mut command)
}

fn remote_results(folder: &Path) -> Results {
    let json = fs::read(folder.join("out/remote.json")).expect("the figures");
    serde_json::from_slice(&json).expect("in their shape")
}

#[test]
fn a_remote_trial_weighs_both_sides_and_the_wire() {
    if !blit_conform::need_root("a network namespace") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["--only=N1-push,N2-pull,N6", "--peers=tls,loop,rsync-daemon"];
    let ran = remote_trial(folder.path(), &built(), &arguments);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let results = remote_results(folder.path());
    for work in &results.works {
        assert_eq!(work.missing, Vec::<String>::new(), "{}", work.id);
        for duel in &work.duels {
            for cost in [&duel.blit, &duel.other] {
                let far = cost.far.expect("the other side");
                assert!(far.cpu_s.min > 0.0 && far.peak_bytes > MIB, "{far:?}");
                // A part of the file crosses again; all of it where the target has nothing.
                let least = if work.id == "N6" { 100 } else { 1 };
                let most = work.size_bytes as f64 * 1.2;
                let crossed = far.wire_bytes.median;
                assert!(
                    crossed * f64::from(least) >= work.size_bytes as f64 * 0.99 && crossed < most
                );
            }
        }
    }
    let peers = |id: &str| {
        let work = results.works.iter().find(|it| it.id == id);
        let duels = work.expect("it was measured").duels.iter();
        duels.map(|it| it.peer.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(peers("N1-push"), ["TLS, memory only", "rsync -a, daemon"]);
    assert_eq!(peers("N2-pull"), ["loop with digests", "rsync -a, daemon"]);
    let again = results.works.iter().find(|it| it.id == "N6");
    let far = again.and_then(|it| it.duels[0].blit.far).expect("N6");
    // blit's own figure has neither the headers nor the talk around, and most of what was counted.
    assert!(far.told_bytes.median <= far.wire_bytes.median);
    assert!(far.told_bytes.median >= far.wire_bytes.median * 0.8);
    let page = fs::read_to_string(folder.path().join("out/remote.md")).expect("the page");
    assert!(page.contains("A trial at 1/1000 of the size"));
    assert!(
        !folder.path().join("work").exists(),
        "it leaves nothing behind"
    );
}

#[test]
fn a_remote_trial_starts_an_sshd_of_its_own() {
    if !blit_conform::need_root("a network namespace") {
        return;
    }
    if !Path::new("/usr/sbin/sshd").exists() {
        // Installing it would start one that everybody can reach: whoever measures decides.
        blit_conform::skip("sshd is not installed: scp is not compared");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["--only=N3-pull", "--peers=scp"];
    let ran = remote_trial(folder.path(), &built(), &arguments);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let results = remote_results(folder.path());
    assert_eq!(results.works[0].missing, Vec::<String>::new());
    let scp = &results.works[0].duels[0];
    assert_eq!(scp.peer, "scp -rp");
    // It keeps modes, and times to the second only.
    assert_eq!(
        scp.other.lost.iter().collect::<Vec<_>>(),
        ["attributes", "owners", "times"]
    );
}

#[test]
fn a_remote_run_with_a_wrong_result_is_void() {
    if !blit_conform::need_root("a network namespace") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let text = "\"$blit\" \"$@\" || exit\n\
                [ \"$1\" != copy ] || truncate -s -1 \"$(find \"$3\" -type f | head -n 1)\"\n";
    let liar = in_place_of_blit(folder.path(), text);
    let ran = remote_trial(
        folder.path(),
        &liar,
        &["--only=N3-pull", "--peers=rsync-daemon"],
    );
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        !ran.status.success() && said.contains("the result differs"),
        "{said}"
    );
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_remote_run_by_another_way_is_void() {
    if !blit_conform::need_root("a network namespace") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[ \"$1\" != copy ] || export BLIT_FORCE_GRPC_DATA=1\nexec \"$blit\" \"$@\"\n";
    let blit = in_place_of_blit(folder.path(), text);
    let ran = remote_trial(
        folder.path(),
        &blit,
        &["--only=N3-push", "--peers=rsync-daemon"],
    );
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        !ran.status.success() && said.contains("blit took another way"),
        "{said}"
    );
}
