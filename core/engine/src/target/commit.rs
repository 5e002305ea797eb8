//! Commits staged files in batches: one barrier for many, and only then their names.

use std::sync::Arc;

use blit_contract::{
    Diff, EndState, Error, ErrorKind, Item, Method, Published, Result, Retry, Staged,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    Site,
    actions::{described, why},
    receive::ATTEMPTS_MAX,
};
use crate::session::joined;

/// A batch is committed when it holds so many bytes, or so many files, or once a second. Both limits
/// were measured: a barrier costs some 10 ms of the disk's time whatever it covers, so few large
/// batches are as good as none, and more would only hold more descriptors.
const BATCH_BYTES: u64 = 64 << 20;
const BATCH_FILES: usize = 4_096;

/// How many batches are published at a time: one waits for the disk or gives names while the other
/// does the other. Measured on two cores: a third gains nothing.
const PUBLISHING_MAX: usize = 2;

/// How many deliveries wait in the queue; how many files, is for [`Queue::room_for`] to say.
const QUEUE: usize = 64;

/// A staged file on its way to its name.
pub(super) struct Ready {
    pub(super) staged: Staged,
    pub(super) diff: Diff,
    pub(super) method: Method,
}

/// What feeds the committer. A disk that falls behind makes whoever stages files wait: each of them may
/// hold a descriptor until it has its name.
#[derive(Clone)]
pub(super) struct Queue {
    deliveries: mpsc::Sender<Delivery>,
    room: Arc<Semaphore>,
    files_max: usize,
}

struct Delivery {
    files: Vec<Ready>,
    _room: OwnedSemaphorePermit,
}

impl Queue {
    /// At most so many files are staged and delivered together.
    pub(super) const fn files_max(&self) -> usize {
        self.files_max
    }

    /// Waits until `files` more may be staged, which are no more than [`Queue::files_max`].
    pub(super) async fn room_for(&self, files: usize) -> Result<OwnedSemaphorePermit> {
        let files = u32::try_from(files).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(files).await;
        room.map_err(|_| gone())
    }

    /// Delivers `files`, for which there is `room`.
    pub(super) async fn send(&self, files: Vec<Ready>, room: OwnedSemaphorePermit) -> Result<()> {
        let delivery = Delivery { files, _room: room };
        self.deliveries.send(delivery).await.map_err(|_| gone())
    }
}

fn gone() -> Error {
    crate::source::bug("the committer is gone")
}

/// A committer for `site`, and the queue that feeds it. It ends when the queue is closed.
pub(super) fn committer(site: &Arc<Site>) -> (impl Future<Output = Result<()>> + use<>, Queue) {
    let (deliveries, incoming) = mpsc::channel(QUEUE);
    let files_max = files_max(site);
    let committer = Committer {
        site: Arc::clone(site),
        batch: Vec::new(),
        batch_bytes: 0,
        files_max,
        publishing: JoinSet::new(),
    };
    let queue = Queue {
        deliveries,
        room: Arc::new(Semaphore::new(files_max)),
        files_max,
    };
    (committer.run(incoming), queue)
}

/// One batch is staged and one grows while others are committed.
fn files_max(site: &Site) -> usize {
    match site.store.demands().staged_files_max {
        0 => BATCH_FILES,
        max => BATCH_FILES.min(max as usize / (PUBLISHING_MAX + 2)).max(1),
    }
}

struct Committer {
    site: Arc<Site>,
    batch: Vec<Ready>,
    batch_bytes: u64,
    files_max: usize,
    /// At most [`PUBLISHING_MAX`] batches.
    publishing: JoinSet<Result<()>>,
}

impl Committer {
    async fn run(mut self, mut incoming: mpsc::Receiver<Delivery>) -> Result<()> {
        loop {
            let site = Arc::clone(&self.site);
            let changed = site.needs.changed();
            if !self.batch.is_empty() && site.needs.waits_only_for(self.batch.len()) {
                self.publish().await?;
            }
            tokio::select! {
                delivery = incoming.recv() => match delivery {
                    Some(delivery) => self.take(delivery.files).await?,
                    None => break,
                },
                Some(ended) = self.publishing.join_next() => joined(ended)?,
                () = site.session.tick.notified(), if !self.batch.is_empty() => {
                    self.publish().await?;
                }
                () = changed, if !self.batch.is_empty() => {}
            }
        }
        self.publish().await?;
        while !self.publishing.is_empty() {
            self.wait_for_one().await?;
        }
        Ok(())
    }

    async fn take(&mut self, files: Vec<Ready>) -> Result<()> {
        for file in files {
            self.batch_bytes += file.staged.size;
            self.batch.push(file);
            if self.batch.len() >= self.files_max || self.batch_bytes >= BATCH_BYTES {
                self.publish().await?;
            }
        }
        Ok(())
    }

    /// Begins to publish the batch once one of those before it is through.
    async fn publish(&mut self) -> Result<()> {
        while self.publishing.len() >= PUBLISHING_MAX {
            self.wait_for_one().await?;
        }
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        if !batch.is_empty() {
            let site = Arc::clone(&self.site);
            self.publishing
                .spawn(async move { publish(&site, batch).await });
        }
        Ok(())
    }

    async fn wait_for_one(&mut self) -> Result<()> {
        match self.publishing.join_next().await {
            Some(ended) => joined(ended),
            None => Ok(()),
        }
    }
}

/// Publishes a batch and brings each of its entries to its end.
async fn publish(site: &Site, batch: Vec<Ready>) -> Result<()> {
    site.session.wait_for("the target's disk");
    let (staged, rest): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|ready| (ready.staged, (ready.diff, ready.method)))
        .unzip();
    let published = site
        .store
        .publish(&site.session.cx, site.policy, staged)
        .await?;
    for ((diff, method), published) in rest.into_iter().zip(published) {
        match published {
            Ok(published) => end(site, diff, method, &published).await?,
            Err(error) if may_retry(error.kind(), &diff) => {
                let mut again = diff;
                again.attempt += 1;
                site.needs.ask_instead(again).await?;
            }
            Err(error) => {
                site.problem(&diff.path, error, u32::from(diff.attempt))
                    .await;
                site.needs.settle();
            }
        }
    }
    Ok(())
}

/// Whether reading the source once more may help.
pub(super) fn may_retry(kind: ErrorKind, diff: &Diff) -> bool {
    kind.retry() == Retry::FromSource && diff.attempt + 1 < ATTEMPTS_MAX
}

async fn end(site: &Site, diff: Diff, method: Method, published: &Published) -> Result<()> {
    let session = &site.session;
    session.lose(&published.losses);
    session.note(|report| {
        report.changed_anything = true;
        report.copied_bytes += published.size;
        *report.methods.entry(method).or_default() += 1;
    });
    session.progress.done_files.add(1);
    site.settle(&diff.path, &diff.entry)?;
    let (op, _) = described(site, &diff.replace, &diff.entry.kind);
    let reason = why(&diff);
    let item = Item::new(op, diff.path, published.size, reason).with_method(method);
    session.end(EndState::Copied, item).await;
    site.needs.settle();
    Ok(())
}
