//! The last part of a move: removes from the source exactly what is committed at the target.

use blit_contract::{
    Durability, Entry, ErrorKind, Item, ItemOp, Preserve, RelPath, Result, Side, SyncScope,
    WritePolicy,
};

use crate::{Source, session::Session};
use blit_spool::Spool;

/// Removes the settled entries, children before their directories; answers how many went.
///
/// Each is checked once more against what was scanned. A directory that still holds something stays:
/// what is in it was not carried, and was named when that happened.
pub(super) async fn remove(
    session: &Session,
    source: &Source,
    settled: &Spool<(RelPath, Entry)>,
) -> Result<u64> {
    let mut removed = 0;
    // Listed parents first, so read backwards; and the files before any directory, because entries
    // settle in the order in which they were committed.
    for directories in [false, true] {
        for at in (0..settled.blocks()).rev() {
            let mut items = settled.block(at)?;
            items.retain(|(_, entry)| entry.is_directory() == directories);
            if directories {
                items.sort_by_key(|(path, _)| path.depth());
            }
            items.reverse();
            if !items.is_empty() {
                removed += remove_batch(session, source, items).await?;
            }
        }
    }
    // Success says that everything is as it shall be, and what is gone stays gone if the power fails.
    if removed > 0 {
        source.store.sync(&session.cx, SyncScope::Tree).await?;
    }
    Ok(removed)
}

async fn remove_batch(
    session: &Session,
    source: &Source,
    items: Vec<(RelPath, Entry)>,
) -> Result<u64> {
    // Whoever is at work in the source puts new states in the place of old ones, also in this moment.
    let policy = WritePolicy::new(Durability::None, Preserve::NONE).with_aside(true);
    let doomed: Vec<_> = items
        .iter()
        .map(|(path, entry)| (source.top.source_path(path), entry.clone()))
        .collect();
    let ends = source.store.delete(&session.cx, policy, doomed).await?;
    let mut removed = 0;
    for ((path, entry), end) in items.into_iter().zip(ends) {
        match end {
            Ok(()) => {
                removed += 1;
                let item = Item::new(ItemOp::MoveAway, path, entry.size, "safe at the target");
                session.note(|report| report.changed_anything = true);
                if session.options.items {
                    session.tell(blit_contract::Event::Item(item)).await;
                }
            }
            Err(error) if entry.is_directory() && error.kind() == ErrorKind::Conflict => {}
            Err(error) => session.scan_problem(Side::Source, error.at(&path)).await,
        }
    }
    Ok(removed)
}
