//! `move` removes from the source exactly what it copied, and only then.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use blit_conform::tree::special_files;
use blit_conform::{Snapshot, need_root};

use crate::bench::{Pair, blit, read};

#[test]
fn files_links_and_empty_directories_are_moved() {
    let pair = Pair::with(&[("a/file", "content"), ("empty/", "")]);
    symlink("a/file", pair.source.join("link")).unwrap();
    pair.run("move", &["-y"]).succeeds();
    assert_eq!(read(pair.target.join("link")), "content");
    assert!(pair.target.join("empty").is_dir());
    assert!(Snapshot::of(&pair.source).entries() <= 1);
}

#[test]
fn a_directory_without_a_slash_is_moved_by_name() {
    let pair = Pair::with(&[("file", "content")]);
    blit()
        .args(["move", "-y"])
        .arg(&pair.source)
        .arg(&pair.target)
        .run()
        .succeeds();
    assert_eq!(read(pair.target.join("source/file")), "content");
    assert!(!pair.source.exists());
}

#[test]
fn a_file_is_moved_to_a_new_name() {
    let pair = Pair::with(&[("file", "content")]);
    let (from, to) = (pair.source.join("file"), pair.source.join("renamed"));
    blit()
        .args(["move", "-y"])
        .arg(&from)
        .arg(&to)
        .run()
        .succeeds();
    assert_eq!(read(to), "content");
    assert!(!from.exists());
}

#[test]
fn what_is_not_carried_stays_and_is_named() {
    let pair = Pair::with(&[("a/file", "content")]);
    let count = special_files(&pair.source.join("a"));
    let ran = pair.run("move", &["-y"]).exits(3);
    assert!(
        ran.stderr.contains("fifo") && ran.stderr.contains("socket"),
        "{ran}"
    );
    assert_eq!(read(pair.target.join("a/file")), "content");
    assert!(!pair.source.join("a/file").exists());
    assert_eq!(Snapshot::of(&pair.source.join("a")).entries(), 1 + count);
}

#[test]
fn what_is_excluded_stays() {
    let pair = Pair::with(&[
        ("a/file", "content"),
        ("a/keep.log", "stays"),
        ("b/keep.log", "stays"),
    ]);
    let _ = pair.run("move", &["-y", "--exclude", "*.log"]);
    assert_eq!(read(pair.target.join("a/file")), "content");
    assert!(!pair.source.join("a/file").exists());
    assert_eq!(read(pair.source.join("a/keep.log")), "stays");
    assert_eq!(read(pair.source.join("b/keep.log")), "stays");
    assert!(!pair.target.join("a/keep.log").exists());
}

#[test]
fn what_is_skipped_because_it_exists_stays() {
    let pair =
        Pair::with(&[("file", "new"), ("fresh", "content")]).and_target(&[("file", "older")]);
    let _ = pair.run("move", &["-y", "--ignore-existing"]);
    assert_eq!(
        read(pair.source.join("file")),
        "new",
        "a source that was not copied is not removed"
    );
    assert_eq!(read(pair.target.join("file")), "older");
    assert_eq!(read(pair.target.join("fresh")), "content");
    assert!(!pair.source.join("fresh").exists());
}

#[test]
fn what_is_skipped_because_it_is_older_stays() {
    let pair = Pair::with(&[("file", "source")]).and_target(&[("file", "newer at the target")]);
    blit_conform::tree::set_times(&pair.source.join("file"), (1_000_000_000, 0));
    let _ = pair.run("move", &["-y", "--update"]);
    assert_eq!(read(pair.source.join("file")), "source");
    assert_eq!(read(pair.target.join("file")), "newer at the target");
}

#[test]
fn nothing_else_at_the_target_is_deleted() {
    let pair =
        Pair::with(&[("a/file", "content")]).and_target(&[("a/other", "stays"), ("b", "stays")]);
    pair.run("move", &["-y"]).succeeds();
    assert_eq!(read(pair.target.join("a/other")), "stays");
    assert_eq!(read(pair.target.join("b")), "stays");
    assert_eq!(read(pair.target.join("a/file")), "content");
}

#[test]
fn a_file_that_only_looks_the_same_at_the_target_is_not_lost() {
    let pair = Pair::with(&[("file", "mine")]).and_target(&[("file", "ours")]);
    for root in [&pair.source, &pair.target] {
        blit_conform::tree::set_times(&root.join("file"), (1_500_000_000, 42));
    }
    let ran = pair.run("move", &["-y"]);
    let at_source = fs::read_to_string(pair.source.join("file")).ok();
    let at_target = read(pair.target.join("file"));
    assert!(
        at_source.as_deref() == Some("mine") || at_target == "mine",
        "the content is gone: {ran}"
    );
}

#[test]
fn a_file_that_is_already_there_is_removed_at_the_source() {
    let pair = Pair::with(&[("file", "content")]);
    pair.run("copy", &[]).succeeds();
    pair.run("move", &["-y"]).succeeds();
    assert_eq!(read(pair.target.join("file")), "content");
    assert!(!pair.source.join("file").exists());
}

#[test]
fn a_failed_entry_stays_at_the_source() {
    if !need_root("to run as somebody who may not read") {
        return;
    }
    let pair = Pair::with(&[("open", "content"), ("secret", "not yours")]).and_target(&[]);
    fs::set_permissions(
        pair.source.join("secret"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    chown(&pair.source, Some(65_534), Some(65_534)).unwrap();
    chown(pair.source.join("open"), Some(65_534), Some(65_534)).unwrap();
    crate::mirror::own_by_nobody(&pair);
    let _ = pair
        .blit("move")
        .arg("-y")
        .as_nobody()
        .run()
        .exits(3)
        .says("secret");
    assert_eq!(read(pair.source.join("secret")), "not yours");
    assert_eq!(read(pair.target.join("open")), "content");
    assert!(!pair.source.join("open").exists());
}

#[test]
fn onto_itself_loses_nothing() {
    let pair = Pair::with(&[("file", "content")]);
    let file = pair.source.join("file");
    let _ = blit().args(["move", "-y"]).arg(&file).arg(&file).run();
    assert_eq!(read(&file), "content");
    let _ = blit()
        .args(["move", "-y"])
        .arg(&file)
        .arg(&pair.source)
        .run();
    assert_eq!(read(&file), "content");
    let other = pair.source.join("hard link");
    fs::hard_link(&file, &other).unwrap();
    let _ = blit().args(["move", "-y"]).arg(&file).arg(&other).run();
    assert_eq!(read(&other), "content");
}
