//! The source's end of a ledger: of a file that the target has in part, only what differs is sent.

use std::{collections::HashMap, ops::Range};

use blit_contract::{ContentHasher, Cx, Error, ErrorKind, Reader, Result};
use blit_mover::next_data;
use blit_wire::{DATA_BYTES_MAX, Frame, LEDGER_BLOCKS_MAX, LEDGERS_MAX, Ledger};
use bytes::Bytes;
use parking_lot::Mutex;

use blit_channel::Sender;

/// How much is read at a time, unless a block is larger.
const CHUNK_BYTES: u64 = 1 << 20;

/// A longer run is told in parts, so that the target works on it while the rest is compared.
const SAME_BYTES_MAX: u64 = 16 << 20;

/// The ledgers that came, until their files are sent.
#[derive(Debug, Default)]
pub(crate) struct Ledgers(Mutex<HashMap<u64, Known>>);

/// What the target has of one file: the digests of its blocks, from the first on.
#[derive(Debug)]
pub(crate) struct Known {
    block_bytes: u64,
    digests: Vec<[u8; 32]>,
}

impl Ledgers {
    /// Takes a part of a ledger.
    ///
    /// # Errors
    /// `Invalid` if the target sends more than it may.
    pub(crate) fn add(&self, part: Ledger) -> Result<()> {
        let mut ledgers = self.0.lock();
        let is_new = !ledgers.contains_key(&part.need);
        if is_new && ledgers.len() >= LEDGERS_MAX {
            return Err(violation("more ledgers than it may"));
        }
        let known = ledgers.entry(part.need).or_insert_with(|| Known {
            block_bytes: part.block_bytes,
            digests: Vec::new(),
        });
        if known.block_bytes != part.block_bytes
            || known.digests.len() + part.digests.len() > LEDGER_BLOCKS_MAX
        {
            return Err(violation("a ledger that cannot be"));
        }
        known.digests.extend(part.digests);
        Ok(())
    }

    /// The ledger for a need, if there is one.
    pub(crate) fn take(&self, need: u64) -> Option<Known> {
        self.0.lock().remove(&need)
    }
}

fn violation(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, "receive").because(format!("the target sent {what}"))
}

/// Sends what differs from the ledger, and says what does not: while one chunk is sent the next is read.
/// The inner error is the reader's, and only the file's.
pub(super) async fn send(
    frames: &mut Sender<Frame>,
    cx: &Cx,
    reader: &dyn Reader,
    size: u64,
    ledger: &Known,
) -> Result<Result<[u8; 32]>> {
    let step = ledger.block_bytes.max(CHUNK_BYTES);
    let mut changes = Changes {
        frames,
        reader,
        ledger,
        hasher: ContentHasher::default(),
        at: 0,
        same: 0..0,
    };
    let mut ahead = next_chunk(reader, 0, size, step).await;
    loop {
        cx.check()?;
        let (range, content) = match ahead {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => return Ok(Err(error)),
        };
        let next = next_chunk(reader, range.end, size, step);
        let sent = changes.chunk(range.start, content);
        let (sent, next) = futures_util::future::join(sent, next).await;
        if let Err(error) = sent? {
            return Ok(Err(error));
        }
        ahead = next;
    }
    changes.tell_same().await?;
    changes.hasher.skip(size - changes.at);
    Ok(Ok(changes.hasher.finish()))
}

/// The next chunk that has data in it, from a multiple of `step` on.
async fn next_chunk(
    reader: &dyn Reader,
    at: u64,
    size: u64,
    step: u64,
) -> Result<Option<(Range<u64>, Bytes)>> {
    let Some(data) = next_data(reader, at, size).await? else {
        return Ok(None);
    };
    let start = data.start / step * step;
    let range = start..size.min(start + step);
    let content = reader.read(range.clone()).await?;
    Ok(Some((range, content)))
}

