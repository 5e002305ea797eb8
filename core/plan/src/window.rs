//! Orders the tail: within a bounded window large files go before small ones, so that the end of a run
//! does not wait for one large file that came last.

use std::{cmp::Ordering, collections::BinaryHeap};

use blit_contract::Diff;

/// How many large files are held back to be ordered. A difference takes some 400 bytes.
pub(crate) const WINDOW_DIFFS: usize = 256;

/// Large files waiting to be planned, the largest first; equal sizes in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Window {
    heap: BinaryHeap<Waiting>,
    arrived: u64,
}

#[derive(Debug)]
struct Waiting {
    diff: Diff,
    arrived: u64,
}

impl Window {
    pub(crate) fn push(&mut self, diff: Diff) {
        let arrived = self.arrived;
        self.arrived += 1;
        self.heap.push(Waiting { diff, arrived });
    }

    pub(crate) fn pop(&mut self) -> Option<Diff> {
        self.heap.pop().map(|waiting| waiting.diff)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.heap.len() >= WINDOW_DIFFS
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
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
