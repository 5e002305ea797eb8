//! Files that are whole, have their metadata, and no name yet.

use std::sync::{Arc, atomic::Ordering};

use blit_contract::{
    Attributes, Cx, Entry, Error, ErrorKind, Name, RelPath, Replace, Result, SmallFile, Staged,
    Time, WritePolicy,
};

use crate::{
    error::{error, is_unsupported},
    meta::{self, Object},
    place::{Place, Tree, fresh_partial},
    sys::{self, Directory, File, Stat},
};

/// The mode of a file that has a hidden name while it is written.
pub(crate) const PARTIAL_MODE: u32 = 0o600;

/// A file being written: unnamed, or under a hidden name that goes when this is dropped, unless it keeps.
#[derive(Debug)]
pub(crate) struct Unborn {
    pub(crate) file: Arc<File>,
    pub(crate) place: Place,
    /// The hidden name, where unnamed files do not work, or the file is kept.
    pub(crate) partial: Option<Name>,
    /// What it is as far as we know, without having asked.
    pub(crate) have: Stat,
    /// It outlives its writer: what it is must be asked, and it stays when this is dropped.
    pub(crate) keeps: bool,
    /// It held something from the start.
    pub(crate) is_taken_up: bool,
}

impl Unborn {
    /// Makes the file for `path`, in the directory where it will be.
    pub(crate) fn create(
        tree: &Tree,
        path: &RelPath,
        want: &Entry,
        policy: WritePolicy,
        place: Place,
    ) -> Result<Self> {
        let failed = |cause| error("create", &cause).at(path);
        let directory = &place.directory;
        // Only bits that lend nothing: the file has no name, but its mode is for ever if no call
        // follows.
        let mode = want.mode & 0o777;
        if tree.may_be_unnamed() {
            match tree.changing(directory, |directory| directory.create_unnamed(mode)) {
                Ok(file) => return Ok(Self::new(file, place, None, expected(mode))),
                Err(cause) if is_unsupported(&cause) => {
                    tree.lacks_unnamed.store(true, Ordering::Relaxed);
                }
                Err(cause) => return Err(failed(cause)),
            }
        }
        // Nobody may look into it while it is written; without modes nobody would open it later.
        let mode = if policy.preserve.mode {
            PARTIAL_MODE
        } else {
            mode
        };
        let partial = fresh_partial();
        let file = tree
            .changing(directory, |directory| {
                directory.create_named(&partial, mode)
            })
            .map_err(failed)?;
        Ok(Self::new(file, place, Some(partial), expected(mode)))
    }

    fn new(file: File, place: Place, partial: Option<Name>, have: Stat) -> Self {
        Self {
            file: Arc::new(file),
            place,
            partial,
            have,
            keeps: false,
            is_taken_up: false,
        }
    }

    /// Applies the metadata and reads it back.
    pub(crate) fn finish(
        mut self,
        path: &RelPath,
        entry: &Entry,
        attributes: &Attributes,
        policy: WritePolicy,
        replace: Replace,
    ) -> Result<Staged> {
        let failed = |cause| error("set metadata", &cause).at(path);
        // What cannot be finished is not worth keeping.
        let keeps = std::mem::take(&mut self.keeps);
        if keeps && !policy.preserve.mode {
            let mode = entry.mode & 0o777 & !sys::umask();
            self.file.set_mode(mode).map_err(failed)?;
        }
        // A new file has attributes only where its directory hands them down: usually there is
        // nothing to look for.
        let inherits = keeps || self.place.directory.has_default_acl();
        let attributes = (inherits || !attributes.xattrs.is_empty()).then_some(attributes);
        let have = if inherits {
            self.file.stat().map_err(failed)?
        } else {
            self.have
        };
        let object = Object::Open(&self.file);
        let applied =
            meta::apply(&object, have, entry, attributes, policy.preserve).map_err(failed)?;
        meta::refuse_losses(policy, &applied.losses, path)?;
        let size = applied.stat.size;
        self.keeps = keeps;
        let token = StagedFile {
            unborn: self,
            stat: applied.stat,
            replace,
        };
        let mut staged = Staged::new(path.clone(), size, Box::new(token));
        staged.losses = applied.losses;
        Ok(staged)
    }

    /// Gives the file a name that must not exist.
    pub(crate) fn link(&self, directory: &Directory, name: &Name) -> std::io::Result<()> {
        match &self.partial {
            None => directory.link_unnamed(&self.file, name),
            Some(partial) => {
                let from = &self.place.directory;
                from.rename(partial, directory, name, sys::Rename::Keep)
            }
        }
    }

    /// It has got a name: nothing hidden is left that would have to go.
    pub(crate) fn has_name(&mut self) {
        self.partial = None;
    }

    /// The open file, once it has its name and if nobody else uses it.
    pub(crate) fn into_file(self) -> Option<File> {
        let file = Arc::clone(&self.file);
        drop(self);
        Arc::into_inner(file)
    }
}

impl Drop for Unborn {
    fn drop(&mut self) {
        // Without any content there is nothing to keep.
        if self.keeps && self.file.next_data(0).is_ok_and(|data| data.is_some()) {
            return;
        }
        if let Some(partial) = &self.partial
            && let Err(cause) = self.place.directory.unlink(partial)
        {
            tracing::warn!(%partial, %cause, "cannot remove a partial file");
        }
    }
}

/// A staged file, as this store passes it through the engine.
#[derive(Debug)]
pub(crate) struct StagedFile {
    pub(crate) unborn: Unborn,
    pub(crate) stat: Stat,
    pub(crate) replace: Replace,
}

/// What the kernel makes of a new file, so that nobody has to ask. The read-back finds where this is
/// wrong: another group in a setgid directory, an inherited access list.
fn expected(mode: u32) -> Stat {
    let own = sys::own_ids();
    Stat {
        mode: mode & !sys::umask(),
        uid: own.uid,
        gid: own.gid,
        // Whatever the clock says now: no time that anybody wants is taken for it.
        modified: Time::new(i64::MIN, 0),
        ..Stat::default()
    }
}

/// Stages many small files; each answer stands at the place of its file.
pub(crate) fn batch(
    tree: &Tree,
    cx: &Cx,
    policy: WritePolicy,
    files: Vec<SmallFile>,
) -> Result<Vec<Result<Staged>>> {
    tree.writable()?;
    let mut held: Option<(RelPath, Arc<Directory>)> = None;
    let mut staged = Vec::with_capacity(files.len());
    for file in files {
        cx.check()?;
        staged.push(one(tree, &mut held, policy, file));
    }
    Ok(staged)
}

fn one(
    tree: &Tree,
    held: &mut Option<(RelPath, Arc<Directory>)>,
    policy: WritePolicy,
    file: SmallFile,
) -> Result<Staged> {
    let failed = |cause| error("write", &cause).at(&file.path);
    let (Some(parent), Some(name)) = (file.path.parent(), file.path.name()) else {
        return Err(Error::new(ErrorKind::Invalid, "write").because("the root is no file"));
    };
    let directory = match held {
        Some((at, directory)) if at == parent => Arc::clone(directory),
        _ => {
            let directory = tree.directory(parent).map_err(failed)?;
            *held = Some((parent.clone(), Arc::clone(&directory)));
            directory
        }
    };
    let place = Place {
        directory,
        name: name.clone(),
    };
    let unborn = Unborn::create(tree, &file.path, &file.entry, policy, place)?;
    if !file.content.is_empty() {
        unborn.file.write_at(&file.content, 0).map_err(failed)?;
    }
    unborn.finish(
        &file.path,
        &file.entry,
        &file.attributes,
        policy,
        file.replace,
    )
}
