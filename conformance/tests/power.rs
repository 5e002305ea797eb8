//! The bench of power losses catches programs that are wrong, and lets a careful one pass.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use blit_conform::power::Recording;
use blit_conform::tree::Random;
use blit_conform::{FileSystem, Promise, scaled};

/// Plants an old file, records `script` with the new one as `$1` and the target as `$2`, and answers
/// with everything that the bench says about it.
fn verdict(kind: FileSystem, script: &str) -> Option<BTreeSet<(String, Promise)>> {
    if !kind.is_here() {
        return None;
    }
    let new = blit_conform::Scratch::new();
    fs::write(new.path("file"), Random::new(2).bytes(3 << 20)).unwrap();
    let recording = Recording::of(
        &[kind],
        |root| fs::write(root.join("0/file"), Random::new(1).bytes(3 << 20)).unwrap(),
        |root| shell(script, &new.path("file"), &root.join("0")),
    );
    let mut broken = BTreeSet::new();
    for crash in recording.crashes(1, scaled(10, 40)) {
        for it in recording.judge(&crash, |_, _| Vec::new()) {
            eprintln!("{kind:?}: {crash}: {it}");
            broken.insert((String::from_utf8(it.path).unwrap(), it.promise));
        }
    }
    Some(broken)
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
    for kind in FileSystem::ALL {
        let Some(broken) = verdict(kind, "cp -p $1 $2/new") else {
            continue;
        };
        assert!(
            broken.contains(&("0/new".into(), Promise::Safe)),
            "{kind:?}: {broken:?}"
        );
    }
}

#[test]
fn on_a_loop_image_a_file_that_is_overwritten_in_place_is_caught_even_if_it_is_synced() {
    for kind in FileSystem::ALL {
        let script = "dd if=$1 of=$2/file bs=64k conv=notrunc,fsync status=none";
        let Some(broken) = verdict(kind, script) else {
            continue;
        };
        assert!(
            broken.contains(&("0/file".into(), Promise::Whole)),
            "{kind:?}: {broken:?}"
        );
    }
}

#[test]
fn on_a_loop_image_a_name_that_is_given_before_the_data_is_synced_is_caught() {
    for kind in FileSystem::ALL {
        let script = ": >$2/new; sync -f $2; cat $1 >$2/new; sync -f $2";
        let Some(broken) = verdict(kind, script) else {
            continue;
        };
        assert!(
            broken.contains(&("0/new".into(), Promise::Whole)),
            "{kind:?}: {broken:?}"
        );
    }
}

#[test]
fn on_a_loop_image_a_file_that_is_synced_and_then_renamed_breaks_nothing() {
    for kind in FileSystem::ALL {
        let script = "cp -p $1 $2/.blit~aaaaaaaaaaaaaaaaaaaaaa; sync -f $2
            mv $2/.blit~aaaaaaaaaaaaaaaaaaaaaa $2/file; sync -f $2";
        if let Some(broken) = verdict(kind, script) {
            assert_eq!(broken, BTreeSet::new(), "{kind:?}");
        }
    }
}
