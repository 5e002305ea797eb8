//! Making, replacing and deleting.

use blit_contract::{Attributes, ErrorKind, MetaOp, Replace, Special, StoreExt};

use super::*;

async fn apply(store: &MemStore, op: MetaOp) -> Result<bool> {
    let mut answers = store.apply(&Cx::default(), POLICY, vec![op]).await?;
    answers.remove(0).map(|applied| applied.changed)
}

async fn delete(store: &MemStore, at: &str, scanned: Entry) -> Result<()> {
    let items = vec![(path(at), scanned)];
    let mut answers = store.delete(&Cx::default(), POLICY, items).await?;
    answers.remove(0)
}

fn make(at: &str, kind: Kind, replace: Replace) -> MetaOp {
    let entry = Entry::new(path(at).name().unwrap().clone(), kind);
    MetaOp::MakeEntry {
        path: path(at),
        entry,
        attributes: Attributes::default(),
        replace,
    }
}

fn replacing(entry: &Entry) -> Replace {
    Replace::Entry(Box::new(entry.clone()))
}

#[tokio::test]
async fn links_and_specials_are_what_they_were_made_as() {
    let store = MemStore::new();
    for (at, kind) in [
        ("link", Kind::Symlink(Bytes::from_static(b"../\xff"))),
        ("fifo", Kind::Special(Special::Fifo)),
        ("null", Kind::Special(Special::CharDevice(259))),
    ] {
        apply(&store, make(at, kind.clone(), Replace::Nothing))
            .await
            .unwrap();
        assert_eq!(stat(&store, at).await.unwrap().kind, kind);
    }
}

#[tokio::test]
async fn a_symlink_on_the_way_is_never_followed() {
    let store = little_tree();
    store.add_symlink("to-b", "b").unwrap();
    assert_eq!(stat(&store, "to-b/two").await, None);
    let written = store
        .put(&Cx::default(), POLICY, small("to-b/new", "x"))
        .await
        .unwrap_err();
    assert_eq!(written.kind(), ErrorKind::Changed);
    assert_eq!(stat(&store, "b/new").await, None);
}

#[tokio::test]
async fn hard_links_share_one_file() {
    let store = MemStore::new();
    store.add_file("a", "1").unwrap();
    let link = |replace| MetaOp::Link {
        path: path("b"),
        leader: path("a"),
        replace,
    };
    assert!(apply(&store, link(Replace::Nothing)).await.unwrap());
    assert!(
        !apply(&store, link(Replace::Nothing)).await.unwrap(),
        "it is one already"
    );
    store.add_file("a", "changed").unwrap();
    assert_eq!(store.content("b").unwrap(), "changed");
    let (a, b) = (
        stat(&store, "a").await.unwrap(),
        stat(&store, "b").await.unwrap(),
    );
    assert!(a.identity.is_same_object(&b.identity));
    assert_eq!(a.identity.links, 2);
    // Both were scanned before either was deleted.
    delete(&store, "a", a).await.unwrap();
    delete(&store, "b", b).await.unwrap();
    assert!(store.paths().is_empty());
}

