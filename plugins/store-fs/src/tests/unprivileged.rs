//! What an ordinary user meets. As root each test runs once more in a process of another user.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use blit_contract::{ErrorKind, LossClass, MetaOp, Replace, Store, StoreExt, SyncScope};

use super::{Bench, POLICY, file_entry, kind, known, rel};
use crate::sys;

/// A user who owns nothing here.
const NOBODY: u32 = 65_534;

/// Answers whether this is the process of an ordinary user. In root's it runs the test of that name
/// once more as nobody, and what that says is what counts.
fn is_ordinary_user(test: &str) -> bool {
    if !sys::is_privileged() {
        return true;
    }
    let room = tempfile::tempdir().unwrap();
    fs::set_permissions(room.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // Where the tests are built may be closed to others.
    let program = room.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(&program)
        .args(["--exact", &format!("tests::unprivileged::{test}")])
        .env("TMPDIR", room.path())
        .current_dir(room.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}");
    false
}

fn shut(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_shut_directory_of_ours_is_open_for_the_work_in_it_and_then_shut_again() {
    if !is_ordinary_user("a_shut_directory_of_ours_is_open_for_the_work_in_it_and_then_shut_again")
    {
        return;
    }
    let bench = Bench::new();
    let directory = bench.root.join("d");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("old"), "old").unwrap();
    shut(&directory, 0o555);
    bench.put("d/new", "new", Replace::Nothing).await.unwrap();
    let doomed = vec![(rel("d/old"), bench.entry("d/old").await)];
    let deleted = bench.store.delete(&bench.cx, POLICY, doomed).await.unwrap();
    assert!(deleted[0].is_ok());
    assert_eq!(bench.paths().await, ["d", "d/new"]);
    bench.store.sync(&bench.cx, SyncScope::Tree).await.unwrap();
    assert_eq!(mode(&directory), 0o555);
    shut(&directory, 0o755);
}

#[tokio::test]
async fn a_directory_that_was_shut_keeps_the_mode_that_it_was_given_since() {
    if !is_ordinary_user("a_directory_that_was_shut_keeps_the_mode_that_it_was_given_since") {
        return;
    }
    let bench = Bench::new();
    let directory = bench.root.join("d");
    fs::create_dir(&directory).unwrap();
    shut(&directory, 0o555);
    let mut wanted = bench.entry("d").await;
    bench.put("d/new", "new", Replace::Nothing).await.unwrap();
    wanted.mode = 0o750;
    let set = MetaOp::SetMetadata {
        path: rel("d"),
        expect: None,
        entry: wanted,
        attributes: None,
    };
    bench.apply(set).await.unwrap();
    bench.store.sync(&bench.cx, SyncScope::Tree).await.unwrap();
    assert_eq!(mode(&directory), 0o750);
}

#[tokio::test]
async fn a_file_that_nobody_may_read_gets_its_metadata_all_the_same() {
    if !is_ordinary_user("a_file_that_nobody_may_read_gets_its_metadata_all_the_same") {
        return;
    }
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "x").unwrap();
    shut(&bench.root.join("f"), 0);
    let expect = bench.entry("f").await;
    let mut wanted = expect.clone();
    wanted.mode = 0o640;
    let set = |entry: &blit_contract::Entry| MetaOp::SetMetadata {
        path: rel("f"),
        expect: Some(expect.clone()),
        entry: entry.clone(),
        attributes: None,
    };
    assert!(bench.apply(set(&wanted)).await.unwrap().changed);
    assert_eq!(mode(&bench.root.join("f")), 0o640);
    wanted.mode = 0;
    bench.apply(set(&wanted)).await.unwrap();
    assert_eq!(mode(&bench.root.join("f")), 0);
}

#[tokio::test]
async fn an_owner_that_we_may_not_give_is_a_loss_and_its_rights_are_not_lent() {
    if !is_ordinary_user("an_owner_that_we_may_not_give_is_a_loss_and_its_rights_are_not_lent") {
        return;
    }
    let bench = Bench::new();
    let mut file = blit_contract::SmallFile::new(rel("f"), file_entry("f"), "x".into());
    (file.entry.uid, file.entry.mode) = (0, 0o4755);
    let published = bench.store.put(&bench.cx, POLICY, file).await.unwrap();
    let mut classes: Vec<_> = published.losses.iter().map(|loss| loss.class).collect();
    classes.sort_by_key(|class| format!("{class:?}"));
    assert_eq!(classes, [LossClass::Mode, LossClass::Owner]);
    assert_eq!(mode(&bench.root.join("f")), 0o755);
}

#[tokio::test]
async fn what_belongs_to_others_is_refused_and_nothing_hidden_stays() {
    if !is_ordinary_user("what_belongs_to_others_is_refused_and_nothing_hidden_stays") {
        return;
    }
    let bench = Bench::new();
    let etc = crate::FsStore::open(Path::new("/etc"), crate::FsOptions::target()).unwrap();
    let file = blit_contract::SmallFile::new(rel("blit-test"), file_entry("f"), "x".into());
    let refused = etc.put(&bench.cx, POLICY, file).await;
    assert_eq!(kind(refused), ErrorKind::Denied);
    fs::write(bench.root.join("f"), "x").unwrap();
    let known = known(bench.entry("f").await);
    bench.put("f", "y", known).await.unwrap();
    assert_eq!(bench.hidden(), 0);
}
