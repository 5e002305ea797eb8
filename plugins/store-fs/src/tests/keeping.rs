//! Files that outlive their writer.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
    sync::Arc,
};

use blit_contract::{
    Durability, Entry, ErrorKind, Extent, PartialName, Preserve, Replace, Store, Time,
    WriteOptions, WritePolicy, Writer,
};
use rustix::io::Errno;

use super::{Bench, POLICY, file_entry, kind, no_attributes, rel};
use crate::{
    FsOptions, keep,
    place::Tree,
    sys::planned::{Fault, Plan, follow},
};

const SIZE: u64 = 1 << 20;

fn entry() -> Entry {
    let mut entry = file_entry("f");
    entry.size = SIZE;
    entry
}

async fn writer(bench: &Bench, entry: &Entry, policy: WritePolicy) -> Box<dyn Writer> {
    let options = WriteOptions::new(policy, entry.clone(), Replace::Nothing).keeping();
    let opened = bench.store.open_write(&bench.cx, &rel("f"), options).await;
    opened.unwrap()
}

/// Leaves a partial with 64 KiB of content at 64 KiB.
async fn leave(bench: &Bench) -> PathBuf {
    let writer = writer(bench, &entry(), POLICY).await;
    let content = vec![5; 64 << 10];
    writer.write_at(64 << 10, content.into()).await.unwrap();
    drop(writer);
    let partial = bench.root.join(hidden_name());
    assert!(partial.exists());
    partial
}

fn hidden_name() -> String {
    PartialName::of(&entry()).name().to_string()
}

