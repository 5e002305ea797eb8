//! Where blit keeps its own files, and where a path leads.

use std::path::{Path, PathBuf};

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

    /// Where a daemon of this user keeps its key and its peers: they are not the user's own.
    #[must_use]
    pub fn daemon_state(&self) -> PathBuf {
        self.state.join("daemon")
    }

    /// The file with the settings of this user; it need not exist.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}

/// The path without symbolic links, as far as it exists.
#[must_use]
pub fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in absolute.ancestors() {
        if let Ok(found) = above.canonicalize() {
            let rest = absolute.strip_prefix(above).unwrap_or(Path::new(""));
            return found.join(rest);
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_path_that_is_not_there_yet_is_resolved_as_far_as_it_goes() {
        let scene = tempfile::tempdir().unwrap();
        let root = scene.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("there")).unwrap();
        std::os::unix::fs::symlink("there", root.join("link")).unwrap();
        assert_eq!(
            resolved(&root.join("link/new/deep")),
            root.join("there/new/deep")
        );
    }

    #[test]
    fn there_are_paths_exactly_where_there_is_a_home() {
        let has_home = std::env::home_dir().is_some_and(|home| home.is_absolute());
        let paths = Paths::of_this_user();
        assert_eq!(paths.is_some(), has_home);
        if let Some(paths) = paths {
            assert!(paths.config_file().is_absolute());
            assert!(paths.config_file().ends_with("blit/config.toml"));
        }
    }

    /// The environment belongs to the whole process, so the test above runs in processes of its own.
    #[test]
    fn an_odd_home_is_no_reason_to_panic() {
        for home in [None, Some(""), Some("relative")] {
            let mut run = Command::new(std::env::current_exe().unwrap());
            run.args([
                "--exact",
                "paths::tests::there_are_paths_exactly_where_there_is_a_home",
            ]);
            match home {
                Some(home) => run.env("HOME", home),
                None => run.env_remove("HOME"),
            };
            let output = run.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{home:?}: {text}"
            );
        }
    }
}
