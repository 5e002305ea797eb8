//! Removing a tree of any depth, whatever its modes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, chmodat, fchmod, statat, unlinkat};

use crate::walk::{Visitor, names, walk};

/// Removes `root` and everything below it; links are not followed. It may be absent.
///
/// # Errors
/// Whatever the system says of the first entry that cannot be removed.
pub fn remove_tree(root: &Path) -> io::Result<()> {
    match root.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => {
            walk(root, &mut Remover)?;
            std::fs::remove_dir(root)
        }
        Ok(_) => std::fs::remove_file(root),
    }
}

struct Remover;

impl Visitor for Remover {
    fn enter(&mut self, directory: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
        // Only the owner may; another's directory then fails at the unlink, which says more.
        let _ = fchmod(directory, Mode::RWXU);
        let mut subdirectories = Vec::new();
        for name in names(directory)? {
            let stat = statat(directory, name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let _ = chmodat(directory, name.as_os_str(), Mode::RWXU, AtFlags::empty());
                subdirectories.push(name);
            } else {
                unlinkat(directory, name.as_os_str(), AtFlags::empty())?;
            }
        }
        Ok(subdirectories)
    }

    fn descend(&mut self, _name: &OsStr) -> bool {
        true
    }

    fn ascend(&mut self, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
    }

    fn fail(&mut self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
