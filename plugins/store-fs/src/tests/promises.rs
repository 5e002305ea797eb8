//! Promises that are kept where something goes wrong on the way.

use std::{fs, os::unix::fs::PermissionsExt};

use blit_contract::{
    Durability, ErrorKind, MetaOp, Preserve, Replace, SmallFile, Store, StoreExt, Time, WritePolicy,
};

use super::{Bench, POLICY, file_entry, kind, known, rel};
use crate::{FsOptions, FsStore, config::Knobs};

/// A backup tree on another file system: nothing can be renamed or linked into it.
fn foreign_backup() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

fn with_backup(bench: &Bench, backup: &std::path::Path) -> FsStore {
    let mut options = FsOptions::target();
    options.backup = Some(backup.to_owned());
    FsStore::open(&bench.root, options).unwrap()
}

#[tokio::test]
async fn what_cannot_be_kept_in_the_backup_tree_is_not_replaced() {
    let (bench, backup) = (Bench::new(), foreign_backup());
    let store = with_backup(&bench, backup.path());
    fs::write(bench.root.join("f"), "old").unwrap();
    let mut file = SmallFile::new(rel("f"), file_entry("f"), "new".into());
    file.replace = known(bench.entry("f").await);
    let refused = store.put(&bench.cx, POLICY.with_backup(true), file).await;
    assert_eq!(kind(refused), ErrorKind::Unsupported);
    assert_eq!(bench.read("f"), "old");
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn a_tree_that_cannot_be_kept_in_the_backup_tree_is_not_replaced() {
    let (bench, backup) = (Bench::new(), foreign_backup());
    let store = with_backup(&bench, backup.path());
    fs::create_dir(bench.root.join("x")).unwrap();
    fs::write(bench.root.join("x/f"), "old").unwrap();
    let mut file = SmallFile::new(rel("x"), file_entry("x"), "new".into());
    file.replace = Replace::Tree(Box::new(bench.entry("x").await));
    let refused = store.put(&bench.cx, POLICY.with_backup(true), file).await;
    assert_eq!(kind(refused), ErrorKind::Unsupported);
    assert_eq!(bench.read("x/f"), "old");
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn a_directory_with_something_unseen_in_it_does_not_go_to_the_backup_tree() {
    let bench = Bench::new();
    let backup = bench.beside("backup");
    let store = with_backup(&bench, &backup);
    fs::create_dir(bench.root.join("d")).unwrap();
    let entry = bench.entry("d").await;
    fs::write(bench.root.join("d/unseen"), "x").unwrap();
    let doomed = vec![(rel("d"), entry)];
    let deleted = store
        .delete(&bench.cx, POLICY.with_backup(true), doomed)
        .await;
    assert_eq!(kind(deleted.unwrap().remove(0)), ErrorKind::Conflict);
    assert_eq!(bench.read("d/unseen"), "x");
}

#[tokio::test]
async fn a_time_of_zero_is_a_time() {
    let bench = Bench::new();
    let mut file = SmallFile::new(rel("f"), file_entry("f"), "x".into());
    file.entry.modified = Time::new(0, 0);
    bench.store.put(&bench.cx, POLICY, file).await.unwrap();
    assert_eq!(bench.entry("f").await.modified, Time::new(0, 0));
}

#[tokio::test]
async fn without_modes_new_entries_get_what_any_program_gets() {
    for named_partials in [false, true] {
        let bench = Bench::with_knobs(Knobs {
            named_partials,
            ..Knobs::default()
        });
        let policy = WritePolicy::new(Durability::Batch, Preserve::NONE);
        let mut file = SmallFile::new(rel("f"), file_entry("f"), "x".into());
        file.entry.mode = 0o4757;
        bench.store.put(&bench.cx, policy, file).await.unwrap();
        let make = MetaOp::MakeDirectory {
            path: rel("d"),
            replace: Replace::Nothing,
        };
        let made = bench.store.apply(&bench.cx, policy, vec![make]).await;
        made.unwrap().remove(0).unwrap();
        fs::write(bench.root.join("any"), "").unwrap();
        fs::create_dir(bench.root.join("anydir")).unwrap();
        let mode = |path: &str| {
            let found = fs::metadata(bench.root.join(path)).unwrap();
            found.permissions().mode() & 0o7777
        };
        assert_eq!(mode("f"), 0o757 & (mode("any") | 0o111));
        assert_eq!(mode("d"), mode("anydir"));
    }
}

#[tokio::test]
async fn strictness_holds_for_links_too() {
    use blit_contract::{Attributes, Entry, Kind};
    let bench = Bench::new();
    let mut link = Entry::new(super::name("l"), Kind::Symlink("x".into()));
    link.modified = Time::new(1 << 40, 0);
    let make = MetaOp::MakeEntry {
        path: rel("l"),
        entry: link,
        attributes: Attributes::default(),
        replace: Replace::Nothing,
    };
    let strict = WritePolicy::new(Durability::Batch, Preserve::ALL);
    let strictly = bench
        .store
        .apply(&bench.cx, strict, vec![make.clone()])
        .await;
    let strictly = strictly.unwrap().remove(0);
    assert_eq!(strictly.is_ok(), bench.root.join("l").is_symlink());
    let _ = fs::remove_file(bench.root.join("l"));
    let loosely = bench.apply(make).await.unwrap();
    assert_eq!(strictly.is_ok(), loosely.losses.is_empty());
}

#[tokio::test]
async fn a_file_is_no_root_and_the_error_says_so() {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "").unwrap();
    let opened = FsStore::open(&bench.root.join("f"), FsOptions::source());
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn metadata_is_not_given_to_another_directory_than_was_scanned() {
    let bench = Bench::new();
    fs::create_dir(bench.root.join("d")).unwrap();
    let expect = bench.entry("d").await;
    fs::rename(bench.root.join("d"), bench.root.join("elsewhere")).unwrap();
    fs::create_dir(bench.root.join("d")).unwrap();
    let mut wanted = expect.clone();
    wanted.mode = 0o700;
    let set = MetaOp::SetMetadata {
        path: rel("d"),
        expect: Some(expect),
        entry: wanted,
        attributes: None,
    };
    assert_eq!(kind(bench.apply(set).await), ErrorKind::Changed);
}
