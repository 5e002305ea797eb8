//! Walking a tree of any depth with two descriptors and without a path string.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags, fstat, open, openat};

/// What is done on the way.
pub(crate) trait Visitor {
    /// Looks at everything in `directory`; answers with the subdirectories to go into.
    fn enter(&mut self, directory: BorrowedFd<'_>) -> io::Result<Vec<OsString>>;
    /// Goes into the subdirectory `name`, before its `enter`. False passes it over.
    fn descend(&mut self, name: &OsStr) -> bool;
    /// Comes back to `parent` from its subdirectory `name`.
    fn ascend(&mut self, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()>;
    /// A directory could not be opened or read. Returning the error ends the walk.
    fn fail(&mut self, error: io::Error) -> io::Result<()>;
}

/// Walks all below the directory `root`, depth first.
pub(crate) fn walk(root: &Path, visitor: &mut impl Visitor) -> io::Result<()> {
    let mut here = open(root, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?;
    let mut levels = vec![Level::new(&here, OsString::new(), visitor)?];
    while let Some(level) = levels.last_mut() {
        match level.pending.pop() {
            Some(name) if visitor.descend(&name) => {
                match openat(&here, name.as_os_str(), DIRECTORY, Mode::empty()) {
                    Ok(child) => {
                        levels.push(Level::new(&child, name, visitor)?);
                        here = child;
                    }
                    Err(error) => {
                        visitor.fail(error.into())?;
                        visitor.ascend(here.as_fd(), &name)?;
                    }
                }
            }
            Some(_) => {}
            None => {
                let Some(done) = levels.pop() else { break };
                let Some(parent) = levels.last() else { break };
                here = parent.reopen_from(&here)?;
                visitor.ascend(here.as_fd(), &done.name)?;
            }
        }
    }
    Ok(())
}

/// The names in `directory`, without `.` and `..`, sorted by bytes.
pub(crate) fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    Ok(names)
}

/// A directory on the way down. It is not held open: a tree may be deeper than the descriptor limit.
struct Level {
    name: OsString,
    pending: Vec<OsString>,
    identity: (u64, u64),
}

impl Level {
    fn new(directory: &OwnedFd, name: OsString, visitor: &mut impl Visitor) -> io::Result<Self> {
        let stat = fstat(directory)?;
        let mut pending = match visitor.enter(directory.as_fd()) {
            Ok(pending) => pending,
            Err(error) => {
                visitor.fail(error)?;
                Vec::new()
            }
        };
        pending.reverse();
        Ok(Self {
            name,
            pending,
            identity: (stat.st_dev, stat.st_ino),
        })
    }

    fn reopen_from(&self, child: &OwnedFd) -> io::Result<OwnedFd> {
        let fd = openat(child, "..", DIRECTORY, Mode::empty())?;
        let stat = fstat(&fd)?;
        if (stat.st_dev, stat.st_ino) != self.identity {
            return Err(io::Error::other("a directory was moved during the walk"));
        }
        Ok(fd)
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
