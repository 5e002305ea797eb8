//! What the target has asked for and not yet brought to an end.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use blit_contract::{Diff, DiffKind, Entry, Result, Store};
use blit_wire::{Message, NEEDS_MAX};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Notify, futures::Notified, mpsc};

use super::Prepared;
use crate::session::Session;
use blit_channel as channel;

/// So many names in the paths of one message, of 255 bytes each, fit into a frame.
const NAMES_MAX: usize = 16_384;

/// What was asked for, and what is ready for it.
type Asked = (Diff, Option<Prepared>);

/// How many large files wait until this side is prepared for them.
const LARGE_QUEUE: usize = 1_024;

/// Files from this size on are sent without what the target has already, and are kept if they are cut off.
/// What is lost with a smaller one takes less time than a look at what there is.
pub(super) const LARGE_BYTES_MIN: u64 = 16 << 20;

/// Asks the source, and counts what is outstanding.
#[derive(Debug)]
pub(crate) struct Needs {
    control: Arc<AsyncMutex<channel::Sender<Message>>>,
    session: Arc<Session>,
    outstanding: AtomicU64,
    draining: AtomicBool,
    /// What was asked of a source in another process, by number: only that is taken from it. `None` in
    /// this process, where needs come back with their answers.
    asked: Option<Mutex<HashMap<u64, Asked>>>,
    /// Where large files go before they are asked for; gone once nothing more is needed.
    large: Mutex<Option<mpsc::Sender<Diff>>>,
    next_id: AtomicU64,
    /// Told whenever something comes to its end.
    changed: Notify,
}

impl Needs {
    pub(crate) fn new(
        control: Arc<AsyncMutex<channel::Sender<Message>>>,
        session: Arc<Session>,
        as_objects: bool,
    ) -> Self {
        Self {
            control,
            session,
            asked: (!as_objects).then(Mutex::default),
            large: Mutex::default(),
            next_id: AtomicU64::new(1),
            outstanding: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// Asks for all of `diffs`. Each must later be settled exactly once.
    pub(crate) async fn ask(&self, diffs: Vec<Diff>) -> Result<()> {
        if diffs.is_empty() {
            return Ok(());
        }
        let count = diffs.len() as u64;
        self.outstanding.fetch_add(count, Ordering::AcqRel);
        let large = self.large.lock().clone();
        let Some(large) = large else {
            return self.send(diffs).await;
        };
        let (first, rest): (Vec<_>, Vec<_>) = diffs.into_iter().partition(is_large);
        self.send(rest).await?;
        for diff in first {
            // A closed queue means that whoever prepares has failed, which it reports itself.
            drop(large.send(diff).await);
        }
        Ok(())
    }

    /// Asks for something else, or once more, in the place of what was asked before.
    pub(crate) async fn ask_instead(&self, diff: Diff) -> Result<()> {
        if diff.attempt == 0 {
            self.session.progress.want(&diff);
        }
        let large = self.large.lock().clone();
        let plain = match large {
            // Whoever asks instead must not wait for others who do: without a place in the queue it is
            // asked for like a small file.
            Some(large) if is_large(&diff) => match large.try_send(diff) {
                Ok(()) => return Ok(()),
                Err(full) => full.into_inner(),
            },
            _ => diff,
        };
        self.send(vec![plain]).await
    }

    /// From now on large files of a source in another process come out of the answer: whoever takes one
    /// prepares for it and then asks for it.
    pub(super) fn divert_large(&self) -> Option<mpsc::Receiver<Diff>> {
        self.asked.as_ref()?;
        let (large, diverted) = mpsc::channel(LARGE_QUEUE);
        *self.large.lock() = Some(large);
        Some(diverted)
    }

    /// How many bytes an earlier session left of a file.
    pub(super) async fn kept_bytes(&self, store: &dyn Store, diff: &Diff) -> u64 {
        if self.passes_objects() || !is_large(diff) {
            return 0;
        }
        let kept = store.kept_bytes(&self.session.cx, &diff.path, &diff.entry);
        kept.await.unwrap_or_default()
    }

    /// A number for a need.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks for a file for which this side may be prepared.
    pub(super) async fn ask_prepared(&self, diff: Diff, prepared: Option<Prepared>) -> Result<()> {
        if let Some(asked) = &self.asked {
            asked.lock().insert(diff.id, (diff.clone(), prepared));
        }
        self.say(Message::Needs(vec![diff])).await
    }

    async fn send(&self, mut diffs: Vec<Diff>) -> Result<()> {
        while !diffs.is_empty() {
            let rest = diffs.split_off(batch_size(&diffs));
            let mut batch = std::mem::replace(&mut diffs, rest);
            if let Some(asked) = &self.asked {
                let mut asked = asked.lock();
                for diff in &mut batch {
                    diff.id = self.next_id();
                    asked.insert(diff.id, (diff.clone(), None));
                }
            }
            self.say(Message::Needs(batch)).await?;
        }
        Ok(())
    }

    /// Whether the source is in this process.
    pub(crate) fn passes_objects(&self) -> bool {
        self.asked.is_none()
    }

    /// What was asked for by that number and is not answered yet, and what is ready for it.
    pub(crate) fn take(&self, id: u64) -> Option<Asked> {
        self.asked.as_ref()?.lock().remove(&id)
    }

    /// Sends any message to the source.
    pub(crate) async fn say(&self, message: Message) -> Result<()> {
        self.control.lock().await.send(message).await
    }

    /// One thing that was asked for has come to its end.
    pub(crate) fn settle(&self) {
        self.outstanding.fetch_sub(1, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Waits until everything asked for has come to its end.
    pub(crate) async fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.changed.notify_waiters();
        loop {
            let changed = self.changed.notified();
            if self.outstanding.load(Ordering::Acquire) == 0 {
                break;
            }
            changed.await;
        }
        self.draining.store(false, Ordering::Release);
    }

    /// Whether somebody waits for the end, and only these `held` are missing.
    pub(crate) fn waits_only_for(&self, held: usize) -> bool {
        self.draining.load(Ordering::Acquire)
            && self.outstanding.load(Ordering::Acquire) == held as u64
    }

    /// Waits for something to come to its end after this call.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Tells the source that nothing more will be needed.
    pub(crate) async fn finish(&self) -> Result<()> {
        *self.large.lock() = None;
        self.say(Message::NeedsDone).await
    }
}

/// Whether this side prepares for the file before it asks for it. What is asked for again, because something
/// went wrong, comes whole.
fn is_large(diff: &Diff) -> bool {
    let is_first = diff.kind == DiffKind::Content && diff.attempt == 0;
    is_first && diff.entry.size >= LARGE_BYTES_MIN && is_mostly_data(&diff.entry)
}

/// Holes cost nothing to send, and hours to look through: a file of a tebibyte may hold a few bytes.
fn is_mostly_data(entry: &Entry) -> bool {
    const HOLES_MAX: u64 = 4;
    entry.size / HOLES_MAX <= entry.allocated
}

/// How many of `diffs` fit into one message; at least one.
fn batch_size(diffs: &[Diff]) -> usize {
    let mut names = 0;
    let fits = diffs.iter().take(NEEDS_MAX).take_while(|diff| {
        names += diff.path.depth() as usize;
        names <= NAMES_MAX
    });
    fits.count().max(1)
}
