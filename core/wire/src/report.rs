//! How a session ended.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use blit_contract::{
    DeletionPlan, EndState, Error, ErrorKind, LossClass, Method, Problem, RelPath, SecurityClass,
};

/// How a session ended: what became of every entry, and why it stopped early, if it did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// How many entries came to which end.
    pub ends: Ends,
    /// Bytes in the files that were copied.
    pub copied_bytes: u64,
    /// Of these, the bytes that the target had already, and that did not cross.
    pub matched_bytes: u64,
    /// Bytes that crossed the connection for the session, both ways; none inside one process.
    pub wire_bytes: u64,
    /// How the copied files moved, and how many each way.
    pub methods: BTreeMap<Method, u64>,
    /// What the target could not keep, and for how many entries.
    pub losses: BTreeMap<LossClass, u64>,
    /// The first problems, at most [`Report::PROBLEMS_MAX`] of them.
    pub problems: Vec<Arc<Problem>>,
    /// How many problems there were in all.
    pub problems_total: u64,
    /// Deletions that were planned and then left out, because something had failed.
    pub deletions_withheld: u64,
    /// Entries that were left out for what they are, which is not by any rule: see [`UNCARRIED`].
    pub uncarried: u64,
    /// Entries that `check` found to differ.
    pub differences: u64,
    /// Whether the source listed everything without an error.
    pub sealed: bool,
    /// Whether the target root had to be made.
    pub root_created: bool,
    /// Whether anything at the target (or, by `move`, at the source) was changed.
    pub changed_anything: bool,
    /// The lanes that carried it, where they are none of this machine's.
    pub lanes: Option<LanesUsed>,
    /// How long it took.
    pub took: Duration,
    /// Why it stopped before its end.
    pub stop: Option<Stop>,
}

impl Report {
    /// How many problems a report holds; more are only counted.
    pub const PROBLEMS_MAX: usize = 1_000;

    /// Whether everything came to a good end.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.stop.is_none() && self.problems_total == 0 && self.sealed
    }

    /// Adds how the other side of the same session ended.
    pub fn merge(&mut self, other: Self) {
        self.ends.merge(&other.ends);
        add(&mut self.copied_bytes, other.copied_bytes);
        add(&mut self.matched_bytes, other.matched_bytes);
        // Both sides count the same bytes; who lost the other may have counted fewer.
        self.wire_bytes = self.wire_bytes.max(other.wire_bytes);
        for (method, count) in other.methods {
            add(self.methods.entry(method).or_default(), count);
        }
        for (loss, count) in other.losses {
            add(self.losses.entry(loss).or_default(), count);
        }
        self.problems.extend(other.problems);
        self.problems.truncate(Self::PROBLEMS_MAX);
        add(&mut self.problems_total, other.problems_total);
        add(&mut self.deletions_withheld, other.deletions_withheld);
        add(&mut self.differences, other.differences);
        add(&mut self.uncarried, other.uncarried);
        self.sealed |= other.sealed;
        self.root_created |= other.root_created;
        self.changed_anything |= other.changed_anything;
        self.lanes = self.lanes.or(other.lanes);
        // A side that merely lost the other one knows less than the one that says why.
        if self.stop.as_ref().is_none_or(Stop::is_lost_peer) && other.stop.is_some() {
            self.stop = other.stop;
        }
    }

    /// Whether nothing but vanished source entries went wrong: that is no failure (exit 0).
    #[must_use]
    pub fn only_vanished(&self) -> bool {
        self.stop.is_none() && self.problems_total == self.ends.get(EndState::Vanished)
    }

    /// Whether a problem of that kind is among those kept.
    #[must_use]
    pub fn has_problem(&self, kind: ErrorKind) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.error.kind() == kind)
    }
}

/// The lanes between two other machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanesUsed {
    /// The name of their transport.
    pub transport: &'static str,
    /// Who could read what crossed them.
    pub security: SecurityClass,
    /// How many there were.
    pub lanes: u32,
}

/// The reasons that an item gives when an entry is left out for what it is.
pub const UNCARRIED: [&str; 2] = [
    "neither file, directory nor link",
    "a socket belongs to its process",
];

/// How many entries came to which end. Every entry comes to exactly one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends([u64; EndState::ALL.len()]);

impl Ends {
    /// How many came to that end.
    #[must_use]
    pub fn get(&self, end: EndState) -> u64 {
        self.0[end as usize]
    }

    /// How many entries there were in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        let counts = self.0.iter();
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Adds one entry.
    pub fn add(&mut self, end: EndState) {
        self.0[end as usize] += 1;
    }

    /// Adds so many entries.
    pub fn add_many(&mut self, end: EndState, count: u64) {
        let mine = &mut self.0[end as usize];
        *mine = mine.saturating_add(count);
    }

    /// Adds what another session counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            add(mine, theirs);
        }
    }
}

/// Adds what the other side says: it may be more than there can be.
fn add(mine: &mut u64, theirs: u64) {
    *mine = mine.saturating_add(theirs);
}

/// Why a session stopped before its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stop {
    /// The deletion brake: nothing was changed.
    Brake {
        /// What would have gone.
        plan: DeletionPlan,
        /// Whether it was because the source is empty.
        source_is_empty: bool,
    },
    /// The user stopped it.
    Cancelled,
    /// The user said no to the deletions: nothing was changed.
    Declined(DeletionPlan),
    /// The session itself failed: a root cannot be listed, the target is full or read-only.
    Failed(Arc<Problem>),
    /// It cannot fit; found before the first change.
    NoRoom {
        /// Bytes that would be written.
        needed_bytes: u64,
        /// Bytes that are free.
        free_bytes: u64,
    },
    /// Source and target overlap: nothing was changed.
    Overlap {
        /// How they lie.
        how: Overlap,
        /// The source entry, if it was a named one.
        entry: Option<RelPath>,
    },
    /// Deletions need a yes and nobody was there to say it: nothing was changed.
    Unconfirmed(DeletionPlan),
    /// Our own code broke its word.
    Internal(Error),
}

impl Stop {
    /// Whether all that is known is that the other side is gone.
    #[must_use]
    pub fn is_lost_peer(&self) -> bool {
        matches!(self, Self::Failed(problem) if problem.error.kind() == ErrorKind::Unreachable)
    }
}

/// How source and target overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// They are the same place.
    Same,
    /// The source is inside the target.
    SourceInside,
    /// The target is inside the source.
    TargetInside,
}
