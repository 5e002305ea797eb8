//! How a tree on a local disk is opened.

use std::path::PathBuf;

use blit_contract::Result;
use blit_registry::StoreConfig;

use crate::FsStore;

/// How a tree is opened.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FsOptions {
    /// A missing root is shown as empty, and made by the first change.
    pub create_root: bool,
    /// Anything may be changed. Otherwise no call that changes is made.
    pub writable: bool,
    /// Where replaced and deleted entries are kept, under their own paths. Same file system only.
    pub backup: Option<PathBuf>,
    pub(crate) knobs: Knobs,
}

impl FsOptions {
    /// An existing tree, to be read.
    #[must_use]
    pub fn source() -> Self {
        Self::default()
    }

    /// A tree to be written, whose root is made if it is missing.
    #[must_use]
    pub fn target() -> Self {
        Self {
            create_root: true,
            writable: true,
            ..Self::default()
        }
    }
}

/// What tests turn to reach the paths that a capable kernel does not take.
#[derive(Debug, Clone, Default)]
pub(crate) struct Knobs {
    /// How many directories are held open; 0: as many as the limit allows.
    pub(crate) handles_max: usize,
    /// Stage under a hidden name although unnamed files would work.
    pub(crate) named_partials: bool,
    /// Sort names in runs of so many; 0: the default.
    pub(crate) names_in_memory: usize,
    /// Take every partial for abandoned that nobody holds locked, whatever its age.
    pub(crate) partials_are_old: bool,
}

/// Opens the tree that a registry asks for.
pub(crate) fn open(config: &StoreConfig) -> Result<FsStore> {
    let options = FsOptions {
        create_root: config.create_root,
        writable: config.writable,
        backup: config.backup.clone(),
        knobs: Knobs::default(),
    };
    FsStore::open(&config.location, options)
}
