//! What the promises say must come of a command: pure, from two trees in memory.
//!
//! It is written from the manual (`docs/help`, the promises C1 to D4), not from the engine: it knows
//! neither sessions nor batches, and decides about the whole trees at once.

mod order;
mod place;

use std::collections::{BTreeMap, BTreeSet};

use crate::command::{Command, Limit, Verb};
use crate::tree::{Body, Id, Node, Path, Tree};

pub(crate) use order::Order;
use place::Working;

/// What must come of a command.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    /// The exit codes that are right.
    pub(crate) exits: Vec<i32>,
    pub(crate) source: Tree,
    /// `None`: there is none.
    pub(crate) target: Option<Tree>,
    /// Whether nothing at all may be touched at the target.
    pub(crate) is_target_untouched: bool,
    /// Directories in which deletions leave the time of the day.
    pub(crate) loose_times: BTreeSet<Path>,
    pub(crate) loose_source_times: BTreeSet<Path>,
    /// Entries whose extended attributes may be old or new: the quick comparison does not look.
    pub(crate) loose_attributes: BTreeSet<Path>,
    /// What `--backup-dir` must hold: old files, links and specials.
    pub(crate) kept: BTreeMap<Path, Node>,
    /// Whether any file of the source has several names.
    pub(crate) has_links: bool,
    /// Whether the promises leave open how the tree ends: after a refusal in a group of hard links.
    pub(crate) is_vague: bool,
}

/// What must come of `command`, run as step `now` of a story.
pub(crate) fn promise(
    command: &Command,
    source: &Tree,
    target: Option<&Tree>,
    order: Order,
    now: u32,
) -> Promise {
    let mut working = Working::new(command, source, target, now);
    for path in order::listing(source, order) {
        if !command.leaves_out(source, &path) {
            working.entry(&path);
        }
    }
    let unchanged = Promise {
        exits: vec![0],
        source: source.clone(),
        target: target.cloned(),
        is_target_untouched: true,
        loose_times: BTreeSet::new(),
        loose_source_times: BTreeSet::new(),
        loose_attributes: BTreeSet::new(),
        kept: BTreeMap::new(),
        has_links: source.has_links(),
        is_vague: false,
    };
    let trouble = working.trouble();
    if command.verb == Verb::Check {
        return working.checked(unchanged);
    }
    let doomed = working.doomed();
    if command.verb == Verb::Mirror && doomed > 0 {
        let is_refused = brakes(command.max_delete, doomed, working.is_source_empty());
        if is_refused || (!command.yes && !command.dry_run) {
            // A dry run that would fail anyway may say either.
            let exits = match command.dry_run && trouble != 0 {
                true => vec![7, trouble],
                false => vec![7],
            };
            return Promise { exits, ..unchanged };
        }
    }
    if command.dry_run {
        return Promise {
            exits: vec![trouble],
            ..unchanged
        };
    }
    working.finish(Promise {
        exits: vec![trouble],
        ..unchanged
    })
}

fn brakes(limit: Option<Limit>, doomed: usize, is_source_empty: bool) -> bool {
    match limit {
        Some(Limit::All) => false,
        _ if is_source_empty => true,
        Some(Limit::Entries(most)) => doomed > most,
        // These trees are too small for the default brake.
        None => false,
    }
}

/// Whether both trees are equal in everything that a copy keeps, links among it.
pub(crate) fn are_same(a: &Tree, b: &Tree) -> bool {
    let mut twins: BTreeMap<Id, Id> = BTreeMap::new();
    let mut back: BTreeMap<Id, Id> = BTreeMap::new();
    let has_same_names = a.paths().eq(b.paths());
    let all = a.paths().cloned().chain([Path::new()]);
    has_same_names
        && all.into_iter().all(|path| {
            let (Some(left), Some(right)) = (a.id(&path), b.id(&path)) else {
                return false;
            };
            let (x, y) = (a.node(left), b.node(right));
            x.body == y.body
                && x.meta == y.meta
                && *twins.entry(left).or_insert(right) == right
                && *back.entry(right).or_insert(left) == left
        })
}

/// Whether a FIFO is passed over.
fn is_left_out(command: &Command, node: &Node) -> bool {
    node.body == Body::Fifo && !command.specials
}
