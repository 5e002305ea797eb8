//! Changes that move no file content: directories, links, specials, metadata.

use std::io;

use blit_contract::{
    Applied, Attributes, Cx, Entry, Error, ErrorKind, Kind, MetaOp, Name, RelPath, Replace, Result,
    Special, WritePolicy,
};

use crate::{
    error::{error, is_missing},
    meta::{self, Object},
    place::{Place, Tree, changing, fresh_partial},
    publish::{name_error, take_place},
    read::may_skip_access_time,
    sys::{Rename, StatKind, errno},
};

/// A directory is its owner's alone until its own metadata is set at the end.
const FILLING_MODE: u32 = 0o700;

/// Does all of `operations`, in order; each answer stands at the place of its operation.
pub(crate) fn batch(
    tree: &Tree,
    cx: &Cx,
    policy: WritePolicy,
    operations: Vec<MetaOp>,
) -> Result<Vec<Result<Applied>>> {
    tree.writable()?;
    let mut applied = Vec::with_capacity(operations.len());
    for operation in operations {
        cx.check()?;
        applied.push(one(tree, cx, policy, operation));
    }
    Ok(applied)
}

fn one(tree: &Tree, cx: &Cx, policy: WritePolicy, operation: MetaOp) -> Result<Applied> {
    let change = Change { tree, cx, policy };
    match operation {
        MetaOp::Link {
            path,
            leader,
            replace,
        } => change.link(&path, &leader, &replace),
        MetaOp::MakeDirectory { path, replace } => change.make_directory(&path, &replace),
        MetaOp::MakeEntry {
            path,
            entry,
            attributes: _,
            replace,
        } => change.make_entry(&path, &entry, &replace),
        MetaOp::SetMetadata {
            path,
            expect,
            entry,
            attributes,
        } => change.set_metadata(&path, expect.as_ref(), &entry, attributes.as_ref()),
        _ => Err(Error::new(ErrorKind::Unsupported, "change")),
    }
}

struct Change<'a> {
    tree: &'a Tree,
    cx: &'a Cx,
    policy: WritePolicy,
}

