//! Figures of a running session that anybody may read at any time, without a message.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use blit_contract::{Diff, DiffKind, Entry, Phase, Totals};
use blit_wire::Figures;

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

    /// Counts what the source has listed.
    pub(crate) fn scan(&self, entries: &[Entry]) {
        self.scanned_entries.add(entries.len() as u64);
        // What another machine says of sizes may be more than there can be.
        let bytes = entries
            .iter()
            .fold(0, |sum: u64, it| sum.saturating_add(it.size));
        self.scanned_bytes.add(bytes);
    }

    /// How far this side is, for the other.
    pub(crate) fn figures(&self) -> Figures {
        Figures {
            counts: self.counts().map(Count::get).to_vec(),
            scan_is_over: self.scan_is_over.load(Ordering::Relaxed),
            phase: Some(self.phase()),
        }
    }

    /// Adds what a side on another machine did since `before`, without what is counted by another one.
    pub(crate) fn absorb(&self, before: &Figures, now: &Figures, of: Told) {
        let skipped = match of {
            Told::Source => OWN_OF_TARGET,
            Told::Target { scans: true } => &[],
            Told::Target { scans: false } => OWN_OF_SOURCE,
        };
        for (at, count) in self.counts().into_iter().enumerate() {
            let figure = |figures: &Figures| figures.counts.get(at).copied().unwrap_or_default();
            if !skipped.contains(&at) {
                count.add(figure(now).saturating_sub(figure(before)));
            }
        }
        if of != Told::Source
            && let Some(phase) = now.phase
        {
            self.enter(phase);
        }
    }

    /// The figures that cross, in an order that never changes.
    fn counts(&self) -> [&Count; 10] {
        [
            &self.scanned_entries,
            &self.scanned_bytes,
            &self.wanted_files,
            &self.wanted_bytes,
            &self.done_files,
            &self.done_bytes,
            &self.up_to_date,
            &self.doomed_entries,
            &self.deleted_entries,
            &self.problems,
        ]
    }

    /// Counts a file whose content is asked for.
    pub(crate) fn want(&self, diff: &Diff) {
        if diff.kind == DiffKind::Content {
            self.wanted_files.add(1);
            self.wanted_bytes.add(diff.entry.size);
        }
    }

    pub(crate) fn finish_scan(&self) {
        self.scan_is_over.store(true, Ordering::Relaxed);
    }
}

/// Which side tells its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The source; all but its problems is counted by the target as well.
    Source,
    /// The target.
    Target {
        /// Whether what the source lists is counted by nobody else.
        scans: bool,
    },
}

/// Which of the figures a source, and which a target, counts itself; problems are counted by both.
const OWN_OF_SOURCE: &[usize] = &[0, 1];
const OWN_OF_TARGET: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8];

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
