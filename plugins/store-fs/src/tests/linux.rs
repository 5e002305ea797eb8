//! What only descriptors can do.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use blit_contract::{
    Attributes, Durability, Entry, ErrorKind, Kind, LossClass, MetaOp, Preserve, ReadItem,
    ReadOptions, RelPath, Replace, SmallFile, Store, StoreExt, Time, WriteOptions, WritePolicy,
};
use bytes::Bytes;

use super::{Bench, POLICY, file_entry, kind, known, name, no_attributes, rel};
use crate::config::Knobs;

/// Makes a chain of directories with a file at its end, lists it, reads the file, deletes it all.
async fn go_through_a_deep_tree(levels: u32, component: &str) {
    let bench = Bench::with_knobs(Knobs {
        handles_max: 8,
        ..Knobs::default()
    });
    let mut path = RelPath::ROOT;
    let mut making = Vec::new();
    for _ in 0..levels {
        path = path.join(name(component));
        making.push(MetaOp::MakeDirectory {
            path: path.clone(),
            replace: Replace::Nothing,
        });
    }
    let made = bench.store.apply(&bench.cx, POLICY, making).await.unwrap();
    assert!(made.iter().all(Result::is_ok));
    let file = SmallFile::new(path.join(name("f")), file_entry("f"), "deep".into());
    bench.store.put(&bench.cx, POLICY, file).await.unwrap();
    let mut listed = Vec::new();
    for batch in bench.list().await {
        assert!(batch.problems.is_empty());
        for entry in batch.entries {
            listed.push((batch.directory.join(entry.name.clone()), entry));
        }
    }
    assert_eq!(listed.len(), levels as usize + 1);
    listed.sort_by_key(|(path, _)| std::cmp::Reverse(path.depth()));
    let (leaf, entry) = listed[0].clone();
    let item = ReadItem::content(leaf, entry);
    let read = bench.store.get(&bench.cx, item).await.unwrap();
    assert_eq!(read.content, "deep");
    let deleted = bench.store.delete(&bench.cx, POLICY, listed).await.unwrap();
    assert!(deleted.iter().all(Result::is_ok));
    assert!(bench.paths().await.is_empty());
}

#[tokio::test]
async fn a_tree_deeper_than_any_path_string_is_listed_written_and_deleted_with_few_descriptors() {
    go_through_a_deep_tree(2_000, &"n".repeat(200)).await;
}

#[tokio::test]
async fn a_very_deep_tree_costs_neither_stack_nor_patience() {
    go_through_a_deep_tree(3_000, "d").await;
}

#[tokio::test]
async fn without_openat2_directories_are_opened_one_by_one() {
    crate::sys::forgo_openat2();
    go_through_a_deep_tree(100, "d").await;
}

#[tokio::test]
async fn without_openat2_no_link_is_followed_either() {
    crate::sys::forgo_openat2();
    let bench = Bench::new();
    let outside = bench.beside("outside");
    fs::create_dir_all(outside.join("e")).unwrap();
    symlink(&outside, bench.root.join("d")).unwrap();
    let file = SmallFile::new(rel("d/e/f"), file_entry("f"), "x".into());
    let refused = bench.store.put(&bench.cx, POLICY, file).await;
    assert_eq!(kind(refused), ErrorKind::Changed);
    assert_eq!(fs::read_dir(outside.join("e")).unwrap().count(), 0);
}

#[test]
fn a_rename_by_link_takes_no_name_that_is_taken() {
    let bench = Bench::new();
    let directory = crate::sys::Directory::open_root(&bench.root).unwrap();
    fs::write(bench.root.join("a"), "a").unwrap();
    fs::write(bench.root.join("b"), "b").unwrap();
    let taken = directory.rename_by_link(&name("a"), &directory, &name("b"));
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!((bench.read("a"), bench.read("b")), ("a".into(), "b".into()));
    directory
        .rename_by_link(&name("a"), &directory, &name("c"))
        .unwrap();
    assert!(!bench.root.join("a").exists());
    assert_eq!(bench.read("c"), "a");
}

#[tokio::test]
async fn names_are_bytes() {
    let bench = Bench::new();
    let odd = blit_contract::Name::new(*b"\xff\xfe\n\x1b").unwrap();
    let entry = Entry::new(odd.clone(), Kind::File);
    let file = SmallFile::new(RelPath::ROOT.join(odd.clone()), entry, "odd".into());
    bench.store.put(&bench.cx, POLICY, file).await.unwrap();
    let batches = bench.list().await;
    assert_eq!(batches[0].entries[0].name, odd);
}

