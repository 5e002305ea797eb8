//! Listing a tree, one batch at a time.

use blit_contract::{
    Cx, EntryBatch, Error, ErrorKind, ListOptions, Name, RelPath, Result, Selection,
};
use futures_core::stream::BoxStream;
use futures_util::stream;

use crate::{MemStore, Operation};

/// How many entries a batch holds at most.
const BATCH_ENTRIES_MAX: usize = 512;

/// A listing on its way. It reads one batch when it is asked for one, and nothing ahead.
pub(crate) struct Listing<'a> {
    store: &'a MemStore,
    cx: &'a Cx,
    root: &'a RelPath,
    options: ListOptions,
    /// Directories yet to be listed; the last is next.
    pending: Vec<Directory>,
    is_started: bool,
}

/// A directory that is listed, or will be.
struct Directory {
    path: RelPath,
    inode: u64,
    /// The last name that was listed.
    after: Option<Name>,
    /// The directories in it that are to be entered, in order.
    inside: Vec<Self>,
}

impl<'a> Listing<'a> {
    pub(crate) fn new(
        store: &'a MemStore,
        cx: &'a Cx,
        root: &'a RelPath,
        options: ListOptions,
    ) -> Self {
        Self {
            store,
            cx,
            root,
            options,
            pending: Vec::new(),
            is_started: false,
        }
    }

    pub(crate) fn into_stream(self) -> BoxStream<'a, Result<EntryBatch>> {
        Box::pin(stream::unfold(Some(self), |listing| async {
            let mut listing = listing?;
            match listing.next().await {
                Ok(batch) => batch.map(|batch| (Ok(batch), Some(listing))),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    async fn next(&mut self) -> Result<Option<EntryBatch>> {
        self.cx.check()?;
        if !self.is_started {
            self.is_started = true;
            self.start()?;
        }
        let Some(mut directory) = self.pending.pop() else {
            return Ok(None);
        };
        let mut batch = EntryBatch::new(directory.path.clone());
        if let Err(error) = self.fill(&mut batch, &mut directory).await {
            if directory.path == *self.root {
                return Err(error);
            }
            batch.problems.push(error);
            batch.last = true;
        }
        if batch.last {
            self.pending.extend(directory.inside.drain(..).rev());
        } else {
            self.pending.push(directory);
        }
        Ok(Some(batch))
    }

    fn start(&mut self) -> Result<()> {
        let tree = self.store.tree();
        let Some((_, inode)) = self.store.find(&tree, self.root) else {
            // The root of a view is made by its first write: until then it is an empty tree.
            return match self.root.is_root() {
                true => Ok(()),
                false => Err(Error::new(ErrorKind::NotFound, "list").at(self.root)),
            };
        };
        if !tree.is_directory(inode) {
            return Err(Error::new(ErrorKind::Conflict, "list")
                .at(self.root)
                .because("it is not a directory"));
        }
        self.pending.push(Directory {
            path: self.root.clone(),
            inode,
            after: None,
            inside: Vec::new(),
        });
        Ok(())
    }

    async fn fill(&self, batch: &mut EntryBatch, directory: &mut Directory) -> Result<()> {
        if directory.after.is_none() {
            self.store.begin(Operation::List, &directory.path).await?;
        }
        let tree = self.store.tree();
        let after = directory.after.as_ref();
        let names = tree
            .children_after(directory.inode, after, BATCH_ENTRIES_MAX)
            .ok_or_else(|| Error::new(ErrorKind::Vanished, "list").at(&directory.path))?;
        batch.last = names.len() < BATCH_ENTRIES_MAX;
        directory.after = names.last().map(|(name, _)| name.clone());
        for (name, inode) in names {
            let Some(entry) = tree.entry(&name, inode) else {
                continue;
            };
            let selection = match &self.options.select {
                Some(select) => select.select(&directory.path, &entry),
                None => Selection::Take,
            };
            if selection == Selection::Skip {
                continue;
            }
            let is_entered = self.options.recursive && selection == Selection::Take;
            if is_entered && entry.is_directory() {
                directory.inside.push(Directory {
                    path: directory.path.join(name),
                    inode,
                    after: None,
                    inside: Vec::new(),
                });
            }
            batch.entries.push(entry);
        }
        Ok(())
    }
}
