//! What a move deletes, while others are at work in its source.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use blit_contract::{ErrorKind, Result, Store};

use super::{Bench, POLICY, kind, rel};
use crate::{
    FsOptions, delete,
    place::Tree,
    sys::planned::{Fault, Plan, follow},
};

/// Deletes `f` with a second look; `act` happens between the two, in the directory of `f`.
async fn deleted_while(act: impl Fn(&Path) + Send + Sync + 'static) -> (Bench, Result<()>) {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "scanned").unwrap();
    let doomed = vec![(rel("f"), bench.entry("f").await)];
    let tree = Tree::open(&bench.root, FsOptions::target()).unwrap();
    let root = bench.root.clone();
    // The call itself succeeds: a rename has nothing that could be short.
    let plan = Plan::failing("rename_replace", 1, Fault::Short).telling(move || act(&root));
    let plan = Arc::new(plan);
    follow(&plan);
    let ends = delete::batch(&tree, &bench.cx, POLICY.with_aside(true), doomed);
    assert!(plan.is_met());
    follow(&Arc::new(Plan::counting()));
    (bench, ends.unwrap().remove(0))
}

#[tokio::test]
async fn what_takes_the_name_in_the_moment_of_deleting_is_not_deleted() {
    let (bench, deleted) = deleted_while(|_| ()).await;
    deleted.unwrap();
    assert!(bench.paths().await.is_empty());

    let (bench, deleted) = deleted_while(|root| {
        fs::write(root.join("new"), "a later state").unwrap();
        fs::rename(root.join("new"), root.join("f")).unwrap();
    })
    .await;
    assert_eq!(kind(deleted), ErrorKind::Changed);
    assert_eq!(bench.read("f"), "a later state");
    assert_eq!((bench.paths().await.len(), bench.hidden()), (1, 0));
}

#[tokio::test]
async fn a_move_deletes_no_file_that_was_written_with_its_times_set_back() {
    let bench = Bench::new();
    let path = bench.root.join("f");
    fs::write(&path, "scanned").unwrap();
    let entry = bench.entry("f").await;
    let file = fs::File::options().write(true).open(&path).unwrap();
    let modified = UNIX_EPOCH + Duration::new(entry.modified.secs as u64, entry.modified.nanos);
    // Until the clock of the file system has moved on.
    while bench.entry("f").await.identity.changed == entry.identity.changed {
        file.write_all_at(b"written", 0).unwrap();
        file.set_modified(modified).unwrap();
    }
    let doomed = vec![(rel("f"), entry)];
    let policy = POLICY.with_aside(true);
    let deleted = bench.store.delete(&bench.cx, policy, doomed).await;
    assert_eq!(kind(deleted.unwrap().remove(0)), ErrorKind::Changed);
    assert_eq!(bench.read("f"), "written");
}
