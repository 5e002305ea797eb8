//! Listing.

use std::sync::Arc;

use blit_contract::{ErrorKind, Select, Selection};

use super::*;
use crate::{Fault, Faults, Operation};

async fn shown(store: &impl Store, options: ListOptions) -> Vec<String> {
    let mut shown = Vec::new();
    for batch in list(store, options).await {
        let batch = batch.unwrap();
        for entry in batch.entries {
            shown.push(batch.directory.join(entry.name).to_string());
        }
    }
    shown
}

#[tokio::test]
async fn parents_come_before_children_and_names_in_order() {
    let store = little_tree();
    assert_eq!(
        shown(&store, ListOptions::recursive()).await,
        ["a", "b", "c", "b/two"]
    );
    assert_eq!(shown(&store, ListOptions::flat()).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_large_directory_comes_in_batches_of_which_only_one_is_the_last() {
    let store = MemStore::new();
    for at in 0..1_500 {
        store.add_file(&format!("f{at:05}"), "").unwrap();
    }
    let batches = list(&store, ListOptions::recursive()).await;
    let batches: Vec<_> = batches.into_iter().map(Result::unwrap).collect();
    assert!(batches.len() > 1);
    assert_eq!(batches.iter().filter(|batch| batch.last).count(), 1);
    assert!(batches.last().unwrap().last);
    let names: Vec<_> = batches
        .iter()
        .flat_map(|b| &b.entries)
        .map(|e| e.name.clone())
        .collect();
    assert_eq!(names.len(), 1_500);
    assert!(names.is_sorted());
}

#[tokio::test]
async fn every_directory_has_a_last_batch_even_an_empty_one() {
    let batches = list(&little_tree(), ListOptions::recursive()).await;
    let ended: Vec<_> = batches
        .into_iter()
        .map(Result::unwrap)
        .filter(|batch| batch.last)
        .map(|batch| batch.directory.to_string())
        .collect();
    assert_eq!(ended, [".", "a", "b"]);
}

struct OnlyB;

impl Select for OnlyB {
    fn select(&self, _: &RelPath, entry: &Entry) -> Selection {
        match entry.name.as_bytes() {
            b"a" => Selection::Skip,
            b"b" => Selection::TakeOnly,
            _ => Selection::Take,
        }
    }
}

#[tokio::test]
async fn a_selection_leaves_out_and_stays_out() {
    let options = ListOptions::recursive().with_select(Arc::new(OnlyB));
    assert_eq!(shown(&little_tree(), options).await, ["b", "c"]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_listed_is_a_problem_and_the_others_are_listed() {
    let fault = Fault::fail(Operation::List, ErrorKind::Denied).at(path("a"));
    let store = little_tree().with_faults(Faults::new().with(fault));
    let batches = list(&store, ListOptions::recursive()).await;
    let batches: Vec<_> = batches.into_iter().map(Result::unwrap).collect();
    let bad = batches.iter().find(|b| !b.problems.is_empty()).unwrap();
    assert_eq!(bad.directory, path("a"));
    assert_eq!(bad.problems[0].kind(), ErrorKind::Denied);
    assert!(bad.last);
    assert!(batches.iter().any(|batch| batch.directory == path("b")));
}

#[tokio::test]
async fn a_root_that_cannot_be_listed_ends_the_listing_with_an_error() {
    let faults = Faults::new().with(Fault::fail(Operation::List, ErrorKind::Io));
    let store = little_tree().with_faults(faults);
    let batches = list(&store, ListOptions::recursive()).await;
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].as_ref().unwrap_err().kind(), ErrorKind::Io);
}

#[tokio::test]
async fn a_cancelled_listing_ends_with_that() {
    let cx = Cx::default();
    cx.cancel.cancel();
    let store = little_tree();
    let batches: Vec<_> = store
        .list(&cx, &RelPath::ROOT, ListOptions::recursive())
        .collect()
        .await;
    assert_eq!(batches.len(), 1);
    assert_eq!(
        batches[0].as_ref().unwrap_err().kind(),
        ErrorKind::Cancelled
    );
}

#[tokio::test]
async fn a_view_that_nobody_wrote_yet_is_empty_and_has_no_root() {
    let view = MemStore::new().at(&path("not/yet"));
    assert!(list(&view, ListOptions::recursive()).await.is_empty());
    assert_eq!(
        view.stat(&Cx::default(), &RelPath::ROOT).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_deep_tree_is_listed_without_recursion() {
    let store = MemStore::new();
    store.add_directory(&vec!["d"; 3_000].join("/")).unwrap();
    assert_eq!(list(&store, ListOptions::recursive()).await.len(), 3_001);
}
