//! Reading, staging and publishing.

use blit_contract::{
    Attributes, ErrorKind, Extent, ReadItem, ReadOptions, Replace, StoreExt, WriteOptions,
};

use super::*;

#[tokio::test]
async fn what_is_put_is_got_with_its_metadata() {
    let cx = Cx::default();
    let store = MemStore::new();
    let mut file = small("a", "hello");
    let xattr = (Bytes::from_static(b"user.k"), Bytes::from_static(b"v"));
    file.attributes = Attributes::with_xattrs(vec![xattr]);
    let published = store.put(&cx, POLICY, file.clone()).await.unwrap();
    let got = store
        .get(&cx, ReadItem::content(path("a"), published.entry.clone()))
        .await
        .unwrap();
    assert_eq!(got.content, "hello");
    assert_eq!(got.attributes, file.attributes);
    let entry = stat(&store, "a").await.unwrap();
    assert_eq!(entry, published.entry);
    assert_eq!((entry.mode, entry.uid, entry.gid), (0o640, 7, 8));
    assert_eq!(entry.modified, file.entry.modified);
    assert!(published.losses.is_empty());
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_not() {
    let policy = WritePolicy::new(Durability::None, Preserve::NONE);
    let store = MemStore::new();
    let file = small("a", "x");
    let modified = file.entry.modified;
    let entry = store.put(&Cx::default(), policy, file).await.unwrap().entry;
    assert_eq!((entry.mode, entry.uid, entry.gid), (0o644, 0, 0));
    assert_ne!(entry.modified, modified);
}

#[tokio::test]
async fn a_staged_file_has_no_name_and_leaves_nothing_behind() {
    let cx = Cx::default();
    let store = MemStore::new().with_capacity(100);
    let staged = store
        .write_batch(&cx, POLICY, vec![small("a", "12345")])
        .await
        .unwrap();
    assert_eq!(stat(&store, "a").await, None);
    assert_eq!(store.usage(&cx).await.unwrap().free_bytes, 95);
    drop(staged);
    assert_eq!(store.usage(&cx).await.unwrap().free_bytes, 100);
    assert!(store.paths().is_empty());
}

#[tokio::test]
async fn ranges_may_come_in_any_order_and_what_is_not_written_is_a_hole() {
    let cx = Cx::default();
    let store = MemStore::new();
    let mut entry = small("a", "").entry;
    entry.size = 100;
    let options = WriteOptions::new(POLICY, entry.clone(), Replace::Nothing);
    let writer = store.open_write(&cx, &path("a"), options).await.unwrap();
    writer
        .write_at(50, Bytes::from_static(b"late"))
        .await
        .unwrap();
    writer
        .write_at(10, Bytes::from_static(b"early"))
        .await
        .unwrap();
    assert_eq!(writer.read_back(10..15).await.unwrap(), "early");
    let staged = writer.finish(entry, Attributes::default()).await.unwrap();
    assert_eq!(staged.size, 100);
    let published = store.publish(&cx, POLICY, vec![staged]).await.unwrap();
    let entry = &published[0].as_ref().unwrap().entry;
    assert_eq!((entry.size, entry.allocated), (100, 9));
    assert!(entry.may_have_holes());
    let options = ReadOptions::expecting(entry.clone());
    let reader = store.open_read(&cx, &path("a"), options).await.unwrap();
    let first = reader.extent(0).await.unwrap();
    assert_eq!(first, Some(Extent { start: 10, end: 15 }));
    assert_eq!(reader.extent(54).await.unwrap(), None);
    assert_eq!(reader.read(0..11).await.unwrap(), "\0\0\0\0\0\0\0\0\0\0e");
    reader.check_unchanged().await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_edited_is_changed_for_whoever_scanned_it_before() {
    let cx = Cx::default();
    let store = MemStore::new();
    store.add_file("a", "old").unwrap();
    let scanned = stat(&store, "a").await.unwrap();
    let reader = store
        .open_read(&cx, &path("a"), ReadOptions::expecting(scanned.clone()))
        .await
        .unwrap();
    store.add_file("a", "ne").unwrap();
    let late = reader.check_unchanged().await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Changed);
    let short = reader.read(0..3).await.unwrap_err();
    assert_eq!(short.kind(), ErrorKind::Changed);
    let small = store
        .get(&cx, ReadItem::content(path("a"), scanned.clone()))
        .await;
    assert_eq!(small.unwrap_err().kind(), ErrorKind::Changed);
    store.remove("a").unwrap();
    let gone = store.get(&cx, ReadItem::content(path("a"), scanned)).await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::Vanished);
}

#[tokio::test]
async fn a_full_store_says_so_and_keeps_what_it_has() {
    let cx = Cx::default();
    let store = MemStore::new().with_capacity(6);
    store.put(&cx, POLICY, small("a", "1234")).await.unwrap();
    let full = store.put(&cx, POLICY, small("b", "567")).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::NoSpace);
    assert_eq!(full.path(), Some(&path("b")));
    let options = WriteOptions::new(POLICY, small("c", "").entry, Replace::Nothing);
    let writer = store.open_write(&cx, &path("c"), options).await.unwrap();
    writer.write_at(0, Bytes::from_static(b"12")).await.unwrap();
    let full = writer.write_at(1, Bytes::from_static(b"23")).await;
    assert_eq!(full.unwrap_err().kind(), ErrorKind::NoSpace);
    drop(writer);
    assert_eq!(store.content("a").unwrap(), "1234");
    assert_eq!(store.usage(&cx).await.unwrap().free_bytes, 2);
}

#[tokio::test]
async fn room_is_given_back_when_a_file_is_replaced_or_deleted() {
    let cx = Cx::default();
    let store = MemStore::new().with_capacity(10);
    store.put(&cx, POLICY, small("a", "1234")).await.unwrap();
    let mut other = small("a", "12");
    other.replace = Replace::Entry(Box::new(stat(&store, "a").await.unwrap()));
    store.put(&cx, POLICY, other).await.unwrap();
    assert_eq!(store.usage(&cx).await.unwrap().free_bytes, 8);
    let scanned = stat(&store, "a").await.unwrap();
    let deleted = store.delete(&cx, POLICY, vec![(path("a"), scanned)]).await;
    assert!(deleted.unwrap()[0].is_ok());
    assert_eq!(store.usage(&cx).await.unwrap().free_bytes, 10);
}

#[tokio::test]
async fn a_file_that_was_staged_in_another_tree_is_not_published() {
    let cx = Cx::default();
    let staged = MemStore::new()
        .write_batch(&cx, POLICY, vec![small("a", "x")])
        .await
        .unwrap();
    let staged = staged.into_iter().map(Result::unwrap).collect();
    let store = MemStore::new();
    let answers = store.publish(&cx, POLICY, staged).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Bug);
    assert!(store.paths().is_empty());
}

#[tokio::test]
async fn the_first_write_makes_the_root_of_a_view() {
    let whole = MemStore::new();
    let view = whole.at(&path("to/here"));
    view.put(&Cx::default(), POLICY, small("a", "x"))
        .await
        .unwrap();
    assert_eq!(whole.paths(), ["to", "to/here", "to/here/a"]);
}

#[tokio::test]
async fn without_its_directory_a_file_is_not_staged() {
    let error = MemStore::new()
        .put(&Cx::default(), POLICY, small("no/a", "x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
