//! Files that outlive their writer: hidden partials that the next writer for the same version of the same
//! file takes up again.
//!
//! Nobody believes what is in them: whoever takes one up proves each block by its digest. Here it only
//! matters that writing into one harms nobody: it is a file, only under this name, only ours to write,
//! and nobody else is at work on it. Nothing is synced on the way: what a killed process wrote stays in
//! the kernel's cache, and after a power cut the digests tell what is missing.

use std::{io, sync::Arc, thread, time::Duration};

use blit_contract::{Entry, Name, PartialName, Preserve, RelPath, Result};

use crate::{
    error::error,
    place::{Place, Tree},
    stage::{PARTIAL_MODE, Unborn},
    sys::{self, Directory, File, Stat, StatKind},
};

/// How long to wait for an owner that is about to go: a session whose other side was killed hears of it
/// at once, but takes a moment to end.
const WAIT_STEPS: u32 = 40;
const WAIT_STEP: Duration = Duration::from_millis(50);

/// The file for `path` that is kept: what an earlier writer left, or a new one. `None` if there can be none.
pub(crate) fn open(
    tree: &Tree,
    path: &RelPath,
    want: &Entry,
    preserve: Preserve,
    place: &Place,
) -> Result<Option<Unborn>> {
    if !Directory::can_keep() {
        return Ok(None);
    }
    let failed = |cause| error("create", &cause).at(path);
    let directory = &place.directory;
    let name = PartialName::of(want).name().clone();
    for _ in 0..WAIT_STEPS {
        let made = tree.changing(directory, |directory| {
            directory.create_named(&name, PARTIAL_MODE)
        });
        let (file, is_taken_up) = match made {
            Ok(file) => (file, false),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                let Some(file) = may_take_up(directory, &name, want, preserve) else {
                    return Ok(None);
                };
                (file, true)
            }
            Err(cause) => return Err(failed(cause)),
        };
        match own(directory, &name, &file) {
            Ok(true) => {
                tree.changing(directory, |_| file.set_mode(PARTIAL_MODE))
                    .map_err(failed)?;
                return Ok(Some(Unborn {
                    file: Arc::new(file),
                    place: place.clone(),
                    partial: Some(name),
                    have: Stat::default(),
                    keeps: true,
                    is_taken_up,
                }));
            }
            Ok(false) => thread::sleep(WAIT_STEP),
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// How many bytes an earlier writer left.
pub(crate) fn bytes(place: &Place, want: &Entry) -> u64 {
    let stat = place.directory.stat(PartialName::of(want).name());
    stat.map_or(0, |stat| match stat.kind {
        StatKind::File => stat.allocated.min(stat.size),
        _ => 0,
    })
}

/// Removes what was kept in a directory that is to go, unless somebody is at work on it. What is not ours
/// stays, and so does the directory.
pub(crate) fn clear(directory: &Place) -> io::Result<()> {
    let name = std::iter::once(&directory.name);
    let (inside, _) = directory.directory.open_some(name)?;
    let mut kept = Vec::new();
    inside.for_each_name(&mut |name| {
        let is_kept = PartialName::recognises(name);
        kept.extend(is_kept.then(|| Name::new(name).ok()).flatten());
        Ok(())
    })?;
    for name in kept {
        let own = sys::own_ids().uid;
        let stat = inside.stat(&name)?;
        if stat.kind == StatKind::File && stat.uid == own && inside.is_unlocked(&name) {
            inside.unlink(&name)?;
        }
    }
    Ok(())
}

/// Opens what is at the hidden name, if writing into it harms nobody.
fn may_take_up(
    directory: &Directory,
    name: &Name,
    want: &Entry,
    preserve: Preserve,
) -> Option<File> {
    let is_ours = |stat: &Stat| {
        let own = sys::own_ids().uid;
        // The last that is done to a partial is to give it its final owner and mode.
        let has_owner =
            stat.uid == own || (preserve.owner && stat.uid == want.uid && sys::is_privileged());
        let has_mode = stat.mode == PARTIAL_MODE || stat.mode == want.mode;
        stat.kind == StatKind::File && stat.links == 1 && has_owner && has_mode
    };
    let stat = directory.stat(name).ok().filter(is_ours)?;
    let file = directory.open_partial(name).ok()?;
    let found = file.stat().ok().filter(is_ours)?;
    stat.is_same(&found).then_some(file)
}

/// Whether the file is ours alone, and still under its name: its last owner may just have published it.
fn own(directory: &Directory, name: &Name, file: &File) -> io::Result<bool> {
    match file.lock() {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(false),
        Err(cause) => return Err(cause),
    }
    let stat = file.stat()?;
    Ok(directory.stat(name).is_ok_and(|named| named.is_same(&stat)))
}
