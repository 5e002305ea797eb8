use std::fs;

use blit_contract::{
    ContentHasher, ErrorKind, MetaOp, Replace, SmallFile, Store, StoreExt, SyncScope, WriteOptions,
    WritePolicy,
};

use super::{Bench, POLICY, file_entry, kind, known, no_attributes, rel};
use crate::{FsOptions, FsStore, config::Knobs};

#[tokio::test]
async fn a_staged_file_has_no_name_and_leaves_nothing_when_it_is_dropped() {
    for named_partials in [false, true] {
        let bench = Bench::with_knobs(Knobs {
            named_partials,
            ..Knobs::default()
        });
        let file = SmallFile::new(rel("f"), file_entry("f"), "content".into());
        let staged = bench.store.write_batch(&bench.cx, POLICY, vec![file]).await;
        let staged = staged.unwrap();
        assert!(bench.paths().await.is_empty());
        drop(staged);
        assert_eq!(bench.hidden(), 0);
    }
}

#[tokio::test]
async fn a_published_file_has_its_content_mode_and_time() {
    for named_partials in [false, true] {
        let bench = Bench::with_knobs(Knobs {
            named_partials,
            ..Knobs::default()
        });
        bench.put("f", "content", Replace::Nothing).await.unwrap();
        assert_eq!(bench.read("f"), "content");
        let (entry, wanted) = (bench.entry("f").await, file_entry("f"));
        assert_eq!((entry.mode, entry.modified), (wanted.mode, wanted.modified));
        assert_eq!(bench.hidden(), 0);
    }
}

#[tokio::test]
async fn nothing_is_replaced_unless_it_was_asked_for() {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "theirs").unwrap();
    let refused = bench.put("f", "ours", Replace::Nothing).await;
    assert_eq!(kind(refused), ErrorKind::Conflict);
    assert_eq!(bench.read("f"), "theirs");
    let known = known(bench.entry("f").await);
    bench.put("f", "ours", known).await.unwrap();
    assert_eq!(bench.read("f"), "ours");
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn another_name_of_a_replaced_file_keeps_the_old_content() {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "old").unwrap();
    fs::hard_link(bench.root.join("f"), bench.root.join("other")).unwrap();
    let known = known(bench.entry("f").await);
    bench.put("f", "new", known).await.unwrap();
    assert_eq!(
        (bench.read("f"), bench.read("other")),
        ("new".into(), "old".into())
    );
}

