//! The store: its answers to the contract.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use blit_contract::{
    Applied, Cx, Demands, Descriptor, Entry, EntryBatch, Error, ErrorKind, Identity, ListOptions,
    MetaOp, Name, PartialName, Published, ReadItem, ReadOptions, Reader, RelPath, Result,
    SmallFile, Staged, Store, StoreCap, StoreCaps, Support, SyncScope, Usage, WriteOptions,
    WritePolicy, Writer,
};
use bytes::Bytes;
use futures_core::stream::BoxStream;
use parking_lot::{Mutex, MutexGuard};

use crate::{
    Call, Faults, Operation,
    content::Content,
    faults::Strike,
    list::Listing,
    space::Space,
    tree::{self, Body, File, Node, Tree},
};

pub(crate) static DESCRIPTOR: Descriptor =
    Descriptor::new("store-mem", env!("CARGO_PKG_VERSION"), &["mem"]);

const CAPS: StoreCaps = StoreCaps::new().with_native(&[
    StoreCap::Acls,
    StoreCap::AtomicCommit,
    StoreCap::CaseSensitive,
    StoreCap::Delete,
    StoreCap::Directories,
    StoreCap::HardLinks,
    StoreCap::Mode,
    StoreCap::ModifiedTimes,
    StoreCap::Owners,
    StoreCap::RangeRead,
    StoreCap::RangeWrite,
    StoreCap::Sparse,
    StoreCap::Specials,
    StoreCap::Symlinks,
    StoreCap::Xattrs,
]);

/// Each tree is a device of its own, far from the numbers that kernels give.
static NEXT_DEVICE: AtomicU64 = AtomicU64::new(1 << 40);

/// A tree in memory, or a view of a part of one. A clone shows the same tree.
#[derive(Debug, Clone)]
pub struct MemStore {
    shared: Arc<Shared>,
    root: RelPath,
    writable: bool,
}

/// Unfinished files by place and hidden name.
type Kept = HashMap<(RelPath, Name), File>;

/// What all views of one tree share.
#[derive(Debug)]
struct Shared {
    tree: Mutex<Tree>,
    space: Arc<Space>,
    faults: Mutex<Faults>,
    /// What writers left, by place and hidden name.
    kept: Mutex<Kept>,
    /// The record, once somebody wants one.
    calls: Mutex<Option<Vec<Call>>>,
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemStore {
    /// An empty tree that can be written, has no limits and no faults.
    #[must_use]
    pub fn new() -> Self {
        let device = NEXT_DEVICE.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::new(Shared {
                tree: Mutex::new(Tree::new(device)),
                space: Arc::default(),
                faults: Mutex::default(),
                kept: Mutex::default(),
                calls: Mutex::default(),
            }),
            root: RelPath::ROOT,
            writable: true,
        }
    }

