//! The few verbs that all builders share.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags, setxattr, utimensat};

/// Sets both times of the entry at `path`, of a symlink itself, in seconds and nanoseconds.
///
/// # Panics
/// When the system refuses.
pub fn set_times(path: &Path, (seconds, nanoseconds): (i64, i64)) {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("times can be set");
}

/// A path below `root` for a name that need not be UTF-8.
pub(super) fn at(root: &Path, name: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(name))
}

/// A file of that name with its own name as content, so that a mix-up shows.
pub(super) fn file(root: &Path, name: &[u8]) -> io::Result<PathBuf> {
    let path = at(root, name);
    fs::write(&path, [b"content of ", name].concat())?;
    set_times(&path, (1_500_000_000, 123_456_789));
    Ok(path)
}

/// A file, a directory with a file, and a symlink, all of whose names contain `name`.
pub(super) fn one_of_each(root: &Path, name: &[u8]) -> io::Result<()> {
    file(root, name)?;
    let directory = root.join("directories");
    fs::create_dir_all(&directory)?;
    let inner = at(&directory, name);
    fs::create_dir(&inner)?;
    file(&inner, name)?;
    set_times(&inner, (1_400_000_000, 987_654_321));
    let links = root.join("links");
    fs::create_dir_all(&links)?;
    std::os::unix::fs::symlink(at(Path::new(".."), name), at(&links, name))
}

pub(super) fn attribute(path: &Path, name: &[u8], value: &[u8]) -> io::Result<()> {
    Ok(setxattr(path, name, value, XattrFlags::empty())?)
}
