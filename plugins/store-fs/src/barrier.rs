//! What has to be made durable: a tree may span file systems, and one barrier serves only one.

use std::{collections::HashMap, io, sync::Arc};

use parking_lot::Mutex;

use crate::{error::is_unsupported, sys::Directory};

/// One directory of each file system in which something was changed since the last barrier.
#[derive(Debug, Default)]
pub(crate) struct Touched(Mutex<HashMap<u64, Arc<Directory>>>);

impl Touched {
    /// Notes that something in `directory`, or the directory itself, was changed.
    pub(crate) fn note(&self, directory: &Arc<Directory>) -> io::Result<()> {
        let scope = directory.barrier_scope()?;
        let mut touched = self.0.lock();
        touched
            .entry(scope)
            .or_insert_with(|| Arc::clone(directory));
        Ok(())
    }

    /// Waits until everything noted is durable. After a failure nothing is tried again: the pages may
    /// be marked clean already, and another try would lie.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let touched = std::mem::take(&mut *self.0.lock());
        for directory in touched.values() {
            match directory.sync_file_system() {
                Err(cause) if is_unsupported(&cause) => directory.sync()?,
                other => other?,
            }
        }
        Ok(())
    }
}
