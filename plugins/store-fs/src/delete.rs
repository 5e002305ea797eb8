//! Deletes entries: each is looked at once more, through its held directory, before it goes.

use std::{io, sync::Arc};

use blit_contract::{Cx, Entry, Error, ErrorKind, Name, RelPath, Result, WritePolicy};

use crate::{
    error::{error, is_missing},
    keep,
    place::{Place, Tree, fresh_partial},
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
    // Other names of a file that go, or come, are changes that concern this one in nothing.
    let shall_be_as_scanned =
        policy.aside && stat.kind != StatKind::Directory && entry.identity.links == 1;
    if !may_go(&stat, entry) || (shall_be_as_scanned && !stat.is(entry)) {
        return Err(changed(path));
    }
    if let Some(handles) = tree.handles() {
        handles.forget(path);
    }
    if stat.kind == StatKind::Directory {
        return empty_directory(tree, policy, path, &place);
    }
    if policy.backup {
        return keep(tree, path, &place);
    }
    let failed = |cause: io::Error| match stat.is_locked {
        true => Error::new(ErrorKind::Immutable, "delete").at(path),
        false => failed(cause),
    };
    if policy.aside {
        return aside(tree, path, &place, entry, &failed);
    }
    let unlinked = tree.changing(&place.directory, |directory| directory.unlink(&place.name));
    unlinked.map_err(failed)
}

/// Takes an object aside, where nobody looks for it, and deletes it if it still is what was scanned.
/// Whoever has taken its name since the last look gets it back.
fn aside(
    tree: &Tree,
    path: &RelPath,
    place: &Place,
    entry: &Entry,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<()> {
    let hidden = fresh_partial();
    tree.changing(&place.directory, |directory| {
        directory.rename(&place.name, directory, &hidden, Rename::Replace)
    })
    .map_err(failed)?;
    let deleted = match place.directory.stat(&hidden) {
        Ok(stat) if may_go(&stat, entry) => place.directory.unlink(&hidden).map_err(failed),
        Ok(_) => Err(changed(path)),
        Err(cause) => Err(failed(cause)),
    };
    deleted.or_else(|error| {
        // A writer that was faster than this has its newest state there; this one gets a name beside it.
        let back = |name: &Name| {
            let directory = &place.directory;
            directory.rename(&hidden, directory, name, Rename::Keep)
        };
        put_beside(&place.name, back).map_err(failed)?;
        Err(error)
    })
}

fn changed(path: &RelPath) -> Error {
    Error::new(ErrorKind::Changed, "delete")
        .at(path)
        .because("it is not what was scanned")
}

/// Removes a directory, which must be empty: what is in it was not scanned.
pub(crate) fn empty_directory(
    tree: &Tree,
    policy: WritePolicy,
    path: &RelPath,
    place: &Place,
) -> Result<()> {
    let failed = |cause: io::Error| error("delete", &cause).at(path);
    let remove = || {
        tree.changing(&place.directory, |directory| {
            directory.remove_directory(&place.name)
        })
    };
    let removed = match remove() {
        Err(cause) if cause.kind() == io::ErrorKind::DirectoryNotEmpty => {
            keep::clear(place).and_then(|()| remove())
        }
        other => other,
    };
    removed.map_err(failed)?;
    if policy.backup {
        let (root, path_there) = kept_at(tree, path)?;
        make_beneath(root, &path_there).map_err(failed)?;
    }
    Ok(())
}

/// Whether this is what the scan saw. What is in a directory may change: it must be empty anyway.
fn may_go(stat: &Stat, entry: &Entry) -> bool {
    stat.is_object(entry)
        && stat.mount == entry.identity.mount
        && (stat.kind != StatKind::File
            || (stat.size == entry.size && stat.modified == entry.modified))
}

/// Moves an object into the backup tree, under its own path; what is there keeps its name.
pub(crate) fn keep(tree: &Tree, path: &RelPath, from: &Place) -> Result<()> {
    let (directory, name) = backup_place(tree, path)?;
    put_beside(&name, |name| {
        tree.changing(&from.directory, |source| {
            source.rename(&from.name, &directory, name, Rename::Keep)
        })
    })
    .map_err(|cause| backup_error(path, &cause))
}

/// Gives an object that is no directory another name in the backup tree. Answers whether that can be:
/// some file systems have no links, and some kernels let nobody link what is not his.
pub(crate) fn keep_by_link(tree: &Tree, path: &RelPath, from: &Place) -> Result<bool> {
    let (directory, name) = backup_place(tree, path)?;
    let linked = put_beside(&name, |name| {
        from.directory.link(&from.name, &directory, name)
    });
    match linked {
        Ok(()) => Ok(true),
        Err(cause) => match cause.raw_os_error() {
            Some(errno::PERM | errno::MLINK | errno::OPNOTSUPP) => Ok(false),
            _ => Err(backup_error(path, &cause)),
        },
    }
}

/// Tries `name`, and then others like it, until `put` finds one that is not taken.
fn put_beside(name: &Name, put: impl Fn(&Name) -> io::Result<()>) -> io::Result<()> {
    let mut version = 0;
    loop {
        match put(&versioned(name, version)) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && version < u32::MAX => {
                version += 1;
            }
            other => return other,
        }
    }
}

/// Where an entry is kept in the backup tree.
fn backup_place(tree: &Tree, path: &RelPath) -> Result<(Directory, Name)> {
    let (root, path_there) = kept_at(tree, path)?;
    let (Some(parent), Some(name)) = (path_there.parent(), path_there.name()) else {
        return Err(Error::new(ErrorKind::Invalid, "back up").because("the root stays"));
    };
    let directory = make_beneath(root, parent).map_err(|cause| backup_error(path, &cause))?;
    Ok((directory, name.clone()))
}

/// The backup tree, and the path in it of an entry that is at `path`.
fn kept_at<'a>(tree: &'a Tree, path: &RelPath) -> Result<(&'a Directory, RelPath)> {
    let no = |kind, why: &'static str| Error::new(kind, "back up").because(why);
    let backup = tree.backup();
    let backup = backup.ok_or_else(|| no(ErrorKind::Unsupported, "no backup directory"))?;
    let path_there = backup.path_of(path);
    let elsewhere = || no(ErrorKind::Invalid, "it is kept nowhere").at(path);
    Ok((&backup.root, path_there.ok_or_else(elsewhere)?))
}

fn backup_error(path: &RelPath, cause: &io::Error) -> Error {
    if cause.raw_os_error() == Some(errno::XDEV) {
        return Error::new(ErrorKind::Unsupported, "back up")
            .at(path)
            .because("the backup directory is on another file system");
    }
    error("back up", cause).at(path)
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

fn make_beneath(root: &Directory, path: &RelPath) -> io::Result<Directory> {
    let mut at = root.try_clone()?;
    for name in path.components() {
        match at.make_directory(name, 0o700) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        (at, _) = at.open_some(std::iter::once(name))?;
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
            tree.changing(&place.directory, |directory| {
                directory.remove_directory(&place.name)
            })
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
                tree.changing(&directory, |directory| directory.unlink(&name))
                    .map_err(failed)?;
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
