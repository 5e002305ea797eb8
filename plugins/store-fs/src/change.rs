//! Changes that move no file content: directories, links, specials, metadata.

use std::{io, sync::Arc};

use blit_contract::{
    Applied, Attributes, Cx, Entry, Error, ErrorKind, Kind, MetaOp, Name, RelPath, Replace, Result,
    Special, WritePolicy,
};

use crate::{
    error::{error, is_missing},
    meta::{self, Object},
    place::{Place, Tree, fresh_partial},
    publish::name_error,
    read::may_skip_access_time,
    replace::Newcomer,
    sys::{Directory, File, Stat, StatKind, errno},
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
        } => change.set_metadata(&Wish {
            path: &path,
            expect: expect.as_ref(),
            entry: &entry,
            attributes: attributes.as_ref(),
        }),
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
        let make = |name: &Name| {
            let mode = self.directory_mode();
            self.tree.changing(&place.directory, |directory| {
                directory.make_directory(name, mode)
            })
        };
        if *replace == Replace::Nothing {
            make(&place.name).map_err(|cause| name_error(&place, path, &cause))?;
        } else {
            let hidden = fresh_partial();
            make(&hidden).map_err(failed)?;
            self.newcomer(path, &place, &hidden, true)
                .take_place(replace)?;
        }
        if let Some(handles) = self.tree.handles() {
            // Should one of that name have been held, it is another.
            handles.forget(path);
        }
        Ok(Applied::new(true, Vec::new()))
    }

    /// Without modes a directory gets what any program's new directory gets.
    fn directory_mode(&self) -> u32 {
        if self.policy.preserve.mode {
            FILLING_MODE
        } else {
            0o777
        }
    }

    fn newcomer<'b>(
        &'b self,
        path: &'b RelPath,
        place: &'b Place,
        hidden: &'b Name,
        is_directory: bool,
    ) -> Newcomer<'b> {
        Newcomer {
            tree: self.tree,
            cx: self.cx,
            policy: self.policy,
            path,
            place,
            hidden,
            is_directory,
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
        let made = self
            .tree
            .changing(&place.directory, |directory| match &entry.kind {
                Kind::Symlink(target) => directory.make_symlink(&name, target),
                Kind::Special(special) => {
                    let (kind, number) = special_kind(*special);
                    directory.make_special(&name, kind, number)
                }
                _ => Err(io::ErrorKind::Unsupported.into()),
            });
        made.map_err(|cause| match is_new {
            true => name_error(&place, path, &cause),
            false => failed(cause),
        })?;
        let object = Object::Named(&place.directory, &name);
        let applied = object
            .stat()
            .and_then(|have| meta::apply(&object, have, entry, None, self.policy.preserve))
            .map_err(failed)
            .and_then(|applied| {
                meta::refuse_losses(self.policy, &applied.losses, path)?;
                Ok(applied)
            })
            .inspect_err(|_| {
                let _ = place.directory.unlink(&name);
            })?;
        if !is_new {
            self.newcomer(path, &place, &name, false)
                .take_place(replace)?;
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
        let link = |name: &Name| {
            self.tree.changing(&place.directory, |directory| {
                from.directory.link(&from.name, directory, name)
            })
        };
        if *replace == Replace::Nothing {
            link(&place.name).map_err(|cause| match cause.kind() {
                io::ErrorKind::AlreadyExists => name_error(&place, path, &cause),
                _ => failed(cause),
            })?;
        } else {
            let hidden = fresh_partial();
            link(&hidden).map_err(failed)?;
            self.newcomer(path, &place, &hidden, false)
                .take_place(replace)?;
            // Renaming one name of a file over another name of it does nothing, and says so to nobody.
            match place.directory.unlink(&hidden) {
                Err(cause) if !is_missing(&cause) => return Err(failed(cause)),
                _ => {}
            }
        }
        Ok(Applied::new(true, Vec::new()))
    }

    fn set_metadata(&self, wish: &Wish<'_>) -> Result<Applied> {
        match &wish.entry.kind {
            Kind::Directory => self.set_on_directory(wish),
            Kind::File => self.set_on_file(wish),
            _ => {
                let place = self.tree.place(wish.path).map_err(wish.failed())?;
                let object = Object::Named(&place.directory, &place.name);
                let have = object.stat().map_err(wish.failed())?;
                self.set(wish, &object, have, &place.directory)
            }
        }
    }

    fn set_on_directory(&self, wish: &Wish<'_>) -> Result<Applied> {
        let directory = self.tree.directory(wish.path).map_err(wish.failed())?;
        let file = directory.as_file().map_err(wish.failed())?;
        let have = file.stat().map_err(wish.failed())?;
        let set = self.set(wish, &Object::Open(&file), have, &directory)?;
        if self.policy.preserve.mode {
            // What it was before our work in it is of no account any more.
            self.tree.lent.forget(&have);
        }
        Ok(set)
    }

    fn set_on_file(&self, wish: &Wish<'_>) -> Result<Applied> {
        let place = self.tree.place(wish.path).map_err(wish.failed())?;
        let quietly = wish.expect.is_some_and(may_skip_access_time);
        let open = || {
            self.tree
                .with_room(|| place.directory.open_file(&place.name, quietly))
        };
        match open() {
            Ok(file) => {
                let have = file.stat().map_err(wish.failed())?;
                self.set(wish, &Object::Open(&file), have, &place.directory)
            }
            Err(cause) if cause.raw_os_error() == Some(errno::ACCES) => {
                self.set_on_shut_file(wish, &place, &open)
            }
            Err(cause) => Err(wish.failed()(cause)),
        }
    }

    /// A file that nobody may read, not even its owner: he may still change that.
    fn set_on_shut_file(
        &self,
        wish: &Wish<'_>,
        place: &Place,
        open: &dyn Fn() -> io::Result<File>,
    ) -> Result<Applied> {
        const OWNER_MAY: u32 = 0o400;
        let named = Object::Named(&place.directory, &place.name);
        let before = named.stat().map_err(wish.failed())?;
        if before.kind != StatKind::File {
            return Err(wish.changed());
        }
        named
            .set_mode(before.mode | OWNER_MAY)
            .map_err(wish.failed())?;
        let file = open().map_err(wish.failed())?;
        let have = file.stat().map_err(wish.failed())?;
        let set = self.set(wish, &Object::Open(&file), have, &place.directory);
        if set.is_err() || !self.policy.preserve.mode {
            file.set_mode(before.mode).map_err(wish.failed())?;
        }
        set
    }

    /// Applies the metadata to an object, which is in `directory` or is it.
    fn set(
        &self,
        wish: &Wish<'_>,
        object: &Object<'_>,
        have: Stat,
        directory: &Arc<Directory>,
    ) -> Result<Applied> {
        if wish.expect.is_some_and(|expect| !have.is_object(expect)) {
            return Err(wish.changed());
        }
        let preserve = self.policy.preserve;
        let applied = meta::apply(object, have, wish.entry, wish.attributes, preserve);
        let applied = applied.map_err(|cause| match cause.raw_os_error() {
            Some(errno::PERM) if have.is_locked => {
                Error::new(ErrorKind::Immutable, "set metadata").at(wish.path)
            }
            _ => wish.failed()(cause),
        })?;
        meta::refuse_losses(self.policy, &applied.losses, wish.path)?;
        self.tree.touched.note(directory).map_err(wish.failed())?;
        Ok(Applied::new(applied.changed, applied.losses))
    }
}

/// The metadata that an entry shall have.
struct Wish<'a> {
    path: &'a RelPath,
    /// What the target's scan saw there.
    expect: Option<&'a Entry>,
    entry: &'a Entry,
    attributes: Option<&'a Attributes>,
}

impl Wish<'_> {
    fn failed(&self) -> impl Fn(io::Error) -> Error {
        |cause| error("set metadata", &cause).at(self.path)
    }

    fn changed(&self) -> Error {
        Error::new(ErrorKind::Changed, "set metadata").at(self.path)
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
