//! What the comparer says.

use std::fmt;

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, as bytes below the root with `/` between names; the root itself is empty.
    pub path: Vec<u8>,
    /// In what.
    pub what: What,
    /// The values, for a reader.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<u8> = self.path.iter().copied().take(300).collect();
        write!(
            f,
            "/{}: {:?} {}",
            shown.escape_ascii(),
            self.what,
            self.detail
        )
    }
}

/// The same, because a list of bytes says nothing to the reader of a failed test.
impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A POSIX access list.
    Acl,
    /// Bytes of a file of the same size.
    Content,
    /// The number of a device.
    Device,
    /// The target has an entry that the source has not.
    Extra,
    /// Two files became one.
    HardLinkJoined,
    /// Two names of one file became two files.
    HardLinkSplit,
    /// More is allocated than the source has.
    Holes,
    /// Inode or change time: only for a tree that nobody may touch.
    Identity,
    /// Where a symlink points.
    LinkTarget,
    /// The source has an entry that the target has not.
    Missing,
    /// Permission bits, setuid, setgid and sticky.
    Mode,
    /// User or group.
    Owner,
    /// The length of a file.
    Size,
    /// The modification time, in nanoseconds.
    Time,
    /// File, directory, symlink …
    Type,
    /// It could not be compared.
    Unreadable,
    /// A user attribute.
    Xattr,
}

/// What is compared. Everything, but what is left out by name.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    ignored: u32,
}

impl Options {
    /// Everything that a faithful copy keeps.
    #[must_use]
    pub const fn exact() -> Self {
        Self {
            ignored: 1 << What::Identity as u32,
        }
    }

    /// That, and inodes and change times: nothing at all was done to the tree.
    #[must_use]
    pub const fn untouched() -> Self {
        Self { ignored: 0 }
    }

    /// The same, without looking at `what`.
    #[must_use]
    pub const fn without(self, what: What) -> Self {
        Self {
            ignored: self.ignored | 1 << what as u32,
        }
    }

    pub(crate) const fn looks_at(self, what: What) -> bool {
        self.ignored & (1 << what as u32) == 0
    }
}
