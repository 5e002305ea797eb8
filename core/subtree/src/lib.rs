//! A directory of a store as a store of its own.
//!
//! The daemon holds one store for each module, opened once. What a peer asks for lies beneath, and is
//! reached by names under that store's held directory, never by a path of its own.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

use std::sync::Arc;

use async_trait::async_trait;
use blit_contract::{
    Applied, Cx, Demands, Descriptor, Entry, EntryBatch, Error, Identity, ListOptions, MetaOp,
    Published, ReadItem, ReadOptions, Reader, RelPath, Result, Select, Selection, SmallFile,
    Staged, Store, StoreCaps, SyncScope, Usage, WriteOptions, WritePolicy, Writer,
};
use futures_core::stream::BoxStream;
use futures_util::StreamExt;

/// The directory `base` of `whole`.
#[derive(Debug)]
pub struct Subtree {
    whole: Arc<dyn Store>,
    base: RelPath,
}

impl Subtree {
    /// The directory `base` of `whole` as a store; `whole` itself if that is its root.
    #[must_use]
    pub fn at(whole: Arc<dyn Store>, base: RelPath) -> Arc<dyn Store> {
        if base.is_root() {
            return whole;
        }
        Arc::new(Self { whole, base })
    }

    fn inner(&self, path: &RelPath) -> RelPath {
        joined(&self.base, path)
    }

    fn outer(&self, path: &RelPath) -> RelPath {
        without(&self.base, path)
    }

    /// An error that names the entry as this store does.
    fn told(&self, error: Error) -> Error {
        match error.path() {
            Some(path) if path.starts_with(&self.base) => {
                let path = self.outer(path);
                error.at(&path)
            }
            _ => error,
        }
    }

    fn each<T>(&self, answers: Vec<Result<T>>) -> Vec<Result<T>> {
        let answers = answers.into_iter();
        answers
            .map(|answer| answer.map_err(|error| self.told(error)))
            .collect()
    }

    fn operation(&self, operation: MetaOp) -> MetaOp {
        match operation {
            MetaOp::Link {
                path,
                leader,
                replace,
            } => MetaOp::Link {
                path: self.inner(&path),
                leader: self.inner(&leader),
                replace,
            },
            MetaOp::MakeDirectory { path, replace } => MetaOp::MakeDirectory {
                path: self.inner(&path),
                replace,
            },
            MetaOp::MakeEntry {
                path,
                entry,
                attributes,
                replace,
            } => MetaOp::MakeEntry {
                path: self.inner(&path),
                entry,
                attributes,
                replace,
            },
            MetaOp::SetMetadata {
                path,
                expect,
                entry,
                attributes,
            } => MetaOp::SetMetadata {
                path: self.inner(&path),
                expect,
                entry,
                attributes,
            },
            other => other,
        }
    }
}

/// `path` beneath `base`.
pub fn joined(base: &RelPath, path: &RelPath) -> RelPath {
    let names = path.components().into_iter().cloned();
    names.fold(base.clone(), |at, name| at.join(name))
}

/// `path`, which lies beneath `base`, as seen from there.
pub fn without(base: &RelPath, path: &RelPath) -> RelPath {
    let names = path.components().into_iter();
    names.skip(base.depth() as usize).cloned().collect()
}

/// `select` for a listing of the whole, seeing paths as they are from `base`.
pub fn within(select: Arc<dyn Select>, base: &RelPath) -> Arc<dyn Select> {
    let base = base.clone();
    Arc::new(Within { select, base })
}

/// A selection that sees paths as a directory of the store names them.
struct Within {
    select: Arc<dyn Select>,
    base: RelPath,
}

impl Select for Within {
    fn select(&self, directory: &RelPath, entry: &Entry) -> Selection {
        self.select.select(&without(&self.base, directory), entry)
    }

    fn select_by_place(&self, directory: &RelPath, entry: &Entry) -> Selection {
        let directory = without(&self.base, directory);
        self.select.select_by_place(&directory, entry)
    }
}

