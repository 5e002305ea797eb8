//! Directories held open: an entry is reached as (open directory, single name), so that nobody who
//! renames or replaces a directory on the way can lead us elsewhere.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use blit_contract::{Name, RelPath};
use parking_lot::Mutex;

use crate::sys::Directory;

/// Open directories by their path. The least recently used are closed when there are too many.
#[derive(Debug)]
pub(crate) struct Handles {
    root: Arc<Directory>,
    open: Mutex<HashMap<RelPath, Held>>,
    handles_max: usize,
    clock: AtomicU64,
}

#[derive(Debug)]
struct Held {
    directory: Arc<Directory>,
    used_at: u64,
}

impl Handles {
    pub(crate) fn new(root: Directory, handles_max: usize) -> Self {
        Self {
            root: Arc::new(root),
            open: Mutex::default(),
            handles_max: handles_max.max(1),
            clock: AtomicU64::new(0),
        }
    }

    pub(crate) fn root(&self) -> &Arc<Directory> {
        &self.root
    }

    /// The directory at `path`, opened if it is not held.
    pub(crate) fn get(&self, path: &RelPath) -> io::Result<Arc<Directory>> {
        if path.is_root() {
            return Ok(Arc::clone(&self.root));
        }
        let (nearest, names) = self.nearest(path);
        if names.is_empty() {
            return Ok(nearest);
        }
        let directory = match nearest.open_beneath(&names) {
            // Too many open files: close what is only kept in case, and try once more.
            Err(error) if is_exhausted(&error) => {
                self.open.lock().clear();
                nearest.open_beneath(&names)?
            }
            other => other?,
        };
        let directory = Arc::new(directory);
        self.keep(path.clone(), &directory);
        Ok(directory)
    }

    /// Forgets what was held at `path`: something else may be there now.
    pub(crate) fn forget(&self, path: &RelPath) {
        self.open.lock().remove(path);
    }

    /// Forgets everything at and below `path`.
    pub(crate) fn forget_tree(&self, path: &RelPath) {
        self.open.lock().retain(|held, _| !held.starts_with(path));
    }

    /// The nearest directory above `path` that is held, and the names from there.
    fn nearest<'a>(&self, path: &'a RelPath) -> (Arc<Directory>, Vec<&'a Name>) {
        let mut names = Vec::new();
        let mut at = path;
        let mut open = self.open.lock();
        let found = loop {
            if let Some(held) = open.get_mut(at) {
                held.used_at = self.clock.fetch_add(1, Ordering::Relaxed);
                break Arc::clone(&held.directory);
            }
            match (at.parent(), at.name()) {
                (Some(parent), Some(name)) => {
                    names.push(name);
                    at = parent;
                }
                _ => break Arc::clone(&self.root),
            }
        };
        names.reverse();
        (found, names)
    }

    fn keep(&self, path: RelPath, directory: &Arc<Directory>) {
        let used_at = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock();
        if open.len() >= self.handles_max {
            close_oldest(&mut open);
        }
        let directory = Arc::clone(directory);
        open.insert(path, Held { directory, used_at });
    }
}

/// Closes the older half: the cost is spread over as many opens.
fn close_oldest(open: &mut HashMap<RelPath, Held>) {
    let mut ages: Vec<u64> = open.values().map(|held| held.used_at).collect();
    let middle = ages.len() / 2;
    let (_, median, _) = ages.select_nth_unstable(middle);
    let median = *median;
    open.retain(|_, held| held.used_at > median);
}

fn is_exhausted(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}
