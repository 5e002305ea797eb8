//! Reads what was planned and sends it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use blit_contract::{
    Diff, Entry, Error, ErrorKind, ReadItem, ReadOptions, Reader, RelPath, Result, Select,
    Selection, SmallFile, Time, Work, WorkItem,
};
use blit_wire::{Body, Payload, RangePart};
use parking_lot::Mutex;

use blit_clock::Paced;

use crate::{Source, digest, lane::Lanes, session::Session};

/// File systems stamp times at the kernel's tick, 4 ms on common kernels; a file touched later in the
/// same tick keeps its time. So a file is read only once its last change is this far in the past, and
/// a later edit then has a later time (reliability C8). Kernels with 100 ticks a second need 10 ms.
const SETTLE: Duration = Duration::from_millis(20);

/// Reads and sends.
pub(super) struct Reading {
    pub(super) session: Arc<Session>,
    pub(super) source: Source,
    pub(super) lanes: Lanes,
    /// The target is in another process: what leaves is paced here, and otherwise where it arrives.
    pub(super) leaves: bool,
    /// The mount of the source directory.
    pub(super) mount: u64,
    pub(super) open_files: Mutex<HashMap<RelPath, Arc<Shared>>>,
}

/// A file that several ranges are read from.
pub(super) struct Shared {
    reader: tokio::sync::OnceCell<Arc<dyn Reader>>,
    parts_left: AtomicU32,
}

impl Reading {
    /// Does one piece of work.
    pub(super) async fn serve(&self, item: WorkItem) -> Result<()> {
        self.session.cx.check()?;
        self.session.wait_for("the source to be read");
        let WorkItem {
            id, work, reason, ..
        } = item;
        let Some(work) = self.fitting(work) else {
            return Ok(());
        };
        let body = match work {
            Work::Attributes(diffs) => Body::Attributes(self.read(diffs, false).await?),
            Work::Digests(diffs) => Body::Digests(self.digests(diffs).await),
            Work::Pack(diffs) => {
                let files = self.read(diffs, true).await?;
                self.pass(&files).await?;
                Body::Pack(files)
            }
            Work::Whole(diff) => {
                let mut diff = diff;
                let reader = self.open(&mut diff).await;
                Body::File(diff, reader.map(|reader| self.paced(reader)))
            }
            Work::Range {
                diff,
                start,
                end,
                part,
                parts,
            } => {
                let reader = self.shared(&diff, parts).await;
                let range = RangePart {
                    diff,
                    start,
                    end,
                    part,
                    parts,
                };
                Body::Range(range, reader)
            }
            _ => return Err(super::bug("a piece of work of an unknown kind")),
        };
        self.session.wait_for("the target to write");
        let payload = Payload {
            item: id,
            reason,
            body,
        };
        self.lanes.send(&self.session.cx, payload).await
    }

    /// What can be done of `work`: lanes that leave the process carry files whole, whatever the planner says.
    fn fitting(&self, work: Work) -> Option<Work> {
        match work {
            Work::Range { diff, part, .. } if self.leaves => {
                (part == 0).then(|| Work::Whole(Arc::unwrap_or_clone(diff)))
            }
            other => Some(other),
        }
    }

    fn paced(&self, inner: Box<dyn Reader>) -> Box<dyn Reader> {
        let session = &self.session;
        if !self.leaves || !session.pace.is_limited() {
            return inner;
        }
        Box::new(Paced {
            inner,
            pace: Arc::clone(&session.pace),
            cx: session.cx.clone(),
        })
    }

    /// Waits until small files may leave.
    async fn pass(&self, files: &[(Diff, Result<SmallFile>)]) -> Result<()> {
        if !self.leaves {
            return Ok(());
        }
        let files = files.iter().filter_map(|(_, file)| file.as_ref().ok());
        let bytes: usize = files.map(|file| file.content.len()).sum();
        self.session.pace.pass(&self.session.cx, bytes as u64).await
    }

    /// Reads small files, or attributes, in one call.
    async fn read(
        &self,
        diffs: Vec<Diff>,
        content: bool,
    ) -> Result<Vec<(Diff, Result<SmallFile>)>> {
        let mut answers = Vec::with_capacity(diffs.len());
        let mut asked = Vec::with_capacity(diffs.len());
        let mut items = Vec::with_capacity(diffs.len());
        for mut diff in diffs {
            if let Err(error) = self.look_again(&mut diff).await {
                answers.push((diff, Err(error)));
                continue;
            }
            let mut item = ReadItem::content(self.path(&diff), diff.entry.clone());
            item.content = content && diff.entry.is_file();
            item.xattrs = self.session.options.preserve.xattrs;
            items.push(item);
            asked.push(diff);
        }
        if content {
            self.settle(&asked).await;
        }
        let read = self
            .source
            .store
            .read_batch(&self.session.cx, items)
            .await?;
        answers.extend(asked.into_iter().zip(read));
        Ok(answers)
    }

