//! What a plugin is told when it is made.

use std::path::PathBuf;

/// What a transport or planner is told when it is made.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PluginConfig {}

impl PluginConfig {
    /// Leaves every choice to the plugin.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Which tree a store shall open, and what it may do there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreConfig {
    /// The root of the tree: a path, or what follows `scheme://`. Raw bytes where paths are.
    pub location: PathBuf,
    /// Whether anything may be written.
    pub writable: bool,
    /// Whether a missing root is made.
    pub create_root: bool,
    /// Where replaced and deleted entries are kept.
    pub backup: Option<PathBuf>,
}

impl StoreConfig {
    /// Opens the existing tree at `location` for reading only.
    #[must_use]
    pub fn new(location: impl Into<PathBuf>) -> Self {
        Self {
            location: location.into(),
            writable: false,
            create_root: false,
            backup: None,
        }
    }

    /// The same, and it may be written.
    #[must_use]
    pub fn with_writable(mut self, writable: bool) -> Self {
        self.writable = writable;
        self
    }

    /// The same, and a missing root is made.
    #[must_use]
    pub fn with_create_root(mut self, create_root: bool) -> Self {
        self.create_root = create_root;
        self
    }

    /// The same, keeping replaced and deleted entries in `backup`.
    #[must_use]
    pub fn with_backup(mut self, backup: impl Into<PathBuf>) -> Self {
        self.backup = Some(backup.into());
        self
    }
}