struct Changes<'a> {
    frames: &'a mut Sender<Frame>,
    reader: &'a dyn Reader,
    ledger: &'a Known,
    hasher: ContentHasher,
    /// How far the content has been looked at.
    at: u64,
    /// What is the same and not told yet.
    same: Range<u64>,
}

impl Changes<'_> {
    async fn chunk(&mut self, start: u64, content: Bytes) -> Result<Result<()>> {
        self.hasher.skip(start - self.at);
        self.hasher.update(&content);
        self.at = start + content.len() as u64;
        let block_bytes = self.ledger.block_bytes as usize;
        let mut changed = 0..0;
        for (number, block) in content.chunks(block_bytes).enumerate() {
            let from = number * block_bytes;
            let range = from..from + block.len();
            if !self.is_known(start + from as u64, block) {
                changed.end = range.end;
                continue;
            }
            if let Err(error) = self.data(start, &content, changed.clone()).await? {
                return Ok(Err(error));
            }
            changed = range.end..range.end;
            self.same(start + range.start as u64..start + range.end as u64)
                .await?;
        }
        self.data(start, &content, changed).await
    }

    fn is_known(&self, offset: u64, block: &[u8]) -> bool {
        let number = usize::try_from(offset / self.ledger.block_bytes).unwrap_or(usize::MAX);
        let known = self.ledger.digests.get(number);
        known.is_some_and(|digest| *digest == ContentHasher::digest(block))
    }

    async fn same(&mut self, range: Range<u64>) -> Result<()> {
        if self.same.end != range.start {
            self.tell_same().await?;
            self.same = range;
        } else {
            self.same.end = range.end;
        }
        if self.same.end - self.same.start >= SAME_BYTES_MAX {
            self.tell_same().await?;
        }
        Ok(())
    }

    async fn tell_same(&mut self) -> Result<()> {
        let Range { start, end } = self.same.clone();
        self.same = end..end;
        if start == end {
            return Ok(());
        }
        let same = Frame::Same {
            offset: start,
            bytes: end - start,
        };
        self.frames.send(same).await
    }

    /// Sends what is data in `range` of the content, which begins at `start`; holes are left out.
    async fn data(
        &mut self,
        start: u64,
        content: &Bytes,
        range: Range<usize>,
    ) -> Result<Result<()>> {
        let (mut at, end) = (start + range.start as u64, start + range.end as u64);
        if at == end {
            return Ok(Ok(()));
        }
        self.tell_same().await?;
        loop {
            let data = match next_data(self.reader, at, end).await {
                Ok(Some(data)) => data,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            };
            at = data.end.min(data.start + DATA_BYTES_MAX);
            let piece = (data.start - start) as usize..(at - start) as usize;
            let piece = content.slice(piece);
            self.frames.send_data(data.start, piece).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(need: u64, block_bytes: u64, digests: usize) -> Ledger {
        Ledger {
            need,
            block_bytes,
            digests: vec![[0; 32]; digests],
        }
    }

    #[test]
    fn a_ledger_comes_in_parts_and_is_taken_once() {
        let ledgers = Ledgers::default();
        ledgers.add(part(3, 1 << 16, 5)).unwrap();
        ledgers.add(part(3, 1 << 16, 6)).unwrap();
        assert_eq!(ledgers.take(3).unwrap().digests.len(), 11);
        assert!(ledgers.take(3).is_none());
    }

    #[test]
    fn more_ledgers_or_longer_ones_than_the_protocol_allows_are_refused() {
        let ledgers = Ledgers::default();
        for need in 0..LEDGERS_MAX as u64 {
            ledgers.add(part(need, 1 << 16, 1)).unwrap();
        }
        let refused = |part| ledgers.add(part).unwrap_err().kind();
        assert_eq!(refused(part(99, 1 << 16, 1)), ErrorKind::Invalid);
        assert_eq!(refused(part(0, 1 << 17, 1)), ErrorKind::Invalid);
        assert_eq!(
            refused(part(0, 1 << 16, LEDGER_BLOCKS_MAX)),
            ErrorKind::Invalid
        );
    }
}
