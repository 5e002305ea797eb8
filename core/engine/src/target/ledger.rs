//! What is here already of a large file: its blocks are told to the source, which then sends the others.
//!
//! A file is written anew whatever is here of it: into a partial that is kept if the session is cut off,
//! with what is the same taken from the version that it replaces. So a name never holds a mixture, and
//! that a file is whole is proved by the digest of all of it, not by those of its blocks.

use std::{ops::Range, sync::Arc};

use blit_contract::{
    ContentHasher, Diff, Extent, ReadOptions, Reader, Replace, Result, WriteOptions, Writer,
};
use blit_wire::{BLOCK_BYTES, LEDGER_BLOCKS_MAX, LEDGER_DIGESTS_MAX, LEDGERS_MAX, Ledger, Message};
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use super::Site;
use crate::session::joined;

/// How much is read at a time, unless a block is larger.
const CHUNK_BYTES: u64 = 1 << 20;

/// What is ready for a file that comes over a lane.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) writer: Box<dyn Writer>,
    /// The version that it replaces.
    pub(super) old: Option<Box<dyn Reader>>,
    pub(super) blocks: Blocks,
    /// Whether the writer holds what an earlier session left.
    pub(super) has_kept: bool,
    /// Only so many ledgers may be on their way.
    _place: Option<OwnedSemaphorePermit>,
}

/// The blocks that the ledger of a file has.
#[derive(Debug)]
pub(super) struct Blocks {
    block_bytes: u64,
    file_bytes: u64,
    /// For each block whether the writer holds it; otherwise the old version does.
    is_kept: Vec<bool>,
}

impl Blocks {
    /// No blocks yet, of a file of that size.
    fn of(file_bytes: u64) -> Self {
        let (least, most) = (*BLOCK_BYTES.start(), *BLOCK_BYTES.end());
        let fitting = file_bytes
            .div_ceil(LEDGER_BLOCKS_MAX as u64)
            .checked_next_power_of_two();
        Self {
            block_bytes: fitting.unwrap_or(most).clamp(least, most),
            file_bytes,
            is_kept: Vec::new(),
        }
    }

    /// Where block `number` is; the last is shorter.
    fn range(&self, number: u64) -> Range<u64> {
        let start = number.saturating_mul(self.block_bytes).min(self.file_bytes);
        start..start.saturating_add(self.block_bytes).min(self.file_bytes)
    }

    /// How far the ledger goes.
    fn covered(&self) -> u64 {
        self.range(self.is_kept.len() as u64).start
    }

    /// The runs of blocks in `range`, and whether the writer holds them. `None` if it is no run of blocks
    /// that the ledger has.
    pub(super) fn runs(&self, range: &Range<u64>) -> Option<Vec<(Range<u64>, bool)>> {
        let is_edge = |at: u64| at.is_multiple_of(self.block_bytes) || at == self.file_bytes;
        let is_inside = range.start < range.end && range.end <= self.covered();
        if !is_inside || !is_edge(range.start) || !is_edge(range.end) {
            return None;
        }
        let mut runs: Vec<(Range<u64>, bool)> = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let number = at / self.block_bytes;
            let is_kept = *self.is_kept.get(usize::try_from(number).ok()?)?;
            let block = self.range(number);
            match runs.last_mut() {
                Some((run, kept)) if *kept == is_kept => run.end = block.end,
                _ => runs.push((block.clone(), is_kept)),
            }
            at = block.end;
        }
        Some(runs)
    }
}

/// Prepares for large files and asks for them. Ends when nothing more will be needed.
pub(super) async fn prepare_all(site: Arc<Site>, mut large: mpsc::Receiver<Diff>) -> Result<()> {
    let places = Arc::new(Semaphore::new(LEDGERS_MAX));
    // Two at a time: one reads while the other digests.
    let readers = Arc::new(Semaphore::new(2));
    let mut tasks = JoinSet::new();
    while let Some(diff) = large.recv().await {
        let bug = |error| crate::source::bug("no places for ledgers").with_source(error);
        let place = Arc::clone(&places).acquire_owned().await.map_err(bug)?;
        let (site, readers) = (Arc::clone(&site), Arc::clone(&readers));
        tasks.spawn(async move {
            let reading = readers.acquire().await;
            let asked = ask(&site, diff, place).await;
            drop(reading);
            asked
        });
        while let Some(ended) = tasks.try_join_next() {
            joined(ended)?;
        }
    }
    while let Some(ended) = tasks.join_next().await {
        joined(ended)?;
    }
    Ok(())
}

