//! A flipper that swaps a directory and a symlink as fast as it can: nothing ever escapes through it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blit_conform::{Snapshot, counted, scaled};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::bench::{Pair, untouched, write};

/// Swaps `a` and `b` without pause while `action` runs; answers with how often.
fn flipping(a: &Path, b: &Path, action: impl FnOnce()) -> u64 {
    let (done, flips) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok() {
                    flips.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        action();
        done.store(true, Ordering::Relaxed);
    });
    flips.into_inner()
}

/// A tree with a directory at `place`, and beside the tree a link to a canary to swap it with.
fn plant(root: &Path, pair: &Pair, place: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let canary = pair.scratch.directory("canary");
    write(
        &canary,
        &[
            ("file", "the canary"),
            ("d/file", "the canary"),
            ("only here", "the canary"),
        ],
    );
    let (place, link) = (root.join(place), pair.scratch.path("link"));
    fs::create_dir_all(&place).unwrap();
    symlink(&canary, &link).unwrap();
    (place, link)
}

fn runs() -> usize {
    scaled(25, 2_000)
}

fn target_flips(verb: &str, flags: &[&str], place: &str) {
    let pair = Pair::with(&[
        ("one/file", "source"),
        ("one/two/file", "source"),
        ("one/two/d/file", "source"),
    ]);
    let (place, link) = plant(&pair.target, &pair, place);
    write(
        &pair.target,
        &[
            ("one/extra", "old"),
            ("one/two/extra", "old"),
            ("one/two/only here", "old"),
        ],
    );
    let mut flips = 0;
    untouched(&pair.scratch.path("canary"), || {
        for _ in 0..runs() {
            flips += flipping(&place, &link, || drop(pair.run(verb, flags)));
        }
    });
    counted(&format!(
        "races (T7), {verb}: {flips} flips of one directory, seed none: races"
    ));
    assert!(flips > 0, "nothing was flipped");
}

#[test]
fn a_flipper_in_the_target_leads_no_copy_astray() {
    target_flips("copy", &[], "one/two");
}

#[test]
fn a_flipper_higher_in_the_target_leads_no_copy_astray() {
    target_flips("copy", &[], "one");
}

#[test]
fn a_flipper_in_the_target_leads_no_deletion_astray() {
    target_flips("mirror", &["-y", "--max-delete", "100%"], "one/two");
}

#[test]
fn a_flipper_higher_in_the_target_leads_no_deletion_astray() {
    target_flips("mirror", &["-y", "--max-delete", "100%"], "one");
}

#[test]
fn a_flipper_in_the_source_shows_nothing_from_outside() {
    let pair = Pair::new();
    let (place, link) = plant(&pair.source, &pair, "one/two");
    write(&place, &[("file", "source"), ("d/file", "source")]);
    for _ in 0..runs() {
        flipping(&place, &link, || drop(pair.run("copy", &[])));
        let secret = Snapshot::of(&pair.scratch.path("canary")).content_of(b"file");
        let copied = Snapshot::of(&pair.target);
        for path in copied.paths() {
            assert_ne!(
                copied.content_of(&path),
                secret,
                "{} is from outside",
                path.escape_ascii()
            );
        }
        blit_conform::remove_tree(&pair.target).unwrap();
    }
}

#[test]
fn a_flipper_in_the_source_leads_no_move_astray() {
    for _ in 0..runs() {
        let pair = Pair::new();
        let (place, link) = plant(&pair.source, &pair, "one/two");
        write(&place, &[("file", "source"), ("d/file", "source")]);
        untouched(&pair.scratch.path("canary"), || {
            flipping(&place, &link, || drop(pair.run("move", &["-y"])));
        });
    }
}
