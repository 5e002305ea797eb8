//! What a run tells while it goes: typed events, which the command line, the daemon and the
//! history all read. Progress is never a log line.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, Method, RelPath};

/// Something that happened in a session. Events of one entry come in order; entries may interleave.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Something happened to an entry, or would happen in a dry run.
    Item(Item),
    /// Another file system is mounted at this directory of the source: it was not entered.
    NotEntered(RelPath),
    /// What the run is doing now.
    Phase(Phase),
    /// What there is to do, as far as it is known.
    Plan(Totals),
    /// An entry failed, changed or vanished; the others go on.
    Problem(Arc<Problem>),
    /// Nothing has moved for a while.
    Stalled {
        /// Which side is waited for, and for what.
        waiting_for: String,
        /// For how long, in seconds.
        seconds: u64,
    },
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Phase {
    /// The two trees are compared; nothing is written yet.
    Compare,
    /// Data moves, while the rest is still scanned.
    Copy,
    /// Extra entries are deleted.
    Delete,
    /// Directory times are set and everything is synced.
    Finish,
    /// Both trees are scanned.
    Scan,
    /// Data is read back.
    Verify,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// Entries that the source has.
    pub entries: u64,
    /// Bytes in the source's files.
    pub bytes: u64,
    /// Files to copy.
    pub copy_files: u64,
    /// Bytes to copy.
    pub copy_bytes: u64,
    /// Entries to delete.
    pub delete_entries: u64,
    /// Entries that need nothing.
    pub up_to_date: u64,
    /// Whether the scan is over and the figures are final.
    pub complete: bool,
}

/// Something that happened to one entry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Item {
    /// What.
    pub op: ItemOp,
    /// To which entry.
    pub path: RelPath,
    /// How many bytes it has.
    pub bytes: u64,
    /// Why, in a few words.
    pub reason: &'static str,
    /// How its bytes moved, if they did.
    pub method: Option<Method>,
}

impl Item {
    /// `op` happened to the entry at `path`.
    #[must_use]
    pub fn new(op: ItemOp, path: RelPath, bytes: u64, reason: &'static str) -> Self {
        Self {
            op,
            path,
            bytes,
            reason,
            method: None,
        }
    }

    /// The same, moved by `method`.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }
}

/// What happened to an entry. For `check` the last five say how it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ItemOp {
    /// It is new at the target.
    Create,
    /// It was deleted at the target.
    Delete,
    /// Only its metadata changed.
    Metadata,
    /// It was removed at the source after it was safe at the target.
    MoveAway,
    /// It was left out, by a rule.
    Skip,
    /// Its content changed.
    Update,
    /// `check`: the contents differ.
    DiffersContent,
    /// `check`: the target has it and the source does not.
    DiffersExtra,
    /// `check`: the metadata differs.
    DiffersMetadata,
    /// `check`: the source has it and the target does not.
    DiffersMissing,
    /// `check`: the types differ.
    DiffersType,
}

/// The one end that every entry comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EndState {
    /// It changed while it was read, again and again; the target has what it had.
    Changed,
    /// It is new or has new content.
    Copied,
    /// It was extra and is gone.
    Deleted,
    /// It could not be done.
    Failed,
    /// It became another name of a file that is there.
    Linked,
    /// Only its metadata was set.
    Metadata,
    /// A rule leaves it out.
    Skipped,
    /// It was as it should be.
    Unchanged,
    /// It was gone when it was to be read.
    Vanished,
}

impl EndState {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Changed,
        Self::Copied,
        Self::Deleted,
        Self::Failed,
        Self::Linked,
        Self::Metadata,
        Self::Skipped,
        Self::Unchanged,
        Self::Vanished,
    ];
}

/// Which side of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Where trees are read.
    Source,
    /// Where trees are written.
    Target,
}

/// An entry that did not come to a good end.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem {
    /// On which side.
    pub side: Side,
    /// Which entry.
    pub path: RelPath,
    /// Why.
    pub error: Error,
    /// How often it was tried again.
    pub retried: u32,
}

impl Problem {
    /// The entry at `path` failed on `side`.
    #[must_use]
    pub fn new(side: Side, path: RelPath, error: Error) -> Self {
        Self {
            side,
            path,
            error,
            retried: 0,
        }
    }

    /// The end state that the entry comes to by this problem.
    #[must_use]
    pub fn end_state(&self) -> EndState {
        match self.error.kind() {
            crate::ErrorKind::Changed => EndState::Changed,
            // At the target nothing that is copied can vanish: what it goes into is missing.
            crate::ErrorKind::Vanished if self.side == Side::Source => EndState::Vanished,
            _ => EndState::Failed,
        }
    }
}

/// Something that the target cannot keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Loss {
    /// What was lost.
    pub class: LossClass,
}

impl Loss {
    /// A loss of that class.
    #[must_use]
    pub const fn new(class: LossClass) -> Self {
        Self { class }
    }
}

/// What a target may be unable to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LossClass {
    /// A POSIX access list.
    Acl,
    /// A hard link: the entry became a file of its own.
    HardLink,
    /// Permission bits, or setuid, setgid, sticky.
    Mode,
    /// Owner or group.
    Owner,
    /// A time; what could be stored was.
    Time,
    /// An extended attribute.
    Xattr,
}

/// What a mirror is about to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletionPlan {
    /// How many entries.
    pub entries: u64,
    /// How many bytes their files hold.
    pub bytes: u64,
    /// How many entries the target has in all.
    pub of_entries: u64,
}

impl DeletionPlan {
    /// `entries` of `of_entries` would go, with `bytes` bytes.
    #[must_use]
    pub const fn new(entries: u64, bytes: u64, of_entries: u64) -> Self {
        Self {
            entries,
            bytes,
            of_entries,
        }
    }
}
