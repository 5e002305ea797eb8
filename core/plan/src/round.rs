//! Gathers a bounded look ahead, and orders it: large files leave before small ones, the largest
//! first, so that the end of a run does not wait for one large file that came last.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, VecDeque},
};

use blit_contract::{Diff, DiffKind, Entry, Work};

/// Files up to this size are packed: reading them whole costs less than a call for each part.
pub(crate) const PACKED_BYTES_MAX: u64 = 1 << 20;

/// A pack holds no more content. What four readers and four writers hold stays near 16 MiB.
pub(crate) const PACK_BYTES_MAX: u64 = 1 << 20;

/// A batch holds no more entries: with tiny files the calls count, not the bytes.
pub(crate) const BATCH_DIFFS_MAX: usize = 256;

/// What was looked ahead at, until all of it is given out.
#[derive(Debug, Default)]
pub(crate) struct Round {
    large: BinaryHeap<Waiting>,
    packs: Batches,
    digests: Batches,
    attributes: Batches,
    len: usize,
}

/// What leaves a round.
#[derive(Debug)]
pub(crate) enum Next {
    /// A file that is not packed.
    Large(Diff),
    /// Several differences together, and why.
    Together(Work, &'static str),
}

impl Round {
    /// Puts a difference where it belongs.
    pub(crate) fn push(&mut self, diff: Diff) {
        self.len += 1;
        match diff.kind {
            DiffKind::Attributes => self.attributes.push(diff, 0),
            DiffKind::Digest => {
                let size = diff.entry.size;
                self.digests.push(diff, size);
            }
            _ if is_packed(&diff) => {
                let size = diff.entry.size;
                self.packs.push(diff, size);
            }
            _ => self.large.push(Waiting {
                arrived: self.len,
                diff,
            }),
        }
    }

    /// What goes next: the largest file, then what travels together, in the order of arrival.
    pub(crate) fn pop(&mut self) -> Option<Next> {
        let next = if let Some(waiting) = self.large.pop() {
            Next::Large(waiting.diff)
        } else if let Some(diffs) = self.packs.pop() {
            Next::Together(Work::Pack(diffs), "packed: small files travel together")
        } else if let Some(diffs) = self.digests.pop() {
            Next::Together(Work::Digests(diffs), "digests: compared by content")
        } else {
            let diffs = self.attributes.pop()?;
            Next::Together(Work::Attributes(diffs), "attributes: no content is needed")
        };
        self.len -= match &next {
            Next::Together(
                Work::Pack(diffs) | Work::Digests(diffs) | Work::Attributes(diffs),
                _,
            ) => diffs.len(),
            _ => 1,
        };
        Some(next)
    }

    /// How many differences are in here.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// Whether the content may be read into memory as a whole, beside that of others.
///
/// A file with holes would lose them. A file that changed while it was read is not packed again: by
/// now it may have any size.
fn is_packed(diff: &Diff) -> bool {
    let Entry { size, .. } = diff.entry;
    let is_small = size <= PACKED_BYTES_MAX && !diff.entry.may_have_holes() && diff.attempt == 0;
    !diff.entry.is_file() || is_small
}

/// Batches of differences, each within the limits; all but the last are closed.
#[derive(Debug, Default)]
struct Batches {
    batches: VecDeque<Vec<Diff>>,
    /// The content of the last.
    bytes: u64,
}

impl Batches {
    fn push(&mut self, diff: Diff, size_bytes: u64) {
        let bytes = self.bytes.saturating_add(size_bytes);
        match self.batches.back_mut() {
            Some(last) if last.len() < BATCH_DIFFS_MAX && bytes <= PACK_BYTES_MAX => {
                last.push(diff);
                self.bytes = bytes;
            }
            _ => {
                self.batches.push_back(vec![diff]);
                self.bytes = size_bytes;
            }
        }
    }

    fn pop(&mut self) -> Option<Vec<Diff>> {
        self.batches.pop_front()
    }
}

/// A file in the order of sizes; equal sizes in the order of arrival.
#[derive(Debug)]
struct Waiting {
    diff: Diff,
    arrived: usize,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_size = self.diff.entry.size.cmp(&other.diff.entry.size);
        by_size.then(other.arrived.cmp(&self.arrived))
    }
}