// What is not passed on would answer for a store that can nothing of it.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Store for Subtree {
    fn descriptor(&self) -> &Descriptor {
        self.whole.descriptor()
    }

    fn caps(&self) -> StoreCaps {
        self.whole.caps()
    }

    fn demands(&self) -> Demands {
        self.whole.demands()
    }

    fn list<'a>(
        &'a self,
        cx: &'a Cx,
        at: &'a RelPath,
        mut options: ListOptions,
    ) -> BoxStream<'a, Result<EntryBatch>> {
        options.select = options.select.map(|select| within(select, &self.base));
        let at = self.inner(at);
        Box::pin(renamed(self, cx, at, options))
    }

    async fn stat(&self, cx: &Cx, path: &RelPath) -> Result<Option<Entry>> {
        let found = self.whole.stat(cx, &self.inner(path)).await;
        found.map_err(|error| self.told(error))
    }

    async fn kept_bytes(&self, cx: &Cx, path: &RelPath, entry: &Entry) -> Result<u64> {
        let kept = self.whole.kept_bytes(cx, &self.inner(path), entry).await;
        kept.map_err(|error| self.told(error))
    }

    async fn read_batch(
        &self,
        cx: &Cx,
        mut items: Vec<ReadItem>,
    ) -> Result<Vec<Result<SmallFile>>> {
        for item in &mut items {
            item.path = self.inner(&item.path);
        }
        let mut answers = self.each(self.whole.read_batch(cx, items).await?);
        for file in answers.iter_mut().flatten() {
            file.path = self.outer(&file.path);
        }
        Ok(answers)
    }

    async fn open_read(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: ReadOptions,
    ) -> Result<Box<dyn Reader>> {
        let opened = self.whole.open_read(cx, &self.inner(path), options).await;
        opened.map_err(|error| self.told(error))
    }

    async fn open_write(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: WriteOptions,
    ) -> Result<Box<dyn Writer>> {
        let opened = self.whole.open_write(cx, &self.inner(path), options).await;
        opened.map_err(|error| self.told(error))
    }

    async fn write_batch(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        mut files: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>> {
        for file in &mut files {
            file.path = self.inner(&file.path);
        }
        Ok(self.each(self.whole.write_batch(cx, policy, files).await?))
    }

    async fn publish(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        staged: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>> {
        Ok(self.each(self.whole.publish(cx, policy, staged).await?))
    }

    async fn apply(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        ops: Vec<MetaOp>,
    ) -> Result<Vec<Result<Applied>>> {
        let ops = ops.into_iter().map(|op| self.operation(op)).collect();
        Ok(self.each(self.whole.apply(cx, policy, ops).await?))
    }

    async fn delete(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        items: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>> {
        let items = items.into_iter();
        let items = items
            .map(|(path, entry)| (self.inner(&path), entry))
            .collect();
        Ok(self.each(self.whole.delete(cx, policy, items).await?))
    }

    async fn sync(&self, cx: &Cx, scope: SyncScope) -> Result<()> {
        self.whole.sync(cx, scope).await
    }

    async fn ancestry(&self, cx: &Cx, path: &RelPath) -> Result<Vec<Identity>> {
        self.whole.ancestry(cx, &self.inner(path)).await
    }

    async fn usage(&self, cx: &Cx) -> Result<Usage> {
        self.whole.usage(cx).await
    }

    fn anew(&self) -> Option<Arc<dyn Store>> {
        let (whole, base) = (self.whole.anew()?, self.base.clone());
        Some(Arc::new(Self { whole, base }))
    }

    async fn keeping(&self, cx: &Cx, changed: &RelPath, kept: &RelPath) -> Result<Arc<dyn Store>> {
        let (changed, kept) = (self.inner(changed), self.inner(kept));
        let whole = self.whole.keeping(cx, &changed, &kept).await;
        let (whole, base) = (whole.map_err(|error| self.told(error))?, self.base.clone());
        Ok(Arc::new(Self { whole, base }))
    }
}

/// The listing of the whole store at `at`, told as this store names it.
fn renamed<'a>(
    subtree: &'a Subtree,
    cx: &'a Cx,
    at: RelPath,
    options: ListOptions,
) -> impl futures_core::Stream<Item = Result<EntryBatch>> + 'a {
    let (batches, queue) = tokio::sync::mpsc::channel(1);
    let listing = async move {
        let mut found = subtree.whole.list(cx, &at, options);
        while let Some(batch) = found.next().await {
            if batches.send(batch).await.is_err() {
                break;
            }
        }
    };
    let queue = futures_util::stream::unfold(queue, |mut queue| async move {
        queue.recv().await.map(|batch| (batch, queue))
    });
    // The listing borrows its path, so it runs beside the queue that hands its batches on.
    let driven = futures_util::stream::once(listing).filter_map(|()| async { None });
    futures_util::stream::select(driven, queue).map(move |batch| {
        let mut batch = batch.map_err(|error| subtree.told(error))?;
        batch.directory = subtree.outer(&batch.directory);
        let problems = batch.problems.drain(..);
        batch.problems = problems.map(|error| subtree.told(error)).collect();
        Ok(batch)
    })
}

#[cfg(test)]
mod tests {
    use blit_contract::Name;
    use blit_store_mem::MemStore;

    use super::*;

    fn path(names: &[&str]) -> RelPath {
        names
            .iter()
            .map(|name| Name::new(name.as_bytes()).unwrap())
            .collect()
    }

    #[test]
    fn a_path_goes_below_the_base_and_comes_back_without_it() {
        let (base, below) = (path(&["a", "b"]), path(&["c"]));
        let whole = joined(&base, &below);
        assert_eq!(whole, path(&["a", "b", "c"]));
        assert_eq!(without(&base, &whole), below);
    }

    #[tokio::test]
    async fn nothing_beside_the_directory_is_seen() {
        let store = MemStore::new();
        store.add_file("a/inside", b"1".to_vec()).unwrap();
        store.add_file("beside", b"2".to_vec()).unwrap();
        let subtree = Subtree::at(Arc::new(store), path(&["a"]));
        let cx = Cx::default();
        let found = subtree.stat(&cx, &path(&["inside"])).await.unwrap();
        assert_eq!(found.unwrap().name.as_bytes(), b"inside");
        let beside = subtree.stat(&cx, &path(&["beside"])).await.unwrap();
        assert!(beside.is_none());
        let root = RelPath::ROOT;
        let mut batches = subtree.list(&cx, &root, ListOptions::flat());
        let batch = batches.next().await.unwrap().unwrap();
        assert!(batch.directory.is_root());
        assert_eq!(batch.entries.len(), 1);
    }
}
