//! What came of all sessions of a run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use blit_config::Exit;
use blit_contract::{EndState, LossClass, Method, Problem, RelPath};
use blit_engine::{Ends, Report, Stop, Verb};
use blit_events::{ItemError, Slug, item_error, slug_of};

use crate::Figures;

/// What came of all sessions of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What the entries came to.
    pub ends: Ends,
    /// Bytes in the files that were copied.
    pub copied_bytes: u64,
    /// Of these, what the target had already.
    pub matched_bytes: u64,
    /// What crossed to or from another machine.
    pub wire_bytes: u64,
    /// How the files moved.
    pub methods: BTreeMap<Method, u64>,
    /// What the target could not keep, and for how many entries.
    pub losses: BTreeMap<LossClass, u64>,
    /// The problems, by their sort.
    pub groups: BTreeMap<Slug, Group>,
    /// Entries that were left out for their type.
    pub uncarried: u64,
    /// The first of those.
    pub skipped: Vec<RelPath>,
    /// Entries that were not deleted, because something failed.
    pub deletions_withheld: u64,
    /// Entries that differ.
    pub differences: u64,
    /// Whether a source could not be listed to its end.
    pub is_unsealed: bool,
    /// Whether anything was changed.
    pub changed_anything: bool,
    /// How long the sessions took.
    pub took: Duration,
    /// The figures at the end.
    pub figures: Figures,
    /// Why it stopped before its end, and in which leg.
    pub stop: Option<(Stop, usize)>,
}

/// Problems of one sort.
#[derive(Debug, Default)]
pub struct Group {
    /// How many there were.
    pub total: u64,
    /// The first of them.
    pub examples: Vec<Arc<Problem>>,
}

/// How many problems of each sort are kept.
const EXAMPLES_MAX: usize = 100;

impl Outcome {
    /// Adds what a session came to. Its problems have been added as they happened.
    pub fn absorb(&mut self, report: Report, leg: usize) {
        self.ends.merge(&report.ends);
        self.copied_bytes = self.copied_bytes.saturating_add(report.copied_bytes);
        self.matched_bytes = self.matched_bytes.saturating_add(report.matched_bytes);
        self.wire_bytes = self.wire_bytes.saturating_add(report.wire_bytes);
        for (method, files) in report.methods {
            let total = self.methods.entry(method).or_default();
            *total = total.saturating_add(files);
        }
        for (class, entries) in report.losses {
            let total = self.losses.entry(class).or_default();
            *total = total.saturating_add(entries);
        }
        self.deletions_withheld = self
            .deletions_withheld
            .saturating_add(report.deletions_withheld);
        self.uncarried = self.uncarried.saturating_add(report.uncarried);
        self.differences = self.differences.saturating_add(report.differences);
        self.is_unsealed |= !report.sealed;
        self.changed_anything |= report.changed_anything;
        self.took = self.took.saturating_add(report.took);
        self.stop = report.stop.map(|stop| (stop, leg));
    }

    /// Whether the last session ended because the other machine was lost. Then it is as if it had not
    /// stopped: what it did is counted, and another one continues it.
    pub fn take_lost(&mut self) -> bool {
        let was_lost = self.stop.as_ref().is_some_and(|(it, _)| it.is_lost_peer());
        if was_lost {
            self.stop = None;
            self.is_unsealed = false;
        }
        was_lost
    }

    /// Adds a problem.
    pub fn add(&mut self, problem: &Arc<Problem>) {
        let slug = slug_of(problem.side, problem.error.kind());
        let group = self.groups.entry(slug).or_default();
        group.total += 1;
        if group.examples.len() < EXAMPLES_MAX {
            group.examples.push(Arc::clone(problem));
        }
    }

    /// Notes an entry that was left out for its type.
    pub fn skip(&mut self, path: &RelPath) {
        if self.skipped.len() < EXAMPLES_MAX {
            self.skipped.push(path.clone());
        }
    }

    /// Entries that failed; those that vanished are none.
    #[must_use]
    pub fn failed(&self) -> u64 {
        let failures = self
            .groups
            .iter()
            .filter(|(slug, _)| entry_exit(**slug) != Exit::Ok);
        failures.map(|(_, group)| group.total).sum()
    }

    /// Entries that are new, or have new content, or a new name for it.
    #[must_use]
    pub fn copied(&self) -> u64 {
        self.ends.get(EndState::Copied) + self.ends.get(EndState::Linked)
    }

    /// The exit code, as far as it is not for the reason of a stop.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let groups = self.groups.keys().map(|slug| entry_exit(*slug));
        let exit = groups.fold(Exit::Ok, Exit::graver);
        let exit = if self.deletions_withheld > 0 || (self.is_unsealed && self.stop.is_none()) {
            exit.graver(Exit::Partial)
        } else {
            exit
        };
        match self.differences {
            0 => exit,
            _ => exit.graver(Exit::Different),
        }
    }

    /// The same for a run of that verb: what a move leaves behind for its type has not moved.
    #[must_use]
    pub fn exit_of(&self, verb: Verb) -> Exit {
        match self.uncarried > 0 && verb == Verb::Move {
            true => self.exit().graver(Exit::Partial),
            false => self.exit(),
        }
    }

    /// The first failures, for programs.
    #[must_use]
    pub fn failures(&self) -> Vec<ItemError> {
        let failures = self
            .groups
            .iter()
            .filter(|(slug, _)| entry_exit(**slug) != Exit::Ok);
        failures
            .flat_map(|(_, group)| &group.examples)
            .take(EXAMPLES_MAX)
            .map(|problem| item_error(problem))
            .collect()
    }
}

/// The exit code of a run in which an entry came to that end.
fn entry_exit(slug: Slug) -> Exit {
    match slug {
        // Of a whole destination it is a refusal; of some of its entries a partial success.
        Slug::PermDest => Exit::Partial,
        other => other.exit(),
    }
}
