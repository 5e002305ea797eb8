//! Lists the source's tree to the target, and says at the end whether the listing is complete.

use std::sync::Arc;

use blit_contract::{
    Cx, EndState, Entry, EntryBatch, Error, ErrorKind, Event, Item, ItemOp, Kind, ListOptions,
    RelPath, Result, Select, Selection, Side,
};
use blit_wire::{LISTING_ENTRIES_MAX, Message, Seal, Unsealed, Verb};
use futures_util::StreamExt;

use super::Control;
use crate::{Source, Top, TopName, UNCARRIED, session::Session};

/// A selection that asks only where an entry is.
struct ByPlace(Arc<dyn Select>);

impl Select for ByPlace {
    fn select(&self, directory: &RelPath, entry: &Entry) -> Selection {
        self.0.select_by_place(directory, entry)
    }
}

/// Lists the source's tree.
pub(super) struct Lister {
    pub(super) session: Arc<Session>,
    pub(super) source: Source,
    /// The mount of the source directory.
    pub(super) mount: u64,
}

/// The source directory itself.
pub(super) async fn root(cx: &Cx, source: &Source) -> Result<Entry> {
    let root = source.store.stat(cx, &RelPath::ROOT).await?;
    root.ok_or_else(|| Error::new(ErrorKind::NotFound, "list").at(&RelPath::ROOT))
}

#[derive(Default)]
struct Listed {
    entries: u64,
    problems: u64,
}

impl Lister {
    pub(super) async fn run(self, control: &Control) -> Result<()> {
        let mut listed = Listed::default();
        match &self.source.top {
            Top::Contents => {
                self.list(&RelPath::ROOT, None, &mut listed, control)
                    .await?
            }
            Top::Names(names) => self.list_named(names, &mut listed, control).await?,
        }
        self.session.progress.finish_scan();
        let Listed { entries, problems } = listed;
        let end = if problems == 0 {
            Message::Seal(Seal { entries })
        } else {
            Message::Unsealed(Unsealed { entries, problems })
        };
        control.lock().await.send(end).await
    }

    /// Lists the named entries, then what is beneath those that are directories.
    async fn list_named(
        &self,
        names: &[TopName],
        listed: &mut Listed,
        control: &Control,
    ) -> Result<()> {
        let mut named = Vec::new();
        for name in names {
            let path = RelPath::ROOT.join(name.source.clone());
            let found = self.source.store.stat(&self.session.cx, &path).await?;
            let mut entry =
                found.ok_or_else(|| Error::new(ErrorKind::NotFound, "list").at(&path))?;
            if !self.takes(&RelPath::ROOT, &entry) {
                continue;
            }
            entry.name = name.target.clone();
            named.push((name, entry));
        }
        named.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        named.dedup_by(|a, b| a.1.name == b.1.name);
        let mut batch = EntryBatch::new(RelPath::ROOT);
        batch.entries = named.iter().map(|(_, entry)| entry.clone()).collect();
        batch.last = true;
        self.send(batch, listed, control).await?;
        for (name, entry) in named {
            if entry.is_directory() {
                let at = RelPath::ROOT.join(name.source.clone());
                self.list(&at, Some(name), listed, control).await?;
            }
        }
        Ok(())
    }

    fn takes(&self, directory: &RelPath, entry: &Entry) -> bool {
        let select = self.select();
        select.is_none_or(|select| select.select(directory, entry) != Selection::Skip)
    }

    /// What is listed. Where the target looks for what the source lacks, an entry that is only too
    /// large or too old is not lacking.
    fn select(&self) -> Option<Arc<dyn Select>> {
        let select = Arc::clone(self.session.options.select.as_ref()?);
        Some(match self.session.options.verb {
            Verb::Check | Verb::Mirror => Arc::new(ByPlace(select)),
            Verb::Copy | Verb::Move => select,
        })
    }

    async fn list(
        &self,
        at: &RelPath,
        renamed: Option<&TopName>,
        listed: &mut Listed,
        control: &Control,
    ) -> Result<()> {
        let mut options =
            ListOptions::recursive().with_one_file_system(self.session.options.one_file_system);
        if let Some(select) = self.select() {
            options = options.with_select(select);
        }
        let mut batches = self.source.store.list(&self.session.cx, at, options);
        while let Some(batch) = batches.next().await {
            let mut batch = batch?;
            if let Some(name) = renamed {
                batch.directory = renamed_path(&batch.directory, name);
            }
            self.send(batch, listed, control).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        mut batch: EntryBatch,
        listed: &mut Listed,
        control: &Control,
    ) -> Result<()> {
        self.session.wait_for("the target to take the listing");
        for problem in batch.problems.drain(..) {
            listed.problems += 1;
            self.session.scan_problem(Side::Source, problem).await;
            // The source has told of it. A directory that never has a last batch is never taken for
            // complete: nothing of the target's counts as extra in it.
            batch.last = false;
        }
        self.leave_out_specials(&mut batch).await;
        self.tell_mounts(&batch).await;
        self.session.progress.scan(&batch.entries);
        listed.entries += batch.entries.len() as u64;
        while batch.entries.len() > LISTING_ENTRIES_MAX {
            let rest = batch.entries.split_off(LISTING_ENTRIES_MAX);
            let mut first = EntryBatch::new(batch.directory.clone());
            first.entries = std::mem::replace(&mut batch.entries, rest);
            control.lock().await.send(Message::Listing(first)).await?;
        }
        control.lock().await.send(Message::Listing(batch)).await
    }

    /// Says which directories are not entered because something else is mounted there.
    async fn tell_mounts(&self, batch: &EntryBatch) {
        if !self.session.options.one_file_system {
            return;
        }
        let directories = batch.entries.iter().filter(|entry| entry.is_directory());
        for entry in directories.filter(|entry| entry.identity.mount != self.mount) {
            let path = batch.directory.join(entry.name.clone());
            self.session.tell(Event::NotEntered(path)).await;
        }
    }

    /// FIFOs, sockets and devices stay in the listing, so that the target keeps what it has at their
    /// names; that they are left out is said here, once.
    async fn leave_out_specials(&self, batch: &mut EntryBatch) {
        if self.session.options.specials {
            return;
        }
        for entry in &batch.entries {
            if let Kind::Special(_) = entry.kind {
                let path = batch.directory.join(entry.name.clone());
                let item = Item::new(ItemOp::Skip, path, 0, UNCARRIED[0]);
                self.session.note(|report| report.uncarried += 1);
                self.session.end(EndState::Skipped, item).await;
            }
        }
    }
}

/// `path` beneath the name that its top entry has at the target.
fn renamed_path(path: &RelPath, name: &TopName) -> RelPath {
    if name.source == name.target {
        return path.clone();
    }
    let mut names = path.components().into_iter().cloned();
    names.next();
    std::iter::once(name.target.clone()).chain(names).collect()
}
