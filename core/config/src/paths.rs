//! Where blit keeps its own files.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// The name of blit's directory in each of the places.
const DIRECTORY: &str = "blit";

/// Where the settings, the memory and the caches of this user are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paths {
    /// What the user wrote: settings.
    pub config: PathBuf,
    /// What must not be lost: history, identities.
    pub state: PathBuf,
    /// What can be made again.
    pub cache: PathBuf,
}

impl Paths {
    /// The places of this user: XDG's, also on macOS. `None` where there is no home directory.
    #[must_use]
    pub fn of_this_user() -> Option<Self> {
        let base = etcetera::choose_base_strategy().ok()?;
        // HOME may be empty or relative: then our files would land wherever blit was started.
        if !base.home_dir().is_absolute() {
            return None;
        }
        let state = base.state_dir().unwrap_or_else(|| base.data_dir());
        Some(Self {
            config: base.config_dir().join(DIRECTORY),
            state: state.join(DIRECTORY),
            cache: base.cache_dir().join(DIRECTORY),
        })
    }

    /// The file with the settings of this user; it need not exist.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}
