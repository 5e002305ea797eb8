//! Gives staged files their names, after one barrier for all of them.

use std::{io, sync::Arc};

use blit_contract::{
    ContentHasher, Cx, Durability, Error, ErrorKind, Name, Published, RelPath, Replace, Result,
    Staged, WritePolicy,
};
use bytes::Bytes;

use crate::{
    error::{error, is_unsupported},
    place::{Place, Tree, fresh_partial},
    replace::Newcomer,
    stage::{StagedFile, Unborn},
    sys::{Closing, Directory},
};

/// Publishes all of `staged`; each answer stands at the place of its file.
pub(crate) fn batch(
    tree: &Tree,
    cx: &Cx,
    policy: WritePolicy,
    staged: Vec<Staged>,
) -> Result<Vec<Result<Published>>> {
    cx.check()?;
    tree.writable()?;
    let mut files = Vec::with_capacity(staged.len());
    for one in staged {
        let (path, losses, digest) = (one.path.clone(), one.losses.clone(), one.digest);
        let mut file = one.into_token::<StagedFile>()?;
        // What cannot be published goes: after a failed barrier its pages may be lost, and yet be read.
        file.unborn.keeps = false;
        files.push((path, losses, digest, file));
    }
    let unborn = files.iter().map(|(_, _, _, file)| &file.unborn);
    // If the barrier fails, the pages may be marked clean already: another try would lie. Everything
    // staged is dropped.
    barrier(policy.durability, unborn).map_err(|cause| error("sync", &cause))?;
    let mut touched: Vec<Arc<Directory>> = Vec::new();
    let mut closing = Closing::default();
    let mut tellers = Tellers::default();
    let mut published = Vec::with_capacity(files.len());
    for (path, losses, digest, file) in files {
        let directory = Arc::clone(&file.unborn.place.directory);
        let stat = file.stat;
        let one = tellers
            .flush(&path, &file.unborn)
            .and_then(|()| verify(&path, &file, digest.filter(|_| policy.verify)))
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
    durability: Durability,
    files: impl Iterator<Item = &'a Unborn> + Clone,
) -> io::Result<()> {
    match durability {
        Durability::Batch => match sync_file_systems(files.clone()) {
            Err(cause) if is_unsupported(&cause) => sync_each(files),
            other => other,
        },
        Durability::File => sync_each(files),
        Durability::None => Ok(()),
    }
}

fn sync_each<'a>(mut files: impl Iterator<Item = &'a Unborn>) -> io::Result<()> {
    files.try_for_each(|unborn| unborn.file.sync())
}

/// One barrier for each file system that holds some of the files: usually one.
fn sync_file_systems<'a>(files: impl Iterator<Item = &'a Unborn>) -> io::Result<()> {
    let mut synced = Vec::new();
    for unborn in files {
        let directory = &unborn.place.directory;
        let scope = directory.barrier_scope()?;
        if !synced.contains(&scope) {
            directory.sync_file_system()?;
            synced.push(scope);
        }
    }
    Ok(())
}

/// Which file systems tell only at close that what was written is lost: asked once a batch.
#[derive(Debug, Default)]
struct Tellers(Vec<(u64, bool)>);

impl Tellers {
    /// Hears what closing the file would say, while it has no name yet.
    fn flush(&mut self, path: &RelPath, unborn: &Unborn) -> Result<()> {
        let directory = &unborn.place.directory;
        let told = self.tells(directory).and_then(|tells| match tells {
            true => unborn.file.flush(),
            false => Ok(()),
        });
        told.map_err(|cause| error("close", &cause).at(path))
    }

    fn tells(&mut self, directory: &Directory) -> io::Result<bool> {
        let scope = directory.barrier_scope()?;
        if let Some((_, tells)) = self.0.iter().find(|(known, _)| *known == scope) {
            return Ok(*tells);
        }
        let tells = directory.tells_at_close()?;
        self.0.push((scope, tells));
        Ok(tells)
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
            link(tree, &mut unborn, &place, &place.name)
                .map_err(|cause| name_error(&place, path, &cause))?;
        }
        Replace::Entry(_) | Replace::Tree(_) => {
            let hidden = fresh_partial();
            link(tree, &mut unborn, &place, &hidden)
                .map_err(|cause| error("publish", &cause).at(path))?;
            let newcomer = Newcomer {
                tree,
                cx,
                policy,
                path,
                place: &place,
                hidden: &hidden,
                is_directory: false,
            };
            newcomer.take_place(&replace)?;
        }
    }
    if let Some(file) = unborn.into_file() {
        closing.close(file);
    }
    Ok(place.name)
}

/// Gives the file a name that must not exist.
fn link(tree: &Tree, unborn: &mut Unborn, place: &Place, name: &Name) -> io::Result<()> {
    tree.changing(&place.directory, |directory| unborn.link(directory, name))?;
    unborn.has_name();
    Ok(())
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
