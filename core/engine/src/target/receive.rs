//! Takes what crosses the lanes, and stages it.

mod growing;
mod ranges;

use std::sync::Arc;

use blit_contract::{
    ContentHasher, Diff, DiffKind, EndState, Entry, Error, ErrorKind, Item, ItemOp, MetaOp, Method,
    ReadItem, ReadOptions, Reader, RelPath, Replace, Result, Side, SmallFile, WriteOptions,
};
use blit_mover::{Step, Transform};
use blit_wire::{Body, Verb};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Site,
    actions::would_copy,
    commit::{Queue, Ready, may_retry},
    finish::{self, Unfinished},
    judge::{self, Verdict},
};
use crate::{
    digest,
    lane::{Arrival, LaneReceiver, is_violation},
    session::joined,
};

/// How often an entry is read before it is given up as changing (reliability F6: three retries).
pub(super) const ATTEMPTS_MAX: u8 = 4;

/// How many payloads are staged at a time. On two cores, four writers keep both busy while one or two
/// wait for a directory lock or the disk.
const WRITERS: usize = 4;

/// What takes payloads: shared by all lanes.
#[derive(Clone)]
pub(super) struct Receiving {
    places: Arc<Semaphore>,
    taker: Taker,
}

impl Receiving {
    pub(super) fn new(site: &Arc<Site>, queue: Queue) -> Self {
        let taker = Taker {
            site: Arc::clone(site),
            ranges: Arc::default(),
            queue,
        };
        Self {
            places: Arc::new(Semaphore::new(WRITERS)),
            taker,
        }
    }

    /// Takes payloads until the lane ends.
    pub(super) async fn run(self, mut lane: LaneReceiver) -> Result<()> {
        let mut writers = JoinSet::new();
        while let Some(arrival) = next(&mut lane, &mut writers).await? {
            let place = Arc::clone(&self.places)
                .acquire_owned()
                .await
                .map_err(|error| Error::new(ErrorKind::Bug, "write").with_source(error))?;
            let taker = self.taker.clone();
            writers.spawn(async move {
                let done = taker.arrive(arrival).await;
                drop(place);
                done
            });
        }
        while let Some(ended) = writers.join_next().await {
            joined(ended)?;
        }
        Ok(())
    }
}

/// What comes next, unless a writer fails before: nothing may come after that.
async fn next(
    lane: &mut LaneReceiver,
    writers: &mut JoinSet<Result<()>>,
) -> Result<Option<Arrival>> {
    let receiving = lane.recv();
    tokio::pin!(receiving);
    loop {
        tokio::select! {
            arrival = &mut receiving => return arrival,
            Some(ended) = writers.join_next() => joined(ended)?,
        }
    }
}

#[derive(Clone)]
struct Taker {
    site: Arc<Site>,
    ranges: Arc<ranges::Ranges>,
    queue: Queue,
}

impl Taker {
    async fn arrive(&self, arrival: Arrival) -> Result<()> {
        match arrival {
            Arrival::File {
                item,
                diff,
                prepared,
                pieces,
            } => {
                // Apart, so that what is spawned for everything else stays small.
                let taking = growing::take(&self.site, item, &diff, prepared, pieces);
                let staged = Box::pin(taking).await;
                self.hand_on(diff, staged).await
            }
            Arrival::Payload(payload) => self.take(payload.item, payload.body).await,
        }
    }

    async fn take(&self, item: u64, body: Body) -> Result<()> {
        match body {
            Body::Attributes(answers) => self.attributes(answers).await,
            Body::Digests(answers) => self.digests(answers).await,
            Body::File(diff, reader) => match reader {
                Ok(reader) => {
                    let staged = self.copy(item, &diff, &*reader).await;
                    self.hand_on(diff, staged).await
                }
                Err(error) => self.failed(Side::Source, diff, error).await,
            },
            Body::Pack(answers) => self.pack(item, answers).await,
            Body::Range(part, reader) => {
                if let Some((diff, staged)) = self.ranges.take(&self.site, part, reader).await {
                    self.hand_on(diff, staged).await?;
                }
                Ok(())
            }
            _ => Err(crate::source::bug("a payload of an unknown kind")),
        }
    }