#[tokio::test]
async fn a_file_takes_the_place_of_a_tree_only_when_the_whole_tree_is_named() {
    let bench = Bench::new();
    fs::create_dir_all(bench.root.join("x/deep")).unwrap();
    fs::write(bench.root.join("x/deep/f"), "").unwrap();
    let entry = bench.entry("x").await;
    let refused = bench.put("x", "file", known(entry.clone())).await;
    assert!(refused.is_err());
    assert!(bench.root.join("x/deep/f").exists());
    let tree = Replace::Tree(Box::new(entry));
    bench.put("x", "file", tree).await.unwrap();
    assert_eq!(bench.read("x"), "file");
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn a_directory_takes_the_place_of_a_file() {
    let bench = Bench::new();
    fs::write(bench.root.join("x"), "file").unwrap();
    let replace = known(bench.entry("x").await);
    let path = rel("x");
    bench
        .apply(MetaOp::MakeDirectory { path, replace })
        .await
        .unwrap();
    assert!(bench.root.join("x").is_dir());
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn ranges_may_come_in_any_order_and_what_is_missing_is_zeros() {
    let bench = Bench::new();
    let mut entry = file_entry("f");
    entry.size = 3_000_000;
    let options = WriteOptions::new(POLICY, entry.clone(), Replace::Nothing);
    let writer = bench
        .store
        .open_write(&bench.cx, &rel("f"), options)
        .await
        .unwrap();
    writer.write_at(2_000_000, "end".into()).await.unwrap();
    writer.write_at(0, "start".into()).await.unwrap();
    assert_eq!(writer.read_back(0..5).await.unwrap(), "start");
    let staged = writer.finish(entry, no_attributes()).await.unwrap();
    bench
        .store
        .publish(&bench.cx, POLICY, vec![staged])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let content = fs::read(bench.root.join("f")).unwrap();
    assert_eq!(content.len(), 3_000_000);
    assert_eq!(
        (&content[..5], &content[2_000_000..2_000_003]),
        (&b"start"[..], &b"end"[..])
    );
    assert!(content[5..2_000_000].iter().all(|byte| *byte == 0));
}

#[tokio::test]
async fn data_that_storage_does_not_give_back_is_not_published() {
    let bench = Bench::new();
    let policy = POLICY.with_verify(true);
    let file = |path: &str| SmallFile::new(rel(path), file_entry(path), "data".into());
    let both = vec![file("good"), file("bad")];
    let mut staged: Vec<_> = bench
        .store
        .write_batch(&bench.cx, policy, both)
        .await
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    staged[0].digest = Some(ContentHasher::digest(b"data"));
    staged[1].digest = Some(ContentHasher::digest(b"other"));
    let published = bench
        .store
        .publish(&bench.cx, policy, staged)
        .await
        .unwrap();
    let kinds: Vec<_> = published
        .iter()
        .map(|it| it.as_ref().err().map(blit_contract::Error::kind))
        .collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Corrupt)]);
    assert_eq!(bench.paths().await, ["good"]);
}

#[tokio::test]
async fn only_what_was_scanned_is_deleted() {
    let bench = Bench::new();
    for path in ["kept", "gone"] {
        fs::write(bench.root.join(path), path).unwrap();
    }
    fs::create_dir(bench.root.join("full")).unwrap();
    let (kept, gone, full) = (
        bench.entry("kept").await,
        bench.entry("gone").await,
        bench.entry("full").await,
    );
    fs::write(bench.root.join("kept"), "changed since").unwrap();
    fs::write(bench.root.join("full/new"), "").unwrap();
    let doomed = vec![
        (rel("kept"), kept),
        (rel("gone"), gone),
        (rel("full"), full),
    ];
    let deleted = bench.store.delete(&bench.cx, POLICY, doomed).await.unwrap();
    let kinds: Vec<_> = deleted
        .iter()
        .map(|it| it.as_ref().err().map(blit_contract::Error::kind))
        .collect();
    assert_eq!(
        kinds,
        [Some(ErrorKind::Changed), None, Some(ErrorKind::Conflict)]
    );
    assert_eq!(bench.paths().await, ["full", "full/new", "kept"]);
}

#[tokio::test]
async fn a_store_opened_for_reading_changes_nothing() {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "").unwrap();
    let store = FsStore::open(&bench.root, FsOptions::source()).unwrap();
    let doomed = vec![(rel("f"), bench.entry("f").await)];
    let refused = store.delete(&bench.cx, POLICY, doomed).await;
    assert_eq!(kind(refused), ErrorKind::ReadOnly);
    let file = SmallFile::new(rel("g"), file_entry("g"), "".into());
    let refused = store.write_batch(&bench.cx, POLICY, vec![file]).await;
    assert_eq!(kind(refused), ErrorKind::ReadOnly);
}