    /// The same tree, where `faults` are what goes wrong from now on.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        *self.shared.faults.lock() = faults;
        self
    }

    /// The same tree, with room for that many bytes of content; also less than is used.
    #[must_use]
    pub fn with_capacity(self, bytes: u64) -> Self {
        self.shared.space.set_capacity(bytes);
        self
    }

    /// The same tree, which cannot tell names apart that differ in case only.
    #[must_use]
    pub fn with_folded_case(self) -> Self {
        self.tree().folds_case = true;
        self
    }

    /// The same tree, which writes down every call from now on.
    #[must_use]
    pub fn with_record(self) -> Self {
        *self.shared.calls.lock() = Some(Vec::new());
        self
    }

    /// A view that can be written, or not.
    #[must_use]
    pub fn with_writable(mut self, writable: bool) -> Self {
        self.writable = writable;
        self
    }

    /// A view of what lies at `path`, which the first write makes if it is missing.
    #[must_use]
    pub fn at(&self, path: &RelPath) -> Self {
        let mut view = self.clone();
        for name in path.components() {
            view.root = view.root.join(name.clone());
        }
        view
    }

    /// The calls that were recorded, in the order in which they began.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().clone().unwrap_or_default()
    }

    pub(crate) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.shared.tree.lock()
    }

    /// What writers left, by place and hidden name.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock()
    }

    /// Where an unfinished file for `entry` is kept.
    pub(crate) fn hidden(&self, path: &RelPath, entry: &Entry) -> (RelPath, Name) {
        let place = self.names(path).into_iter().cloned().collect();
        (place, PartialName::of(entry).name().clone())
    }

    /// The content of all unfinished files that are kept.
    #[must_use]
    pub fn kept_content(&self) -> Vec<Bytes> {
        let kept = self.kept();
        kept.values().map(|file| file.content.read_all()).collect()
    }

    /// Changes the content of all unfinished files that are kept, as somebody else would.
    pub fn tamper(&self, change: impl Fn(&mut Vec<u8>)) {
        for file in self.kept().values_mut() {
            let mut bytes = file.content.read_all().to_vec();
            change(&mut bytes);
            file.content = Content::new(bytes.into());
        }
    }

    pub(crate) fn space(&self) -> &Arc<Space> {
        &self.shared.space
    }

    /// Begins an operation on an entry: it is recorded, and what shall go wrong does.
    pub(crate) async fn begin(&self, operation: Operation, path: &RelPath) -> Result<Strike> {
        if let Some(calls) = self.shared.calls.lock().as_mut() {
            let path = path.clone();
            calls.push(Call { operation, path });
        }
        let strike = self.shared.faults.lock().strike(operation, path);
        if !strike.delay.is_zero() {
            tokio::time::sleep(strike.delay).await;
        }
        strike.into_result(operation, path)
    }

    /// The object at `path`, and how its name is really written.
    pub(crate) fn find(&self, tree: &Tree, path: &RelPath) -> Option<(Name, u64)> {
        let Some(name) = path.name().or(self.root.name()) else {
            return placeholder().map(|name| (name, tree::ROOT));
        };
        let mut names = self.names(path);
        names.pop();
        let directory = tree.resolve(&names)?;
        tree.child(directory, name)
            .map(|(name, inode)| (name.clone(), inode))
    }

    /// The entry at `path`, and its object.
    pub(crate) fn look(&self, tree: &Tree, path: &RelPath) -> Option<(Entry, u64)> {
        let (name, inode) = self.find(tree, path)?;
        tree.entry(&name, inode).map(|entry| (entry, inode))
    }

    /// The directory that holds, or could hold, the entry at `path`, and the name in it.
    pub(crate) fn place<'a>(
        &self,
        tree: &mut Tree,
        path: &'a RelPath,
        op: &'static str,
    ) -> Result<(u64, &'a Name)> {
        let Some(name) = path.name() else {
            return Err(Error::new(ErrorKind::Invalid, op).because("the root has no name"));
        };
        self.make_root(tree);
        let mut names = self.names(path);
        names.pop();
        let directory = tree.resolve(&names).ok_or_else(|| {
            let error = Error::new(ErrorKind::NotFound, op).at(path);
            error.because("there is no such directory")
        })?;
        if !tree.is_directory(directory) {
            return Err(Error::new(ErrorKind::Changed, op)
                .at(path)
                .because("a directory on the way was replaced"));
        }
        Ok((directory, name))
    }

    /// Answers whether a write of that policy may begin.
    pub(crate) fn check_writable(&self, policy: WritePolicy, op: &'static str) -> Result<()> {
        if !self.writable {
            return Err(Error::new(ErrorKind::ReadOnly, op));
        }
        if policy.backup {
            return Err(Error::new(ErrorKind::Unsupported, op)
                .because("a store in memory keeps no backup tree"));
        }
        Ok(())
    }

    fn names<'a>(&'a self, path: &'a RelPath) -> Vec<&'a Name> {
        let mut names = self.root.components();
        names.extend(path.components());
        names
    }

    /// Makes the directories down to the root of this view.
    pub(crate) fn make_root(&self, tree: &mut Tree) {
        let mut directory = tree::ROOT;
        for name in self.root.components() {
            directory = match tree.child(directory, name) {
                Some((_, inode)) => inode,
                None => {
                    let inode = tree.add(Node::new(Body::Directory(Default::default())));
                    tree.link(directory, name.clone(), inode);
                    tree.touch(inode);
                    inode
                }
            };
        }
    }
}

