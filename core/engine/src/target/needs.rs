//! What the target has asked for and not yet brought to an end.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use blit_contract::{Diff, Result};
use blit_wire::{Message, NEEDS_MAX};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Notify, futures::Notified};

use crate::{channel, session::Session};

/// So many names in the paths of one message, of 255 bytes each, fit into a frame.
const NAMES_MAX: usize = 16_384;

/// Asks the source, and counts what is outstanding.
#[derive(Debug)]
pub(crate) struct Needs {
    control: Arc<AsyncMutex<channel::Sender<Message>>>,
    session: Arc<Session>,
    outstanding: AtomicU64,
    draining: AtomicBool,
    /// What was asked of a source in another process, by number: only that is taken from it. `None` in
    /// this process, where needs come back with their answers.
    asked: Option<Mutex<HashMap<u64, Diff>>>,
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
        self.send(diffs).await
    }

    /// Asks for something else, or once more, in the place of what was asked before.
    pub(crate) async fn ask_instead(&self, diff: Diff) -> Result<()> {
        if diff.attempt == 0 {
            self.session.progress.want(&diff);
        }
        self.send(vec![diff]).await
    }

    async fn send(&self, mut diffs: Vec<Diff>) -> Result<()> {
        while !diffs.is_empty() {
            let rest = diffs.split_off(batch_size(&diffs));
            let mut batch = std::mem::replace(&mut diffs, rest);
            if let Some(asked) = &self.asked {
                let mut asked = asked.lock();
                for diff in &mut batch {
                    diff.id = self.next_id.fetch_add(1, Ordering::Relaxed);
                    asked.insert(diff.id, diff.clone());
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

    /// What was asked for by that number and is not answered yet.
    pub(crate) fn take(&self, id: u64) -> Option<Diff> {
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
        self.say(Message::NeedsDone).await
    }
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