#[tokio::test]
async fn with_a_backup_tree_nothing_is_lost() {
    let bench = Bench::new();
    let backup = bench.beside("backup");
    let mut options = FsOptions::target();
    options.backup = Some(backup.clone());
    let store = FsStore::open(&bench.root, options).unwrap();
    let policy: WritePolicy = POLICY.with_backup(true);
    fs::create_dir(bench.root.join("d")).unwrap();
    fs::write(bench.root.join("d/f"), "old").unwrap();
    fs::write(bench.root.join("d/g"), "gone").unwrap();
    let mut file = SmallFile::new(rel("d/f"), file_entry("f"), "new".into());
    file.replace = known(bench.entry("d/f").await);
    let staged = store
        .write_batch(&bench.cx, policy, vec![file])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    store
        .publish(&bench.cx, policy, vec![staged])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let doomed = vec![(rel("d/g"), bench.entry("d/g").await)];
    store
        .delete(&bench.cx, policy, doomed)
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(bench.read("d/f"), "new");
    assert_eq!(fs::read_to_string(backup.join("d/f")).unwrap(), "old");
    assert_eq!(fs::read_to_string(backup.join("d/g")).unwrap(), "gone");
    assert_eq!(bench.paths().await, ["d", "d/f"]);
}

#[tokio::test]
async fn a_tree_that_keeps_in_itself_keeps_paths_from_what_it_changes_on() {
    let bench = Bench::new();
    let policy: WritePolicy = POLICY.with_backup(true);
    for (path, content) in [("t/d/f", "gone"), ("t/g", "old"), ("beside", "stays")] {
        fs::create_dir_all(bench.root.join(path).parent().unwrap()).unwrap();
        fs::write(bench.root.join(path), content).unwrap();
    }
    fs::create_dir(bench.root.join("old")).unwrap();
    let (changed, kept) = (rel("t"), rel("old"));
    let keeping = bench.store.keeping(&bench.cx, &changed, &kept);
    let store = keeping.await.unwrap();
    // Whatever takes its name now gets nothing, where directories are held open.
    let is_held = cfg!(not(feature = "portable-sys"));
    let (into, other) = if is_held {
        ("moved", "old")
    } else {
        ("old", "other")
    };
    if is_held {
        fs::rename(bench.root.join("old"), bench.root.join(into)).unwrap();
    }
    fs::create_dir(bench.root.join(other)).unwrap();
    let mut file = SmallFile::new(rel("t/g"), file_entry("g"), "new".into());
    file.replace = known(bench.entry("t/g").await);
    store.put(&bench.cx, policy, file).await.unwrap();
    let doomed = |path: &'static str| async { (rel(path), bench.entry(path).await) };
    let items = vec![
        doomed("t/d/f").await,
        doomed("t/d").await,
        doomed("beside").await,
    ];
    let deleted = store.delete(&bench.cx, policy, items).await.unwrap();
    assert!(deleted[0].is_ok() && deleted[1].is_ok(), "{deleted:?}");
    // What is not below has no place there, and stays.
    assert!(deleted[2].is_err());
    let kept = ["", "/d", "/d/f", "/g"].map(|below| format!("{into}{below}"));
    let rest = ["beside", other, "t", "t/g"].map(str::to_owned);
    let mut expected = [kept, rest].concat();
    expected.sort();
    assert_eq!(bench.paths().await, expected);
    assert_eq!(bench.read(&format!("{into}/g")), "old");
    assert_eq!(bench.read("t/g"), "new");
}

#[tokio::test]
async fn nothing_is_kept_in_what_is_no_directory() {
    let bench = Bench::new();
    fs::create_dir_all(bench.root.join("t")).unwrap();
    fs::write(bench.root.join("file"), "").unwrap();
    std::os::unix::fs::symlink("t", bench.root.join("link")).unwrap();
    for path in ["file", "link", "link/x", "none"] {
        let (changed, kept) = (rel("t"), rel(path));
        let keeping = bench.store.keeping(&bench.cx, &changed, &kept);
        let refused = keeping.await.unwrap_err();
        use ErrorKind as K;
        // The portable half asks by path, and hears of a file in the way in its own word.
        let is_refusal = matches!(refused.kind(), K::Changed | K::Vanished | K::Conflict);
        assert!(is_refusal, "{path}: {refused}");
    }
}

#[tokio::test]
async fn a_barrier_can_be_asked_for() {
    let bench = Bench::new();
    bench.store.sync(&bench.cx, SyncScope::Tree).await.unwrap();
}
