//! Directories of ours that nobody may write to, opened for the time of our work in them.

use std::{io, sync::Arc};

use parking_lot::Mutex;

use crate::sys::{self, Directory, Stat, errno};

/// What the owner of a directory needs to change names in it.
const OWNER_MAY: u32 = 0o300;

/// The directories that are open for our work, as they were before.
#[derive(Debug)]
pub(crate) struct Lent {
    before: Mutex<Vec<(Arc<Directory>, Stat)>>,
    /// Each is held open, so not too many may be.
    directories_max: usize,
}

impl Lent {
    pub(crate) fn new(directories_max: usize) -> Self {
        Self {
            before: Mutex::default(),
            directories_max,
        }
    }

    /// Opens `directory`, which gave `cause`, if that helps: answers whether to try again.
    pub(crate) fn open(&self, directory: &Arc<Directory>, cause: &io::Error) -> io::Result<bool> {
        if cause.raw_os_error() != Some(errno::ACCES) || sys::is_privileged() {
            return Ok(false);
        }
        let mut before = self.before.lock();
        let stat = directory.stat_itself()?;
        if stat.mode & OWNER_MAY == OWNER_MAY {
            // Opened by another call meanwhile, or not the matter.
            return Ok(before.iter().any(|(_, lent)| lent.is_same(&stat)));
        }
        if stat.uid != sys::own_ids().uid {
            return Ok(false);
        }
        directory.as_file()?.set_mode(stat.mode | OWNER_MAY)?;
        if before.len() >= self.directories_max {
            let (oldest, stat) = before.remove(0);
            close(&oldest, stat);
        }
        before.push((Arc::clone(directory), stat));
        Ok(true)
    }

    /// Forgets how a directory was: it has got its final mode.
    pub(crate) fn forget(&self, directory: &Stat) {
        let mut before = self.before.lock();
        before.retain(|(_, lent)| !lent.is_same(directory));
    }

    /// Makes all of them what they were.
    pub(crate) fn restore(&self) {
        for (directory, stat) in self.before.lock().drain(..) {
            close(&directory, stat);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.restore();
    }
}

fn close(directory: &Directory, stat: Stat) {
    let closed = directory
        .as_file()
        .and_then(|file| file.set_mode(stat.mode));
    if let Err(cause) = closed {
        tracing::warn!(%cause, "cannot close a directory that was opened for the work in it");
    }
}
