//! Puts a finished object in the place of another. At every instant the name holds the old one or the
//! new one, whole; and what cannot be done is undone.

use std::{io, sync::Arc};

use blit_contract::{
    Cx, Entry, Error, ErrorKind, Name, RelPath, Replace, Result, Retry, WritePolicy,
};

use crate::{
    delete,
    error::error,
    place::{Place, Tree},
    publish::name_error,
    sys::{Rename, Stat},
};

/// A finished object, under a hidden name in the directory where it is to be.
pub(crate) struct Newcomer<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) cx: &'a Cx,
    pub(crate) policy: WritePolicy,
    pub(crate) path: &'a RelPath,
    pub(crate) place: &'a Place,
    pub(crate) hidden: &'a Name,
    pub(crate) is_directory: bool,
}

impl Newcomer<'_> {
    /// Takes the place of what `replace` says. If it cannot, it is removed.
    pub(crate) fn take_place(&self, replace: &Replace) -> Result<()> {
        match replace {
            Replace::Nothing => self.or_drop(
                self.rename(Rename::Keep)
                    .map_err(|cause| name_error(self.place, self.path, &cause)),
            ),
            Replace::Entry(old) if self.can_overwrite(old)? => self.or_drop(self.overwrite(old)),
            Replace::Entry(old) => {
                self.or_drop(self.exchange(old))?;
                self.or_back(self.put_away(old))
            }
            Replace::Tree(old) => {
                self.or_drop(self.exchange(old))?;
                if self.policy.backup {
                    return self.or_back(delete::keep(self.tree, self.path, &self.hidden_place()));
                }
                // Some of the old tree may be gone before this fails: there is no way back, and the
                // new object is whole.
                let parent = self.path.parent().cloned().unwrap_or_default();
                delete::tree(self.tree, self.cx, &parent.join(self.hidden.clone()), old)
                    .map_err(at_last)
            }
        }
    }

    /// Whether one rename does it: no directory is concerned, and what a backup needs is in safety.
    fn can_overwrite(&self, old: &Entry) -> Result<bool> {
        if self.is_directory || old.is_directory() {
            return Ok(false);
        }
        if !self.policy.backup {
            return Ok(true);
        }
        // It gets its name in the backup tree before it loses its own, so no crash comes between.
        let kept = delete::keep_by_link(self.tree, self.path, self.place);
        if kept.is_err() {
            self.drop_newcomer();
        }
        kept
    }

    /// Replaces a file, link or special by one rename.
    fn overwrite(&self, old: &Entry) -> Result<()> {
        self.rename(Rename::Replace).map_err(|cause| {
            if cause.kind() == io::ErrorKind::IsADirectory {
                // Somebody put a directory there since it was scanned.
                self.changed(old)
            } else {
                self.refused(&cause)
            }
        })
    }

    /// Lets the two change places, if what is there is still what was scanned.
    fn exchange(&self, old: &Entry) -> Result<()> {
        self.rename(Rename::Exchange)
            .map_err(|cause| self.refused(&cause))?;
        let stat = self.place.directory.stat(self.hidden);
        if stat.is_ok_and(|stat| stat.is_object(old)) {
            if let Some(handles) = self.tree.handles() {
                handles.forget_tree(self.path);
            }
            return Ok(());
        }
        self.rename(Rename::Exchange)
            .map_err(|cause| self.refused(&cause))?;
        Err(self.changed(old))
    }

    /// Removes what was replaced and is now under the hidden name, or keeps it in the backup tree.
    fn put_away(&self, old: &Entry) -> Result<()> {
        let place = self.hidden_place();
        if old.is_directory() {
            return delete::empty_directory(self.tree, self.policy, self.path, &place);
        }
        if self.policy.backup {
            return delete::keep(self.tree, self.path, &place);
        }
        place
            .directory
            .unlink(&place.name)
            .map_err(|cause| self.refused(&cause))
    }

    fn rename(&self, how: Rename) -> io::Result<()> {
        let name = &self.place.name;
        self.tree.changing(&self.place.directory, |directory| {
            directory.rename(self.hidden, directory, name, how)
        })
    }

    fn hidden_place(&self) -> Place {
        Place {
            directory: Arc::clone(&self.place.directory),
            name: self.hidden.clone(),
        }
    }

    /// Removes the newcomer if it did not take its place.
    fn or_drop(&self, done: Result<()>) -> Result<()> {
        done.inspect_err(|_| self.drop_newcomer())
    }

    /// If what was replaced could not be put away, everything becomes as it was.
    fn or_back(&self, done: Result<()>) -> Result<()> {
        done.or_else(|error| {
            // Should even this fail, the old object stays under the hidden name: it is not lost.
            self.rename(Rename::Exchange)
                .map_err(|cause| self.refused(&cause))?;
            self.drop_newcomer();
            Err(error)
        })
    }

    fn drop_newcomer(&self) {
        let directory = &self.place.directory;
        let dropped = if self.is_directory {
            directory.remove_directory(self.hidden)
        } else {
            directory.unlink(self.hidden)
        };
        if let Err(cause) = dropped {
            tracing::warn!(name = %self.hidden, %cause, "cannot remove what was not published");
        }
    }

    /// What it means that an object could not be replaced.
    fn refused(&self, cause: &io::Error) -> Error {
        let is_locked = |stat: Stat| stat.is_locked;
        let is_denied = cause.kind() == io::ErrorKind::PermissionDenied;
        let stat = self.place.directory.stat(&self.place.name);
        if is_denied && stat.is_ok_and(is_locked) {
            return Error::new(ErrorKind::Immutable, "replace").at(self.path);
        }
        error("replace", cause).at(self.path)
    }

    fn changed(&self, old: &Entry) -> Error {
        Error::new(ErrorKind::Changed, "replace")
            .at(self.path)
            .because(format!(
                "the {} there was replaced meanwhile",
                old.kind.word()
            ))
    }
}

/// An error after the new object has got its name: nobody shall read its source once more for it, and
/// then find it in its own way.
fn at_last(error: Error) -> Error {
    if error.kind().retry() == Retry::Never {
        return error;
    }
    let mut told = Error::new(ErrorKind::Conflict, error.op()).because(error.to_string());
    if let Some(path) = error.path() {
        told = told.at(path);
    }
    match error.os() {
        Some(errno) => told.with_os(errno),
        None => told,
    }
}
