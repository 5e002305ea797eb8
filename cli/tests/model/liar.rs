//! A store that lies: it does not do what it answers that it has done.

use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use blit_contract::{
    Applied, Attributes, Cx, Demands, Descriptor, Durability, Entry, EntryBatch, Error, ErrorKind,
    Identity, Kind, ListOptions, MetaOp, Published, ReadItem, ReadOptions, Reader, RelPath, Result,
    SmallFile, Staged, Store, StoreCaps, SyncScope, Usage, WriteOptions, WritePolicy, Writer,
};
use futures_core::stream::BoxStream;

use crate::disk;

/// What it lies about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Extended attributes are not written.
    Attributes,
    /// Directories keep the metadata of their making.
    Directories,
    /// A symlink becomes what it points to.
    FollowsLinks,
    /// Another name for a file becomes a file.
    HardLinks,
    /// All permission bits but the owner's are lost.
    Modes,
    /// Everything belongs to whoever runs it.
    Owners,
    /// Nothing waits for the disk.
    Sync,
    /// Times are cut to microseconds.
    Times,
    /// One bit of what is verified is wrong, and it is published without being verified.
    Verify,
}

/// The store around which it lies.
#[derive(Debug)]
pub(crate) struct Liar {
    inner: Arc<dyn Store>,
    root: PathBuf,
    lie: Lie,
}

impl Liar {
    pub(crate) fn new(inner: Arc<dyn Store>, root: &DiskPath, lie: Lie) -> Self {
        Self {
            inner,
            root: root.to_owned(),
            lie,
        }
    }

    fn entry(&self, mut entry: Entry) -> Entry {
        match self.lie {
            Lie::Modes => entry.mode &= 0o700,
            Lie::Owners => (entry.uid, entry.gid) = (0, 0),
            Lie::Times => entry.modified.nanos = entry.modified.nanos / 1_000 * 1_000,
            _ => {}
        }
        entry
    }

    fn attributes(&self, attributes: Attributes) -> Attributes {
        match self.lie {
            Lie::Attributes => Attributes::default(),
            _ => attributes,
        }
    }

    fn policy(&self, policy: WritePolicy) -> WritePolicy {
        match self.lie {
            Lie::Sync => WritePolicy::new(Durability::None, policy.preserve)
                .with_backup(policy.backup)
                .with_verify(policy.verify),
            Lie::Verify => policy.with_verify(false),
            _ => policy,
        }
    }

    fn operation(&self, op: MetaOp) -> MetaOp {
        match op {
            MetaOp::MakeEntry {
                path,
                entry,
                attributes,
                replace,
            } => MetaOp::MakeEntry {
                path,
                entry: self.entry(entry),
                attributes,
                replace,
            },
            MetaOp::SetMetadata {
                path,
                expect,
                entry,
                attributes,
            } => MetaOp::SetMetadata {
                path,
                expect,
                entry: self.entry(entry),
                attributes: attributes.map(|it| self.attributes(it)),
            },
            other => other,
        }
    }

    /// Whether it says that an operation is done, and leaves it at that.
    fn only_says(&self, op: &MetaOp) -> bool {
        let MetaOp::SetMetadata { entry, .. } = op else {
            return false;
        };
        self.lie == Lie::Directories && entry.is_directory()
    }

    /// What the new symlinks point to takes their place.
    fn follow(&self, ops: &[MetaOp]) {
        for op in ops {
            let MetaOp::MakeEntry { path, entry, .. } = op else {
                continue;
            };
            let names: Vec<Vec<u8>> = path
                .components()
                .into_iter()
                .map(|name| name.as_bytes().to_vec())
                .collect();
            let place = disk::at(&self.root, &names);
            if matches!(entry.kind, Kind::Symlink(_)) && place.is_symlink() {
                std::fs::remove_file(&place).unwrap();
                std::fs::create_dir(&place).unwrap();
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Store for Liar {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    fn caps(&self) -> StoreCaps {
        self.inner.caps()
    }

    fn demands(&self) -> Demands {
        self.inner.demands()
    }

    fn anew(&self) -> Option<Arc<dyn Store>> {
        None
    }

    async fn keeping(&self, cx: &Cx, changed: &RelPath, kept: &RelPath) -> Result<Arc<dyn Store>> {
        self.inner.keeping(cx, changed, kept).await
    }

    async fn kept_bytes(&self, cx: &Cx, path: &RelPath, entry: &Entry) -> Result<u64> {
        self.inner.kept_bytes(cx, path, entry).await
    }

    fn list<'a>(
        &'a self,
        cx: &'a Cx,
        at: &'a RelPath,
        options: ListOptions,
    ) -> BoxStream<'a, Result<EntryBatch>> {
        self.inner.list(cx, at, options)
    }

    async fn stat(&self, cx: &Cx, path: &RelPath) -> Result<Option<Entry>> {
        self.inner.stat(cx, path).await
    }

    async fn read_batch(&self, cx: &Cx, items: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>> {
        self.inner.read_batch(cx, items).await
    }

    async fn open_read(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: ReadOptions,
    ) -> Result<Box<dyn Reader>> {
        self.inner.open_read(cx, path, options).await
    }

    async fn open_write(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: WriteOptions,
    ) -> Result<Box<dyn Writer>> {
        self.inner.open_write(cx, path, options).await
    }

    async fn write_batch(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        mut files: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>> {
        for file in &mut files {
            file.entry = self.entry(file.entry.clone());
            file.attributes = self.attributes(file.attributes.clone());
            if self.lie == Lie::Verify && policy.verify && !file.content.is_empty() {
                let mut bytes = file.content.to_vec();
                bytes[0] ^= 1;
                file.content = bytes.into();
            }
        }
        self.inner.write_batch(cx, policy, files).await
    }

    async fn publish(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        staged: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>> {
        self.inner.publish(cx, self.policy(policy), staged).await
    }

    async fn apply(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        ops: Vec<MetaOp>,
    ) -> Result<Vec<Result<Applied>>> {
        let is_link = |op: &MetaOp| matches!(op, MetaOp::Link { .. });
        if self.lie == Lie::HardLinks && ops.iter().all(is_link) {
            let refusal = || Error::new(ErrorKind::Unsupported, "link");
            return Ok(ops.iter().map(|_| Err(refusal())).collect());
        }
        if !ops.is_empty() && ops.iter().all(|op| self.only_says(op)) {
            return Ok(ops.iter().map(|_| Ok(Applied::default())).collect());
        }
        let ops: Vec<MetaOp> = ops.into_iter().map(|op| self.operation(op)).collect();
        let links = match self.lie {
            Lie::FollowsLinks => ops.clone(),
            _ => Vec::new(),
        };
        let applied = self.inner.apply(cx, policy, ops).await;
        self.follow(&links);
        applied
    }

    async fn delete(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        items: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>> {
        self.inner.delete(cx, policy, items).await
    }

    async fn sync(&self, cx: &Cx, scope: SyncScope) -> Result<()> {
        match self.lie {
            Lie::Sync => Ok(()),
            _ => self.inner.sync(cx, scope).await,
        }
    }

    async fn ancestry(&self, cx: &Cx, path: &RelPath) -> Result<Vec<Identity>> {
        self.inner.ancestry(cx, path).await
    }

    async fn usage(&self, cx: &Cx) -> Result<Usage> {
        self.inner.usage(cx).await
    }
}
