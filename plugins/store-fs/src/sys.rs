//! The only door to the operating system.
//!
//! Two twins have the same functions: `linux` uses descriptors and the kernel's own calls, `portable`
//! the standard library only. Everything else of this crate is written once, over either.

#[cfg(all(target_os = "linux", not(feature = "portable-sys")))]
mod linux;
#[cfg(any(not(target_os = "linux"), feature = "portable-sys"))]
mod portable;

#[cfg(all(target_os = "linux", not(feature = "portable-sys")))]
use linux as twin;
#[cfg(any(not(target_os = "linux"), feature = "portable-sys"))]
use portable as twin;

pub use twin::prepare_process;
pub(crate) use twin::{
    Closing, Directory, File, has_group, is_privileged, mounts, open_files_limit, own_ids, umask,
};

#[cfg(all(target_os = "linux", not(feature = "portable-sys")))]
pub(crate) use linux::in_kernel;

/// A locked file is not held by anybody else.
#[cfg(all(unix, any(not(target_os = "linux"), feature = "portable-sys")))]
pub(crate) fn in_kernel(
    _: &std::sync::Arc<File>,
) -> Option<std::sync::Arc<dyn blit_contract::KernelFile>> {
    None
}

#[cfg(all(test, target_os = "linux", not(feature = "portable-sys")))]
pub(crate) use linux::{faults::planned, forgo_openat2, relearn_kernel};

use blit_contract::{Entry, Identity, Kind, Name, Special, Time};
use bytes::Bytes;

/// The numbers of Linux for the errors that this crate tells apart.
pub(crate) mod errno {
    pub(crate) const PERM: i32 = 1;
    pub(crate) const NOENT: i32 = 2;
    pub(crate) const TOO_BIG: i32 = 7;
    pub(crate) const ACCES: i32 = 13;
    pub(crate) const BUSY: i32 = 16;
    pub(crate) const XDEV: i32 = 18;
    pub(crate) const NOTDIR: i32 = 20;
    pub(crate) const ISDIR: i32 = 21;
    pub(crate) const INVAL: i32 = 22;
    pub(crate) const NFILE: i32 = 23;
    pub(crate) const MFILE: i32 = 24;
    pub(crate) const NOTTY: i32 = 25;
    pub(crate) const FBIG: i32 = 27;
    pub(crate) const NOSPC: i32 = 28;
    pub(crate) const MLINK: i32 = 31;
    pub(crate) const RANGE: i32 = 34;
    pub(crate) const NAMETOOLONG: i32 = 36;
    pub(crate) const NOSYS: i32 = 38;
    pub(crate) const LOOP: i32 = 40;
    pub(crate) const NODATA: i32 = 61;
    pub(crate) const OPNOTSUPP: i32 = 95;
    pub(crate) const STALE: i32 = 116;
}

/// What the operating system says about an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) kind: StatKind,
    pub(crate) size: u64,
    pub(crate) allocated: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) modified: Time,
    pub(crate) changed: Time,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) mount: u64,
    pub(crate) links: u32,
    /// For devices: which one.
    pub(crate) number: u64,
    /// Marked immutable or append-only.
    pub(crate) is_locked: bool,
}

/// What an object is, without the target of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum StatKind {
    BlockDevice,
    CharDevice,
    Directory,
    Fifo,
    #[default]
    File,
    Socket,
    Symlink,
}

impl Stat {
    /// The entry of that name. `target` is where a symlink points.
    pub(crate) fn entry(&self, name: Name, target: Bytes) -> Entry {
        let kind = match self.kind {
            StatKind::BlockDevice => Kind::Special(Special::BlockDevice(self.number)),
            StatKind::CharDevice => Kind::Special(Special::CharDevice(self.number)),
            StatKind::Directory => Kind::Directory,
            StatKind::Fifo => Kind::Special(Special::Fifo),
            StatKind::File => Kind::File,
            StatKind::Socket => Kind::Special(Special::Socket),
            StatKind::Symlink => Kind::Symlink(target),
        };
        let mut entry = Entry::new(name, kind);
        if self.kind == StatKind::File {
            entry.size = self.size;
            entry.allocated = self.allocated;
        }
        entry.mode = self.mode;
        entry.uid = self.uid;
        entry.gid = self.gid;
        entry.modified = self.modified;
        entry.identity = self.identity();
        entry
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity {
            device: self.device,
            inode: self.inode,
            mount: self.mount,
            changed: self.changed,
            links: self.links,
        }
    }

    /// Whether this is still the object, in the state, that a scan saw.
    pub(crate) fn is(&self, entry: &Entry) -> bool {
        self.is_object(entry)
            && self.modified == entry.modified
            && self.changed == entry.identity.changed
            && (self.kind != StatKind::File || self.size == entry.size)
    }

    /// Whether both are one object.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Whether this is still the object that a scan saw, in whatever state.
    pub(crate) fn is_object(&self, entry: &Entry) -> bool {
        let is_kind = match (&entry.kind, self.kind) {
            (Kind::Directory, kind) => kind == StatKind::Directory,
            (Kind::File, kind) => kind == StatKind::File,
            (Kind::Symlink(_), kind) => kind == StatKind::Symlink,
            (_, kind) => !matches!(
                kind,
                StatKind::Directory | StatKind::File | StatKind::Symlink
            ),
        };
        is_kind && self.device == entry.identity.device && self.inode == entry.identity.inode
    }
}

/// What a rename does to what is at the new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rename {
    /// The two change places.
    Exchange,
    /// It must not exist.
    Keep,
    /// It is replaced.
    Replace,
}

/// Who the process is: user and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}