/// The name of a root that has none.
fn placeholder() -> Option<Name> {
    Name::new(*b"mem").ok()
}

#[async_trait]
impl Store for MemStore {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn caps(&self) -> StoreCaps {
        if self.tree().folds_case {
            return CAPS.with(StoreCap::CaseSensitive, Support::None);
        }
        CAPS
    }

    fn demands(&self) -> Demands {
        Demands::default()
    }

    fn list<'a>(
        &'a self,
        cx: &'a Cx,
        at: &'a RelPath,
        options: ListOptions,
    ) -> BoxStream<'a, Result<EntryBatch>> {
        Listing::new(self, cx, at, options).into_stream()
    }

    async fn stat(&self, cx: &Cx, path: &RelPath) -> Result<Option<Entry>> {
        cx.check()?;
        self.begin(Operation::Stat, path).await?;
        Ok(self.look(&self.tree(), path).map(|(entry, _)| entry))
    }

    async fn read_batch(&self, cx: &Cx, items: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>> {
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            cx.check()?;
            answers.push(self.read_small(item).await);
        }
        Ok(answers)
    }

    async fn open_read(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: ReadOptions,
    ) -> Result<Box<dyn Reader>> {
        cx.check()?;
        Ok(Box::new(self.reader(path, options).await?))
    }

    async fn open_write(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: WriteOptions,
    ) -> Result<Box<dyn Writer>> {
        cx.check()?;
        Ok(Box::new(self.writer(path, options).await?))
    }

    async fn write_batch(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        files: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>> {
        self.check_writable(policy, "stage")?;
        let mut answers = Vec::with_capacity(files.len());
        for file in files {
            cx.check()?;
            answers.push(self.stage(policy, file).await);
        }
        Ok(answers)
    }

    async fn publish(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        staged: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>> {
        cx.check()?;
        self.check_writable(policy, "publish")?;
        self.barrier(policy).await?;
        let mut answers = Vec::with_capacity(staged.len());
        for file in staged {
            cx.check()?;
            answers.push(self.publish_one(policy, file).await);
        }
        Ok(answers)
    }

    async fn apply(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        ops: Vec<MetaOp>,
    ) -> Result<Vec<Result<Applied>>> {
        self.check_writable(policy, "apply")?;
        let mut answers = Vec::with_capacity(ops.len());
        for op in ops {
            cx.check()?;
            answers.push(self.apply_one(policy, op).await);
        }
        Ok(answers)
    }

    async fn delete(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        items: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>> {
        self.check_writable(policy, "delete")?;
        let mut answers = Vec::with_capacity(items.len());
        for (path, scanned) in items {
            cx.check()?;
            answers.push(self.delete_one(&path, &scanned).await);
        }
        Ok(answers)
    }

    async fn sync(&self, cx: &Cx, scope: SyncScope) -> Result<()> {
        cx.check()?;
        match scope {
            SyncScope::Tree => self.begin(Operation::Sync, &RelPath::ROOT).await.map(drop),
            _ => Err(Error::new(ErrorKind::Unsupported, "sync")),
        }
    }

    async fn ancestry(&self, cx: &Cx, path: &RelPath) -> Result<Vec<Identity>> {
        cx.check()?;
        let tree = self.tree();
        let mut names = self.names(path);
        let mut chain = Vec::new();
        loop {
            let found = tree.resolve(&names);
            chain.extend(found.map(|inode| tree.chain(inode)).unwrap_or_default());
            // A directory knows its way up; of anything else the names must say it.
            let is_whole = found.is_some_and(|inode| tree.is_directory(inode));
            if is_whole || names.pop().is_none() {
                return Ok(chain);
            }
        }
    }

    async fn usage(&self, cx: &Cx) -> Result<Usage> {
        cx.check()?;
        Ok(Usage::new(self.shared.space.bytes(), (0, u64::MAX)))
    }

    async fn kept_bytes(&self, _cx: &Cx, path: &RelPath, entry: &Entry) -> Result<u64> {
        let kept = self.kept();
        let file = kept.get(&self.hidden(path, entry));
        Ok(file.map_or(0, |file| file.content.allocated()))
    }
}
