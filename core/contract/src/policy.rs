//! What the user asked for that every write must respect.

use serde::{Deserialize, Serialize};

use crate::Entry;

/// When data counts as safe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// One barrier for a batch of files, before their names appear. The default.
    #[default]
    Batch,
    /// Each file is synced by itself before its name appears.
    File,
    /// Nothing is synced; nothing is ever called committed.
    None,
}

/// Which metadata is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preserve {
    /// Permission bits.
    pub mode: bool,
    /// Numeric owner and group.
    pub owner: bool,
    /// Modification times, also of directories.
    pub times: bool,
    /// Extended attributes and ACLs.
    pub xattrs: bool,
    /// An entry fails if anything would be lost; otherwise the loss is counted and said once.
    pub strict: bool,
}

impl Preserve {
    /// Keeps all that both ends can (`--preserve auto`).
    pub const AUTO: Self = Self {
        mode: true,
        owner: true,
        times: true,
        xattrs: true,
        strict: false,
    };
    /// Keeps everything or fails the entry (`--preserve all`).
    pub const ALL: Self = Self {
        strict: true,
        ..Self::AUTO
    };
    /// Keeps times only (`--preserve times`).
    pub const TIMES: Self = Self {
        times: true,
        ..Self::NONE
    };
    /// Keeps content only (`--preserve none`).
    pub const NONE: Self = Self {
        mode: false,
        owner: false,
        times: false,
        xattrs: false,
        strict: false,
    };
}

/// What every write of a session has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WritePolicy {
    /// When data counts as safe.
    pub durability: Durability,
    /// Which metadata is kept.
    pub preserve: Preserve,
    /// Whether what is replaced or deleted is kept in the store's backup tree.
    pub backup: bool,
    /// Whether staged data is read back from storage, after the barrier and before it is published,
    /// and compared with [`crate::Staged::digest`].
    pub verify: bool,
    /// Whether what is deleted is looked at once more when nobody finds it any more. Between the look
    /// at a name and its end another may take it: with this he is not deleted in its stead.
    pub aside: bool,
}

impl WritePolicy {
    /// A policy without a backup tree.
    #[must_use]
    pub const fn new(durability: Durability, preserve: Preserve) -> Self {
        Self {
            durability,
            preserve,
            backup: false,
            verify: false,
            aside: false,
        }
    }

    /// The same, reading staged data back before it is published.
    #[must_use]
    pub const fn with_verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// The same, deleting only what it has taken aside and looked at there.
    #[must_use]
    pub const fn with_aside(mut self, aside: bool) -> Self {
        self.aside = aside;
        self
    }

    /// The same, keeping what is replaced or deleted in the store's backup tree.
    #[must_use]
    pub const fn with_backup(mut self, backup: bool) -> Self {
        self.backup = backup;
        self
    }
}

/// What a new object may take the place of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replace {
    /// Nothing: something at the name is a conflict.
    #[default]
    Nothing,
    /// This entry, and not a directory with anything in it.
    Entry(Box<Entry>),
    /// This directory with all that is in it. Only `mirror` asks for this, and only after the seal.
    Tree(Box<Entry>),
}
