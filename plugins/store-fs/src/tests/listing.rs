use std::{fs, sync::Arc};

use blit_contract::{
    Entry, ErrorKind, ListOptions, RelPath, Replace, Select, Selection, SmallFile, Store, StoreExt,
};
use futures_util::StreamExt;

use super::{Bench, POLICY, file_entry, name, rel};
use crate::{FsOptions, FsStore, config::Knobs};

#[tokio::test]
async fn a_store_anew_goes_by_names_and_not_to_where_a_directory_went() {
    let bench = Bench::new();
    fs::create_dir(bench.root.join("d")).unwrap();
    bench.put("d/f", "old", Replace::Nothing).await.unwrap();
    fs::rename(bench.root.join("d"), bench.root.join("elsewhere")).unwrap();
    fs::create_dir(bench.root.join("d")).unwrap();
    let anew = bench.store.anew().unwrap();
    let found = anew.stat(&bench.cx, &rel("d/f")).await.unwrap();
    assert!(found.is_none(), "{found:?}");
    let file = SmallFile::new(rel("d/g"), file_entry("g"), "new".into());
    anew.put(&bench.cx, POLICY, file).await.unwrap();
    assert_eq!(bench.read("d/g"), "new");
    assert_eq!(bench.read("elsewhere/f"), "old");
    assert!(!bench.root.join("elsewhere/g").exists());
}

#[tokio::test]
async fn parents_come_before_their_children_and_names_in_order() {
    let bench = Bench::new();
    for directory in ["b/d/e", "a", "c"] {
        fs::create_dir_all(bench.root.join(directory)).unwrap();
    }
    for at in 0..3_000 {
        fs::write(bench.root.join(format!("b/{at}")), "").unwrap();
    }
    let mut seen = vec![RelPath::ROOT];
    let mut last: Option<(RelPath, blit_contract::Name)> = None;
    for batch in bench.list().await {
        assert!(
            seen.contains(&batch.directory),
            "{} came first",
            batch.directory
        );
        for entry in batch.entries {
            if let Some((directory, name)) = &last
                && *directory == batch.directory
            {
                assert!(*name < entry.name);
            }
            seen.push(batch.directory.join(entry.name.clone()));
            last = Some((batch.directory.clone(), entry.name));
        }
    }
    assert_eq!(seen.len(), 1 + 5 + 3_000);
}

#[tokio::test]
async fn every_directory_ends_with_a_last_batch_also_an_empty_one() {
    let bench = Bench::new();
    fs::create_dir_all(bench.root.join("empty")).unwrap();
    let batches = bench.list().await;
    let lasts = batches.iter().filter(|batch| batch.last).count();
    assert_eq!(lasts, 2);
}

#[tokio::test]
async fn names_that_do_not_fit_in_memory_are_sorted_on_disk() {
    let knobs = Knobs {
        names_in_memory: 100,
        ..Knobs::default()
    };
    let bench = Bench::with_knobs(knobs);
    for at in 0..2_500 {
        fs::write(bench.root.join(format!("{}", at * 7_919 % 2_500)), "").unwrap();
    }
    let mut names = Vec::new();
    for batch in bench.list().await {
        names.extend(batch.entries.into_iter().map(|entry| entry.name));
    }
    assert_eq!(names.len(), 2_500);
    assert!(names.is_sorted());
}

#[tokio::test]
async fn a_missing_root_is_empty_until_something_is_written() {
    let bench = Bench::new();
    let missing = bench.beside("not/yet");
    let store = FsStore::open(&missing, FsOptions::target()).unwrap();
    assert!(
        store
            .stat(&bench.cx, &RelPath::ROOT)
            .await
            .unwrap()
            .is_none()
    );
    let root = RelPath::ROOT;
    let listed = store.list(&bench.cx, &root, ListOptions::recursive());
    assert_eq!(listed.count().await, 0);
    assert!(!missing.exists());
    let refused = FsStore::open(&missing, FsOptions::source());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_skipped_is_neither_listed_nor_entered() {
    #[derive(Debug)]
    struct NotThat;
    impl Select for NotThat {
        fn select(&self, _: &RelPath, entry: &Entry) -> Selection {
            match entry.name.as_bytes() {
                b"that" => Selection::Skip,
                b"shut" => Selection::TakeOnly,
                _ => Selection::Take,
            }
        }
    }
    let bench = Bench::new();
    for path in ["that/x", "shut/y", "this/z"] {
        fs::create_dir_all(bench.root.join(path)).unwrap();
    }
    let root = RelPath::ROOT;
    let options = ListOptions::recursive().with_select(Arc::new(NotThat));
    let mut listing = bench.store.list(&bench.cx, &root, options);
    let mut names = Vec::new();
    while let Some(batch) = listing.next().await {
        let entries = batch.unwrap().entries;
        names.extend(entries.into_iter().map(|entry| entry.name.to_string()));
    }
    names.sort();
    assert_eq!(names, ["shut", "this", "z"]);
}

#[tokio::test]
async fn the_root_and_what_is_beneath_can_be_looked_at() {
    let bench = Bench::new();
    fs::create_dir(bench.root.join("d")).unwrap();
    fs::write(bench.root.join("d/f"), "four").unwrap();
    assert_eq!(bench.entry("d/f").await.size, 4);
    let root = bench.store.stat(&bench.cx, &RelPath::ROOT).await.unwrap();
    assert!(root.unwrap().is_directory());
    let nothing = bench.store.stat(&bench.cx, &rel("d/g")).await.unwrap();
    assert!(nothing.is_none());
}

#[tokio::test]
async fn partials_are_not_listed_and_a_users_file_that_looks_like_one_is() {
    let bench = Bench::new();
    let ours = blit_contract::PartialName::new(7);
    fs::write(bench.root.join(ours.name().to_string()), "").unwrap();
    fs::write(bench.root.join(".blit~notes"), "").unwrap();
    assert_eq!(bench.paths().await, [".blit~notes"]);
    assert_eq!(bench.hidden(), 2, "a young partial belongs to somebody");
    let _ = name("x");
}
