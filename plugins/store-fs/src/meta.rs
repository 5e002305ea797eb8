//! The one metadata applier: every path that an entry can take ends here.
//!
//! It writes only what differs, in the order in which one thing does not undo another (owner, mode,
//! attributes, times), reads back, and says what could not be kept.

use std::io;

use blit_contract::{Attributes, Entry, Kind, Loss, LossClass, Name, Preserve, Time};

use crate::{
    read::is_carried,
    sys::{self, Directory, File, Ids, Stat},
};

/// setuid and setgid: they lend the owner's rights, so they go with the owner or not at all.
const LENT_RIGHTS: u32 = 0o6000;

/// What metadata is applied to.
pub(crate) enum Object<'a> {
    /// Something open.
    Open(&'a File),
    /// Something that must not be opened: a link or special.
    Named(&'a Directory, &'a Name),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) changed: bool,
    pub(crate) losses: Vec<Loss>,
    /// The object as it is now.
    pub(crate) stat: Stat,
}

impl Object<'_> {
    pub(crate) fn stat(&self) -> io::Result<Stat> {
        match self {
            Self::Open(file) => file.stat(),
            Self::Named(directory, name) => directory.stat(name),
        }
    }

    fn set_owner(&self, owner: Ids) -> io::Result<()> {
        match self {
            Self::Open(file) => file.set_owner(owner),
            Self::Named(directory, name) => directory.set_owner_at(name, owner),
        }
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        match self {
            Self::Open(file) => file.set_mode(mode),
            Self::Named(directory, name) => directory.set_mode_at(name, mode),
        }
    }

    fn set_modified(&self, time: Time) -> io::Result<()> {
        match self {
            Self::Open(file) => file.set_modified(time),
            Self::Named(directory, name) => directory.set_modified_at(name, time),
        }
    }
}

/// Gives `object`, which is now as `have` says, the metadata of `want`. `attributes`: `None` leaves
/// those that are there.
pub(crate) fn apply(
    object: &Object<'_>,
    have: Stat,
    want: &Entry,
    attributes: Option<&Attributes>,
    preserve: Preserve,
) -> io::Result<Outcome> {
    let mut work = Work {
        object,
        want,
        preserve,
        changed: false,
        losses: Vec::new(),
    };
    work.owner_and_mode(have)?;
    if preserve.xattrs
        && let (Object::Open(file), Some(attributes)) = (object, attributes)
    {
        work.attributes(file, attributes)?;
    }
    if preserve.times && have.modified != want.modified {
        work.object.set_modified(want.modified)?;
        work.changed = true;
    }
    let mut stat = object.stat()?;
    if work.differs(&stat) {
        // What we believed was there was not, or one thing undid another: once more, from the truth.
        work.losses
            .retain(|loss| !matches!(loss.class, LossClass::Mode | LossClass::Owner));
        work.owner_and_mode(stat)?;
        if preserve.times && stat.modified != want.modified {
            work.object.set_modified(want.modified)?;
        }
        stat = object.stat()?;
    }
    work.count_losses(&stat);
    Ok(Outcome {
        changed: work.changed,
        losses: work.losses,
        stat,
    })
}

struct Work<'a> {
    object: &'a Object<'a>,
    want: &'a Entry,
    preserve: Preserve,
    changed: bool,
    losses: Vec<Loss>,
}

