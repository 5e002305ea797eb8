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

use blit_contract::RelPath;
use parking_lot::Mutex;

use crate::{error::is_exhausted, sys::Directory};

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

    /// The same root, and nothing held below it.
    pub(crate) fn anew(&self) -> Self {
        Self {
            root: Arc::clone(&self.root),
            open: Mutex::default(),
            handles_max: self.handles_max,
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
        let (mut at, missing) = self.nearest(path);
        let mut rest = &missing[..];
        while !rest.is_empty() {
            let names = rest.iter().filter_map(|path| path.name());
            let (opened, used) = match at.open_some(names.clone()) {
                // Too many open files: close what is only kept in case, and try once more.
                Err(error) if is_exhausted(&error) => {
                    self.clear();
                    at.open_some(names)?
                }
                other => other?,
            };
            at = Arc::new(opened);
            // What is on the way is kept too: a very deep tree is not opened from its root each time.
            let (reached, beyond) = rest.split_at(used);
            if let Some(path) = reached.last() {
                self.keep(RelPath::clone(path), &at);
            }
            rest = beyond;
        }
        Ok(at)
    }

    /// Closes everything that is held only in case.
    pub(crate) fn clear(&self) {
        self.open.lock().clear();
    }

    /// Forgets what was held at `path`: something else may be there now.
    pub(crate) fn forget(&self, path: &RelPath) {
        self.open.lock().remove(path);
    }

    /// Forgets everything at and below `path`.
    pub(crate) fn forget_tree(&self, path: &RelPath) {
        self.open.lock().retain(|held, _| !held.starts_with(path));
    }

    /// The nearest directory that is held, at or above `path`, and the paths from there down to it.
    fn nearest<'a>(&self, path: &'a RelPath) -> (Arc<Directory>, Vec<&'a RelPath>) {
        let mut missing = Vec::new();
        let mut at = path;
        let mut open = self.open.lock();
        let found = loop {
            if let Some(held) = open.get_mut(at) {
                held.used_at = self.clock.fetch_add(1, Ordering::Relaxed);
                break Arc::clone(&held.directory);
            }
            let Some(parent) = at.parent() else {
                break Arc::clone(&self.root);
            };
            missing.push(at);
            at = parent;
        };
        missing.reverse();
        (found, missing)
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
