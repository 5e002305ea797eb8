//! The limits: for L2 one file copied by the kernel, for L4 a look at every entry, and nothing else.

use rustix::fs::{AtFlags, Dir, Mode, OFlags, StatxFlags, copy_file_range, openat, statx};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// Copies the only file of `source` into `target`, in as few calls as the kernel allows.
///
/// # Errors
/// When the disk refuses.
pub fn copy_only_file(source: &Path, target: &Path) -> io::Result<()> {
    let nothing = || io::Error::other("the source has no file");
    let entry = fs::read_dir(source)?.next().ok_or_else(nothing)??;
    fs::create_dir(target)?;
    let from = File::open(entry.path())?;
    let to = File::create(target.join(entry.file_name()))?;
    let mut left_bytes = from.metadata()?.len();
    while left_bytes > 0 {
        let length = usize::try_from(left_bytes).unwrap_or(usize::MAX);
        let copied = copy_file_range(&from, None, &to, None, length)?;
        if copied == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left_bytes -= copied as u64;
    }
    Ok(())
}

/// Looks at every entry below `roots`, with one thread for each core; answers how many there are.
///
/// # Errors
/// When a directory cannot be read.
pub fn walk(roots: &[PathBuf]) -> io::Result<usize> {
    let walk = Walk {
        waiting: Mutex::new((roots.to_vec(), 0)),
        changed: Condvar::new(),
        entries: AtomicUsize::new(0),
    };
    let threads = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| walk.work())).collect();
        workers.into_iter().try_for_each(|worker| {
            let ended = worker.join();
            ended.unwrap_or_else(|_| Err(io::Error::other("a thread of the walk panicked")))
        })
    })?;
    Ok(walk.entries.into_inner())
}

/// A walk on its way.
struct Walk {
    /// Directories that wait, and how many threads are in one.
    waiting: Mutex<(Vec<PathBuf>, usize)>,
    changed: Condvar,
    entries: AtomicUsize,
}

impl Walk {
    fn work(&self) -> io::Result<()> {
        while let Some(directory) = self.next() {
            let found = self.look(&directory);
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.1 -= 1;
            if let Ok(children) = &found {
                waiting.0.extend_from_slice(children);
            }
            self.changed.notify_all();
            drop(waiting);
            found?;
        }
        Ok(())
    }

    /// The next directory; waits while other threads may still find some.
    fn next(&self) -> Option<PathBuf> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(directory) = waiting.0.pop() {
                waiting.1 += 1;
                return Some(directory);
            }
            if waiting.1 == 0 {
                return None;
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Looks at what is in a directory; answers the directories.
    fn look(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = openat(rustix::fs::CWD, directory, flags, Mode::empty())?;
        let mut children = Vec::new();
        for entry in Dir::read_from(&open)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let found = statx(
                &open,
                name,
                AtFlags::SYMLINK_NOFOLLOW,
                StatxFlags::BASIC_STATS,
            )?;
            self.entries.fetch_add(1, Ordering::Relaxed);
            if rustix::fs::FileType::from_raw_mode(found.stx_mode.into()).is_dir() {
                let name = std::ffi::OsStr::from_bytes(name.to_bytes());
                children.push(directory.join(name));
            }
        }
        Ok(children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_looks_at_every_entry_of_every_root() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a/b/c", "a/d", "e"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
            fs::write(folder.path().join(path).join("file"), "").unwrap();
        }
        let root = folder.path().to_owned();
        assert_eq!(walk(std::slice::from_ref(&root)).unwrap(), 8);
        assert_eq!(walk(&[root.clone(), root.join("a")]).unwrap(), 13);
        assert!(walk(&[root.join("absent")]).is_err());
    }
}
