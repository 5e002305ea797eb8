//! Gives staged files their names, after one barrier for all of them.

use std::{io, sync::Arc};

use blit_contract::{
    ContentHasher, Cx, Durability, Entry, Error, ErrorKind, Name, Published, RelPath, Replace,
    Result, Staged, WritePolicy,
};
use bytes::Bytes;

use crate::{
    delete,
    error::{error, is_unsupported},
    place::{Place, Tree, fresh_partial},
    stage::{StagedFile, Unborn},
    sys::{Closing, Directory, File, Rename, Stat},
};

/// Publishes all of `staged`; each answer stands at the place of its file.
pub(crate) fn batch(
    tree: &Tree,
    cx: &Cx,
    policy: WritePolicy,
    staged: Vec<Staged>,
) -> Result<Vec<Result<Published>>> {
    cx.check()?;
    let handles = tree.writable()?;
    let mut files = Vec::with_capacity(staged.len());
    for one in staged {
        let (path, losses, digest) = (one.path.clone(), one.losses.clone(), one.digest);
        let file = one.into_token::<StagedFile>()?;
        files.push((path, losses, digest, file));
    }
    let unborn = files.iter().map(|(_, _, _, file)| &*file.unborn.file);
    // If the barrier fails, the pages may be marked clean already: another try would lie. Everything
    // staged is dropped.
    barrier(handles.root(), policy.durability, unborn).map_err(|cause| error("sync", &cause))?;
    let mut touched: Vec<Arc<Directory>> = Vec::new();
    let mut closing = Closing::default();
    let mut published = Vec::with_capacity(files.len());
    for (path, losses, digest, file) in files {
        let directory = Arc::clone(&file.unborn.place.directory);
        let stat = file.stat;
        let one = verify(&path, &file, digest.filter(|_| policy.verify))
            .and_then(|()| give_name(tree, cx, policy, &path, file, &mut closing));
        published.push(one.map(|name| {
            let entry = stat.entry(name, Bytes::new());
            Published::new(entry, losses)
        }));
        let is_new = touched
            .last()
            .is_none_or(|last| !Arc::ptr_eq(last, &directory));
        if policy.durability == Durability::File && is_new {
            touched.push(directory);
        }
    }
    for directory in touched {
        directory.sync().map_err(|cause| error("sync", &cause))?;
    }
    Ok(published)
}

fn barrier<'a>(
    root: &Directory,
    durability: Durability,
    mut files: impl Iterator<Item = &'a File>,
) -> io::Result<()> {
    match durability {
        Durability::Batch => match root.sync_file_system() {
            Err(cause) if is_unsupported(&cause) => files.try_for_each(File::sync),
            other => other,
        },
        Durability::File => files.try_for_each(File::sync),
        Durability::None => Ok(()),
    }
}

/// Reads the file back from storage and compares it with what the source read.
fn verify(path: &RelPath, file: &StagedFile, digest: Option<[u8; 32]>) -> Result<()> {
    const STEP_BYTES: u64 = 1 << 20;
    let Some(digest) = digest else {
        return Ok(());
    };
    let failed = |cause| error("read back", &cause).at(path);
    let file = &file.unborn.file;
    file.forget_cache().map_err(failed)?;
    let mut hasher = ContentHasher::default();
    let mut buffer = vec![0; STEP_BYTES as usize];
    let size = file.stat().map_err(failed)?.size;
    let mut at = 0;
    while let Some(data) = file.next_data(at).map_err(failed)? {
        hasher.skip(data.start.saturating_sub(at));
        at = data.start.max(at);
        while at < data.end {
            let step = STEP_BYTES.min(data.end - at) as usize;
            let filled = file.read_at(&mut buffer[..step], at).map_err(failed)?;
            if filled == 0 {
                return Err(Error::new(ErrorKind::Corrupt, "read back").at(path));
            }
            hasher.update(&buffer[..filled]);
            at += filled as u64;
        }
    }
    hasher.skip(size.saturating_sub(at));
    if hasher.finish() == digest {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Corrupt, "read back").at(path))
    }
}

/// Gives one file its name.
fn give_name(
    tree: &Tree,
    cx: &Cx,
    policy: WritePolicy,
    path: &RelPath,
    file: StagedFile,
    closing: &mut Closing,
) -> Result<Name> {
    let StagedFile {
        mut unborn,
        replace,
        ..
    } = file;
    let place = unborn.place.clone();
    match &replace {
        Replace::Nothing => {
            link_new(&mut unborn, &place).map_err(|cause| name_error(&place, path, &cause))?;
        }
        Replace::Entry(_) | Replace::Tree(_) => {
            let newcomer = fresh_partial();
            unborn
                .link(&place.directory, &newcomer)
                .map_err(|cause| error("publish", &cause).at(path))?;
            take_place(tree, cx, policy, path, &place, &newcomer, &replace)?;
        }
    }
    if let Some(file) = unborn.into_file() {
        closing.close(file);
    }
    Ok(place.name)
}

fn link_new(unborn: &mut Unborn, place: &Place) -> io::Result<()> {
    unborn.link(&place.directory, &place.name)
}

