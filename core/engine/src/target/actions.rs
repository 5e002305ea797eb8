//! What the comparison wants done, at once or, for a mirror that may delete, after approval.

use blit_contract::{
    Attributes, Diff, DiffKind, EndState, Entry, Item, ItemOp, Kind, MetaOp, RelPath, Replace,
    Result,
};
use blit_wire::Verb;
use serde::{Deserialize, Serialize};

use super::{Site, finish::Unfinished};
use blit_spool::Spool;

/// One thing to do at the target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Action {
    /// Set a directory's times back at the end.
    Finish { path: RelPath, entry: Entry },
    /// Make a directory; its metadata is asked for.
    MakeDirectory {
        path: RelPath,
        entry: Entry,
        replace: Replace,
    },
    /// Make a link or special, which need nothing of the source but the listing.
    MakeEntry {
        path: RelPath,
        entry: Entry,
        replace: Replace,
    },
    /// Ask the source.
    Need(Diff),
}

impl Action {
    pub(super) fn make_directory(path: RelPath, entry: &Entry, replace: Replace) -> Self {
        Self::MakeDirectory {
            path,
            entry: entry.clone(),
            replace,
        }
    }

    /// Makes anything but a directory.
    pub(super) fn make(path: RelPath, entry: Entry, replace: Replace) -> Self {
        if entry.is_file() {
            Self::Need(Diff::new(path, entry, DiffKind::Content, replace))
        } else {
            Self::MakeEntry {
                path,
                entry,
                replace,
            }
        }
    }
}

impl Action {
    /// Counts it as work that there is.
    pub(super) fn count(&self, site: &Site) {
        if let Self::Need(diff) = self {
            site.session.progress.want(diff);
        }
    }
}

/// Does actions as they come, or keeps them until they are approved.
#[derive(Debug)]
pub(super) struct Actions {
    kept: Option<Spool<Action>>,
}

impl Actions {
    /// A mirror of an existing tree decides before it writes: a brake that stops it must be able to
    /// say that nothing was changed (docs/adr/0001).
    pub(super) fn new(holds_back: bool) -> Self {
        Self {
            kept: holds_back.then(Spool::default),
        }
    }

    pub(super) async fn take(&mut self, site: &Site, actions: Vec<Action>) -> Result<()> {
        // Counted when it is known, not when it is done: who is asked about deletions reads it.
        for action in &actions {
            action.count(site);
            let Action::Need(diff) = action else {
                continue;
            };
            let kept_bytes = site.needs.kept_bytes(&*site.store, diff).await;
            if let Some(stop) = site.room.lock().add(diff, kept_bytes) {
                site.session.stop(stop);
                return site.session.cx.check();
            }
        }
        match &mut self.kept {
            Some(kept) => actions.into_iter().try_for_each(|action| kept.push(action)),
            None => perform(site, actions).await,
        }
    }

    /// Does what was kept.
    pub(super) async fn replay(&mut self, site: &Site) -> Result<()> {
        let Some(kept) = self.kept.take() else {
            return Ok(());
        };
        for at in 0..kept.blocks() {
            perform(site, kept.block(at)?).await?;
        }
        Ok(())
    }
}

/// Does actions: directories first, because what is asked for is written into them.
pub(super) async fn perform(site: &Site, actions: Vec<Action>) -> Result<()> {
    site.session.cx.check()?;
    let mut operations = Vec::new();
    let mut makes = Vec::new();
    let mut diffs = Vec::new();
    for action in actions {
        match action {
            Action::Finish { .. } if site.session.options.is_read_only() => {}
            Action::Finish { path, entry } => {
                let unfinished = Unfinished::times_only(path, entry);
                site.unfinished.lock().push(unfinished)?;
            }
            Action::Need(diff) => diffs.push(diff),
            Action::MakeDirectory {
                path,
                entry,
                replace,
            } => {
                diffs.extend(asks_for_metadata(site, &path, &entry));
                operations.push(MetaOp::MakeDirectory {
                    path: path.clone(),
                    replace: replace.clone(),
                });
                makes.push((path, entry, replace));
            }
            Action::MakeEntry {
                path,
                entry,
                replace,
            } => {
                operations.push(MetaOp::MakeEntry {
                    path: path.clone(),
                    entry: entry.clone(),
                    attributes: Attributes::default(),
                    replace: replace.clone(),
                });
                makes.push((path, entry, replace));
            }
        }
    }
    make(site, operations, makes).await?;
    ask(site, diffs).await
}