    /// Stages small files, as many in one call as there may be.
    async fn pack(&self, item: u64, mut answers: Vec<(Diff, Result<SmallFile>)>) -> Result<()> {
        let files_max = self.queue.files_max();
        while answers.len() > files_max {
            let rest = answers.split_off(files_max);
            let first = std::mem::replace(&mut answers, rest);
            self.stage(item, first).await?;
        }
        self.stage(item, answers).await
    }

    /// Stages small files in one call.
    async fn stage(&self, item: u64, answers: Vec<(Diff, Result<SmallFile>)>) -> Result<()> {
        let site = &self.site;
        let room = self.queue.room_for(answers.len()).await?;
        let mut diffs = Vec::with_capacity(answers.len());
        let mut files = Vec::with_capacity(answers.len());
        let mut digests = Vec::with_capacity(answers.len());
        for (mut diff, answer) in answers {
            match answer {
                Ok(mut file) => {
                    file.path = diff.path.clone();
                    file.replace = diff.replace.clone();
                    let digest = || ContentHasher::digest(&file.content);
                    digests.push(site.policy.verify.then(digest));
                    diff.entry = file.entry.clone();
                    diffs.push(diff);
                    files.push(file);
                }
                Err(error) => self.failed(Side::Source, diff, error).await?,
            }
        }
        let started = site.session.clock.now();
        let (count, bytes) = (
            files.len(),
            files.iter().map(|file| file.content.len()).sum::<usize>(),
        );
        site.session
            .pace
            .pass(&site.session.cx, bytes as u64)
            .await?;
        let staged = site
            .store
            .write_batch(&site.session.cx, site.policy, files)
            .await?;
        site.session
            .observe(item, Method::Pack, (count, bytes), started);
        let mut ready = Vec::with_capacity(staged.len());
        for ((diff, digest), staged) in diffs.into_iter().zip(digests).zip(staged) {
            match staged {
                Ok(mut staged) => {
                    site.session.progress.done_bytes.add(staged.size);
                    staged.digest = digest;
                    ready.push(Ready {
                        staged,
                        diff,
                        method: Method::Pack,
                    });
                }
                Err(error) => self.failed(Side::Target, diff, error).await?,
            }
        }
        self.queue.send(ready, room).await
    }

    /// Copies one file whole.
    async fn copy(
        &self,
        item: u64,
        diff: &Diff,
        reader: &dyn Reader,
    ) -> Result<(blit_contract::Staged, Method)> {
        let site = &self.site;
        let cx = &site.session.cx;
        let options = WriteOptions::new(site.policy, diff.entry.clone(), diff.replace.clone());
        let writer = site.store.open_write(cx, &diff.path, options).await?;
        let transform = Transform {
            digest: site.policy.verify,
        };
        let on_bytes = |bytes| site.session.progress.done_bytes.add(bytes);
        let size = diff.entry.size;
        let started = site.session.clock.now();
        let step = Step {
            cx,
            pace: &site.session.pace,
            reader,
            writer: &*writer,
            range: 0..size,
            on_bytes: &on_bytes,
        };
        let moved = site.mover.copy(&step, transform, &*site.history).await?;
        site.session
            .observe(item, moved.method, (1, size as usize), started);
        let attributes = match site.policy.preserve.xattrs {
            true => reader.attributes().await?,
            false => blit_contract::Attributes::default(),
        };
        reader.check_unchanged().await?;
        let mut staged = writer.finish(diff.entry.clone(), attributes).await?;
        staged.digest = moved.digest;
        Ok((staged, moved.method))
    }

