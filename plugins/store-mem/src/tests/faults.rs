//! What goes wrong on purpose.

use std::time::Duration;

use blit_contract::{ErrorKind, ReadItem, ReadOptions, StoreExt};

use super::*;
use crate::{Call, Fault, Faults, Operation};

#[tokio::test]
async fn a_fault_strikes_its_entry_only_and_as_often_as_it_was_told() {
    let cx = Cx::default();
    let fault = Fault::fail(Operation::Publish, ErrorKind::Busy)
        .at(path("b"))
        .after(1)
        .times(1);
    let store = MemStore::new().with_faults(Faults::new().with(fault));
    store.put(&cx, POLICY, small("b", "1")).await.unwrap();
    store.remove("b").unwrap();
    let files = vec![small("a", "1"), small("b", "1"), small("c", "1")];
    let staged = store.write_batch(&cx, POLICY, files).await.unwrap();
    let staged = staged.into_iter().map(Result::unwrap).collect();
    let answers = store.publish(&cx, POLICY, staged).await.unwrap();
    let kinds: Vec<_> = answers
        .iter()
        .map(|a| a.as_ref().err().map(|e| e.kind()))
        .collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Busy), None]);
    assert_eq!(store.paths(), ["a", "c"]);
    store.put(&cx, POLICY, small("b", "1")).await.unwrap();
}

#[tokio::test]
async fn a_barrier_that_fails_publishes_nothing() {
    let cx = Cx::default();
    let faults = Faults::new().with(Fault::fail(Operation::Sync, ErrorKind::Io));
    let store = MemStore::new().with_faults(faults);
    let error = store.put(&cx, POLICY, small("a", "1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(store.paths().is_empty());
}

#[tokio::test]
async fn data_that_rotted_on_storage_is_found_before_it_is_published() {
    let cx = Cx::default();
    let policy = POLICY.with_verify(true);
    let faults = Faults::new().with(Fault::corrupt(Operation::Stage).at(path("bad")));
    let store = MemStore::new().with_faults(faults);
    let files = vec![small("bad", "data"), small("good", "data")];
    let mut staged: Vec<_> = store
        .write_batch(&cx, policy, files)
        .await
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for file in &mut staged {
        file.digest = Some(blit_contract::ContentHasher::digest(b"data"));
    }
    let answers = store.publish(&cx, policy, staged).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.paths(), ["good"]);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_noticed() {
    let cx = Cx::default();
    let faults = Faults::new().with(Fault::change(Operation::Read).times(2));
    let store = little_tree().with_faults(faults);
    let scanned = stat(&store, "b/two").await.unwrap();
    let small = store
        .get(&cx, ReadItem::content(path("b/two"), scanned))
        .await;
    assert_eq!(small.unwrap_err().kind(), ErrorKind::Changed);
    let reader = store
        .open_read(&cx, &path("b/two"), ReadOptions::default())
        .await
        .unwrap();
    reader.read(0..2).await.unwrap();
    let late = reader.check_unchanged().await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Changed);
}

#[tokio::test(start_paused = true)]
async fn a_delay_passes_in_virtual_time() {
    let hour = Duration::from_secs(3_600);
    let store = little_tree().with_faults(Faults::new().with(Fault::delay(Operation::Stat, hour)));
    let before = tokio::time::Instant::now();
    stat(&store, "a").await.unwrap();
    assert!(before.elapsed() >= hour);
}

#[tokio::test]
async fn calls_are_written_down_in_order_once_somebody_asks() {
    let store = little_tree();
    stat(&store, "a").await;
    assert!(store.calls().is_empty());
    let store = store.with_record();
    stat(&store, "b").await;
    store
        .sync(&Cx::default(), blit_contract::SyncScope::Tree)
        .await
        .unwrap();
    let call = |operation, path| Call { operation, path };
    assert_eq!(
        store.calls(),
        [
            call(Operation::Stat, path("b")),
            call(Operation::Sync, RelPath::ROOT)
        ]
    );
}