#[tokio::test]
async fn what_replaces_nothing_is_refused_where_something_is() {
    let store = little_tree();
    let error = store
        .put(&Cx::default(), POLICY, small("b/two", "new"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(store.content("b/two").unwrap(), "22");
}

#[tokio::test]
async fn only_what_was_scanned_is_replaced() {
    let store = little_tree();
    let scanned = stat(&store, "b/two").await.unwrap();
    store.add_file("b/two", "edited meanwhile").unwrap();
    let mut file = small("b/two", "new");
    file.replace = replacing(&scanned);
    let error = store.put(&Cx::default(), POLICY, file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert_eq!(store.content("b/two").unwrap(), "edited meanwhile");
}

#[tokio::test]
async fn a_directory_with_something_in_it_gives_way_only_as_a_tree() {
    let store = little_tree();
    let scanned = stat(&store, "b").await.unwrap();
    let link = Kind::Symlink(Bytes::from_static(b"x"));
    let refused = apply(&store, make("b", link.clone(), replacing(&scanned))).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    let tree = Replace::Tree(Box::new(scanned));
    apply(&store, make("b", link, tree)).await.unwrap();
    assert_eq!(store.paths(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_directory_never_takes_the_place_of_a_directory() {
    let store = little_tree();
    let scanned = stat(&store, "a").await.unwrap();
    let op = MetaOp::MakeDirectory {
        path: path("a"),
        replace: replacing(&scanned),
    };
    let refused = apply(&store, op).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(stat(&store, "a").await.unwrap(), scanned);
}

#[tokio::test]
async fn a_directory_that_is_not_empty_or_not_the_scanned_one_is_not_deleted() {
    let store = little_tree();
    let scanned = stat(&store, "b").await.unwrap();
    let full = delete(&store, "b", scanned.clone()).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Conflict);
    store.remove("b").unwrap();
    store.add_directory("b").unwrap();
    let other = delete(&store, "b", scanned.clone()).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Changed);
    store.remove("b").unwrap();
    let gone = delete(&store, "b", scanned).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Vanished);
}

#[tokio::test]
async fn a_directory_that_was_emptied_is_still_the_scanned_one() {
    let store = little_tree();
    let scanned = stat(&store, "b").await.unwrap();
    delete(&store, "b/two", stat(&store, "b/two").await.unwrap())
        .await
        .unwrap();
    delete(&store, "b", scanned).await.unwrap();
    assert_eq!(store.paths(), ["a", "c"]);
}

#[tokio::test]
async fn metadata_is_written_only_where_it_differs() {
    let store = little_tree();
    let mut wanted = stat(&store, "a").await.unwrap();
    let scanned = wanted.clone();
    wanted.mode = 0o2750;
    wanted.modified = blit_contract::Time::new(1, 1);
    let set = |expect| MetaOp::SetMetadata {
        path: path("a"),
        expect,
        entry: wanted.clone(),
        attributes: None,
    };
    assert!(apply(&store, set(Some(scanned.clone()))).await.unwrap());
    let after = stat(&store, "a").await.unwrap();
    assert_eq!((after.mode, after.modified), (0o2750, wanted.modified));
    assert!(!apply(&store, set(Some(scanned.clone()))).await.unwrap());
    assert_eq!(stat(&store, "a").await.unwrap(), after);
    store.remove("a").unwrap();
    store.add_directory("a").unwrap();
    let other = apply(&store, set(Some(scanned))).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Changed);
}

#[tokio::test]
async fn names_that_differ_in_case_collide_where_case_is_folded() {
    let store = MemStore::new().with_folded_case();
    assert!(!store.caps().has(blit_contract::StoreCap::CaseSensitive));
    let cx = Cx::default();
    store.put(&cx, POLICY, small("readme", "1")).await.unwrap();
    let error = store
        .put(&cx, POLICY, small("README", "2"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Collision);
    assert_eq!(store.content("readme").unwrap(), "1");
    let plain = MemStore::new();
    plain.put(&cx, POLICY, small("readme", "1")).await.unwrap();
    plain.put(&cx, POLICY, small("README", "2")).await.unwrap();
}

#[tokio::test]
async fn a_view_that_is_read_only_changes_nothing() {
    let store = little_tree();
    let view = store.clone().with_writable(false);
    let cx = Cx::default();
    let put = view.put(&cx, POLICY, small("new", "x")).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::ReadOnly);
    let gone = delete(&view, "c", stat(&store, "c").await.unwrap()).await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.paths(), ["a", "b", "b/two", "c"]);
}

#[tokio::test]
async fn a_backup_tree_is_refused_before_anything_is_lost() {
    let store = little_tree();
    let policy = POLICY.with_backup(true);
    let items = vec![(path("c"), stat(&store, "c").await.unwrap())];
    let refused = store.delete(&Cx::default(), policy, items).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(stat(&store, "c").await.is_some());
}

#[tokio::test]
async fn the_ancestry_shows_that_one_view_lies_in_another() {
    let cx = Cx::default();
    let store = little_tree();
    let inner = store.at(&path("b"));
    let root = stat(&store, "b").await.unwrap().identity;
    let of_file = inner.ancestry(&cx, &path("two")).await.unwrap();
    assert_eq!(of_file.len(), 3);
    assert!(of_file.iter().any(|id| id.is_same_object(&root)));
    let of_missing = inner.ancestry(&cx, &path("no/where")).await.unwrap();
    assert_eq!(of_missing, of_file[1..]);
    let stranger = MemStore::new().ancestry(&cx, &RelPath::ROOT).await.unwrap();
    assert!(!of_file.iter().any(|id| id.is_same_object(&stranger[0])));
}
