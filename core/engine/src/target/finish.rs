//! The last touches: what takes the place of whole directories, and the metadata of directories.

use blit_contract::{Attributes, EndState, Entry, Item, ItemOp, MetaOp, RelPath, Result, Side};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    actions::{Action, perform},
};
use blit_spool::Spool;

/// How many directories one call finishes.
const BATCH: usize = 1_024;

/// A directory whose metadata is set when nothing changes in it any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Unfinished {
    pub(super) path: RelPath,
    pub(super) entry: Entry,
    /// `None`: only what the work in it changed is set back.
    pub(super) attributes: Option<Attributes>,
    /// Whether this is how the entry ends; a new directory has ended when it was made.
    pub(super) is_end: bool,
    /// Whether the scan saw another metadata: what only the work in it changed is no news.
    pub(super) differs: bool,
}

impl Unfinished {
    /// A directory that gets its times back.
    pub(super) fn times_only(path: RelPath, entry: Entry) -> Self {
        Self {
            path,
            entry,
            attributes: None,
            is_end: false,
            differs: false,
        }
    }

    /// Whether its owner cannot work beneath it once it is finished.
    fn closes_itself(&self) -> bool {
        self.entry.mode & 0o700 != 0o700
    }
}

/// Puts files and links in the place of whole directories, if nothing went wrong before.
pub(super) async fn late(site: &Site, actions: &Spool<Action>) -> Result<()> {
    if actions.is_empty() {
        return Ok(());
    }
    if !site.session.is_clean() && !site.session.options.is_read_only() {
        site.session
            .note(|report| report.deletions_withheld += actions.len() as u64);
        return Ok(());
    }
    for at in 0..actions.blocks() {
        let block = actions.block(at)?;
        block.iter().for_each(|action| action.count(site));
        perform(site, block).await?;
    }
    site.needs.drain().await;
    Ok(())
}

/// Sets the metadata of directories. Setting it changes no other directory, so any order does, but for
/// those that close themselves: deepest last would lock us out of what is beneath them.
pub(super) async fn directories(site: &Site) -> Result<()> {
    let unfinished = std::mem::take(&mut *site.unfinished.lock());
    let mut closing = Vec::new();
    for at in (0..unfinished.blocks()).rev() {
        let (last, others): (Vec<_>, Vec<_>) = unfinished
            .block(at)?
            .into_iter()
            .partition(Unfinished::closes_itself);
        closing.extend(last);
        for batch in others.chunks(BATCH) {
            finish(site, batch).await?;
        }
    }
    closing.sort_by_key(|directory| std::cmp::Reverse(directory.path.depth()));
    finish(site, &closing).await
}

async fn finish(site: &Site, batch: &[Unfinished]) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let session = &site.session;
    let operations = batch.iter().map(|directory| MetaOp::SetMetadata {
        path: directory.path.clone(),
        expect: None,
        entry: directory.entry.clone(),
        attributes: directory.attributes.clone(),
    });
    let operations = operations.collect();
    let applied = site
        .store
        .apply(&session.cx, site.policy, operations)
        .await?;
    for (directory, applied) in batch.iter().zip(applied) {
        match applied {
            Ok(applied) => {
                session.lose(&applied.losses);
                if directory.is_end {
                    let changed = applied.changed && directory.differs;
                    end(site, &directory.path, changed).await;
                }
            }
            Err(error) if directory.is_end => {
                site.unsettle(&directory.path);
                site.problem(&directory.path, error, 0).await;
            }
            // The directory itself came to its end before.
            Err(error) => {
                site.unsettle(&directory.path);
                let error = error.at(&directory.path);
                session.scan_problem(Side::Target, error).await;
            }
        }
    }
    Ok(())
}

/// Ends an entry of which only the metadata was in question.
pub(super) async fn end(site: &Site, path: &RelPath, changed: bool) {
    let item = Item::new(ItemOp::Metadata, path.clone(), 0, "metadata");
    let end = if changed {
        site.session.note(|report| report.changed_anything = true);
        EndState::Metadata
    } else {
        EndState::Unchanged
    };
    site.session.end(end, item).await;
}
