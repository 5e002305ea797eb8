//! Changes to a tree that move no file content.

use crate::{Attributes, Entry, Loss, RelPath, Replace};

/// A change to a tree that moves no file content.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum MetaOp {
    /// Makes another name for the file at `leader`.
    Link {
        /// The new name.
        path: RelPath,
        /// The file that it shall be.
        leader: RelPath,
        /// What it may take the place of.
        replace: Replace,
    },
    /// Makes a directory that its owner can fill; its own metadata follows with `SetMetadata`.
    MakeDirectory {
        /// Where.
        path: RelPath,
        /// What it may take the place of: never a directory.
        replace: Replace,
    },
    /// Makes a symlink or special with its metadata.
    MakeEntry {
        /// Where.
        path: RelPath,
        /// What.
        entry: Entry,
        /// Its other metadata.
        attributes: Attributes,
        /// What it may take the place of.
        replace: Replace,
    },
    /// Gives an existing entry the metadata of `entry`: only what differs is written.
    SetMetadata {
        /// Where.
        path: RelPath,
        /// What the target's scan saw there, if it did; another object there is `Changed`.
        expect: Option<Entry>,
        /// The metadata that it shall have.
        entry: Entry,
        /// Its other metadata; `None` leaves what is there.
        attributes: Option<Attributes>,
    },
}

impl MetaOp {
    /// The entry that the change is about.
    #[must_use]
    pub fn path(&self) -> &RelPath {
        match self {
            Self::Link { path, .. }
            | Self::MakeDirectory { path, .. }
            | Self::MakeEntry { path, .. }
            | Self::SetMetadata { path, .. } => path,
        }
    }
}

/// What a [`MetaOp`] did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Applied {
    /// Whether anything had to be written.
    pub changed: bool,
    /// What could not be kept.
    pub losses: Vec<Loss>,
}

impl Applied {
    /// Says whether anything was written, and what was lost.
    #[must_use]
    pub fn new(changed: bool, losses: Vec<Loss>) -> Self {
        Self { changed, losses }
    }
}
