//! The tree that a store was opened at, and how the rest of the crate reaches its entries.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use blit_contract::{Error, ErrorKind, Name, PartialName, RelPath, Result};
use blit_rooms::Rooms;
use parking_lot::Mutex;

use crate::{
    barrier::Touched,
    config::FsOptions,
    error::{failed, is_exhausted, is_missing},
    handles::Handles,
    lent::Lent,
    sys::{self, Directory},
};

/// The share of the open files' limit that held directories may take; staged files need the rest.
const HANDLES_SHARE: usize = 8;

/// A tree: its root, which may not exist yet, and what is known of its file system.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) options: FsOptions,
    location: PathBuf,
    handles: OnceLock<Handles>,
    making: Mutex<()>,
    backup: OnceLock<Backup>,
    pub(crate) touched: Touched,
    pub(crate) lent: Lent,
    /// What is read into.
    pub(crate) rooms: Rooms,
    /// Unnamed files do not work here: found out by the first try.
    pub(crate) lacks_unnamed: AtomicBool,
}

/// Where replaced and deleted entries are kept.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    pub(crate) root: Arc<Directory>,
    /// The directory whose entries are kept, each under its path from there on.
    changed: RelPath,
}

impl Backup {
    /// Where the entry at `path` is kept; `None`: it is none of those.
    pub(crate) fn path_of(&self, path: &RelPath) -> Option<RelPath> {
        let names = path.components().into_iter();
        let below = || names.skip(self.changed.depth() as usize).cloned();
        path.starts_with(&self.changed).then(|| below().collect())
    }
}

/// Where an entry is: its directory, held open, and its name there.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) directory: Arc<Directory>,
    pub(crate) name: Name,
}