async fn ask(site: &Site, mut diff: Diff, place: OwnedSemaphorePermit) -> Result<()> {
    diff.id = site.needs.next_id();
    let cx = &site.session.cx;
    let options = WriteOptions::new(site.policy, diff.entry.clone(), diff.replace.clone());
    let opened = site.store.open_write(cx, &diff.path, options.keeping());
    let Ok(writer) = opened.await else {
        // When it comes, it is opened once more, and that tells why it cannot be.
        return site.needs.ask_prepared(diff, None).await;
    };
    // What cannot be looked at may hold anything.
    let has_kept = writer.kept(0).await.map_or(true, |kept| kept.is_some());
    let mut prepared = Prepared {
        writer,
        old: old(site, &diff).await,
        blocks: Blocks::of(diff.entry.size),
        has_kept,
        _place: Some(place),
    };
    prepared.tell(site, diff.id).await?;
    site.needs.ask_prepared(diff, Some(prepared)).await
}

/// The version that the file replaces, if it can be read.
async fn old(site: &Site, diff: &Diff) -> Option<Box<dyn Reader>> {
    let Replace::Entry(old) = &diff.replace else {
        return None;
    };
    if !old.is_file() || old.size == 0 {
        return None;
    }
    let options = ReadOptions::expecting(Clone::clone(old));
    let opened = site
        .store
        .open_read(&site.session.cx, &diff.path, options)
        .await;
    opened.ok()
}

impl Prepared {
    /// Ready for a file of which nothing is here, or nothing that counts.
    pub(super) async fn for_all_of_it(site: &Site, diff: &Diff) -> Result<Self> {
        let options = WriteOptions::new(site.policy, diff.entry.clone(), diff.replace.clone());
        let opened = site.store.open_write(&site.session.cx, &diff.path, options);
        Ok(Self {
            writer: opened.await?,
            old: None,
            blocks: Blocks::of(diff.entry.size),
            has_kept: false,
            _place: None,
        })
    }

    /// Tells the source the blocks that are here.
    async fn tell(&mut self, site: &Site, need: u64) -> Result<()> {
        let step = self.blocks.block_bytes.max(CHUNK_BYTES);
        let zeros = ContentHasher::digest(&vec![0; self.blocks.block_bytes as usize]);
        let mut kept = None;
        let mut digests = Vec::new();
        let mut at = 0;
        while at < self.blocks.file_bytes && self.blocks.is_kept.len() < LEDGER_BLOCKS_MAX {
            site.session.cx.check()?;
            let chunk = at..self.blocks.file_bytes.min(at.saturating_add(step));
            let Ok(from_kept) = self.read_kept(&mut kept, chunk.clone()).await else {
                break;
            };
            let Ok(from_old) = self.read_old(&from_kept, chunk.clone()).await else {
                break;
            };
            if from_kept.is_none() && from_old.is_none() && !self.has_kept {
                break;
            }
            digests.extend(self.digests(&chunk, from_kept, from_old, zeros));
            if digests.len() >= LEDGER_DIGESTS_MAX {
                let full = digests.drain(..LEDGER_DIGESTS_MAX).collect();
                self.say(site, need, full).await?;
            }
            // Where the old version ends, so does the ledger.
            if self.blocks.covered() < chunk.end {
                break;
            }
            at = chunk.end;
        }
        if !digests.is_empty() {
            self.say(site, need, digests).await?;
        }
        Ok(())
    }

    async fn say(&self, site: &Site, need: u64, digests: Vec<[u8; 32]>) -> Result<()> {
        let part = Ledger {
            need,
            block_bytes: self.blocks.block_bytes,
            digests,
        };
        site.needs.say(Message::Ledger(part)).await
    }

    /// What the writer holds of the chunk, if there is any data in it.
    async fn read_kept(
        &self,
        kept: &mut Option<Extent>,
        chunk: Range<u64>,
    ) -> Result<Option<Bytes>> {
        if !self.has_kept {
            return Ok(None);
        }
        if kept.is_none_or(|kept| kept.end <= chunk.start) {
            let end = self.blocks.file_bytes;
            let nothing = Extent {
                start: end,
                end: u64::MAX,
            };
            *kept = Some(self.writer.kept(chunk.start).await?.unwrap_or(nothing));
        }
        match kept.is_some_and(|kept| kept.start < chunk.end) {
            true => Ok(Some(self.writer.read_back(chunk).await?)),
            false => Ok(None),
        }
    }