impl Work<'_> {
    fn owner_and_mode(&mut self, have: Stat) -> io::Result<()> {
        let wanted = Ids {
            uid: self.want.uid,
            gid: self.want.gid,
        };
        let owner = if self.preserve.owner {
            possible_owner(have, wanted)
        } else {
            ids(have)
        };
        let mut mode = have.mode;
        if owner != ids(have) {
            self.object.set_owner(owner)?;
            self.changed = true;
            // The kernel takes lent rights away when the owner changes.
            mode &= !LENT_RIGHTS;
        }
        let wanted_mode = self.wanted_mode(have, owner == wanted);
        if wanted_mode != mode && !matches!(self.want.kind, Kind::Symlink(_)) {
            self.object.set_mode(wanted_mode)?;
            self.changed |= wanted_mode != have.mode;
        }
        Ok(())
    }

    /// The mode that it shall have; rights that only the owner may lend go with the owner.
    fn wanted_mode(&self, have: Stat, has_owner: bool) -> u32 {
        if !self.preserve.mode {
            return have.mode;
        }
        if self.preserve.owner && has_owner {
            self.want.mode
        } else {
            self.want.mode & !LENT_RIGHTS
        }
    }

    fn attributes(&mut self, file: &File, wanted: &Attributes) -> io::Result<()> {
        let present = file.xattr_names()?;
        for name in &present {
            let is_extra = !wanted.xattrs.iter().any(|(wanted, _)| wanted == name);
            if is_extra && is_carried(name) {
                file.remove_xattr(name)?;
                self.changed = true;
            }
        }
        for (name, value) in &wanted.xattrs {
            let is_there = present.contains(name) && file.xattr(name)? == *value;
            if is_there {
                continue;
            }
            match file.set_xattr(name, value) {
                Ok(()) => self.changed = true,
                Err(cause) if cannot_keep(&cause, wanted) => self.lose(attribute_class(name)),
                Err(cause) => return Err(cause),
            }
        }
        Ok(())
    }

    /// Whether owner or mode are not what they should and can be.
    fn differs(&self, stat: &Stat) -> bool {
        let wanted = Ids {
            uid: self.want.uid,
            gid: self.want.gid,
        };
        let owner = if self.preserve.owner {
            possible_owner(*stat, wanted)
        } else {
            ids(*stat)
        };
        let is_link = matches!(self.want.kind, Kind::Symlink(_));
        owner != ids(*stat) || (!is_link && self.wanted_mode(*stat, owner == wanted) != stat.mode)
    }

    fn count_losses(&mut self, stat: &Stat) {
        if self.preserve.owner && (stat.uid, stat.gid) != (self.want.uid, self.want.gid) {
            self.lose(LossClass::Owner);
        }
        let is_link = matches!(self.want.kind, Kind::Symlink(_));
        if self.preserve.mode && !is_link && stat.mode != self.want.mode {
            self.lose(LossClass::Mode);
        }
        if self.preserve.times && stat.modified != self.want.modified {
            self.lose(LossClass::Time);
        }
    }

    fn lose(&mut self, class: LossClass) {
        self.losses.push(Loss::new(class));
    }
}

fn ids(stat: Stat) -> Ids {
    Ids {
        uid: stat.uid,
        gid: stat.gid,
    }
}

/// As much of the wanted owner as this process may give. Without privilege it does not even try to
/// give files away: the call would fail for every one of them.
fn possible_owner(have: Stat, wanted: Ids) -> Ids {
    if sys::is_privileged() {
        return wanted;
    }
    let may_choose_group = have.uid == sys::own_ids().uid && sys::has_group(wanted.gid);
    Ids {
        uid: have.uid,
        gid: if may_choose_group {
            wanted.gid
        } else {
            have.gid
        },
    }
}

fn attribute_class(name: &[u8]) -> LossClass {
    if name.starts_with(b"system.posix_acl_") {
        LossClass::Acl
    } else {
        LossClass::Xattr
    }
}

/// Attributes of so few bytes fit on every file system that has any (ext4 with blocks of 1 KiB).
const ALWAYS_FIT_BYTES: usize = 512;

/// The store cannot keep this attribute: not at all, or not so large. The file can still be kept.
fn cannot_keep(cause: &io::Error, wanted: &Attributes) -> bool {
    const E2BIG: i32 = 7;
    const ENOSPC: i32 = 28;
    const ERANGE: i32 = 34;
    const EINVAL: i32 = 22;
    const EPERM: i32 = 1;
    const EOPNOTSUPP: i32 = 95;
    let bytes: usize = wanted
        .xattrs
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    match cause.raw_os_error() {
        // ext4 says so of attributes that do not fit into one block; a full disk says it of any.
        Some(ENOSPC) => bytes >= ALWAYS_FIT_BYTES,
        code => matches!(code, Some(E2BIG | ERANGE | EINVAL | EPERM | EOPNOTSUPP)),
    }
}
