//! What a listing takes, and what it leaves out.

use std::sync::Arc;

use crate::{Entry, RelPath};

/// Which entries a listing takes. Called once for each entry, from any thread.
pub trait Select: Send + Sync {
    /// Decides about `entry` in `directory`.
    fn select(&self, directory: &RelPath, entry: &Entry) -> Selection;

    /// The same as far as it hangs on where the entry is, and not on what it holds: its size and its
    /// time. Whoever deletes lists by this: a file that outgrew a limit is still there.
    fn select_by_place(&self, directory: &RelPath, entry: &Entry) -> Selection {
        self.select(directory, entry)
    }
}

/// What becomes of an entry that a listing meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// It is left out; if it is a directory, nothing beneath it is looked at.
    Skip,
    /// It is listed; if it is a directory, it is entered.
    Take,
    /// It is listed, but not entered.
    TakeOnly,
}

/// How to list.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ListOptions {
    /// Enter directories below the first.
    pub recursive: bool,
    /// Do not enter other mounts; they are listed as empty directories.
    pub one_file_system: bool,
    /// Which entries to take; all if there is none.
    pub select: Option<Arc<dyn Select>>,
}

impl ListOptions {
    /// Lists everything below the directory.
    #[must_use]
    pub fn recursive() -> Self {
        Self {
            recursive: true,
            ..Self::default()
        }
    }

    /// Lists one directory.
    #[must_use]
    pub fn flat() -> Self {
        Self::default()
    }

    /// The same, staying on one file system if so asked.
    #[must_use]
    pub fn with_one_file_system(mut self, on: bool) -> Self {
        self.one_file_system = on;
        self
    }

    /// The same with a selection.
    #[must_use]
    pub fn with_select(mut self, select: Arc<dyn Select>) -> Self {
        self.select = Some(select);
        self
    }
}
