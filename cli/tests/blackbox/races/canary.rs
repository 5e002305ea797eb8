//! A tree outside of everything that a run was told: nobody may change, read or even open it.

use std::fmt;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use blit_conform::{Options, Snapshot};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use crate::bench::write;

/// What stands in each of its files, and nowhere else.
pub(super) const SECRET: &str = "what only the canary knows";

/// A canary that is watched.
pub(super) struct Canary {
    root: PathBuf,
    before: Snapshot,
    watch: OwnedFd,
}

/// What was done to a canary, or came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Escape {
    /// Something in it was opened, read, listed, changed or removed.
    Accessed(String),
    /// It is not what it was.
    Changed(String),
    /// What stands in it was found elsewhere.
    Leaked(String),
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accessed(what) => write!(f, "the canary was accessed: {what}"),
            Self::Changed(what) => write!(f, "the canary was changed: {what}"),
            Self::Leaked(what) => write!(f, "the canary's content is in {what}"),
        }
    }
}

impl Canary {
    /// A canary at `root` that looks like any part of the trees that are raced for, so that whoever is
    /// led into it finds what he looks for.
    pub(super) fn at(root: PathBuf) -> Self {
        for level in ["", "p/", "g/p/"] {
            for name in ["file", "extra", "d/file", "d/extra", "only here"] {
                write(&root, &[(&format!("{level}{name}"), SECRET)]);
            }
        }
        let before = Snapshot::of(&root);
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let mut directories = vec![root.clone()];
        for path in before.paths() {
            let path = root.join(String::from_utf8(path).unwrap());
            directories.extend(path.is_dir().then_some(path));
        }
        for directory in directories {
            inotify::add_watch(&watch, &directory, WatchFlags::ALL_EVENTS).unwrap();
        }
        Self {
            root,
            before,
            watch,
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// What has happened to it.
    pub(super) fn accesses(&self) -> Vec<Escape> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); 16_384];
        let mut events = inotify::Reader::new(&self.watch, &mut buffer);
        let mut found = Vec::new();
        while let Ok(event) = events.next() {
            let flags: ReadFlags = event.events();
            let name = event
                .file_name()
                .map(|it| it.to_string_lossy().into_owned());
            found.push(Escape::Accessed(format!("{flags:?} {name:?}")));
        }
        found
    }

    /// The same, and whether it is what it was. Looking makes accesses of its own: this comes last.
    pub(super) fn harms(&self) -> Vec<Escape> {
        let mut found = self.accesses();
        let now = Snapshot::of(&self.root);
        let changes = self.before.differences(&now, Options::untouched());
        found.extend(changes.iter().map(|it| Escape::Changed(it.to_string())));
        found
    }
}

/// Where in the tree at `root` the canary's content is.
pub(super) fn leaks(root: &Path) -> Vec<Escape> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() && std::fs::read(&path).unwrap() == SECRET.as_bytes() {
                found.push(Escape::Leaked(path.display().to_string()));
            }
        }
    }
    found
}