impl Tree {
    pub(crate) fn open(location: &Path, options: FsOptions) -> Result<Self> {
        let tree = Self {
            lacks_unnamed: AtomicBool::new(options.knobs.named_partials),
            options,
            location: location.to_owned(),
            handles: OnceLock::new(),
            making: Mutex::default(),
            backup: OnceLock::new(),
            touched: Touched::default(),
            lent: Lent::new(handles_share()),
            rooms: Rooms::default(),
        };
        match Directory::open_root(location) {
            Ok(root) => tree.start(root),
            Err(error) if is_missing(&error) && tree.options.create_root => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(Error::new(ErrorKind::Conflict, "open")
                    .because(format!("{} is no directory", location.display())));
            }
            Err(error) if is_missing(&error) => {
                return Err(Error::new(ErrorKind::NotFound, "open").because(show(location)));
            }
            Err(error) => return Err(failed("open")(error)),
        }
        if let Some(backup) = &tree.options.backup {
            std::fs::create_dir_all(backup).map_err(failed("make backup directory"))?;
            let backup = Directory::open_root(backup).map_err(failed("open backup directory"))?;
            let _ = tree.backup.set(Backup {
                root: Arc::new(backup),
                changed: RelPath::ROOT,
            });
        }
        Ok(tree)
    }

    /// The same tree for somebody else: its root stays open, and nothing else is known of it.
    pub(crate) fn anew(&self) -> Self {
        let handles = OnceLock::new();
        if let Some(known) = self.handles() {
            let _ = handles.set(known.anew());
        }
        Self {
            options: self.options.clone(),
            location: self.location.clone(),
            handles,
            making: Mutex::default(),
            backup: self.backup.clone(),
            touched: Touched::default(),
            lent: Lent::new(handles_share()),
            rooms: Rooms::default(),
            lacks_unnamed: AtomicBool::new(!self.may_be_unnamed()),
        }
    }

    /// The same tree for a session that keeps what it replaces or deletes below `changed` in its directory
    /// `kept`. That is held open: whatever takes its name later gets nothing.
    pub(crate) fn keeping(&self, changed: RelPath, kept: &RelPath) -> Result<Self> {
        let mut tree = self.anew();
        let root = tree.existing()?.get(kept);
        let root = root.map_err(|cause| failed("open backup directory")(cause).at(kept))?;
        tree.backup = OnceLock::from(Backup { root, changed });
        Ok(tree)
    }

    fn start(&self, root: Directory) {
        let max = match self.options.knobs.handles_max {
            0 => handles_share(),
            max => max,
        };
        let _ = self.handles.set(Handles::new(root, max));
    }

    /// The open directories; `None` while the root does not exist.
    pub(crate) fn handles(&self) -> Option<&Handles> {
        self.handles.get()
    }

    /// The open directories of a tree that is about to be changed: a missing root is made.
    pub(crate) fn writable(&self) -> Result<&Handles> {
        if !self.options.writable {
            return Err(Error::new(ErrorKind::ReadOnly, "write").because("opened for reading"));
        }
        if let Some(handles) = self.handles.get() {
            return Ok(handles);
        }
        let _making = self.making.lock();
        if self.handles.get().is_none() {
            let root = make_root(&self.location).map_err(failed("make target directory"))?;
            self.start(root);
        }
        self.existing()
    }

    /// The open directories of a tree that exists.
    pub(crate) fn existing(&self) -> Result<&Handles> {
        let missing = || Error::new(ErrorKind::NotFound, "open").because(show(&self.location));
        self.handles.get().ok_or_else(missing)
    }

    /// The directory at `path`.
    pub(crate) fn directory(&self, path: &RelPath) -> io::Result<Arc<Directory>> {
        match self.handles.get() {
            Some(handles) => handles.get(path),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Where the entry at `path` is. The root itself has no place in the tree.
    pub(crate) fn place(&self, path: &RelPath) -> io::Result<Place> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        Ok(Place {
            directory: self.directory(parent)?,
            name: name.clone(),
        })
    }

    /// Does `work` in `directory`, which changes something there. One of our own that nobody may write
    /// to is opened for it.
    pub(crate) fn changing<T>(
        &self,
        directory: &Arc<Directory>,
        work: impl Fn(&Directory) -> io::Result<T>,
    ) -> io::Result<T> {
        let done = match self.with_room(|| work(directory)) {
            Err(cause) if self.lent.open(directory, &cause)? => work(directory),
            other => other,
        }?;
        self.touched.note(directory)?;
        Ok(done)
    }

    /// Does `work`, which opens something. If there are too many open files, those go that are held
    /// only in case, and it is done once more.
    pub(crate) fn with_room<T>(&self, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match (work(), self.handles()) {
            (Err(cause), Some(handles)) if is_exhausted(&cause) => {
                handles.clear();
                work()
            }
            (other, _) => other,
        }
    }

    /// The backup tree.
    pub(crate) fn backup(&self) -> Option<&Backup> {
        self.backup.get()
    }

    /// The nearest directory that exists, at or above the root.
    pub(crate) fn nearest_existing(&self) -> io::Result<Directory> {
        let absolute = std::path::absolute(&self.location)?;
        for at in absolute.ancestors() {
            match Directory::open_root(at) {
                Err(error) if is_missing(&error) => {}
                other => return other,
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Whether unnamed files are worth a try.
    pub(crate) fn may_be_unnamed(&self) -> bool {
        !self.lacks_unnamed.load(Ordering::Relaxed)
    }
}

/// How many directories may be held open in case.
fn handles_share() -> usize {
    (sys::open_files_limit() / HANDLES_SHARE).clamp(8, 1_024)
}

/// A hidden name that nobody has.
pub(crate) fn fresh_partial() -> Name {
    let random = || u128::from(RandomState::new().build_hasher().finish());
    PartialName::new((random() << 64) | random()).name().clone()
}

/// Makes the directory and those above it, and makes their names durable.
fn make_root(location: &Path) -> io::Result<Directory> {
    let absolute = std::path::absolute(location)?;
    let missing: Vec<&Path> = absolute.ancestors().take_while(|at| !at.is_dir()).collect();
    for at in missing.iter().rev() {
        match Directory::make_root(at) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        if let Some(parent) = at.parent() {
            Directory::open_root(parent)?.sync()?;
        }
    }
    Directory::open_root(&absolute)
}

fn show(location: &Path) -> String {
    location.display().to_string()
}