#[tokio::test]
async fn a_symlink_in_the_place_of_a_directory_leads_nowhere() {
    let bench = Bench::new();
    let outside = bench.beside("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "s").unwrap();
    fs::create_dir(bench.root.join("d")).unwrap();
    fs::write(bench.root.join("d/secret"), "x").unwrap();
    let inside = bench.entry("d/secret").await;
    // A store that has not opened the directory before.
    let store = crate::FsStore::open(&bench.root, crate::FsOptions::target()).unwrap();
    fs::remove_dir_all(bench.root.join("d")).unwrap();
    symlink(&outside, bench.root.join("d")).unwrap();
    let cx = &bench.cx;
    let read = store
        .get(cx, ReadItem::content(rel("d/secret"), inside.clone()))
        .await;
    assert_eq!(kind(read), ErrorKind::Changed);
    let file = SmallFile::new(rel("d/new"), file_entry("new"), "y".into());
    assert!(store.put(cx, POLICY, file).await.is_err());
    let deleted = store
        .delete(cx, POLICY, vec![(rel("d/secret"), inside)])
        .await;
    assert!(deleted.unwrap().remove(0).is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "s");
}

#[tokio::test]
async fn a_link_in_the_place_of_a_file_is_not_followed_when_it_is_read() {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "data").unwrap();
    let expect = bench.entry("f").await;
    fs::rename(bench.root.join("f"), bench.root.join("g")).unwrap();
    symlink("g", bench.root.join("f")).unwrap();
    let options = ReadOptions::expecting(expect);
    let opened = bench.store.open_read(&bench.cx, &rel("f"), options).await;
    assert_eq!(kind(opened), ErrorKind::Changed);
}

#[tokio::test]
async fn a_fifo_in_the_place_of_a_file_makes_nobody_wait() {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "data").unwrap();
    let expect = bench.entry("f").await;
    fs::remove_file(bench.root.join("f")).unwrap();
    let directory = crate::sys::Directory::open_root(&bench.root).unwrap();
    directory
        .make_special(&name("f"), crate::sys::StatKind::Fifo, 0)
        .unwrap();
    let read = bench
        .store
        .get(&bench.cx, ReadItem::content(rel("f"), expect))
        .await;
    assert!(read.is_err());
}

#[tokio::test]
async fn holes_stay_holes_and_are_told() {
    let bench = Bench::new();
    let mut entry = file_entry("sparse");
    entry.size = 64 << 20;
    let options = WriteOptions::new(POLICY, entry.clone(), Replace::Nothing);
    let writer = bench
        .store
        .open_write(&bench.cx, &rel("sparse"), options)
        .await
        .unwrap();
    writer
        .write_at(32 << 20, vec![7; 4096].into())
        .await
        .unwrap();
    let staged = writer.finish(entry, no_attributes()).await.unwrap();
    bench
        .store
        .publish(&bench.cx, POLICY, vec![staged])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let entry = bench.entry("sparse").await;
    assert!(
        entry.allocated < 1 << 20,
        "{} bytes allocated",
        entry.allocated
    );
    let options = ReadOptions::expecting(entry);
    let reader = bench
        .store
        .open_read(&bench.cx, &rel("sparse"), options)
        .await
        .unwrap();
    let first = reader.extent(0).await.unwrap().unwrap();
    assert_eq!(first.start, 32 << 20);
    assert_eq!(reader.extent(first.end).await.unwrap(), None);
}

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    let pair = |(name, value): &(&str, &str)| {
        (
            Bytes::from(name.to_string()),
            Bytes::from(value.to_string()),
        )
    };
    Attributes::with_xattrs(pairs.iter().map(pair).collect())
}

#[tokio::test]
async fn attributes_are_carried_and_extra_ones_removed() {
    let bench = Bench::new();
    let mut file = SmallFile::new(rel("f"), file_entry("f"), "x".into());
    file.attributes = attributes(&[("user.kept", "1"), ("user.other", "")]);
    bench.store.put(&bench.cx, POLICY, file).await.unwrap();
    xattr::set(bench.root.join("f"), "user.extra", b"2").unwrap();
    let entry = bench.entry("f").await;
    let set = MetaOp::SetMetadata {
        path: rel("f"),
        expect: Some(entry.clone()),
        entry: file_entry("f"),
        attributes: Some(attributes(&[("user.kept", "new")])),
    };
    assert!(bench.apply(set.clone()).await.unwrap().changed);
    assert!(
        !bench.apply(set).await.unwrap().changed,
        "the second time nothing differs"
    );
    let mut names: Vec<_> = xattr::list(bench.root.join("f")).unwrap().collect();
    names.sort();
    assert_eq!(names, ["user.kept"]);
    let item = ReadItem::attributes(rel("f"), bench.entry("f").await);
    let read = bench.store.get(&bench.cx, item).await.unwrap();
    assert_eq!(read.attributes, attributes(&[("user.kept", "new")]));
}