    /// Opens a large file.
    async fn open(&self, diff: &mut Diff) -> Result<Box<dyn Reader>> {
        self.look_again(diff).await?;
        self.settle(std::slice::from_ref(diff)).await;
        let options = ReadOptions::expecting(diff.entry.clone());
        let store = &self.source.store;
        store
            .open_read(&self.session.cx, &self.path(diff), options)
            .await
    }

    /// The one reader that all ranges of a file share. The first range opens it, the last lets it go.
    async fn shared(&self, diff: &Arc<Diff>, parts: u32) -> Result<Arc<dyn Reader>> {
        let shared = {
            let mut open_files = self.open_files.lock();
            let fresh = || Shared {
                reader: tokio::sync::OnceCell::new(),
                parts_left: AtomicU32::new(parts),
            };
            let entry = open_files.entry(diff.path.clone());
            Arc::clone(entry.or_insert_with(|| Arc::new(fresh())))
        };
        let reader = shared
            .reader
            .get_or_try_init(|| async {
                let mut diff = Diff::clone(diff);
                self.open(&mut diff).await.map(Arc::from)
            })
            .await
            .cloned();
        if shared.parts_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.open_files.lock().remove(&diff.path);
        }
        reader
    }

    async fn digests(&self, diffs: Vec<Diff>) -> Vec<(Diff, Result<[u8; 32]>)> {
        let mut answers = Vec::with_capacity(diffs.len());
        for mut diff in diffs {
            let digest = match self.open(&mut diff).await {
                Ok(reader) => digest::of(&self.session.cx, &*reader).await,
                Err(error) => Err(error),
            };
            answers.push((diff, digest));
        }
        answers
    }

    /// From the second try on: looks at what the entry is now.
    async fn look_again(&self, diff: &mut Diff) -> Result<()> {
        if diff.attempt == 0 {
            return Ok(());
        }
        let found = self
            .source
            .store
            .stat(&self.session.cx, &self.path(diff))
            .await?;
        let mut entry = found.ok_or_else(|| Error::new(ErrorKind::Vanished, "read"))?;
        if !entry.kind.is_same_type(&diff.entry.kind) {
            return Err(Error::new(ErrorKind::Changed, "read")
                .because(format!("it is a {} now", entry.kind.word())));
        }
        if self.leaves && !self.takes(diff, &entry) {
            return Err(Error::new(ErrorKind::Changed, "read").because("it is left out now"));
        }
        entry.name = diff.entry.name.clone();
        diff.entry = entry;
        Ok(())
    }

    /// Whether the rules still take what the entry has become. The target says when to look again, and
    /// must not get by it what it was not offered.
    fn takes(&self, diff: &Diff, found: &Entry) -> bool {
        let is_near = !self.session.options.one_file_system
            || found.is_directory()
            || found.identity.mount == self.mount;
        let parent = self.path(diff).parent().cloned().unwrap_or_default();
        let select = self.session.options.select.as_ref();
        let skips = |select: &Arc<dyn Select>| select.select(&parent, found) == Selection::Skip;
        is_near && !select.is_some_and(skips)
    }

    /// Waits until the last change of each is so old that a later one would show.
    async fn settle(&self, diffs: &[Diff]) {
        let wall = self.session.clock.wall();
        let youngest = diffs
            .iter()
            .map(|diff| diff.entry.modified.max(diff.entry.identity.changed))
            .filter(|time| *time <= wall)
            .max();
        if let Some(left) = youngest.and_then(|time| left_to_settle(wall, time)) {
            self.session.clock.sleep(left).await;
        }
    }

    fn path(&self, diff: &Diff) -> RelPath {
        self.source.top.source_path(&diff.path)
    }
}

/// How long it takes until a change at `changed` is [`SETTLE`] old.
fn left_to_settle(wall: Time, changed: Time) -> Option<Duration> {
    let age_nanos = u64::try_from(wall.as_nanos() - changed.as_nanos()).ok()?;
    SETTLE
        .checked_sub(Duration::from_nanos(age_nanos))
        .filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_makes_nobody_wait() {
        for years in [1, 50, 10_000] {
            let far = Time::new(years * 31_556_952, 0);
            assert_eq!(left_to_settle(Time::new(0, 0), far), None, "back");
            assert_eq!(left_to_settle(far, Time::new(0, 0)), None, "forth");
        }
    }

    #[test]
    fn only_a_file_changed_just_now_is_waited_for() {
        let at = |nanos| Time::new(100, nanos);
        assert_eq!(left_to_settle(at(0), Time::new(99, 0)), None);
        assert_eq!(
            left_to_settle(at(15_000_000), at(0)),
            Some(Duration::from_millis(5))
        );
        assert_eq!(left_to_settle(at(20_000_000), at(0)), None);
    }
}
