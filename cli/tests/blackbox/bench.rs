//! What all topics share: a source, a target, and the binary between them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use blit_conform::{Blit, Options, Ran, Scratch, Snapshot};

/// The binary of this build.
pub(crate) fn blit() -> Blit {
    Blit::at(env!("CARGO_BIN_EXE_blit"))
}

/// The path with a `/` at its end: its contents.
pub(crate) fn contents(path: &Path) -> OsString {
    let mut text = path.as_os_str().to_owned();
    text.push("/");
    text
}

/// A source that is there, and a target that is not.
pub(crate) struct Pair {
    pub(crate) scratch: Scratch,
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::on(Scratch::new())
    }

    pub(crate) fn on(scratch: Scratch) -> Self {
        let (source, target) = (scratch.directory("source"), scratch.path("target"));
        Self {
            scratch,
            source,
            target,
        }
    }

    /// With these files in the source; a name that ends in `/` is a directory.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let pair = Self::new();
        write(&pair.source, files);
        pair
    }

    /// The same, with these files in the target.
    pub(crate) fn and_target(self, files: &[(&str, &str)]) -> Self {
        fs::create_dir_all(&self.target).unwrap();
        write(&self.target, files);
        self
    }

    /// `blit VERB SOURCE/ TARGET`, ready for more arguments.
    pub(crate) fn blit(&self, verb: &str) -> Blit {
        blit()
            .arg(verb)
            .arg(contents(&self.source))
            .arg(&self.target)
    }

    pub(crate) fn run(&self, verb: &str, flags: &[&str]) -> Ran {
        self.blit(verb).args(flags).run()
    }
}

pub(crate) fn write(root: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = root.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
        }
    }
}

/// The whole content of a small file.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref())
        .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Runs `action` and makes sure that the tree at `root` is not touched by it: not even an inode.
#[track_caller]
pub(crate) fn untouched<T>(root: &Path, action: impl FnOnce() -> T) -> T {
    let before = Snapshot::of(root);
    let result = action();
    let found = before.differences(&Snapshot::of(root), Options::untouched());
    assert!(
        found.is_empty(),
        "{} was touched: {found:#?}",
        root.display()
    );
    result
}
