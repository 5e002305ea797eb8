//! The store itself: every call goes to a blocking thread, once a batch.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use blit_contract::{
    Applied, Cx, Demands, Descriptor, Entry, EntryBatch, Error, ErrorKind, Identity, ListOptions,
    MetaOp, Published, ReadItem, ReadOptions, Reader, RelPath, Result, SmallFile, Staged, Store,
    StoreCaps, SyncScope, Usage, WriteOptions, WritePolicy, Writer,
};
use futures_core::stream::BoxStream;
use futures_util::stream;

use crate::{
    FsOptions, ancestry, change, delete,
    error::failed,
    keep, list,
    place::Tree,
    publish, read, reader, stage,
    sys::{self, Directory},
    writer,
};

/// Says who this store is.
pub const DESCRIPTOR: Descriptor =
    Descriptor::new("store-fs", env!("CARGO_PKG_VERSION"), &["file"]);

/// The share of the open files' limit that staged files may take.
const STAGED_SHARE: usize = 2;

/// A tree on a local disk.
#[derive(Debug, Clone)]
pub struct FsStore {
    tree: Arc<Tree>,
}

impl FsStore {
    /// Opens the tree at `root`. A symlink there is followed, once: the user named it.
    ///
    /// # Errors
    /// `NotFound` if it does not exist and is not to be made, `Conflict` if it is no directory,
    /// `Denied`, `Io`.
    pub fn open(root: &Path, options: FsOptions) -> Result<Self> {
        Ok(Self {
            tree: Arc::new(Tree::open(root, options)?),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let tree = Arc::clone(&self.tree);
        blocking(move || work(&tree)).await
    }
}

/// Runs `work` on a thread that may wait for the disk.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(ErrorKind::Bug, "run").with_source(cause))?
}

#[async_trait]
impl Store for FsStore {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn caps(&self) -> StoreCaps {
        Directory::caps()
    }

    fn demands(&self) -> Demands {
        let mut demands = Demands::default();
        let staged = sys::open_files_limit() / STAGED_SHARE;
        demands.staged_files_max = u32::try_from(staged).unwrap_or(u32::MAX);
        demands
    }

    fn list<'a>(
        &'a self,
        cx: &'a Cx,
        at: &'a RelPath,
        options: ListOptions,
    ) -> BoxStream<'a, Result<EntryBatch>> {
        let batches = list::list(&self.tree, cx, at, options);
        Box::pin(stream::unfold(batches, |mut batches| async move {
            batches.recv().await.map(|batch| (batch, batches))
        }))
    }

    async fn stat(&self, _cx: &Cx, path: &RelPath) -> Result<Option<Entry>> {
        let path = path.clone();
        self.run(move |tree| list::stat(tree, &path)).await
    }

    async fn read_batch(&self, cx: &Cx, items: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>> {
        let cx = cx.clone();
        self.run(move |tree| read::batch(tree, &cx, items)).await
    }

    async fn open_read(
        &self,
        _cx: &Cx,
        path: &RelPath,
        options: ReadOptions,
    ) -> Result<Box<dyn Reader>> {
        let path = path.clone();
        let reader = self.run(move |tree| reader::open(tree, &path, options));
        Ok(Box::new(reader.await?))
    }

    async fn open_write(
        &self,
        _cx: &Cx,
        path: &RelPath,
        options: WriteOptions,
    ) -> Result<Box<dyn Writer>> {
        let path = path.clone();
        let writer = self.run(move |tree| writer::open(tree, &path, options));
        Ok(Box::new(writer.await?))
    }

    async fn write_batch(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        files: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>> {
        let cx = cx.clone();
        self.run(move |tree| stage::batch(tree, &cx, policy, files))
            .await
    }

    async fn publish(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        staged: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>> {
        let cx = cx.clone();
        self.run(move |tree| publish::batch(tree, &cx, policy, staged))
            .await
    }

    async fn apply(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        ops: Vec<MetaOp>,
    ) -> Result<Vec<Result<Applied>>> {
        let cx = cx.clone();
        self.run(move |tree| change::batch(tree, &cx, policy, ops))
            .await
    }

    async fn delete(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        items: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>> {
        let cx = cx.clone();
        self.run(move |tree| delete::batch(tree, &cx, policy, items))
            .await
    }

    async fn sync(&self, _cx: &Cx, scope: SyncScope) -> Result<()> {
        let SyncScope::Tree = scope else {
            return Err(Error::new(ErrorKind::Unsupported, "sync"));
        };
        self.run(|tree| {
            tree.lent.restore();
            tree.touched.sync().map_err(failed("sync"))
        })
        .await
    }

    async fn ancestry(&self, _cx: &Cx, path: &RelPath) -> Result<Vec<Identity>> {
        let path = path.clone();
        self.run(move |tree| ancestry::of(tree, &path)).await
    }

    async fn usage(&self, _cx: &Cx) -> Result<Usage> {
        self.run(|tree| {
            let usage = match tree.handles() {
                Some(handles) => handles.root().usage(),
                None => tree.nearest_existing().and_then(|near| near.usage()),
            };
            usage.map_err(failed("look at the room"))
        })
        .await
    }

    async fn kept_bytes(&self, _cx: &Cx, path: &RelPath, entry: &Entry) -> Result<u64> {
        let (path, entry) = (path.clone(), entry.clone());
        self.run(move |tree| {
            let place = tree.place(&path);
            Ok(place.map_or(0, |place| keep::bytes(&place, &entry)))
        })
        .await
    }

    fn anew(&self) -> Option<Arc<dyn Store>> {
        let tree = Arc::new(self.tree.anew());
        Some(Arc::new(Self { tree }))
    }

    async fn keeping(&self, _cx: &Cx, changed: &RelPath, kept: &RelPath) -> Result<Arc<dyn Store>> {
        let (changed, kept) = (changed.clone(), kept.clone());
        let keeping = self.run(move |tree| tree.keeping(changed, &kept).map(Arc::new));
        let tree = keeping.await?;
        Ok(Arc::new(Self { tree }))
    }
}