    async fn hand_on(
        &self,
        diff: Diff,
        staged: Result<(blit_contract::Staged, Method)>,
    ) -> Result<()> {
        match staged {
            Ok((staged, method)) => {
                let ready = Ready {
                    staged,
                    diff,
                    method,
                };
                let room = self.queue.room_for(1).await?;
                self.queue.send(vec![ready], room).await
            }
            Err(error) => self.failed(side_of(&error), diff, error).await,
        }
    }

    /// An entry that could not be had: once more, or to its bad end.
    async fn failed(&self, side: Side, mut diff: Diff, error: Error) -> Result<()> {
        if is_violation(&error) {
            return Err(error.at(&diff.path));
        }
        if may_retry(error.kind(), &diff) {
            diff.attempt += 1;
            return self.site.needs.ask_instead(diff).await;
        }
        let retried = u32::from(diff.attempt);
        let path = &diff.path;
        self.site.problem_on(side, path, error, retried).await;
        self.site.needs.settle();
        Ok(())
    }

    /// Sets metadata, or says that it differs.
    async fn attributes(&self, answers: Vec<(Diff, Result<SmallFile>)>) -> Result<()> {
        let mut operations = Vec::new();
        let mut diffs = Vec::new();
        for (diff, answer) in answers {
            match answer {
                Err(error) => self.failed(Side::Source, diff, error).await?,
                Ok(file) if self.site.session.options.is_read_only() => {
                    let differs = self.differs(&diff, &file).await;
                    self.end_compared(&diff, differs).await;
                }
                Ok(file) if diff.entry.is_directory() => {
                    let is_end = diff.replace != Replace::Nothing && !diff.path.is_root();
                    let differs = is_end && self.differs(&diff, &file).await;
                    self.site.unfinished.lock().push(Unfinished {
                        is_end,
                        differs,
                        path: diff.path,
                        entry: diff.entry,
                        attributes: Some(file.attributes),
                    })?;
                    self.site.needs.settle();
                }
                Ok(file) => {
                    operations.push(MetaOp::SetMetadata {
                        path: diff.path.clone(),
                        expect: expected(&diff),
                        entry: diff.entry.clone(),
                        attributes: Some(file.attributes),
                    });
                    diffs.push(diff);
                }
            }
        }
        self.set(operations, diffs).await
    }

    async fn set(&self, operations: Vec<MetaOp>, diffs: Vec<Diff>) -> Result<()> {
        let site = &self.site;
        if operations.is_empty() {
            return Ok(());
        }
        let applied = site
            .store
            .apply(&site.session.cx, site.policy, operations)
            .await?;
        for (diff, applied) in diffs.into_iter().zip(applied) {
            match applied {
                Ok(applied) => {
                    if let Some(old) = expected(&diff).filter(|_| site.policy.preserve.times) {
                        site.links.lock().time(&old, diff.entry.modified);
                    }
                    site.session.lose(&applied.losses);
                    site.settle(&diff.path, &diff.entry)?;
                    finish::end(site, &diff.path, applied.changed).await;
                    site.needs.settle();
                }
                Err(error) => self.failed(Side::Target, diff, error).await?,
            }
        }
        Ok(())
    }

    /// Whether any metadata differs; an entry that cannot be read differs.
    async fn differs(&self, diff: &Diff, file: &SmallFile) -> bool {
        let Some(found) = expected(diff) else {
            return true;
        };
        let options = &self.site.session.options;
        if judge::shows_difference(&diff.entry, &found, options.preserve) {
            return true;
        }
        let preserve = options.preserve;
        let item = ReadItem::attributes(diff.path.clone(), found);
        let read = blit_contract::StoreExt::get(&*self.site.store, &self.site.session.cx, item);
        preserve.xattrs
            && !read
                .await
                .is_ok_and(|found| found.attributes == file.attributes)
    }

    async fn end_compared(&self, diff: &Diff, differs: bool) {
        let session = &self.site.session;
        let is_check = session.options.verb == Verb::Check;
        let op = if is_check {
            ItemOp::DiffersMetadata
        } else {
            ItemOp::Metadata
        };
        let end = if differs {
            EndState::Metadata
        } else {
            EndState::Unchanged
        };
        let item = Item::new(op, diff.path.clone(), 0, "metadata");
        // The root itself is not among the entries that were listed.
        if !diff.path.is_root() || (is_check && differs) {
            session.end(end, item).await;
        }
        self.site.needs.settle();
    }

