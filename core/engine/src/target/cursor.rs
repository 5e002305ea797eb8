//! The target's own listing of one directory, read ahead in a task of its own.

use std::{collections::VecDeque, sync::Arc};

use blit_contract::{Entry, EntryBatch, ListOptions, Name, RelPath, Result};
use futures_util::StreamExt;
use tokio::{sync::mpsc, task::AbortHandle};

use super::Site;

/// How many batches are read ahead.
const BATCHES_AHEAD: usize = 2;

/// Walks the target's entries of one directory in the order of their names.
#[derive(Debug)]
pub(super) struct Cursor {
    batches: Option<mpsc::Receiver<Result<EntryBatch>>>,
    entries: VecDeque<Entry>,
    problems: Vec<blit_contract::Error>,
    task: Option<AbortHandle>,
}

impl Cursor {
    /// A cursor over a directory that does not exist.
    pub(super) fn empty() -> Self {
        Self {
            batches: None,
            entries: VecDeque::new(),
            problems: Vec::new(),
            task: None,
        }
    }

    /// A cursor over `directory`, which begins to be read at once.
    pub(super) fn open(site: &Arc<Site>, directory: RelPath) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let site = Arc::clone(site);
        let reading = tokio::spawn(async move {
            let mut listing = site
                .store
                .list(&site.session.cx, &directory, ListOptions::flat());
            while let Some(batch) = listing.next().await {
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        });
        let mut cursor = Self::empty();
        cursor.batches = Some(batches);
        cursor.task = Some(reading.abort_handle());
        cursor
    }

    /// The entry called `name`, if there is one; the entries before it go to `extras`.
    pub(super) async fn seek(&mut self, name: &Name, extras: &mut Vec<Entry>) -> Option<Entry> {
        while let Some(entry) = self.next().await {
            match entry.name.cmp(name) {
                std::cmp::Ordering::Less => extras.push(entry),
                std::cmp::Ordering::Equal => return Some(entry),
                std::cmp::Ordering::Greater => {
                    self.entries.push_front(entry);
                    return None;
                }
            }
        }
        None
    }

    /// The next entry in the order of names.
    pub(super) async fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Some(entry);
            }
            let batches = self.batches.as_mut()?;
            match batches.recv().await {
                None => self.batches = None,
                Some(Ok(batch)) => {
                    self.problems.extend(batch.problems);
                    self.entries = batch.entries.into();
                }
                // It was there when its parent was read: what is in it is not known now.
                Some(Err(error)) => {
                    self.problems.push(error);
                    self.batches = None;
                }
            }
        }
    }

    /// What could not be listed so far.
    pub(super) fn take_problems(&mut self) -> Vec<blit_contract::Error> {
        std::mem::take(&mut self.problems)
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
