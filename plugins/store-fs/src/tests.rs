//! What the store promises, on a real file system. With the feature `portable-sys` the same tests run
//! over the portable twin, but for those about what it says it cannot do.

#[cfg(not(feature = "portable-sys"))]
mod deleting;
#[cfg(not(feature = "portable-sys"))]
mod faults;
#[cfg(not(feature = "portable-sys"))]
mod keeping;
#[cfg(not(feature = "portable-sys"))]
mod linux;
mod listing;
#[cfg(not(feature = "portable-sys"))]
mod partials;
#[cfg(not(feature = "portable-sys"))]
mod promises;
mod reading;
#[cfg(not(feature = "portable-sys"))]
mod unprivileged;
mod writing;

use std::{fs, path::PathBuf, sync::Arc};

use blit_contract::{
    Attributes, Cx, Durability, Entry, EntryBatch, ErrorKind, Kind, ListOptions, MetaOp, Name,
    Preserve, RelPath, Replace, Result, SmallFile, Store, StoreExt, Time, WritePolicy,
};
use futures_util::StreamExt;

use crate::{FsOptions, FsStore, config::Knobs};

pub(super) const POLICY: WritePolicy = WritePolicy::new(Durability::Batch, Preserve::AUTO);

/// A directory that goes when the test ends, and a store opened on it.
pub(super) struct Bench {
    pub(super) root: PathBuf,
    pub(super) store: FsStore,
    pub(super) cx: Cx,
    directory: Arc<tempfile::TempDir>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(FsOptions::target())
    }

    pub(super) fn with_knobs(knobs: Knobs) -> Self {
        Self::with(FsOptions {
            knobs,
            ..FsOptions::target()
        })
    }

    pub(super) fn with(options: FsOptions) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        Self::at(root, options, directory)
    }

    fn at(root: PathBuf, options: FsOptions, directory: Arc<tempfile::TempDir>) -> Self {
        Self {
            store: FsStore::open(&root, options).unwrap(),
            root,
            cx: Cx::default(),
            directory,
        }
    }

    /// A place beside the root.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) async fn list(&self) -> Vec<EntryBatch> {
        let (root, options) = (RelPath::ROOT, ListOptions::recursive());
        let batches = self.store.list(&self.cx, &root, options);
        batches.map(Result::unwrap).collect().await
    }

    /// Every path of the tree, in order.
    pub(super) async fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for batch in self.list().await {
            assert!(batch.problems.is_empty(), "{:?}", batch.problems);
            let entries = batch.entries.iter();
            paths.extend(entries.map(|entry| batch.directory.join(entry.name.clone()).to_string()));
        }
        paths.sort();
        paths
    }

    pub(super) async fn entry(&self, path: &str) -> Entry {
        let found = self.store.stat(&self.cx, &rel(path)).await.unwrap();
        found.unwrap_or_else(|| panic!("{path} is not there"))
    }

    /// Writes a small file, as a copy of `like`.
    pub(super) async fn put(
        &self,
        path: &str,
        content: &str,
        replace: Replace,
    ) -> Result<blit_contract::Published> {
        let mut file = SmallFile::new(rel(path), file_entry(path), content.to_owned().into());
        file.replace = replace;
        self.store.put(&self.cx, POLICY, file).await
    }

    pub(super) async fn apply(&self, op: MetaOp) -> Result<blit_contract::Applied> {
        let applied = self.store.apply(&self.cx, POLICY, vec![op]).await;
        applied.unwrap().remove(0)
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    /// What is in the root that no list shows.
    pub(super) fn hidden(&self) -> usize {
        let names = fs::read_dir(&self.root).unwrap();
        let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(".blit~");
        names
            .filter(|entry| is_hidden(&entry.as_ref().unwrap().file_name()))
            .count()
    }
}

pub(super) fn rel(path: &str) -> RelPath {
    path.split('/').map(name).collect()
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

/// A file of this user, of mode 0640, modified at a time with nanoseconds.
pub(super) fn file_entry(path: &str) -> Entry {
    let last = path.rsplit('/').next().unwrap();
    let mut entry = Entry::new(name(last), Kind::File);
    entry.mode = 0o640;
    entry.modified = Time::new(1_600_000_000, 123_456_789);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let own = fs::metadata(std::env::temp_dir()).map(|it| (it.uid(), it.gid()));
        (entry.uid, entry.gid) = own.unwrap();
    }
    entry
}

pub(super) fn kind<T: std::fmt::Debug>(answer: Result<T>) -> ErrorKind {
    answer.unwrap_err().kind()
}

pub(super) fn known(entry: Entry) -> Replace {
    Replace::Entry(Box::new(entry))
}

pub(super) fn no_attributes() -> Attributes {
    Attributes::default()
}
