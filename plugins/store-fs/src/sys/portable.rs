//! Any system with the standard library: paths instead of descriptors.
//!
//! The base for macOS and Windows, and a second opinion on Linux. It keeps what the standard library
//! can: no owners, no extended attributes, no unnamed files, no protection against somebody who
//! replaces a directory while we work. Its capabilities say so.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use blit_contract::{Name, StoreCap, StoreCaps, Time, Usage};
use bytes::Bytes;
use parking_lot::Mutex;

use super::{Ids, Rename, Stat, StatKind};
use crate::ancestry::Mount;

/// What the standard library can keep everywhere.
const CAPS: &[StoreCap] = &[
    StoreCap::AtomicCommit,
    StoreCap::CaseSensitive,
    StoreCap::Delete,
    StoreCap::Directories,
    StoreCap::HardLinks,
    StoreCap::ModifiedTimes,
    StoreCap::RangeRead,
    StoreCap::RangeWrite,
    StoreCap::Symlinks,
];

/// A directory, by its path.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn caps() -> StoreCaps {
        let caps = StoreCaps::new().with_native(CAPS);
        if cfg!(unix) {
            caps.with_native(&[StoreCap::Mode])
        } else {
            caps
        }
    }

    pub(crate) fn open_root(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() {
            Ok(Self(fs::canonicalize(path)?))
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    pub(crate) fn make_root(path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    pub(crate) fn open_some<'a>(
        &self,
        names: impl Iterator<Item = &'a Name>,
    ) -> io::Result<(Self, usize)> {
        let mut path = self.0.clone();
        let mut used = 0;
        for name in names {
            path.push(os(name)?);
            if !fs::symlink_metadata(&path)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            used += 1;
        }
        Ok((Self(path), used))
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.clone()))
    }

    pub(crate) fn open_parent(&self) -> io::Result<Self> {
        Ok(Self(self.0.parent().unwrap_or(&self.0).to_owned()))
    }

    pub(crate) fn for_each_name(
        &self,
        each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            each(entry?.file_name().as_encoded_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn stat(&self, name: &Name) -> io::Result<Stat> {
        Ok(converted(&fs::symlink_metadata(self.path(name)?)?))
    }

    pub(crate) fn stat_itself(&self) -> io::Result<Stat> {
        Ok(converted(&fs::symlink_metadata(&self.0)?))
    }

    pub(crate) fn read_link(&self, name: &Name) -> io::Result<Vec<u8>> {
        let target = fs::read_link(self.path(name)?)?;
        Ok(target.into_os_string().into_encoded_bytes())
    }

    pub(crate) fn open_file(&self, name: &Name, _no_access_time: bool) -> io::Result<File> {
        let path = self.path(name)?;
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(File::new(fs::File::open(&path)?))
    }

    pub(crate) fn as_file(&self) -> io::Result<File> {
        Ok(File::new(fs::File::open(&self.0)?))
    }

    pub(crate) fn create_unnamed(&self, _mode: u32) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn create_named(&self, name: &Name, mode: u32) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        let _ = mode;
        let file = options.open(self.path(name)?)?;
        // Without lock support the age alone protects it from a clean-up.
        let _ = file.try_lock();
        Ok(File::new(file))
    }

    /// The standard library cannot open a file without following a link: nothing is kept.
    pub(crate) fn can_keep() -> bool {
        false
    }

    pub(crate) fn open_partial(&self, _name: &Name) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn link_unnamed(&self, _file: &File, _name: &Name) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn link(&self, name: &Name, to: &Self, to_name: &Name) -> io::Result<()> {
        fs::hard_link(self.path(name)?, to.path(to_name)?)
    }

    pub(crate) fn rename(
        &self,
        name: &Name,
        to: &Self,
        to_name: &Name,
        how: Rename,
    ) -> io::Result<()> {
        let (from, to_path) = (self.path(name)?, to.path(to_name)?);
        match how {
            Rename::Replace => fs::rename(from, to_path),
            Rename::Keep if fs::symlink_metadata(&to_path).is_ok() => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            Rename::Keep => fs::rename(from, to_path),
            Rename::Exchange => {
                // Three steps instead of one: the standard library has no exchange.
                let aside = to.path(&crate::place::fresh_partial())?;
                fs::rename(&to_path, &aside)?;
                fs::rename(&from, &to_path)?;
                fs::rename(&aside, &from)
            }
        }
    }

    pub(crate) fn make_directory(&self, name: &Name, _mode: u32) -> io::Result<()> {
        fs::create_dir(self.path(name)?)
    }

    pub(crate) fn make_symlink(&self, name: &Name, target: &[u8]) -> io::Result<()> {
        let (target, path) = (text(target)?, self.path(name)?);
        #[cfg(unix)]
        return std::os::unix::fs::symlink(target, path);
        #[cfg(windows)]
        return std::os::windows::fs::symlink_file(target, path);
        #[cfg(not(any(unix, windows)))]
        return Err(io::ErrorKind::Unsupported.into());
    }

    pub(crate) fn make_special(&self, _: &Name, _: StatKind, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn unlink(&self, name: &Name) -> io::Result<()> {
        fs::remove_file(self.path(name)?)
    }

    pub(crate) fn remove_directory(&self, name: &Name) -> io::Result<()> {
        fs::remove_dir(self.path(name)?)
    }

    /// The standard library cannot set a time without following a link.
    pub(crate) fn set_modified_at(&self, _: &Name, _: Time) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn set_owner_at(&self, _: &Name, _: Ids) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn set_mode_at(&self, _: &Name, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn has_default_acl(&self) -> bool {
        false
    }

    pub(crate) fn is_unlocked(&self, name: &Name) -> bool {
        self.path(name)
            .and_then(fs::File::open)
            .is_ok_and(|file| file.try_lock().is_ok())
    }

    /// What one barrier covers: this directory alone.
    pub(crate) fn barrier_scope(&self) -> io::Result<u64> {
        Ok(self.stat_itself()?.inode)
    }

    /// The standard library has no barrier for a file system: each file is synced by itself.
    pub(crate) fn sync_file_system(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The standard library does not let anybody hear what closing says.
    pub(crate) fn tells_at_close(&self) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        if cfg!(unix) {
            fs::File::open(&self.0)?.sync_all()
        } else {
            Ok(())
        }
    }

    /// The standard library does not know.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn path(&self, name: &Name) -> io::Result<PathBuf> {
        Ok(self.0.join(os(name)?))
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct File(Mutex<fs::File>);

impl File {
    fn new(file: fs::File) -> Self {
        Self(Mutex::new(file))
    }

    /// A locked file lends no descriptor: its position is moved by every call.
    #[cfg(unix)]
    pub(crate) fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }

    pub(crate) fn stat(&self) -> io::Result<Stat> {
        Ok(converted(&self.0.lock().metadata()?))
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut file = self.0.lock();
        file.seek(SeekFrom::Start(offset))?;
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    pub(crate) fn read_whole(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_at(buffer, 0)
    }

    pub(crate) fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut file = self.0.lock();
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(data)
    }

    pub(crate) fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        self.0.lock().set_len(size_bytes)
    }

    /// Holes cannot be seen: everything is data.
    pub(crate) fn next_data(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        let size = self.stat()?.size;
        Ok((offset < size).then_some(offset..size))
    }

    pub(crate) fn clear(&self, _range: Range<u64>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn lock(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.lock().sync_all()
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn forget_cache(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn set_modified(&self, time: Time) -> io::Result<()> {
        self.0.lock().set_modified(system_time(time))
    }

    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        #[cfg(unix)]
        {
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
            self.0.lock().set_permissions(permissions)
        }
        #[cfg(not(unix))]
        {
            let _ = mode;
            Ok(())
        }
    }

    pub(crate) fn set_owner(&self, _: Ids) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn xattr_names(&self) -> io::Result<Vec<Bytes>> {
        Ok(Vec::new())
    }

    pub(crate) fn xattr(&self, _: &[u8]) -> io::Result<Bytes> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn set_xattr(&self, _: &[u8], _: &[u8]) -> io::Result<()> {
        // Told apart from a failure: this store cannot keep it.
        Err(io::Error::from_raw_os_error(super::errno::OPNOTSUPP))
    }

    pub(crate) fn remove_xattr(&self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Closes files: one by one.
#[derive(Debug, Default)]
pub(crate) struct Closing(());

impl Closing {
    pub(crate) fn close(&mut self, file: File) {
        drop(file);
    }
}

fn os(name: &Name) -> io::Result<&std::ffi::OsStr> {
    text(name.as_bytes())
}

/// Raw bytes where the system has them, text elsewhere.
fn text(bytes: &[u8]) -> io::Result<&std::ffi::OsStr> {
    #[cfg(unix)]
    return Ok(std::os::unix::ffi::OsStrExt::from_bytes(bytes));
    #[cfg(not(unix))]
    return std::str::from_utf8(bytes)
        .map(std::ffi::OsStr::new)
        .map_err(|cause| io::Error::new(io::ErrorKind::InvalidFilename, cause));
}

fn converted(found: &fs::Metadata) -> Stat {
    let kind = found.file_type();
    let time = |time: io::Result<SystemTime>| time.map(stamp).unwrap_or_default();
    let mut stat = Stat {
        kind: if kind.is_dir() {
            StatKind::Directory
        } else if kind.is_symlink() {
            StatKind::Symlink
        } else if kind.is_file() {
            StatKind::File
        } else {
            StatKind::Socket
        },
        size: found.len(),
        allocated: found.len(),
        modified: time(found.modified()),
        links: 1,
        ..Stat::default()
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        stat.mode = found.mode() & 0o7777;
        (stat.uid, stat.gid) = (found.uid(), found.gid());
        (stat.device, stat.inode) = (found.dev(), found.ino());
        stat.links = u32::try_from(found.nlink()).unwrap_or(u32::MAX);
        stat.changed = Time::new(
            found.ctime(),
            u32::try_from(found.ctime_nsec()).unwrap_or_default(),
        );
        stat.number = found.rdev();
        if kind.is_fifo() {
            stat.kind = StatKind::Fifo;
        } else if kind.is_char_device() {
            stat.kind = StatKind::CharDevice;
        } else if kind.is_block_device() {
            stat.kind = StatKind::BlockDevice;
        }
    }
    stat
}

fn stamp(time: SystemTime) -> Time {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => Time::new(
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            since.subsec_nanos(),
        ),
        Err(before) => {
            let nanos = i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX);
            let (secs, rest) = (
                (-nanos).div_euclid(1_000_000_000),
                (-nanos).rem_euclid(1_000_000_000),
            );
            Time::new(secs, u32::try_from(rest).unwrap_or_default())
        }
    }
}

fn system_time(time: Time) -> SystemTime {
    let nanos = Duration::from_nanos(u64::from(time.nanos));
    let whole = Duration::from_secs(time.secs.unsigned_abs());
    let base = if time.secs < 0 {
        UNIX_EPOCH.checked_sub(whole)
    } else {
        UNIX_EPOCH.checked_add(whole)
    };
    base.and_then(|base| base.checked_add(nanos))
        .unwrap_or(UNIX_EPOCH)
}

/// The standard library knows no mounts.
pub(crate) fn mounts() -> Vec<Mount> {
    Vec::new()
}

/// Without owners nobody is privileged to change them.
pub(crate) fn is_privileged() -> bool {
    false
}

/// Unknown: no file is taken for one's own.
pub(crate) fn own_ids() -> Ids {
    Ids {
        uid: u32::MAX,
        gid: u32::MAX,
    }
}

pub(crate) fn has_group(_: u32) -> bool {
    false
}

/// Unknown: assume the strictest, so that every mode is set by a call of its own.
pub(crate) fn umask() -> u32 {
    0o777
}

/// What the smallest common system allows.
pub(crate) fn open_files_limit() -> usize {
    256
}

/// The standard library can change nothing about it.
pub fn prepare_process() {}