    /// Compares by content.
    async fn digests(&self, answers: Vec<(Diff, Result<[u8; 32]>)>) -> Result<()> {
        for (diff, answer) in answers {
            match answer {
                Ok(digest) => self.compare_digest(diff, digest).await?,
                Err(error) => self.failed(Side::Source, diff, error).await?,
            }
        }
        Ok(())
    }

    /// The digest of the target's file. While something takes the place of another name of it, all that
    /// changes of it is how many names it has, and since when: then it is read as it is now.
    async fn own_digest(&self, diff: &mut Diff, found: &Entry) -> Result<[u8; 32]> {
        let error = match self.digest_at(&diff.path, found).await {
            Err(error) if error.kind() == ErrorKind::Changed => error,
            ended => return ended,
        };
        let now = self.site.store.stat(&self.site.session.cx, &diff.path);
        let Some(now) = now.await?.filter(|now| has_other_names(found, now)) else {
            return Err(error);
        };
        let digest = self.digest_at(&diff.path, &now).await;
        diff.replace = Replace::Entry(Box::new(now));
        digest
    }

    async fn digest_at(&self, path: &RelPath, expect: &Entry) -> Result<[u8; 32]> {
        let cx = &self.site.session.cx;
        let options = ReadOptions::expecting(expect.clone());
        let reader = self.site.store.open_read(cx, path, options).await?;
        digest::of(cx, &*reader).await
    }

    async fn compare_digest(&self, mut diff: Diff, digest: [u8; 32]) -> Result<()> {
        let site = &self.site;
        let session = &site.session;
        let Some(found) = expected(&diff) else {
            return Err(crate::source::bug("a digest without a target file"));
        };
        match self.own_digest(&mut diff, &found).await {
            Ok(ours) if ours == digest => {}
            Ok(_) if session.options.is_read_only() => {
                site.links.lock().renew(&diff.path);
                diff.kind = DiffKind::Content;
                session.progress.want(&diff);
                would_copy(site, &diff).await;
                site.needs.settle();
                return Ok(());
            }
            Ok(_) => {
                site.links.lock().renew(&diff.path);
                diff.kind = DiffKind::Content;
                return site.needs.ask_instead(diff).await;
            }
            Err(error) => {
                let error = error.at(&diff.path);
                site.problem(&diff.path, error, 0).await;
                site.needs.settle();
                return Ok(());
            }
        }
        match judge::judge_metadata(&diff.entry, &found, &session.options) {
            Verdict::Same => {
                site.settle(&diff.path, &diff.entry)?;
                let item = Item::new(ItemOp::Metadata, diff.path, 0, "");
                session.end(EndState::Unchanged, item).await;
                site.needs.settle();
                Ok(())
            }
            _ => {
                diff.kind = DiffKind::Attributes;
                site.needs.ask_instead(diff).await
            }
        }
    }
}

/// Which side an error of a copy comes from: stores call reading `read`.
fn side_of(error: &Error) -> Side {
    if error.op() == "read" || error.kind() == ErrorKind::Changed {
        Side::Source
    } else {
        Side::Target
    }
}

/// Whether `now` is what was `found`, but for its names. What is kept in a backup has as many as before:
/// one of them was moved there.
fn has_other_names(found: &Entry, now: &Entry) -> bool {
    let mut as_found = now.clone();
    as_found.identity.links = found.identity.links;
    as_found.identity.changed = found.identity.changed;
    as_found == *found && found.identity.links.max(now.identity.links) > 1
}

/// What the target's scan saw at the name.
fn expected(diff: &Diff) -> Option<Entry> {
    match &diff.replace {
        Replace::Entry(entry) | Replace::Tree(entry) => Some((**entry).clone()),
        Replace::Nothing => None,
    }
}
