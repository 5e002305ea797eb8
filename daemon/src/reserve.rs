//! A store that keeps room free for others: it shows less of it than there is.

use std::sync::Arc;

use async_trait::async_trait;
use blit_contract::{
    Applied, Cx, Demands, Descriptor, Entry, EntryBatch, Identity, ListOptions, MetaOp, Published,
    ReadItem, ReadOptions, Reader, RelPath, Result, SmallFile, Staged, Store, StoreCap, StoreCaps,
    Support, SyncScope, Usage, WriteOptions, WritePolicy, Writer,
};
use futures_core::stream::BoxStream;

use crate::settings::Reserve;

/// `whole`, with less room. What asks whether something fits is told that it does not.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) whole: Arc<dyn Store>,
    pub(crate) reserve: Reserve,
}

// What is not passed on would answer for a store that can nothing of it.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Store for Reserved {
    async fn usage(&self, cx: &Cx) -> Result<Usage> {
        let mut usage = self.whole.usage(cx).await?;
        let kept = self.reserve.of(usage.total_bytes);
        usage.free_bytes = usage.free_bytes.saturating_sub(kept);
        Ok(usage)
    }

    fn descriptor(&self) -> &Descriptor {
        self.whole.descriptor()
    }

    /// What comes from another machine never shares blocks with what is here, though the numbers of their
    /// file systems may be the same: so all of it needs room.
    fn caps(&self) -> StoreCaps {
        self.whole.caps().with(StoreCap::Reflink, Support::None)
    }

    fn demands(&self) -> Demands {
        self.whole.demands()
    }

    fn list<'a>(
        &'a self,
        cx: &'a Cx,
        at: &'a RelPath,
        options: ListOptions,
    ) -> BoxStream<'a, Result<EntryBatch>> {
        self.whole.list(cx, at, options)
    }

    async fn stat(&self, cx: &Cx, path: &RelPath) -> Result<Option<Entry>> {
        self.whole.stat(cx, path).await
    }

    /// What an earlier session left of the file needs no room a second time.
    async fn kept_bytes(&self, cx: &Cx, path: &RelPath, entry: &Entry) -> Result<u64> {
        self.whole.kept_bytes(cx, path, entry).await
    }

    async fn read_batch(&self, cx: &Cx, items: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>> {
        self.whole.read_batch(cx, items).await
    }

    async fn open_read(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: ReadOptions,
    ) -> Result<Box<dyn Reader>> {
        self.whole.open_read(cx, path, options).await
    }

    async fn open_write(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: WriteOptions,
    ) -> Result<Box<dyn Writer>> {
        self.whole.open_write(cx, path, options).await
    }

    async fn write_batch(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        files: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>> {
        self.whole.write_batch(cx, policy, files).await
    }

    async fn publish(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        staged: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>> {
        self.whole.publish(cx, policy, staged).await
    }

    async fn apply(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        ops: Vec<MetaOp>,
    ) -> Result<Vec<Result<Applied>>> {
        self.whole.apply(cx, policy, ops).await
    }

    async fn delete(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        items: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>> {
        self.whole.delete(cx, policy, items).await
    }

    async fn sync(&self, cx: &Cx, scope: SyncScope) -> Result<()> {
        self.whole.sync(cx, scope).await
    }

    async fn ancestry(&self, cx: &Cx, path: &RelPath) -> Result<Vec<Identity>> {
        self.whole.ancestry(cx, path).await
    }

    fn anew(&self) -> Option<Arc<dyn Store>> {
        let (whole, reserve) = (self.whole.anew()?, self.reserve);
        Some(Arc::new(Self { whole, reserve }))
    }

    async fn keeping(&self, cx: &Cx, changed: &RelPath, kept: &RelPath) -> Result<Arc<dyn Store>> {
        let whole = self.whole.keeping(cx, changed, kept).await?;
        let reserve = self.reserve;
        Ok(Arc::new(Self { whole, reserve }))
    }
}

#[cfg(test)]
mod tests {
    use blit_contract::{Durability, Name, Preserve, Replace};

    use super::*;

    #[tokio::test]
    async fn what_an_earlier_session_left_counts_as_room_here_too() {
        let whole: Arc<dyn Store> = Arc::new(blit_store_mem::MemStore::default());
        let reserve = Reserve::default();
        let reserved = Reserved {
            whole: Arc::clone(&whole),
            reserve,
        };
        let (cx, path) = (Cx::default(), RelPath::ROOT.join(Name::new(*b"f").unwrap()));
        let mut entry = Entry::new(Name::new(*b"f").unwrap(), blit_contract::Kind::File);
        entry.size = 1 << 20;
        let policy = WritePolicy::new(Durability::Batch, Preserve::NONE);
        let options = WriteOptions::new(policy, entry.clone(), Replace::Nothing).keeping();
        let writer = reserved.open_write(&cx, &path, options).await.unwrap();
        writer.write_at(0, vec![1; 1 << 16].into()).await.unwrap();
        drop(writer);
        let kept = reserved.kept_bytes(&cx, &path, &entry).await.unwrap();
        assert_eq!(kept, 1 << 16);
    }
}
