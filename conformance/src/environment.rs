//! What a test may count on here: privileges, tools, how long it may take, and a place to work.

use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::remove_tree;

/// A directory for one test. It is removed at the end, however deep or read-only it has become.
#[derive(Debug)]
pub struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// A new empty directory that everybody may enter.
    #[must_use]
    pub fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// A new empty directory on the file system of `parent`.
    #[must_use]
    pub fn below(parent: &Path) -> Self {
        let made = tempfile::Builder::new()
            .prefix("blit-test-")
            .tempdir_in(parent);
        let root = made.expect("a directory to work in").keep();
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755))
            .expect("it is ours");
        Self { root }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in it; nothing is created.
    #[must_use]
    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.root.join(name.as_ref())
    }

    /// A new empty directory in it.
    #[must_use]
    pub fn directory(&self, name: impl AsRef<OsStr>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(&path).expect("a new directory");
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.root) {
            eprintln!("{} stays behind: {error}", self.root.display());
        }
    }
}

/// Whether the long run was asked for, by `BLIT_LONG=1`.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("BLIT_LONG").is_some_and(|value| value == "1")
}

/// `normal`, or `long` in the long run.
#[must_use]
pub fn scaled(normal: usize, long: usize) -> usize {
    if is_long() { long } else { normal }
}

/// How many random cases are tried: `normal`, or `long` in the long run, unless `BLIT_CASES` says
/// otherwise, so that a long run can be had in parts.
#[must_use]
pub fn cases(normal: usize, long: usize) -> usize {
    let given = std::env::var("BLIT_CASES").ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| scaled(normal, long))
}

/// Whether the tests run as root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The seed of this test, from `BLIT_SEED` or fresh; printed, so that a failure can be repeated.
#[must_use]
pub fn seed() -> u64 {
    let given = std::env::var("BLIT_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    eprintln!("replay with BLIT_SEED={seed}");
    seed
}

/// Says that a test, or a part of it, cannot run here. The closing count shows every reason.
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Says how much a bench has tried, and of which seed. The closing count shows every such line.
pub fn counted(what: &str) {
    eprintln!("counted: {what}");
}

/// Whether the test runs as root; where the complete set of tests must run, not being it fails.
#[must_use]
pub fn need_root(why: &str) -> bool {
    is_root() || missing(&format!("root is needed: {why}"))
}

/// Whether the program `name` is there; where the complete set of tests must run, its lack fails.
#[must_use]
pub fn need_tool(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .any(|directory| directory.join(name).is_file());
    found || missing(&format!("{name} is not installed"))
}

fn missing(reason: &str) -> bool {
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(
        !in_ci && !is_root_on_debian(),
        "{reason}, and here it must be: run ./ci/test"
    );
    skip(reason);
    false
}

fn is_root_on_debian() -> bool {
    is_root() && Path::new("/etc/debian_version").exists()
}