#[tokio::test]
async fn a_default_access_list_of_the_directory_does_not_leak_into_new_files() {
    let bench = Bench::new();
    // u::rwx, u:1234:rwx, g::r-x, m::rwx, o::r-x as the kernel keeps it.
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [
        (1, 7, u32::MAX),
        (2, 7, 1234),
        (4, 5, u32::MAX),
        (16, 7, u32::MAX),
        (32, 5, u32::MAX),
    ] {
        acl.extend_from_slice(&(tag as u16).to_le_bytes());
        acl.extend_from_slice(&(permissions as u16).to_le_bytes());
        acl.extend_from_slice(&id.to_le_bytes());
    }
    xattr::set(&bench.root, "system.posix_acl_default", &acl).unwrap();
    bench.put("f", "x", Replace::Nothing).await.unwrap();
    let found = xattr::get(bench.root.join("f"), "system.posix_acl_access").unwrap();
    assert_eq!(found, None);
    assert_eq!(bench.entry("f").await.mode, 0o640);
}

#[tokio::test]
async fn lent_rights_go_with_the_owner_or_not_at_all() {
    let bench = Bench::new();
    let mut file = SmallFile::new(rel("f"), file_entry("f"), "x".into());
    file.entry.mode = 0o4755;
    bench
        .store
        .put(&bench.cx, POLICY, file.clone())
        .await
        .unwrap();
    assert_eq!(bench.entry("f").await.mode, 0o4755);
    let no_owner = WritePolicy::new(Durability::Batch, {
        let mut preserve = Preserve::AUTO;
        preserve.owner = false;
        preserve
    });
    file.path = rel("g");
    let published = bench.store.put(&bench.cx, no_owner, file).await.unwrap();
    assert_eq!(bench.entry("g").await.mode, 0o755);
    assert!(
        published
            .losses
            .iter()
            .any(|loss| loss.class == LossClass::Mode)
    );
}

#[tokio::test]
async fn a_link_gets_its_own_time_and_its_target_keeps_his() {
    let bench = Bench::new();
    fs::write(bench.root.join("target"), "").unwrap();
    let before = bench.entry("target").await.modified;
    let mut entry = Entry::new(name("link"), Kind::Symlink(Bytes::from_static(b"target")));
    let own = file_entry("x");
    (entry.uid, entry.gid) = (own.uid, own.gid);
    entry.modified = Time::new(1_234_567, 89);
    let make = MetaOp::MakeEntry {
        path: rel("link"),
        entry,
        attributes: no_attributes(),
        replace: Replace::Nothing,
    };
    bench.apply(make).await.unwrap();
    assert_eq!(bench.entry("link").await.modified, Time::new(1_234_567, 89));
    assert_eq!(bench.entry("target").await.modified, before);
}

#[tokio::test]
async fn a_time_that_cannot_be_kept_is_a_loss_and_no_failure() {
    let bench = Bench::new();
    let mut file = SmallFile::new(rel("f"), file_entry("f"), "x".into());
    file.entry.modified = Time::new(1 << 40, 5);
    let published = bench
        .store
        .put(&bench.cx, POLICY, file.clone())
        .await
        .unwrap();
    let kept = bench.entry("f").await.modified == file.entry.modified;
    assert_eq!(kept, published.losses.is_empty());
    let strict = WritePolicy::new(Durability::Batch, Preserve::ALL);
    file.path = rel("g");
    let strict = bench.store.put(&bench.cx, strict, file).await;
    assert_eq!(strict.is_ok(), kept);
}

#[tokio::test]
async fn files_become_names_of_one_file() {
    let bench = Bench::new();
    bench.put("a", "x", Replace::Nothing).await.unwrap();
    fs::write(bench.root.join("b"), "other").unwrap();
    let link = |path: &str, replace| MetaOp::Link {
        path: rel(path),
        leader: rel("a"),
        replace,
    };
    let b = known(bench.entry("b").await);
    bench.apply(link("b", b)).await.unwrap();
    bench.apply(link("c", Replace::Nothing)).await.unwrap();
    let inode = |path: &str| fs::metadata(bench.root.join(path)).unwrap().ino();
    assert_eq!((inode("a"), inode("a")), (inode("b"), inode("c")));
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn a_mode_that_shuts_everybody_out_is_set_all_the_same() {
    let bench = Bench::new();
    let mut file = SmallFile::new(rel("f"), file_entry("f"), "x".into());
    file.entry.mode = 0;
    bench.store.put(&bench.cx, POLICY, file).await.unwrap();
    let mode = fs::metadata(bench.root.join("f"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0);
}
