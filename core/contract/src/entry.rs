//! What a tree is made of: entries, and the batches in which they are listed.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Error, Name, RelPath};

/// One thing in a tree, as a scan saw it. The scan follows no symlink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its name in its directory.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// Logical size in bytes; 0 for everything but files.
    pub size: u64,
    /// Bytes that it occupies on storage. Less than `size` means that there may be holes.
    pub allocated: u64,
    /// The permission bits with setuid, setgid and sticky (`mode & 0o7777`).
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// When its content last changed.
    pub modified: Time,
    /// What tells this very object from any other that may come to bear its name.
    pub identity: Identity,
}

impl Entry {
    /// An entry of that name and kind; everything else is zero and can be set.
    #[must_use]
    pub fn new(name: Name, kind: Kind) -> Self {
        Self {
            name,
            kind,
            size: 0,
            allocated: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            modified: Time::default(),
            identity: Identity::default(),
        }
    }

    /// Whether this is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File)
    }

    /// Whether this is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }

    /// Whether the file may have holes: it occupies less than it is long.
    #[must_use]
    pub fn may_have_holes(&self) -> bool {
        self.is_file() && self.allocated < self.size
    }

    /// Whether `other` is the same object with the same content state: type, inode, size, times.
    #[must_use]
    pub fn is_unchanged_since(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.size == other.size
            && self.modified == other.modified
            && self.identity.is_same_object(&other.identity)
            && self.identity.changed == other.identity.changed
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A FIFO, socket or device: named, never opened.
    Special(Special),
    /// A symbolic link and the raw bytes of its target, which blit never follows.
    Symlink(Bytes),
}

impl Kind {
    /// Whether both are of one type, whatever a link points to.
    #[must_use]
    pub fn is_same_type(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The type in one word: `file`, `directory`, `symlink`, `fifo`, `socket`, `device`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File => "file",
            Self::Symlink(_) => "symlink",
            Self::Special(Special::Fifo) => "fifo",
            Self::Special(Special::Socket) => "socket",
            Self::Special(Special::BlockDevice(_) | Special::CharDevice(_)) => "device",
        }
    }
}

/// The entries that are neither file, directory nor symlink. Devices carry their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Special {
    /// A block device and its device number.
    BlockDevice(u64),
    /// A character device and its device number.
    CharDevice(u64),
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
}

/// A point in time: seconds since 1970 UTC, which may be negative, and 0 to 999,999,999 ns after them.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time {
    /// Whole seconds.
    pub secs: i64,
    /// Nanoseconds after `secs`.
    pub nanos: u32,
}

impl Time {
    /// The time `secs` s and `nanos` ns after 1970-01-01 UTC.
    #[must_use]
    pub fn new(secs: i64, nanos: u32) -> Self {
        Self { secs, nanos }
    }

    /// Nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn as_nanos(&self) -> i128 {
        i128::from(self.secs) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// What tells one object of a store from every other. Stores without such numbers leave zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The file system.
    pub device: u64,
    /// The inode in it.
    pub inode: u64,
    /// The mount through which it was reached: bind mounts share `device`, not `mount`.
    pub mount: u64,
    /// When anything about it last changed (ctime). Only the kernel sets it.
    pub changed: Time,
    /// How many names it has.
    pub links: u32,
}

impl Identity {
    /// Whether both name one object, through whatever mount.
    #[must_use]
    pub fn is_same_object(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Metadata that costs a call of its own, and so is read only for what is moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attributes {
    /// Extended attributes with their full names, in ascending order; POSIX ACLs are among them.
    pub xattrs: Vec<(Bytes, Bytes)>,
}

impl Attributes {
    /// Attributes with these extended attributes, which are put in order.
    #[must_use]
    pub fn with_xattrs(mut xattrs: Vec<(Bytes, Bytes)>) -> Self {
        xattrs.sort();
        Self { xattrs }
    }
}

/// Some entries of one directory.
///
/// A store lists parents before their children. The batches of one directory come in ascending
/// order of names, compared as bytes; batches of different directories may interleave.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct EntryBatch {
    /// The directory that holds the entries.
    pub directory: RelPath,
    /// The entries, in ascending order of names.
    pub entries: Vec<Entry>,
    /// What could not be listed. Any problem makes the listing incomplete: it cannot be sealed.
    pub problems: Vec<Error>,
    /// Whether this is the last batch of `directory`.
    pub last: bool,
}

impl EntryBatch {
    /// An empty batch of `directory` that is not the last.
    #[must_use]
    pub fn new(directory: RelPath) -> Self {
        Self {
            directory,
            ..Self::default()
        }
    }
}
