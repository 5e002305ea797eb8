//! Where a session keeps what it replaces or deletes: in a directory of the same module, apart from what it
//! changes.

use std::sync::Arc;

use blit_contract::{Cx, Entry, Error, ErrorKind, PartialName, RelPath, Result, Store, SyncScope};
use blit_wire::{SessionRequest, Verb};

use crate::modules::{Module, make_directories};

/// The directory that the request names, if it names one and that may be one.
pub(crate) fn named<'a>(
    module: &Module,
    request: &'a SessionRequest,
) -> Result<Option<&'a RelPath>> {
    let Some(backup) = &request.backup else {
        return Ok(None);
    };
    check_verb(request.terms.verb)?;
    // Where nothing may be replaced there is nothing to keep, and nobody shall rely on it. A dry run says so too.
    module.for_changing()?;
    if backup.module != request.place.module {
        return Err(refusal(
            "the backup directory is in another module than the destination",
        ));
    }
    let names = backup.path.components().into_iter();
    if names
        .into_iter()
        .any(|name| PartialName::recognises(name.as_bytes()))
    {
        // Nobody would ever see what is in it.
        return Err(refusal(
            "the path of the backup directory has a name that is kept for unfinished files",
        ));
    }
    let (changed, kept) = (&request.place.path, &backup.path);
    match kept.starts_with(changed) || changed.starts_with(kept) {
        true => Err(overlap()),
        false => Ok(Some(kept)),
    }
}

/// Refuses verbs whose command has no backup directory.
pub(crate) fn check_verb(verb: Verb) -> Result<()> {
    match verb {
        Verb::Copy | Verb::Mirror => Ok(()),
        Verb::Check | Verb::Move => {
            Err(refusal("only a copy and a mirror have a backup directory"))
        }
    }
}

/// Refuses what is no directory, and what is not apart from the destination: names cannot tell where bind
/// mounts are, or a file system takes two names for one.
pub(crate) async fn check(
    cx: &Cx,
    store: &dyn Store,
    (changed, kept): (&RelPath, &RelPath),
) -> Result<()> {
    for (one, other) in [(kept, changed), (changed, kept)] {
        let found = store.stat(cx, one).await.map_err(|error| {
            // No link is followed, whatever is behind it.
            match one == kept && error.kind() == ErrorKind::Changed {
                true => refusal("what is on the way to the backup directory is no directory"),
                false => error,
            }
        });
        let Some(found) = found? else {
            continue;
        };
        if one == kept && !found.is_directory() {
            return Err(refusal("the backup directory is no directory"));
        }
        if is_above(&found, store, cx, other).await? {
            return Err(overlap());
        }
    }
    Ok(())
}

async fn is_above(found: &Entry, store: &dyn Store, cx: &Cx, path: &RelPath) -> Result<bool> {
    let above = store.ancestry(cx, path).await?;
    Ok(above.iter().any(|it| it.is_same_object(&found.identity)))
}

/// Makes both directories, as far as they are not there. Answers the store for a session that changes the one
/// and keeps in the other.
pub(crate) async fn make(
    cx: &Cx,
    store: Arc<dyn Store>,
    (changed, kept): (&RelPath, &RelPath),
) -> Result<Arc<dyn Store>> {
    make_directories(cx, &*store, kept).await?;
    make_directories(cx, &*store, changed).await?;
    check(cx, &*store, (changed, kept)).await?;
    // The other store knows nothing of what was made through this one.
    store.sync(cx, SyncScope::Tree).await?;
    store.keeping(cx, changed, kept).await
}

pub(crate) fn overlap() -> Error {
    refusal("the backup directory is the destination, inside it or above it")
}

pub(crate) fn refusal(why: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, "open backup directory").because(why)
}