#[tokio::test]
async fn what_a_writer_left_is_where_the_next_one_begins() {
    let bench = Bench::new();
    let partial = leave(&bench).await;
    assert_eq!(partial.metadata().unwrap().mode() & 0o7777, 0o600);
    assert!(bench.paths().await.is_empty());
    let left = bench.store.kept_bytes(&bench.cx, &rel("f"), &entry()).await;
    assert_eq!(left.unwrap(), 64 << 10);

    let writer = writer(&bench, &entry(), POLICY).await;
    let (start, end) = (64 << 10, 128 << 10);
    let kept = writer.kept(0).await.unwrap();
    assert_eq!(kept, Some(Extent { start, end }));
    assert_eq!(writer.kept(end).await.unwrap(), None);
    writer.clear(start + 10..start + 20).await.unwrap();
    let back = writer.read_back(start..start + 30).await.unwrap();
    assert_eq!(back[..], [[5; 10], [0; 10], [5; 10]].concat());
    writer.write_at(0, "new".into()).await.unwrap();
    let staged = writer.finish(entry(), no_attributes()).await.unwrap();
    let published = bench.store.publish(&bench.cx, POLICY, vec![staged]).await;
    assert!(published.unwrap().remove(0).is_ok());
    let found = bench.entry("f").await;
    assert_eq!((found.mode, found.size), (0o640, SIZE));
    assert_eq!(found.modified, entry().modified);
    assert_eq!(fs::read(bench.root.join("f")).unwrap()[..3], *b"new");
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn a_partial_that_was_finished_but_not_published_is_taken_up_too() {
    let bench = Bench::new();
    let first = writer(&bench, &entry(), POLICY).await;
    first.write_at(0, "whole".into()).await.unwrap();
    drop(first.finish(entry(), no_attributes()).await.unwrap());
    assert_eq!(bench.hidden(), 1);
    let second = writer(&bench, &entry(), POLICY).await;
    assert_eq!(second.read_back(0..5).await.unwrap(), "whole");
    let partial = bench.root.join(hidden_name());
    assert_eq!(partial.metadata().unwrap().mode() & 0o7777, 0o600);
}

#[tokio::test]
async fn another_version_begins_anew() {
    let bench = Bench::new();
    leave(&bench).await;
    let mut other = entry();
    other.modified = Time::new(1, 0);
    let writer = writer(&bench, &other, POLICY).await;
    assert_eq!(writer.kept(0).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_discarded_or_empty_or_cannot_be_published_is_not_kept() {
    let bench = Bench::new();
    drop(writer(&bench, &entry(), POLICY).await);
    assert_eq!(bench.hidden(), 0);
    leave(&bench).await;
    writer(&bench, &entry(), POLICY).await.discard().await;
    assert_eq!(bench.hidden(), 0);

    let writer = writer(&bench, &entry(), POLICY).await;
    writer.write_at(0, "content".into()).await.unwrap();
    let staged = writer.finish(entry(), no_attributes()).await.unwrap();
    fs::write(bench.root.join("f"), "in the way").unwrap();
    let published = bench.store.publish(&bench.cx, POLICY, vec![staged]).await;
    assert_eq!(kind(published.unwrap().remove(0)), ErrorKind::Conflict);
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn while_its_owner_lives_nobody_else_gets_it() {
    let bench = Bench::new();
    leave(&bench).await;
    let first = writer(&bench, &entry(), POLICY).await;
    let second = writer(&bench, &entry(), POLICY).await;
    assert_eq!(second.kept(0).await.unwrap(), None);
    second.write_at(64 << 10, "other".into()).await.unwrap();
    let theirs = first.read_back(64 << 10..(64 << 10) + 5).await.unwrap();
    assert_eq!(theirs[..], [5; 5]);
}

#[tokio::test]
async fn without_modes_it_ends_with_the_mode_of_a_new_file() {
    let bench = Bench::new();
    let policy = WritePolicy::new(Durability::Batch, Preserve::NONE);
    let writer = writer(&bench, &entry(), policy).await;
    writer.write_at(0, "content".into()).await.unwrap();
    let staged = writer.finish(entry(), no_attributes()).await.unwrap();
    let published = bench.store.publish(&bench.cx, policy, vec![staged]).await;
    assert!(published.unwrap().remove(0).is_ok());
    assert_eq!(bench.entry("f").await.mode, 0o640 & !crate::sys::umask());
}

#[tokio::test]
async fn what_is_not_certainly_ours_alone_is_never_written_to() {
    let plants: [fn(&PathBuf, &PathBuf); 6] = [
        |partial, victim| symlink(victim, partial).unwrap(),
        |partial, victim| fs::hard_link(victim, partial).unwrap(),
        |partial, _| fs::create_dir(partial).unwrap(),
        |partial, _| {
            let fifo = rustix::fs::FileType::Fifo;
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, partial, fifo, mode, 0).unwrap();
        },
        |partial, victim| {
            fs::copy(victim, partial).unwrap();
            fs::set_permissions(partial, fs::Permissions::from_mode(0o666)).unwrap();
        },
        |partial, victim| {
            fs::copy(victim, partial).unwrap();
            // Another owner, where this user may give it one; otherwise a mode that is not ours.
            if std::os::unix::fs::chown(partial, Some(12_345), None).is_err() {
                fs::set_permissions(partial, fs::Permissions::from_mode(0o604)).unwrap();
            }
        },
    ];
    for plant in plants {
        let bench = Bench::new();
        let (partial, victim) = (bench.root.join(hidden_name()), bench.beside("victim"));
        fs::write(&victim, "stays").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
        plant(&partial, &victim);
        let before = fs::symlink_metadata(&partial).unwrap();
        let writer = writer(&bench, &entry(), POLICY).await;
        assert_eq!(writer.kept(0).await.unwrap(), None);
        writer.write_at(0, "content".into()).await.unwrap();
        let staged = writer.finish(entry(), no_attributes()).await.unwrap();
        let published = bench.store.publish(&bench.cx, POLICY, vec![staged]).await;
        assert!(published.unwrap().remove(0).is_ok());
        assert_eq!(fs::read(&victim).unwrap(), b"stays");
        let after = fs::symlink_metadata(&partial).unwrap();
        assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
        assert_eq!(fs::read(bench.root.join("f")).unwrap()[..7], *b"content");
    }
}

#[tokio::test]
async fn a_directory_goes_with_what_was_kept_in_it_but_not_with_what_is_at_work() {
    let bench = Bench::new();
    fs::create_dir(bench.root.join("d")).unwrap();
    let path = rel("d/f");
    let open = || {
        let options = WriteOptions::new(POLICY, entry(), Replace::Nothing).keeping();
        bench.store.open_write(&bench.cx, &path, options)
    };
    let writer = open().await.unwrap();
    writer.write_at(0, "content".into()).await.unwrap();
    let delete = || async {
        let items = vec![(rel("d"), bench.entry("d").await)];
        let deleted = bench.store.delete(&bench.cx, POLICY, items).await;
        deleted.unwrap().remove(0)
    };
    assert_eq!(kind(delete().await), ErrorKind::Conflict);
    drop(writer);
    assert!(fs::read_dir(bench.root.join("d")).unwrap().count() == 1);
    delete().await.unwrap();
    assert!(!bench.root.join("d").exists());
}

/// Opens the kept file with a fault planned on this thread.
fn opened_with(bench: &Bench, site: &str, errno: Errno) -> Option<crate::stage::Unborn> {
    let tree = Tree::open(&bench.root, FsOptions::target()).unwrap();
    let place = tree.place(&rel("f")).unwrap();
    let plan = Arc::new(Plan::failing(site, 1, Fault::Error(errno)));
    follow(&plan);
    let opened = keep::open(&tree, &rel("f"), &entry(), POLICY.preserve, &place);
    assert!(plan.is_met(), "{site}");
    follow(&Arc::new(Plan::counting()));
    opened.unwrap()
}

#[tokio::test]
async fn a_partial_that_cannot_be_opened_or_locked_is_left_alone() {
    let bench = Bench::new();
    let partial = leave(&bench).await;
    for errno in [Errno::ACCESS, Errno::IO, Errno::NFILE] {
        assert!(opened_with(&bench, "open_partial", errno).is_none());
    }
    for errno in [Errno::NOLCK, Errno::OPNOTSUPP] {
        assert!(opened_with(&bench, "lock_partial", errno).is_none());
    }
    // Its owner is just about to go.
    assert!(opened_with(&bench, "lock_partial", Errno::WOULDBLOCK).is_some());
    assert!(partial.exists());
}

#[tokio::test]
async fn where_no_hole_can_be_made_zeros_are_written() {
    let bench = Bench::new();
    leave(&bench).await;
    let unborn = opened_with(&bench, "lock_partial", Errno::WOULDBLOCK).unwrap();
    let range = 64 << 10..(64 << 10) + 100;
    for (errno, is_done) in [(Errno::OPNOTSUPP, true), (Errno::IO, false)] {
        unborn.file.write_at(&[9; 100], range.start).unwrap();
        follow(&Arc::new(Plan::failing(
            "punch_hole",
            1,
            Fault::Error(errno),
        )));
        assert_eq!(unborn.file.clear(range.clone()).is_ok(), is_done);
        follow(&Arc::new(Plan::counting()));
        let mut back = [1; 100];
        unborn.file.read_at(&mut back, range.start).unwrap();
        assert_eq!(back == [0; 100], is_done);
    }
}