    /// What the old version has of the chunk, if the writer does not hold all of it.
    async fn read_old(
        &self,
        from_kept: &Option<Bytes>,
        chunk: Range<u64>,
    ) -> Result<Option<Bytes>> {
        let block_bytes = self.blocks.block_bytes as usize;
        let is_held = |held: &Bytes| !held.chunks(block_bytes).any(is_zero);
        let Some(old) = &self.old else {
            return Ok(None);
        };
        let end = chunk.end.min(old.entry().size);
        if chunk.start >= end || from_kept.as_ref().is_some_and(is_held) {
            return Ok(None);
        }
        old.read(chunk.start..end).await.map(Some)
    }

    /// The digests of the blocks of a chunk. A block that the writer holds comes from there; zeros may be
    /// just what it has not got yet.
    fn digests(
        &mut self,
        chunk: &Range<u64>,
        from_kept: Option<Bytes>,
        from_old: Option<Bytes>,
        zeros: [u8; 32],
    ) -> Vec<[u8; 32]> {
        let mut digests = Vec::new();
        while self.blocks.covered() < chunk.end && self.blocks.is_kept.len() < LEDGER_BLOCKS_MAX {
            let block = self.blocks.range(self.blocks.is_kept.len() as u64);
            let part = (block.start - chunk.start) as usize..(block.end - chunk.start) as usize;
            let of = |bytes: &Option<Bytes>| {
                let bytes = bytes.as_ref().filter(|bytes| part.end <= bytes.len());
                bytes.map(|bytes| bytes.slice(part.clone()))
            };
            let held = of(&from_kept).filter(|held| !is_zero(held));
            let (digest, is_kept) = match (held, of(&from_old)) {
                (Some(held), _) => (ContentHasher::digest(&held), true),
                (None, Some(old)) => (ContentHasher::digest(&old), false),
                (None, None) if self.has_kept && part.len() as u64 == self.blocks.block_bytes => {
                    (zeros, true)
                }
                (None, None) if self.has_kept => {
                    (ContentHasher::digest(&vec![0; part.len()]), true)
                }
                (None, None) => break,
            };
            self.blocks.is_kept.push(is_kept);
            digests.push(digest);
        }
        digests
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: u64 = *BLOCK_BYTES.start();

    #[test]
    fn blocks_grow_with_the_file_so_that_their_digests_fit() {
        let size = |file_bytes| Blocks::of(file_bytes).block_bytes;
        assert_eq!(size(0), LEAST);
        assert_eq!(size(4 << 30), LEAST);
        assert_eq!(size(8 << 30), LEAST);
        assert_eq!(size((8 << 30) + 1), LEAST * 2);
        assert_eq!(size(1 << 40), 4 << 20);
        assert_eq!(size(u64::MAX), *BLOCK_BYTES.end());
    }

    #[test]
    fn only_whole_blocks_of_the_ledger_can_be_the_same() {
        let mut blocks = Blocks::of(3 * LEAST + 10);
        blocks.is_kept = vec![true, true, false];
        let runs = |range: Range<u64>| blocks.runs(&range);
        assert_eq!(
            runs(0..3 * LEAST).unwrap(),
            [(0..2 * LEAST, true), (2 * LEAST..3 * LEAST, false)]
        );
        assert_eq!(runs(LEAST..2 * LEAST).unwrap(), [(LEAST..2 * LEAST, true)]);
        let all = 3 * LEAST + 10;
        for wrong in [
            0..0,
            1..LEAST,
            0..LEAST + 1,
            2 * LEAST..all,
            0..4 * LEAST,
            all..all,
            Range {
                start: LEAST,
                end: 0,
            },
            0..u64::MAX,
        ] {
            assert_eq!(runs(wrong.clone()), None, "{wrong:?}");
        }
        blocks.is_kept.push(true);
        let last = blocks.runs(&(2 * LEAST..all)).unwrap();
        assert_eq!(
            last,
            [(2 * LEAST..3 * LEAST, false), (3 * LEAST..all, true)]
        );
    }
}
