//! A daemon's module as a store, for everything that moves no content.

use std::sync::Arc;

use async_trait::async_trait;
use blit_contract::{
    Applied, Cx, Demands, Descriptor, Entry, EntryBatch, Error, ErrorKind, Identity, ListOptions,
    MetaOp, Peer, Published, ReadItem, ReadOptions, Reader, RelPath, Result, Selection, SmallFile,
    Staged, Store, StoreCaps, SyncScope, Usage, WriteOptions, WritePolicy, Writer,
};
use blit_subtree::{joined, without};
use blit_wire::{Place, Reply, Request, Rules};
use futures_core::stream::BoxStream;
use futures_util::stream;

use super::request::{Asking, unexpected};

/// Who this is, for whoever asks.
static DESCRIPTOR: Descriptor =
    Descriptor::new("store-remote", env!("CARGO_PKG_VERSION"), &["blit"]);

/// A directory of a daemon's module.
#[derive(Debug)]
pub struct RemoteStore {
    peer: Arc<dyn Peer>,
    place: Place,
    rules: Rules,
}

impl RemoteStore {
    /// The directory at `place` of the daemon `peer`. Nothing is asked yet.
    #[must_use]
    pub fn new(peer: Arc<dyn Peer>, place: Place) -> Self {
        Self {
            peer,
            place,
            rules: Rules::default(),
        }
    }

    /// The same, whose listings of everything leave out at once what those rules do. Whoever lists
    /// selects by the same rules: what the peer says is not taken for granted.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    fn at(&self, path: &RelPath) -> Place {
        Place {
            module: self.place.module.clone(),
            path: joined(&self.place.path, path),
        }
    }

    async fn ask(&self, cx: &Cx, request: Request) -> Result<Reply> {
        Asking::ask(cx, &*self.peer, request).await?.next().await
    }
}

/// What a listing calls `directory`, as this store calls it.
fn beneath(base: &RelPath, directory: &RelPath) -> Result<RelPath> {
    if directory.starts_with(base) {
        Ok(without(base, directory))
    } else {
        Err(unexpected())
    }
}

fn by_session<T>() -> Result<T> {
    // Content crosses in sessions, where both sides prove what they read and wrote.
    Err(Error::new(ErrorKind::Unsupported, "reach content"))
}

#[async_trait]
impl Store for RemoteStore {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn caps(&self) -> StoreCaps {
        StoreCaps::new()
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
        // They begin at the root: beneath it they would mean something else.
        let rules = match at.is_root() {
            true => self.rules.clone(),
            false => Rules::default(),
        };
        let keeps_rules = !rules.is_empty();
        let request = Request::List {
            place: self.at(at),
            recursive: options.recursive,
            one_file_system: options.one_file_system,
            rules,
        };
        let select = options.select;
        let begun = async move { Asking::ask(cx, &*self.peer, request).await };
        let batches = futures_util::FutureExt::map(begun, move |asking| match asking {
            Ok(asking) => futures_util::StreamExt::left_stream(stream::unfold(
                Some(asking),
                |asking| async move {
                    let mut asking = asking?;
                    match asking.next().await {
                        Ok(Reply::Batch(batch)) => Some((Ok(batch), Some(asking))),
                        Ok(Reply::Done) => None,
                        Ok(_) => Some((Err(unexpected()), None)),
                        Err(error) => Some((Err(error), None)),
                    }
                },
            )),
            Err(error) => futures_util::StreamExt::right_stream(stream::once(async { Err(error) })),
        });
        let batches = futures_util::FutureExt::flatten_stream(batches);
        Box::pin(futures_util::StreamExt::map(batches, move |batch| {
            let mut batch = batch?;
            batch.directory = beneath(&self.place.path, &batch.directory)?;
            if let Some(select) = &select {
                let (directory, sent) = (batch.directory.clone(), batch.entries.len());
                batch
                    .entries
                    .retain(|entry| select.select(&directory, entry) != Selection::Skip);
                if keeps_rules && batch.entries.len() != sent {
                    return Err(Error::new(ErrorKind::Invalid, "list")
                        .because("the peer listed what was to be left out"));
                }
            }
            Ok(batch)
        }))
    }

    async fn stat(&self, cx: &Cx, path: &RelPath) -> Result<Option<Entry>> {
        match self.ask(cx, Request::Stat(self.at(path))).await? {
            Reply::Found(found) => Ok(found),
            _ => Err(unexpected()),
        }
    }

    async fn read_batch(&self, _cx: &Cx, _items: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>> {
        by_session()
    }

    async fn open_read(
        &self,
        _cx: &Cx,
        _path: &RelPath,
        _options: ReadOptions,
    ) -> Result<Box<dyn Reader>> {
        by_session()
    }

    async fn open_write(
        &self,
        _cx: &Cx,
        _path: &RelPath,
        _options: WriteOptions,
    ) -> Result<Box<dyn Writer>> {
        by_session()
    }

    async fn write_batch(
        &self,
        _cx: &Cx,
        _policy: WritePolicy,
        _files: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>> {
        by_session()
    }

    async fn publish(
        &self,
        _cx: &Cx,
        _policy: WritePolicy,
        _staged: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>> {
        by_session()
    }

    async fn apply(
        &self,
        _cx: &Cx,
        _policy: WritePolicy,
        _ops: Vec<MetaOp>,
    ) -> Result<Vec<Result<Applied>>> {
        by_session()
    }

    async fn delete(
        &self,
        cx: &Cx,
        _policy: WritePolicy,
        items: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>> {
        let request = Request::Delete {
            place: self.place.clone(),
            entries: items,
        };
        match self.ask(cx, request).await? {
            Reply::Deleted(ends) => Ok(ends),
            _ => Err(unexpected()),
        }
    }

    async fn sync(&self, cx: &Cx, _scope: SyncScope) -> Result<()> {
        match self.ask(cx, Request::Sync(self.place.clone())).await? {
            Reply::Done => Ok(()),
            _ => Err(unexpected()),
        }
    }

    async fn ancestry(&self, _cx: &Cx, _path: &RelPath) -> Result<Vec<Identity>> {
        // Numbers of another machine say nothing here.
        Ok(Vec::new())
    }

    async fn usage(&self, cx: &Cx) -> Result<Usage> {
        match self.ask(cx, Request::Usage(self.place.clone())).await? {
            Reply::Usage(usage) => Ok(usage),
            _ => Err(unexpected()),
        }
    }
}