impl Change<'_> {
    fn make_directory(&self, path: &RelPath, replace: &Replace) -> Result<Applied> {
        if path.is_root() {
            // `writable` has made it.
            return Ok(Applied::new(true, Vec::new()));
        }
        let failed = |cause: io::Error| error("make directory", &cause).at(path);
        let place = self.tree.place(path).map_err(failed)?;
        if let Replace::Nothing = replace {
            let directory = &place.directory;
            changing(directory, || {
                directory.make_directory(&place.name, FILLING_MODE)
            })
            .map_err(|cause| name_error(&place, path, &cause))?;
        } else {
            let newcomer = fresh_partial();
            let directory = &place.directory;
            changing(directory, || {
                directory.make_directory(&newcomer, FILLING_MODE)
            })
            .map_err(failed)?;
            let taken = self.put_directory(path, &place, &newcomer, replace);
            if taken.is_err() {
                let _ = place.directory.remove_directory(&newcomer);
            }
            taken?;
        }
        Ok(Applied::new(true, Vec::new()))
    }

    /// A directory cannot be renamed over a file, so the two change places.
    fn put_directory(
        &self,
        path: &RelPath,
        place: &Place,
        newcomer: &Name,
        replace: &Replace,
    ) -> Result<()> {
        let failed = |cause: io::Error| error("make directory", &cause).at(path);
        let directory = &place.directory;
        if self.policy.backup {
            return take_place(
                self.tree,
                self.cx,
                self.policy,
                path,
                place,
                newcomer,
                replace,
            );
        }
        directory
            .rename(newcomer, directory, &place.name, Rename::Exchange)
            .map_err(failed)?;
        match directory.unlink(newcomer) {
            Ok(()) => Ok(()),
            Err(cause) => {
                // What was there is a directory now, or cannot go: everything back as it was.
                let back = directory.rename(newcomer, directory, &place.name, Rename::Exchange);
                back.map_err(failed)?;
                Err(failed(cause))
            }
        }
    }

    fn make_entry(&self, path: &RelPath, entry: &Entry, replace: &Replace) -> Result<Applied> {
        let failed = |cause: io::Error| error("make", &cause).at(path);
        let place = self.tree.place(path).map_err(failed)?;
        let is_new = *replace == Replace::Nothing;
        // A new link appears whole with its name; one that replaces another is prepared under a
        // hidden name.
        let name = if is_new {
            place.name.clone()
        } else {
            fresh_partial()
        };
        let made = match &entry.kind {
            Kind::Symlink(target) => {
                let directory = &place.directory;
                changing(directory, || directory.make_symlink(&name, target))
            }
            Kind::Special(special) => {
                let (kind, number) = special_kind(*special);
                place.directory.make_special(&name, kind, number)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        made.map_err(|cause| match is_new {
            true => name_error(&place, path, &cause),
            false => failed(cause),
        })?;
        let object = Object::Named(&place.directory, &name);
        let applied = object
            .stat()
            .and_then(|have| meta::apply(&object, have, entry, None, self.policy.preserve));
        let applied = match applied {
            Ok(applied) => applied,
            Err(cause) => {
                let _ = place.directory.unlink(&name);
                return Err(failed(cause));
            }
        };
        if !is_new {
            take_place(
                self.tree,
                self.cx,
                self.policy,
                path,
                &place,
                &name,
                replace,
            )?;
        }
        Ok(Applied::new(true, applied.losses))
    }

    fn link(&self, path: &RelPath, leader: &RelPath, replace: &Replace) -> Result<Applied> {
        let failed = |cause: io::Error| match cause.raw_os_error() {
            // Too many names, or a file system without links: the content can still be copied.
            Some(errno::MLINK | errno::PERM | errno::XDEV) => {
                Error::new(ErrorKind::Unsupported, "link")
                    .at(path)
                    .because(cause.to_string())
            }
            _ => error("link", &cause).at(path),
        };
        let from = self.tree.place(leader).map_err(failed)?;
        let place = self.tree.place(path).map_err(failed)?;
        if *replace == Replace::Nothing {
            let linked = changing(&place.directory, || {
                from.directory
                    .link(&from.name, &place.directory, &place.name)
            });
            match linked {
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(name_error(&place, path, &cause));
                }
                other => other.map_err(failed)?,
            }
        } else {
            let newcomer = fresh_partial();
            from.directory
                .link(&from.name, &place.directory, &newcomer)
                .map_err(failed)?;
            take_place(
                self.tree,
                self.cx,
                self.policy,
                path,
                &place,
                &newcomer,
                replace,
            )?;
            // Renaming one name of a file over another name of it does nothing, and says so to nobody.
            match place.directory.unlink(&newcomer) {
                Err(cause) if !is_missing(&cause) => return Err(failed(cause)),
                _ => {}
            }
        }
        Ok(Applied::new(true, Vec::new()))
    }

    fn set_metadata(
        &self,
        path: &RelPath,
        expect: Option<&Entry>,
        entry: &Entry,
        attributes: Option<&Attributes>,
    ) -> Result<Applied> {
        let failed = |cause: io::Error| error("set metadata", &cause).at(path);
        let preserve = self.policy.preserve;
        let applied = match &entry.kind {
            Kind::Directory => {
                let directory = self.tree.directory(path).map_err(failed)?;
                let file = directory.as_file().map_err(failed)?;
                let have = file.stat().map_err(failed)?;
                meta::apply(&Object::Open(&file), have, entry, attributes, preserve)
            }
            Kind::File => {
                let place = self.tree.place(path).map_err(failed)?;
                let skip = expect.is_some_and(may_skip_access_time);
                let file = place
                    .directory
                    .open_file(&place.name, skip)
                    .map_err(failed)?;
                let have = file.stat().map_err(failed)?;
                if expect.is_some_and(|expect| !have.is_object(expect)) {
                    return Err(Error::new(ErrorKind::Changed, "set metadata").at(path));
                }
                meta::apply(&Object::Open(&file), have, entry, attributes, preserve)
            }
            _ => {
                let place = self.tree.place(path).map_err(failed)?;
                let object = Object::Named(&place.directory, &place.name);
                let have = object.stat().map_err(failed)?;
                meta::apply(&object, have, entry, None, preserve)
            }
        };
        let applied = applied.map_err(failed)?;
        if preserve.strict && !applied.losses.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "set metadata")
                .at(path)
                .because("not all metadata can be kept here"));
        }
        Ok(Applied::new(applied.changed, applied.losses))
    }
}

fn special_kind(special: Special) -> (StatKind, u64) {
    match special {
        Special::BlockDevice(number) => (StatKind::BlockDevice, number),
        Special::CharDevice(number) => (StatKind::CharDevice, number),
        Special::Fifo => (StatKind::Fifo, 0),
        _ => (StatKind::Socket, 0),
    }
}
