//! A target that costs nothing: it takes everything and keeps nothing, and may look like a tree.

use std::fmt;

use async_trait::async_trait;
use blit_contract::{
    Applied, Cx, Demands, Descriptor, Entry, EntryBatch, Error, ErrorKind, Identity, ListOptions,
    MetaOp, Published, ReadItem, ReadOptions, Reader, RelPath, Result, SmallFile, Staged, Store,
    StoreCaps, SyncScope, Usage, WriteOptions, WritePolicy, Writer,
};
use blit_store_mem::SyntheticStore;
use futures_core::stream::BoxStream;
use futures_util::{TryStreamExt, stream};

static DESCRIPTOR: Descriptor = Descriptor::new("store-sink", "0", &[]);

/// The target.
#[derive(Debug)]
pub(crate) struct Sink {
    like: Option<SyntheticStore>,
    alarm: Option<Alarm>,
}

/// What is done whenever content comes.
struct Alarm(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alarm")
    }
}

impl Sink {
    /// One in which nothing is.
    pub(crate) fn empty() -> Self {
        Self {
            like: None,
            alarm: None,
        }
    }

    /// One in which nothing is, and that tells when content comes.
    pub(crate) fn telling(tell: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            like: None,
            alarm: Some(Alarm(Box::new(tell))),
        }
    }

    /// One that looks like `tree`, and lies elsewhere.
    pub(crate) fn like(tree: SyntheticStore) -> Self {
        Self {
            like: Some(tree),
            alarm: None,
        }
    }
}

/// What was copied has changed its inode after the source: there is nothing new to carry.
fn arrive(entry: &mut Entry) {
    entry.identity.changed.secs += 1;
}

fn unasked<T>(operation: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, operation))
}

#[async_trait]
impl Store for Sink {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn caps(&self) -> StoreCaps {
        SyntheticStore::new(0, 1, 0).caps()
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
        match &self.like {
            Some(tree) => Box::pin(tree.list(cx, at, options).map_ok(|mut batch| {
                batch.entries.iter_mut().for_each(arrive);
                batch
            })),
            None => Box::pin(stream::empty()),
        }
    }

    async fn stat(&self, cx: &Cx, path: &RelPath) -> Result<Option<Entry>> {
        match &self.like {
            Some(tree) => {
                let mut found = tree.stat(cx, path).await?;
                found.iter_mut().for_each(arrive);
                Ok(found)
            }
            None => Ok(None),
        }
    }

    async fn read_batch(&self, _: &Cx, _: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>> {
        unasked("read")
    }

    async fn open_read(&self, _: &Cx, _: &RelPath, _: ReadOptions) -> Result<Box<dyn Reader>> {
        unasked("open")
    }

    async fn open_write(&self, _: &Cx, _: &RelPath, _: WriteOptions) -> Result<Box<dyn Writer>> {
        unasked("open")
    }

    async fn write_batch(
        &self,
        _: &Cx,
        _: WritePolicy,
        files: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>> {
        if let Some(Alarm(tell)) = &self.alarm {
            tell();
        }
        let stage = |file: SmallFile| {
            let size = file.content.len() as u64;
            Ok(Staged::new(file.path, size, Box::new(file.entry)))
        };
        Ok(files.into_iter().map(stage).collect())
    }

    async fn publish(
        &self,
        _: &Cx,
        _: WritePolicy,
        staged: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>> {
        let publish = |file: Staged| Ok(Published::new(file.into_token::<Entry>()?, Vec::new()));
        Ok(staged.into_iter().map(publish).collect())
    }

    async fn apply(
        &self,
        _: &Cx,
        _: WritePolicy,
        operations: Vec<MetaOp>,
    ) -> Result<Vec<Result<Applied>>> {
        let apply = |_| Ok(Applied::new(true, Vec::new()));
        Ok(operations.into_iter().map(apply).collect())
    }

    async fn delete(
        &self,
        _: &Cx,
        _: WritePolicy,
        _: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>> {
        unasked("delete")
    }

    async fn sync(&self, _: &Cx, _: SyncScope) -> Result<()> {
        Ok(())
    }

    async fn ancestry(&self, _: &Cx, _: &RelPath) -> Result<Vec<Identity>> {
        Ok(Vec::new())
    }

    async fn usage(&self, _: &Cx) -> Result<Usage> {
        Ok(Usage::new((u64::MAX, u64::MAX), (u64::MAX, u64::MAX)))
    }
}
