//! Deletes entries: each is looked at once more, through its held directory, before it goes.

use std::{io, sync::Arc};

use blit_contract::{Cx, Entry, Error, ErrorKind, Name, RelPath, Result, WritePolicy};

use crate::{
    error::{error, is_missing},
    place::{Place, Tree, changing},
    sys::{Directory, Rename, Stat, StatKind, errno},
};

/// Deletes all of `items`, in the given order; each answer stands at the place of its entry.
pub(crate) fn batch(
    tree: &Tree,
    cx: &Cx,
    policy: WritePolicy,
    items: Vec<(RelPath, Entry)>,
) -> Result<Vec<Result<()>>> {
    tree.writable()?;
    let mut deleted = Vec::with_capacity(items.len());
    for (path, entry) in items {
        cx.check()?;
        deleted.push(one(tree, policy, &path, &entry));
    }
    Ok(deleted)
}

fn one(tree: &Tree, policy: WritePolicy, path: &RelPath, entry: &Entry) -> Result<()> {
    let failed = |cause: io::Error| error("delete", &cause).at(path);
    let place = tree.place(path).map_err(failed)?;
    let stat = place.directory.stat(&place.name).map_err(failed)?;
    if !may_go(&stat, entry) {
        return Err(Error::new(ErrorKind::Changed, "delete")
            .at(path)
            .because("it is not what was scanned"));
    }
    if let Some(handles) = tree.handles() {
        handles.forget(path);
    }
    if policy.backup {
        return keep(tree, path, &place);
    }
    changing(&place.directory, || remove(&place, &stat)).map_err(|cause| {
        if stat.is_locked {
            Error::new(ErrorKind::Immutable, "delete").at(path)
        } else {
            failed(cause)
        }
    })
}

/// Whether this is what the scan saw. What is in a directory may change: it must be empty anyway.
fn may_go(stat: &Stat, entry: &Entry) -> bool {
    stat.is_object(entry)
        && stat.mount == entry.identity.mount
        && (stat.kind != StatKind::File
            || (stat.size == entry.size && stat.modified == entry.modified))
}

fn remove(place: &Place, stat: &Stat) -> io::Result<()> {
    if stat.kind == StatKind::Directory {
        place.directory.remove_directory(&place.name)
    } else {
        place.directory.unlink(&place.name)
    }
}

/// Moves an object into the backup tree, under its own path; what is there keeps its name.
pub(crate) fn keep(tree: &Tree, path: &RelPath, from: &Place) -> Result<()> {
    let failed = |cause: io::Error| {
        if cause.raw_os_error() == Some(errno::XDEV) {
            Error::new(ErrorKind::Unsupported, "back up")
                .at(path)
                .because("the backup directory is on another file system")
        } else {
            error("back up", &cause).at(path)
        }
    };
    let (Some(backup), Some(name)) = (tree.backup(), path.name()) else {
        return Err(Error::new(ErrorKind::Unsupported, "back up").because("no backup directory"));
    };
    let parent = path.parent().map(RelPath::components).unwrap_or_default();
    let directory = make_beneath(backup, &parent).map_err(failed)?;
    for version in 0_u32.. {
        let name = versioned(name, version);
        match from
            .directory
            .rename(&from.name, &directory, &name, Rename::Keep)
        {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                // A directory that is there already has taken what was in this one.
                let is_empty = from.directory.remove_directory(&from.name).is_ok();
                if is_empty {
                    return Ok(());
                }
            }
            other => return other.map_err(failed),
        }
    }
    Err(Error::new(ErrorKind::Conflict, "back up").at(path))
}

/// `name`, then `name.~1~`, `name.~2~` …, cut where it would be too long.
fn versioned(name: &Name, version: u32) -> Name {
    if version == 0 {
        return name.clone();
    }
    let suffix = format!(".~{version}~");
    let mut bytes = name.as_bytes().to_vec();
    bytes.truncate(255 - suffix.len());
    bytes.extend_from_slice(suffix.as_bytes());
    Name::new(bytes).unwrap_or_else(|_| name.clone())
}

fn make_beneath(root: &Directory, names: &[&Name]) -> io::Result<Directory> {
    let mut at = root.open_beneath(&[])?;
    for name in names {
        match at.make_directory(name, 0o700) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        at = at.open_beneath(&[name])?;
    }
    Ok(at)
}

/// Removes a directory with all that is in it, on its own mount, following no link.
pub(crate) fn tree(tree: &Tree, cx: &Cx, path: &RelPath, entry: &Entry) -> Result<()> {
    let failed = |cause: io::Error| error("remove what was replaced", &cause).at(path);
    let mount = entry.identity.mount;
    // Depth first without recursion: a directory is removed when it is met for the second time.
    let mut pending = vec![(path.clone(), false)];
    while let Some((at, is_empty)) = pending.pop() {
        cx.check()?;
        if is_empty {
            if let Some(handles) = tree.handles() {
                handles.forget(&at);
            }
            let place = tree.place(&at).map_err(failed)?;
            place
                .directory
                .remove_directory(&place.name)
                .map_err(failed)?;
            continue;
        }
        let directory = tree.directory(&at).map_err(failed)?;
        pending.push((at.clone(), true));
        for name in names(&directory).map_err(failed)? {
            let stat = match directory.stat(&name) {
                Err(cause) if is_missing(&cause) => continue,
                other => other.map_err(failed)?,
            };
            if stat.mount != mount {
                return Err(Error::new(ErrorKind::Busy, "remove what was replaced")
                    .at(path)
                    .because(format!("something is mounted at {}", at.join(name))));
            }
            if stat.kind == StatKind::Directory {
                pending.push((at.join(name), false));
            } else {
                directory.unlink(&name).map_err(failed)?;
            }
        }
    }
    Ok(())
}

fn names(directory: &Arc<Directory>) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    directory.for_each_name(&mut |name| {
        names.extend(Name::new(name).ok());
        Ok(())
    })?;
    Ok(names)
}