/// Puts the finished object `newcomer` in the place of what is there. At every instant the name holds
/// the old one or the new one, whole.
pub(crate) fn take_place(
    tree: &Tree,
    cx: &Cx,
    policy: WritePolicy,
    path: &RelPath,
    place: &Place,
    newcomer: &Name,
    replace: &Replace,
) -> Result<()> {
    let directory = &place.directory;
    let replaced = match replace {
        Replace::Nothing => directory
            .rename(newcomer, directory, &place.name, Rename::Keep)
            .map_err(|cause| name_error(place, path, &cause)),
        Replace::Entry(old) if !old.is_directory() && !policy.backup => {
            overwrite(place, newcomer, path, old)
        }
        Replace::Entry(old) => exchange(place, newcomer, path, old).and_then(|()| {
            // The old one is under the hidden name now.
            put_away(tree, cx, policy, path, place, newcomer, old, false)
        }),
        Replace::Tree(old) => exchange(place, newcomer, path, old)
            .and_then(|()| put_away(tree, cx, policy, path, place, newcomer, old, true)),
    };
    if replaced.is_err() {
        // Either the newcomer, which is not wanted now, or what could not be put away and is lost to
        // nobody: a hidden directory stays for the clean-up.
        let _ = directory.unlink(newcomer);
    }
    replaced
}

/// Replaces a file, link or special by one rename.
fn overwrite(place: &Place, newcomer: &Name, path: &RelPath, old: &Entry) -> Result<()> {
    let directory = &place.directory;
    let renamed = directory.rename(newcomer, directory, &place.name, Rename::Replace);
    match renamed {
        Ok(()) => Ok(()),
        // Somebody put a directory there since it was scanned.
        Err(cause) if cause.kind() == io::ErrorKind::IsADirectory => Err(conflict(path, old)),
        Err(cause) => Err(refused(place, path, &cause)),
    }
}

/// What it means that an object could not be replaced.
fn refused(place: &Place, path: &RelPath, cause: &io::Error) -> Error {
    let is_locked = |stat: Stat| stat.is_locked;
    let is_denied = cause.kind() == io::ErrorKind::PermissionDenied;
    if is_denied && place.directory.stat(&place.name).is_ok_and(is_locked) {
        return Error::new(ErrorKind::Immutable, "replace").at(path);
    }
    error("replace", cause).at(path)
}

/// Lets the two change places, if what is there is still what was scanned.
fn exchange(place: &Place, newcomer: &Name, path: &RelPath, old: &Entry) -> Result<()> {
    let directory = &place.directory;
    let failed = |cause: io::Error| error("replace", &cause).at(path);
    if !directory.stat(&place.name).map_err(failed)?.is_object(old) {
        return Err(conflict(path, old));
    }
    directory
        .rename(newcomer, directory, &place.name, Rename::Exchange)
        .map_err(|cause| refused(place, path, &cause))
}

/// Removes what was replaced, or keeps it in the backup tree.
#[expect(
    clippy::too_many_arguments,
    reason = "one call site each; a struct would only rename them"
)]
fn put_away(
    tree: &Tree,
    cx: &Cx,
    policy: WritePolicy,
    path: &RelPath,
    place: &Place,
    hidden: &Name,
    old: &Entry,
    with_content: bool,
) -> Result<()> {
    let hidden_place = Place {
        directory: Arc::clone(&place.directory),
        name: hidden.clone(),
    };
    if let Some(handles) = tree.handles() {
        handles.forget_tree(path);
    }
    if policy.backup {
        return delete::keep(tree, path, &hidden_place);
    }
    let failed = |cause: io::Error| error("remove what was replaced", &cause).at(path);
    if !old.is_directory() {
        return place.directory.unlink(hidden).map_err(failed);
    }
    if with_content {
        let parent = path.parent().cloned().unwrap_or_default();
        return delete::tree(tree, cx, &parent.join(hidden.clone()), old);
    }
    match place.directory.remove_directory(hidden) {
        Ok(()) => Ok(()),
        Err(cause) => {
            // It was not empty after all: everything back as it was.
            let back =
                place
                    .directory
                    .rename(hidden, &place.directory, &place.name, Rename::Exchange);
            back.map_err(failed)?;
            Err(failed(cause))
        }
    }
}

fn conflict(path: &RelPath, old: &Entry) -> Error {
    Error::new(ErrorKind::Changed, "replace")
        .at(path)
        .because(format!(
            "the {} there was replaced meanwhile",
            old.kind.word()
        ))
}

/// What it means that a new name exists already.
pub(crate) fn name_error(place: &Place, path: &RelPath, cause: &io::Error) -> Error {
    if cause.kind() != io::ErrorKind::AlreadyExists {
        return error("publish", cause).at(path);
    }
    let mut is_there = false;
    let listed = place.directory.for_each_name(&mut |name| {
        is_there |= name == place.name.as_bytes();
        Ok(())
    });
    if listed.is_ok() && !is_there {
        // The name is taken, and yet nothing has exactly this name: the file system folds case.
        return Error::new(ErrorKind::Collision, "publish")
            .at(path)
            .because("the target cannot tell its name from another one there");
    }
    Error::new(ErrorKind::Conflict, "publish")
        .at(path)
        .because("something appeared at its name meanwhile")
}