/// A new directory's metadata is set at the end, from what the source then sends. In a dry run there
/// is nothing to set.
fn asks_for_metadata(site: &Site, path: &RelPath, entry: &Entry) -> Option<Diff> {
    let diff = Diff::new(
        path.clone(),
        entry.clone(),
        DiffKind::Attributes,
        Replace::Nothing,
    );
    (!site.session.options.is_read_only()).then_some(diff)
}

async fn make(
    site: &Site,
    operations: Vec<MetaOp>,
    makes: Vec<(RelPath, Entry, Replace)>,
) -> Result<()> {
    if operations.is_empty() {
        return Ok(());
    }
    let session = &site.session;
    if session.options.is_read_only() {
        for (path, entry, replace) in makes {
            end_made(site, path, &entry, &replace).await;
        }
        return Ok(());
    }
    let applied = site
        .store
        .apply(&session.cx, site.policy, operations)
        .await?;
    for ((path, entry, replace), applied) in makes.into_iter().zip(applied) {
        match applied {
            Ok(applied) => {
                session.lose(&applied.losses);
                session.note(|report| report.changed_anything = true);
                if !entry.is_directory() {
                    site.settle(&path, &entry)?;
                }
                end_made(site, path, &entry, &replace).await;
            }
            Err(error) => site.problem(&path, error, 0).await,
        }
    }
    Ok(())
}

async fn end_made(site: &Site, path: RelPath, entry: &Entry, replace: &Replace) {
    // The root itself is not among the entries that were listed; that it is missing is a difference.
    if path.is_root() && site.session.options.verb != Verb::Check {
        return;
    }
    let (op, reason) = described(site, replace, &entry.kind);
    let item = Item::new(op, path, 0, reason);
    site.session.end(EndState::Copied, item).await;
}

/// What an entry that is made is called in the report, and why it is made.
pub(super) fn described(site: &Site, replace: &Replace, kind: &Kind) -> (ItemOp, &'static str) {
    let is_check = site.session.options.verb == Verb::Check;
    match replace {
        Replace::Nothing if is_check => (ItemOp::DiffersMissing, "missing"),
        Replace::Nothing => (ItemOp::Create, "new"),
        Replace::Entry(old) | Replace::Tree(old) if !old.kind.is_same_type(kind) => {
            let op = if is_check {
                ItemOp::DiffersType
            } else {
                ItemOp::Update
            };
            (op, "type")
        }
        Replace::Entry(_) | Replace::Tree(_) if is_check => (ItemOp::DiffersContent, "content"),
        Replace::Entry(_) | Replace::Tree(_) => (ItemOp::Update, "content"),
    }
}

/// Asks the source. Without writing, content is not fetched: that it would be is all there is to say.
async fn ask(site: &Site, diffs: Vec<Diff>) -> Result<()> {
    if !site.session.options.is_read_only() {
        return site.needs.ask(diffs).await;
    }
    let mut asked = Vec::new();
    for diff in diffs {
        match diff.kind {
            DiffKind::Content => would_copy(site, &diff).await,
            _ => asked.push(diff),
        }
    }
    site.needs.ask(asked).await
}

/// Ends an entry whose content would be copied.
pub(super) async fn would_copy(site: &Site, diff: &Diff) {
    let (op, _) = described(site, &diff.replace, &diff.entry.kind);
    let item = Item::new(op, diff.path.clone(), diff.entry.size, why(diff));
    site.session
        .note(|report| report.copied_bytes += diff.entry.size);
    site.session.end(EndState::Copied, item).await;
}

/// Why the content of an entry is needed, in a word.
pub(super) fn why(diff: &Diff) -> &'static str {
    match &diff.replace {
        Replace::Nothing => "new",
        Replace::Tree(_) => "type",
        Replace::Entry(old) if !old.kind.is_same_type(&diff.entry.kind) => "type",
        Replace::Entry(old) if old.size != diff.entry.size => "size",
        Replace::Entry(old) if old.modified != diff.entry.modified => "time",
        Replace::Entry(_) => "content",
    }
}
