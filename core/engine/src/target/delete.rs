//! What a mirror deletes: listed while both trees are compared, approved before the first change,
//! done last, and only if nothing went wrong.

use std::{collections::HashSet, sync::Arc};

use blit_contract::{
    DeletionPlan, EndState, Entry, EntryBatch, Item, ItemOp, ListOptions, Phase, RelPath, Result,
    Select, Selection,
};
use blit_wire::Verb;
use futures_core::stream::BoxStream;

use super::Site;
use crate::{Answer, Confirm, Doomed, MaxDelete, Stop};
use blit_spool::Spool;

/// How many entries one call deletes.
const BATCH: usize = 1_024;

/// Fewer deletions than this never set off the default brake.
const BRAKE_ENTRIES_MIN: u64 = 100;

/// The default brake, in percent of the target's entries.
const BRAKE_PERCENT: u64 = 50;

/// The entries to delete, directories before what is in them.
#[derive(Debug, Default)]
pub(super) struct DeletionList {
    entries: Spool<(RelPath, Entry)>,
    /// Those of the directories that hold something which stays, and so stay, too.
    kept: HashSet<RelPath>,
    bytes: u64,
    /// Entries that go together with a directory that something takes the place of.
    replaced_entries: u64,
    /// Entries of the target that the source has too.
    matched_entries: u64,
    /// The mount of the target's root: nothing elsewhere is deleted.
    mount: Option<u64>,
}

impl DeletionList {
    pub(super) fn push(&mut self, site: &Site, path: &RelPath, entry: &Entry) -> Result<()> {
        self.bytes += entry.size;
        site.session.progress.doomed_entries.add(1);
        self.entries.push((path.clone(), entry.clone()))
    }

    /// Counts entries that go together with a directory that something takes the place of.
    pub(super) fn count_only(&mut self, site: &Site, entries: u64, bytes: u64) {
        self.bytes += bytes;
        self.replaced_entries += entries;
        site.session.progress.doomed_entries.add(entries);
    }

    /// Counts an entry that both sides have.
    pub(super) fn match_one(&mut self) {
        self.matched_entries += 1;
    }

    /// Keeps the directories above an entry that stays, up to `top`, which is on the list.
    pub(super) fn keep(&mut self, path: &RelPath, top: &RelPath) {
        let mut at = path.parent();
        while let Some(directory) = at {
            if !self.kept.insert(directory.clone()) || directory == top {
                return;
            }
            at = directory.parent();
        }
    }

    /// A list for a target whose root is `root`.
    pub(super) fn below(root: Option<&Entry>) -> Self {
        Self {
            mount: root.map(|root| root.identity.mount),
            ..Self::default()
        }
    }

    /// Whether an entry is on another mount than the target's root.
    pub(super) fn is_elsewhere(&self, entry: &Entry) -> bool {
        self.mount
            .is_some_and(|mount| mount != entry.identity.mount)
    }

    fn count(&self) -> u64 {
        (self.entries.len() - self.kept.len()) as u64 + self.replaced_entries
    }

    /// Asks the brake, then the user. `false`: the session is stopped, and nothing was changed.
    pub(super) async fn approve(&self, site: &Site, confirm: &dyn Confirm) -> Result<bool> {
        let session = &site.session;
        if session.options.verb != Verb::Mirror || self.count() == 0 {
            return Ok(true);
        }
        let plan = self.plan();
        // A dry run shows what would go, and only then that it would be refused.
        if !session.options.dry_run && self.brakes(site) {
            return Ok(false);
        }
        if session.options.dry_run {
            return Ok(true);
        }
        session.wait_for_a_person();
        let stop = match confirm.confirm(plan, self).await {
            Answer::Yes => return Ok(true),
            Answer::No => Stop::Declined(plan),
            Answer::Nobody => Stop::Unconfirmed(plan),
        };
        session.stop(stop);
        Ok(false)
    }

    fn plan(&self) -> DeletionPlan {
        let of_entries = self.matched_entries + self.count();
        DeletionPlan::new(self.count(), self.bytes, of_entries)
    }

    /// Stops the session if this would be too much. Nothing is never too much, also of a source that is
    /// empty: what is on the list may stay for what is excluded in it.
    fn brakes(&self, site: &Site) -> bool {
        if self.count() == 0 {
            return false;
        }
        let session = &site.session;
        let plan = self.plan();
        let source_is_empty = session.progress.totals().entries == 0;
        let is_too_much = is_too_much(plan, source_is_empty, session.options.max_delete);
        if is_too_much {
            session.stop(Stop::Brake {
                plan,
                source_is_empty,
            });
        }
        is_too_much
    }

    /// Deletes, children before their directories, unless anything went wrong before.
    pub(super) async fn delete(&self, site: &Site) -> Result<()> {
        let session = &site.session;
        let is_mirror = session.options.verb == Verb::Mirror;
        let is_listed = !self.entries.is_empty();
        if is_mirror && !session.is_clean() {
            if is_listed {
                session.note(|report| report.deletions_withheld = self.count());
            }
            return Ok(());
        }
        if is_mirror && is_listed {
            session.enter(Phase::Delete).await;
        }
        for at in (0..self.entries.blocks()).rev() {
            let mut items = self.entries.block(at)?;
            items.reverse();
            items.retain(|(path, _)| !self.kept.contains(path));
            for batch in items.chunks(BATCH) {
                delete_batch(site, batch).await?;
            }
        }
        // Also of what goes only with the directory that something takes the place of.
        if is_mirror && session.options.dry_run {
            self.brakes(site);
        }
        Ok(())
    }
}

