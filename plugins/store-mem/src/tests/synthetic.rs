//! The source that is made up.

use blit_contract::{ErrorKind, ReadItem, ReadOptions, StoreExt};

use super::*;
use crate::SyntheticStore;

#[tokio::test]
async fn it_has_exactly_the_entries_that_were_asked_for() {
    for (entries, per_directory) in [
        (0, 5),
        (1, 1),
        (5, 5),
        (6, 5),
        (777, 10),
        (40, 1),
        (5_000, 2_000),
    ] {
        let store = SyntheticStore::new(entries, per_directory, 3);
        let mut seen = 0;
        let mut directories = vec![RelPath::ROOT];
        for batch in list(&store, ListOptions::recursive()).await {
            let batch = batch.unwrap();
            assert!(directories.contains(&batch.directory), "parents come first");
            assert!(batch.entries.is_sorted_by(|a, b| a.name < b.name));
            seen += batch.entries.len() as u64;
            let inside = batch.entries.into_iter().filter(Entry::is_directory);
            directories.extend(inside.map(|entry| batch.directory.join(entry.name)));
        }
        assert_eq!(
            seen, entries,
            "{entries} entries, {per_directory} in each directory"
        );
    }
}

#[tokio::test]
async fn what_is_listed_can_be_looked_at_and_read() {
    let cx = Cx::default();
    let store = SyntheticStore::new(300, 7, 21);
    for batch in list(&store, ListOptions::recursive()).await {
        let batch = batch.unwrap();
        for entry in batch.entries {
            let at = batch.directory.join(entry.name.clone());
            assert_eq!(store.stat(&cx, &at).await.unwrap().as_ref(), Some(&entry));
            if entry.is_file() {
                let small = store
                    .get(&cx, ReadItem::content(at.clone(), entry.clone()))
                    .await;
                let options = ReadOptions::expecting(entry);
                let reader = store.open_read(&cx, &at, options).await.unwrap();
                let parts = [
                    reader.read(0..9).await.unwrap(),
                    reader.read(9..21).await.unwrap(),
                ];
                assert_eq!(small.unwrap().content, parts.concat());
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_in_the_tree_is_not_found() {
    let cx = Cx::default();
    let store = SyntheticStore::new(10, 5, 1);
    for wrong in ["x", "e1", "e000000000011", "e000000000006", "e+00000000001"] {
        assert_eq!(stat(&store, wrong).await, None, "{wrong}");
    }
    let error = store
        .open_read(&cx, &path("x"), ReadOptions::default())
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn ten_million_entries_begin_at_once() {
    let cx = Cx::default();
    let store = SyntheticStore::new(10_000_000, 1_000, 0);
    let root = RelPath::ROOT;
    let mut batches = store.list(&cx, &root, ListOptions::recursive());
    let first = batches.next().await.unwrap().unwrap();
    assert_eq!(first.entries.len(), 1_000);
    let second = batches.next().await.unwrap().unwrap();
    assert_eq!(second.directory.depth(), 1);
}

#[tokio::test]
async fn siblings_are_directories_with_one_file_each() {
    let store = SyntheticStore::siblings(1_500, 3);
    let (mut directories, mut files) = (0, 0);
    for batch in list(&store, ListOptions::recursive()).await {
        let batch = batch.unwrap();
        let is_root = batch.directory == RelPath::ROOT;
        assert!(batch.entries.iter().all(|it| it.is_directory() == is_root));
        match is_root {
            true => directories += batch.entries.len(),
            false => files += batch.entries.len(),
        }
    }
    assert_eq!((directories, files), (1_500, 1_500));
}

#[tokio::test]
async fn pairs_are_two_names_of_one_file() {
    let store = SyntheticStore::new(1_000, 10, 21).with_pairs();
    let mut names = std::collections::BTreeMap::<u64, u64>::new();
    for batch in list(&store, ListOptions::recursive()).await {
        let files = batch.unwrap().entries.into_iter().filter(Entry::is_file);
        for file in files {
            assert_eq!(file.identity.links, 2);
            *names.entry(file.identity.inode).or_default() += 1;
        }
    }
    assert_eq!(names.values().filter(|it| **it == 2).count(), 450);
    assert!(names.values().all(|it| *it <= 2));
}
