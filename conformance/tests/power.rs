//! The bench of power losses catches programs that are wrong, and lets a careful one pass.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use blit_conform::power::Recording;
use blit_conform::tree::Random;
use blit_conform::{FileSystem, Promise, Scratch, scaled};

/// What the bench says of a program.
type Verdict = BTreeSet<(String, Promise)>;

/// Plants an old file and records `script`, which gets a new one as `$1` and the target as `$2`.
fn recorded(kind: FileSystem, script: &str) -> Option<Recording> {
    if !kind.is_here() {
        return None;
    }
    let new = Scratch::new();
    fs::write(new.path("file"), Random::new(2).bytes(1 << 20)).unwrap();
    Some(Recording::of(
        &[kind],
        |root| fs::write(root.join("0/file"), Random::new(1).bytes(1 << 20)).unwrap(),
        |root| shell(script, &new.path("file"), &root.join("0")),
    ))
}

/// Everything that is said after `count` crashes, or until `enough` is.
fn verdict(recording: &Recording, count: usize, enough: Option<&(String, Promise)>) -> Verdict {
    let mut broken = BTreeSet::new();
    for crash in recording.crashes(1, count) {
        for it in recording.judge(&crash, |_, _| Vec::new()) {
            eprintln!("{crash}: {it}");
            broken.insert((String::from_utf8(it.path).unwrap(), it.promise));
        }
        if enough.is_some_and(|it| broken.contains(it)) {
            break;
        }
    }
    broken
}

/// On every file system, the bench names `path` and `promise` for what `script` does.
#[track_caller]
fn is_caught(script: &str, path: &str, promise: Promise) {
    let wanted = (path.to_owned(), promise);
    for kind in FileSystem::ALL {
        if let Some(recording) = recorded(kind, script) {
            let broken = verdict(&recording, 200, Some(&wanted));
            assert!(broken.contains(&wanted), "{kind:?}: {broken:?}");
        }
    }
}

fn shell(script: &str, new: &Path, target: &Path) {
    let mut shell = Command::new("sh");
    let status = shell
        .args(["-ec", script, "sh"])
        .arg(new)
        .arg(target)
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn on_a_loop_image_a_copy_that_is_not_synced_is_caught() {
    is_caught("cp -p $1 $2/new", "0/new", Promise::Safe);
}

#[test]
fn on_a_loop_image_a_file_that_is_overwritten_in_place_is_caught_even_if_it_is_synced() {
    let script = "dd if=$1 of=$2/file bs=128k conv=notrunc oflag=dsync status=none";
    is_caught(script, "0/file", Promise::Whole);
}

#[test]
fn on_a_loop_image_a_name_that_is_given_before_the_data_is_synced_is_caught() {
    let script = ": >$2/new; sync -f $2; cat $1 >$2/new; sync -f $2";
    is_caught(script, "0/new", Promise::Whole);
}

#[test]
fn on_a_loop_image_a_file_that_is_removed_before_the_new_one_gets_its_name_is_caught() {
    let script =
        "cp -p $1 $2/new; sync -f $2; rm $2/file; sync -f $2; mv $2/new $2/file; sync -f $2";
    is_caught(script, "0/file", Promise::Kept);
}

#[test]
fn on_a_loop_image_a_file_that_is_synced_and_then_renamed_breaks_nothing() {
    let script = "cp -p $1 $2/.blit~aaaaaaaaaaaaaaaaaaaaaa; sync -f $2
        mv $2/.blit~aaaaaaaaaaaaaaaaaaaaaa $2/file; sync -f $2";
    for kind in FileSystem::ALL {
        if let Some(recording) = recorded(kind, script) {
            let broken = verdict(&recording, scaled(8, 40), None);
            assert_eq!(broken, Verdict::new(), "{kind:?}");
        }
    }
}