impl Doomed for DeletionList {
    fn for_each(&self, each: &mut dyn FnMut(&RelPath, &Entry)) -> Result<()> {
        for at in (0..self.entries.blocks()).rev() {
            for (path, entry) in self.entries.block(at)?.iter().rev() {
                if !self.kept.contains(path) {
                    each(path, entry);
                }
            }
        }
        Ok(())
    }
}

async fn delete_batch(site: &Site, batch: &[(RelPath, Entry)]) -> Result<()> {
    let session = &site.session;
    session.cx.check()?;
    if session.options.is_read_only() {
        for (path, entry) in batch {
            end_deleted(site, path, entry).await;
        }
        return Ok(());
    }
    session.wait_for("the target to delete");
    let entries = as_timed(site, batch);
    let deleted = site.store.delete(&session.cx, site.policy, entries).await?;
    for ((path, entry), deleted) in batch.iter().zip(deleted) {
        match deleted {
            Ok(()) => {
                session.note(|report| report.changed_anything = true);
                end_deleted(site, path, entry).await;
            }
            Err(error) => {
                site.session
                    .problem(blit_contract::Side::Target, path, error, 0)
                    .await
            }
        }
    }
    Ok(())
}

/// What was scanned, as far as it is not known that this run has changed it by another name.
fn as_timed(site: &Site, batch: &[(RelPath, Entry)]) -> Vec<(RelPath, Entry)> {
    let links = site.links.lock();
    let entries = batch.iter();
    entries
        .map(|(path, entry)| (path.clone(), links.as_timed(entry)))
        .collect()
}

async fn end_deleted(site: &Site, path: &RelPath, entry: &Entry) {
    let (end, op) = if site.session.options.verb == Verb::Check {
        (EndState::Skipped, ItemOp::DiffersExtra)
    } else {
        (EndState::Deleted, ItemOp::Delete)
    };
    let item = Item::new(op, path.clone(), entry.size, "not at the source");
    site.session.end(end, item).await;
}

/// Everything beneath a directory of the target, on its own mount. What a filter leaves out is listed,
/// too, but not entered: all that is in it stays with it, whatever the filter says of that by itself.
pub(super) fn all_of<'a>(site: &'a Site, path: &'a RelPath) -> BoxStream<'a, Result<EntryBatch>> {
    let mut options = ListOptions::recursive().with_one_file_system(true);
    if let Some(select) = &site.session.options.select {
        options = options.with_select(Arc::new(NotEntered(Arc::clone(select))));
    }
    site.store.list(&site.session.cx, path, options)
}

struct NotEntered(Arc<dyn Select>);

impl Select for NotEntered {
    fn select(&self, directory: &RelPath, entry: &Entry) -> Selection {
        match self.0.select(directory, entry) {
            Selection::Skip => Selection::TakeOnly,
            Selection::Take | Selection::TakeOnly => Selection::Take,
        }
    }
}

/// The brake.
fn is_too_much(plan: DeletionPlan, source_is_empty: bool, max: MaxDelete) -> bool {
    let percent = |percent: u64| {
        u128::from(plan.entries) * 100 > u128::from(plan.of_entries) * u128::from(percent)
    };
    match max {
        MaxDelete::Percent(100..) => false,
        _ if source_is_empty => true,
        MaxDelete::Default => plan.entries >= BRAKE_ENTRIES_MIN && percent(BRAKE_PERCENT),
        MaxDelete::Entries(entries) => plan.entries > entries,
        MaxDelete::Percent(limit) => percent(u64::from(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(entries: u64, of_entries: u64) -> DeletionPlan {
        DeletionPlan::new(entries, 0, of_entries)
    }

    #[test]
    fn more_than_half_and_at_least_a_hundred_is_too_much() {
        let default = |entries, of| is_too_much(plan(entries, of), false, MaxDelete::Default);
        assert!(default(100, 199));
        assert!(!default(100, 200));
        assert!(!default(99, 99));
    }

    #[test]
    fn an_empty_source_deletes_nothing_unless_all_was_allowed() {
        assert!(is_too_much(plan(1, 1), true, MaxDelete::Default));
        assert!(is_too_much(plan(1, 1), true, MaxDelete::Entries(5)));
        assert!(is_too_much(plan(1, 1), true, MaxDelete::Percent(99)));
        assert!(!is_too_much(plan(1, 1), true, MaxDelete::Percent(100)));
    }

    #[test]
    fn a_limit_that_was_given_is_exact() {
        assert!(!is_too_much(plan(5, 10), false, MaxDelete::Entries(5)));
        assert!(is_too_much(plan(6, 10), false, MaxDelete::Entries(5)));
        assert!(!is_too_much(plan(1, 10), false, MaxDelete::Percent(10)));
        assert!(is_too_much(plan(2, 10), false, MaxDelete::Percent(10)));
    }
}
