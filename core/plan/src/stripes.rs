//! Cuts one large file into ranges that several workers move at a time.

use std::sync::Arc;

use blit_contract::{Diff, Work};

/// Files from this size on are striped: at 1 GB/s one worker would be busy for a quarter of a second.
pub(crate) const STRIPED_BYTES_MIN: u64 = 256 << 20;

/// A smaller stripe only adds calls.
pub(crate) const STRIPE_BYTES_MIN: u64 = 64 << 20;

/// A larger stripe lets the last worker lag.
pub(crate) const STRIPE_BYTES_MAX: u64 = 1 << 30;

/// How long a stripe should take at the measured rate.
const STRIPE_SECONDS: f64 = 0.25;

/// Stripes begin at multiples of this, so that no page is written by two workers.
pub(crate) const STRIPE_ALIGN_BYTES: u64 = 1 << 20;

/// The ranges of one file, one after the other; they tile it.
#[derive(Debug)]
pub(crate) struct Stripes {
    diff: Arc<Diff>,
    stripe_bytes: u64,
    next: u32,
    parts: u32,
}

impl Stripes {
    /// Cuts a file for that many workers, of which one moves so many bytes per second if anybody
    /// knows.
    pub(crate) fn new(diff: Diff, workers: u32, bytes_per_second: Option<f64>) -> Self {
        let size = diff.entry.size;
        let lasting = bytes_per_second.map_or(STRIPE_BYTES_MIN, |rate| {
            (rate * STRIPE_SECONDS) as u64 // Saturates.
        });
        let stripe_bytes = lasting
            .min(size.div_ceil(u64::from(workers.max(1))))
            .clamp(STRIPE_BYTES_MIN, STRIPE_BYTES_MAX)
            // A size is whatever somebody says: the number of parts has to fit its type.
            .max(size.div_ceil(u64::from(u32::MAX)))
            .next_multiple_of(STRIPE_ALIGN_BYTES);
        let parts = size.div_ceil(stripe_bytes);
        Self {
            diff: Arc::new(diff),
            stripe_bytes,
            next: 0,
            parts: u32::try_from(parts).unwrap_or(u32::MAX),
        }
    }
}

impl Iterator for Stripes {
    type Item = Work;

    fn next(&mut self) -> Option<Work> {
        let part = self.next;
        if part == self.parts {
            return None;
        }
        self.next += 1;
        let start = u64::from(part) * self.stripe_bytes;
        let end = start.saturating_add(self.stripe_bytes);
        Some(Work::Range {
            diff: Arc::clone(&self.diff),
            start,
            end: end.min(self.diff.entry.size),
            part,
            parts: self.parts,
        })
    }
}
