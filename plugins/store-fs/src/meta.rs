//! The one metadata applier: every path that an entry can take ends here.
//!
//! It writes only what differs, in the order in which one thing does not undo another (owner, mode,
//! attributes, times), reads back, and says what could not be kept.

use std::io;

use blit_contract::{
    Attributes, Entry, Error, ErrorKind, Kind, Loss, LossClass, Name, Preserve, RelPath, Result,
    Time, WritePolicy,
};

use crate::{
    read::is_carried,
    sys::{self, Directory, File, Ids, Stat, errno},
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

    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
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
        is_locked: have.is_locked,
        refused_owner: false,
        refused_mode: false,
    };
    work.owner_and_mode(have)?;
    if preserve.xattrs
        && let (Object::Open(file), Some(attributes)) = (object, attributes)
    {
        work.attributes(file, attributes)?;
    }
    if preserve.times && have.modified != want.modified {
        work.changed |= work.is_kept(object.set_modified(want.modified))?;
    }
    let mut stat = object.stat()?;
    if work.differs(&stat) {
        // What we believed was there was not, or one thing undid another: once more, from the truth.
        work.owner_and_mode(stat)?;
        if preserve.times && stat.modified != want.modified {
            work.is_kept(object.set_modified(want.modified))?;
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
    /// Marked immutable: then no refusal is the file system's.
    is_locked: bool,
    /// The file system keeps no such owner, or no such mode.
    refused_owner: bool,
    refused_mode: bool,
}

impl Work<'_> {
    fn owner_and_mode(&mut self, have: Stat) -> io::Result<()> {
        let mut mode = have.mode;
        let owner = self.possible_owner(have);
        if owner != ids(have) {
            if self.is_kept(self.object.set_owner(owner))? {
                self.changed = true;
                // The kernel takes lent rights away when the owner changes.
                mode &= !LENT_RIGHTS;
            } else {
                self.refused_owner = true;
            }
        }
        let wanted = self.wanted_mode(have);
        if wanted != mode {
            if self.is_kept(self.object.set_mode(wanted))? {
                self.changed |= wanted != have.mode;
            } else {
                self.refused_mode = true;
            }
        }
        Ok(())
    }

    /// Whether a call did what it should. A file system that cannot keep it is no failure: the
    /// read-back finds what is not as it should be, and counts it.
    fn is_kept(&self, done: io::Result<()>) -> io::Result<bool> {
        match done {
            Ok(()) => Ok(true),
            Err(cause) if !self.is_locked && is_refusal(&cause) => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    /// As much of the wanted owner as this process may give here.
    fn possible_owner(&self, have: Stat) -> Ids {
        if self.preserve.owner && !self.refused_owner {
            possible_owner(have, self.wanted_owner())
        } else {
            ids(have)
        }
    }

    fn wanted_owner(&self) -> Ids {
        Ids {
            uid: self.want.uid,
            gid: self.want.gid,
        }
    }

    /// The mode that it shall have; rights that only the owner may lend go with the owner.
    fn wanted_mode(&self, have: Stat) -> u32 {
        if !self.preserve.mode || self.refused_mode || self.is_link() {
            return have.mode;
        }
        if self.preserve.owner && self.possible_owner(have) == self.wanted_owner() {
            self.want.mode
        } else {
            self.want.mode & !LENT_RIGHTS
        }
    }

    /// Links have no mode of their own.
    fn is_link(&self) -> bool {
        matches!(self.want.kind, Kind::Symlink(_))
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
        self.possible_owner(*stat) != ids(*stat) || self.wanted_mode(*stat) != stat.mode
    }

    fn count_losses(&mut self, stat: &Stat) {
        if self.preserve.owner && ids(*stat) != self.wanted_owner() {
            self.lose(LossClass::Owner);
        }
        if self.preserve.mode && !self.is_link() && stat.mode != self.want.mode {
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

/// Answers that `--preserve all` takes for a failure of the entry.
pub(crate) fn refuse_losses(policy: WritePolicy, losses: &[Loss], path: &RelPath) -> Result<()> {
    if policy.preserve.strict && !losses.is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, "set metadata")
            .at(path)
            .because("not all metadata can be kept here"));
    }
    Ok(())
}

/// What file systems say that do not know an attribute, or not this value of it.
fn is_refusal(cause: &io::Error) -> bool {
    matches!(
        cause.raw_os_error(),
        Some(errno::PERM | errno::INVAL | errno::OPNOTSUPP | errno::NOSYS)
    )
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
    let bytes: usize = wanted
        .xattrs
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    match cause.raw_os_error() {
        // ext4 says so of attributes that do not fit into one block; a full disk says it of any.
        Some(errno::NOSPC) => bytes >= ALWAYS_FIT_BYTES,
        code => is_refusal(cause) || matches!(code, Some(errno::TOO_BIG | errno::RANGE)),
    }
}
