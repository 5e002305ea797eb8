//! What the reference store promises; the contract's words, one test each.

mod change;
mod faults;
mod list;
mod synthetic;
mod transfer;

use blit_contract::{
    Cx, Durability, Entry, EntryBatch, Kind, ListOptions, Name, Preserve, RelPath, Result,
    SmallFile, Store, WritePolicy,
};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::MemStore;

const POLICY: WritePolicy = WritePolicy::new(Durability::Batch, Preserve::ALL);

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn path(text: &str) -> RelPath {
    text.split('/').map(name).collect()
}

/// A small file with metadata of its own, to be written at `at`.
fn small(at: &str, content: &'static str) -> SmallFile {
    let at = path(at);
    let mut entry = Entry::new(at.name().unwrap().clone(), Kind::File);
    entry.size = content.len() as u64;
    entry.mode = 0o640;
    (entry.uid, entry.gid) = (7, 8);
    entry.modified = blit_contract::Time::new(-5, 123_456_789);
    SmallFile::new(at, entry, Bytes::from_static(content.as_bytes()))
}

async fn stat(store: &impl Store, at: &str) -> Option<Entry> {
    store.stat(&Cx::default(), &path(at)).await.unwrap()
}

async fn list(store: &impl Store, options: ListOptions) -> Vec<Result<EntryBatch>> {
    let cx = Cx::default();
    store.list(&cx, &RelPath::ROOT, options).collect().await
}

/// A tree of one file, two directories and a symlink.
fn little_tree() -> MemStore {
    let store = MemStore::new();
    store.add_file("b/two", "22").unwrap();
    store.add_directory("a").unwrap();
    store.add_symlink("c", "b/two").unwrap();
    store
}
