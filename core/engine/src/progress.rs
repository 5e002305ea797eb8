//! Figures of a running session that anybody may read at any time, without a message.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use blit_contract::{Phase, Totals};

/// Running figures. Written by the session, read by whoever draws them; each figure only grows.
#[derive(Debug, Default)]
pub struct Progress {
    /// Entries that the source has listed.
    pub scanned_entries: Count,
    /// Bytes in the files that the source has listed.
    pub scanned_bytes: Count,
    /// Files that the target asked for.
    pub wanted_files: Count,
    /// Bytes that the target asked for.
    pub wanted_bytes: Count,
    /// Files that are staged or published.
    pub done_files: Count,
    /// Bytes that are staged or published.
    pub done_bytes: Count,
    /// Entries that need nothing.
    pub up_to_date: Count,
    /// Entries that a mirror will delete.
    pub doomed_entries: Count,
    /// Entries that it has deleted.
    pub deleted_entries: Count,
    /// Entries that failed, changed or vanished.
    pub problems: Count,
    scan_is_over: AtomicBool,
    phase: AtomicU8,
}

impl Progress {
    /// What the session is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        PHASES
            .get(usize::from(self.phase.load(Ordering::Relaxed)))
            .copied()
            .unwrap_or(Phase::Scan)
    }

    /// What there is to do, as far as it is known.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        totals.entries = self.scanned_entries.get();
        totals.bytes = self.scanned_bytes.get();
        totals.copy_files = self.wanted_files.get();
        totals.copy_bytes = self.wanted_bytes.get();
        totals.delete_entries = self.doomed_entries.get();
        totals.up_to_date = self.up_to_date.get();
        totals.complete = self.scan_is_over.load(Ordering::Relaxed);
        totals
    }

    /// A number that changes whenever anything moves: what the stall detector looks at.
    #[must_use]
    pub fn activity(&self) -> u64 {
        [
            &self.scanned_entries,
            &self.done_files,
            &self.done_bytes,
            &self.up_to_date,
            &self.deleted_entries,
            &self.problems,
        ]
        .iter()
        .fold(0, |sum, count| sum.wrapping_add(count.get()))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let at = PHASES.iter().position(|known| *known == phase);
        self.phase
            .store(at.unwrap_or_default() as u8, Ordering::Relaxed);
    }

    pub(crate) fn finish_scan(&self) {
        self.scan_is_over.store(true, Ordering::Relaxed);
    }
}

const PHASES: [Phase; 6] = [
    Phase::Scan,
    Phase::Compare,
    Phase::Copy,
    Phase::Verify,
    Phase::Delete,
    Phase::Finish,
];

/// A figure that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// The figure now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}
