//! Linux: held descriptors and single names.

mod closing;
mod file;

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use blit_contract::{Name, StoreCap, StoreCaps, Time, Usage};
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Gid, Mode, OFlags, RawDir, RenameFlags, ResolveFlags, Statx,
        StatxFlags, Timespec, Timestamps, Uid,
    },
    io::{Errno, retry_on_intr},
    process::Resource,
};

pub(crate) use closing::Closing;
pub(crate) use file::File;

use super::{Ids, Rename, Stat, StatKind};
use crate::ancestry::Mount;

/// The longest relative path that one call resolves, below the kernel's 4,096 with its NUL.
const PATH_BYTES_MAX: usize = 4_000;

/// One read of a directory: some 800 names.
const NAMES_BUFFER_BYTES: usize = 32 << 10;

/// Old kernels and some sandboxes have no `openat2`.
static HAS_OPENAT2: AtomicBool = AtomicBool::new(true);

/// A directory, held open.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    has_default_acl: OnceLock<bool>,
}

impl Directory {
    fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            has_default_acl: OnceLock::new(),
        }
    }

    /// What a tree on Linux can keep. What a certain file system cannot is found out, and counted.
    pub(crate) fn caps() -> StoreCaps {
        StoreCaps::new().with_native(StoreCap::ALL)
    }

    /// Opens the root of a tree. Here, and only here, a symlink is followed: the user named it.
    pub(crate) fn open_root(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::new(retry_on_intr(|| {
            rustix::fs::openat(CWD, path, flags, Mode::empty())
        })?))
    }

    /// Makes the directory at `path`, which is the root of a tree or above it.
    pub(crate) fn make_root(path: &Path) -> io::Result<()> {
        Ok(retry_on_intr(|| {
            rustix::fs::mkdirat(CWD, path, Mode::from_raw_mode(0o777))
        })?)
    }

    /// Opens the directory that lies beneath by these names, following no link.
    pub(crate) fn open_beneath(&self, names: &[&Name]) -> io::Result<Self> {
        let mut at: Option<OwnedFd> = None;
        let mut rest = names;
        while !rest.is_empty() {
            let from = at.as_ref().map_or(self.fd.as_fd(), AsFd::as_fd);
            let (opened, used) = open_some(from, rest)?;
            at = Some(opened);
            rest = &rest[used..];
        }
        match at {
            Some(fd) => Ok(Self::new(fd)),
            None => Ok(Self::new(self.fd.try_clone()?)),
        }
    }

    /// Opens the directory above.
    pub(crate) fn open_parent(&self) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::new(retry_on_intr(|| {
            rustix::fs::openat(&self.fd, c"..", flags, Mode::empty())
        })?))
    }

    /// Calls `each` for every name.
    pub(crate) fn for_each_name(
        &self,
        each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        // A descriptor of its own, because the position in the directory belongs to the open file.
        let fd = open_one(self.fd.as_fd(), c".")?;
        let mut buffer = Vec::with_capacity(NAMES_BUFFER_BYTES);
        let mut entries = RawDir::new(&fd, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            match entry {
                Err(Errno::INTR) => {}
                entry => match entry?.file_name().to_bytes() {
                    b"." | b".." => {}
                    name => each(name)?,
                },
            }
        }
        Ok(())
    }

    pub(crate) fn stat(&self, name: &Name) -> io::Result<Stat> {
        stat(self.fd.as_fd(), name.as_bytes())
    }

    pub(crate) fn stat_itself(&self) -> io::Result<Stat> {
        stat(self.fd.as_fd(), b"")
    }

    pub(crate) fn read_link(&self, name: &Name) -> io::Result<Vec<u8>> {
        Ok(retry_on_intr(|| rustix::fs::readlinkat(&self.fd, os(name), Vec::new()))?.into_bytes())
    }

    /// Opens a file for reading. `no_access_time`: only where it is permitted, or the call fails.
    pub(crate) fn open_file(&self, name: &Name, no_access_time: bool) -> io::Result<File> {
        // NONBLOCK: should a FIFO have taken the name, the call must not wait for a writer.
        let mut flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        flags.set(OFlags::NOATIME, no_access_time);
        let fd = retry_on_intr(|| rustix::fs::openat(&self.fd, os(name), flags, Mode::empty()))?;
        Ok(File::new(fd))
    }

    /// The directory itself, as an object with attributes.
    pub(crate) fn as_file(&self) -> io::Result<File> {
        Ok(File::new(self.fd.try_clone()?))
    }

    /// Makes a file without a name.
    pub(crate) fn create_unnamed(&self, mode: u32) -> io::Result<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let fd =
            retry_on_intr(|| rustix::fs::openat(&self.fd, c".", flags, Mode::from_raw_mode(mode)))?;
        Ok(File::new(fd))
    }

    /// Makes a file under a name that must not exist, and locks it as ours.
    pub(crate) fn create_named(&self, name: &Name, mode: u32) -> io::Result<File> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| {
            rustix::fs::openat(&self.fd, os(name), flags, Mode::from_raw_mode(mode))
        })?;
        // Without lock support the age alone protects it from a clean-up.
        let _ = rustix::fs::flock(&fd, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        Ok(File::new(fd))
    }

    /// Gives a file without a name its name, which must not exist.
    pub(crate) fn link_unnamed(&self, file: &File, name: &Name) -> io::Result<()> {
        if is_privileged() {
            // With CAP_DAC_READ_SEARCH, which root has.
            let linked = retry_on_intr(|| {
                rustix::fs::linkat(file.as_fd(), c"", &self.fd, os(name), AtFlags::EMPTY_PATH)
            });
            match linked {
                Err(Errno::NOENT) => {}
                other => return Ok(other?),
            }
        }
        let path = format!("/proc/self/fd/{}", file.number());
        Ok(retry_on_intr(|| {
            rustix::fs::linkat(
                CWD,
                path.as_str(),
                &self.fd,
                os(name),
                AtFlags::SYMLINK_FOLLOW,
            )
        })?)
    }

    /// Gives the object at `name` another name, which must not exist.
    pub(crate) fn link(&self, name: &Name, to: &Self, to_name: &Name) -> io::Result<()> {
        Ok(retry_on_intr(|| {
            rustix::fs::linkat(&self.fd, os(name), &to.fd, os(to_name), AtFlags::empty())
        })?)
    }

    pub(crate) fn rename(
        &self,
        name: &Name,
        to: &Self,
        to_name: &Name,
        how: Rename,
    ) -> io::Result<()> {
        let flags = match how {
            Rename::Exchange => RenameFlags::EXCHANGE,
            Rename::Keep => RenameFlags::NOREPLACE,
            Rename::Replace => RenameFlags::empty(),
        };
        Ok(retry_on_intr(|| {
            rustix::fs::renameat_with(&self.fd, os(name), &to.fd, os(to_name), flags)
        })?)
    }

    pub(crate) fn make_directory(&self, name: &Name, mode: u32) -> io::Result<()> {
        Ok(retry_on_intr(|| {
            rustix::fs::mkdirat(&self.fd, os(name), Mode::from_raw_mode(mode))
        })?)
    }

    pub(crate) fn make_symlink(&self, name: &Name, target: &[u8]) -> io::Result<()> {
        let target = OsStr::from_bytes(target);
        Ok(retry_on_intr(|| {
            rustix::fs::symlinkat(target, &self.fd, os(name))
        })?)
    }

    pub(crate) fn make_special(&self, name: &Name, kind: StatKind, number: u64) -> io::Result<()> {
        let kind = match kind {
            StatKind::BlockDevice => FileType::BlockDevice,
            StatKind::CharDevice => FileType::CharacterDevice,
            StatKind::Fifo => FileType::Fifo,
            _ => return Err(Errno::OPNOTSUPP.into()),
        };
        let mode = Mode::from_raw_mode(0o600);
        Ok(retry_on_intr(|| {
            rustix::fs::mknodat(&self.fd, os(name), kind, mode, number)
        })?)
    }

    pub(crate) fn unlink(&self, name: &Name) -> io::Result<()> {
        Ok(retry_on_intr(|| {
            rustix::fs::unlinkat(&self.fd, os(name), AtFlags::empty())
        })?)
    }

    pub(crate) fn remove_directory(&self, name: &Name) -> io::Result<()> {
        Ok(retry_on_intr(|| {
            rustix::fs::unlinkat(&self.fd, os(name), AtFlags::REMOVEDIR)
        })?)
    }

    /// Sets the modification time of an entry that cannot be opened: a link or special.
    pub(crate) fn set_modified_at(&self, name: &Name, time: Time) -> io::Result<()> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(retry_on_intr(|| {
            rustix::fs::utimensat(&self.fd, os(name), &modified(time), flags)
        })?)
    }

    pub(crate) fn set_owner_at(&self, name: &Name, owner: Ids) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(retry_on_intr(|| {
            rustix::fs::chownat(&self.fd, os(name), Some(uid), Some(gid), flags)
        })?)
    }

    /// Sets the mode of a special, which must not be opened. It was made by us a moment ago; a link
    /// in its place would be followed, so this is only asked for what is no link.
    pub(crate) fn set_mode_at(&self, name: &Name, mode: u32) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| rustix::fs::openat(&self.fd, os(name), flags, Mode::empty()))?;
        File::new(fd).set_mode_by_path(mode)
    }

    /// Whether new files inherit an access list.
    pub(crate) fn has_default_acl(&self) -> bool {
        *self.has_default_acl.get_or_init(|| {
            let listed = self.as_file().and_then(|itself| itself.xattr_names());
            // Unknown counts as yes: then what a new file got is looked at.
            listed.map_or(true, |names| {
                names
                    .iter()
                    .any(|name| &name[..] == b"system.posix_acl_default")
            })
        })
    }

    /// Whether some clean-up may take the partial: nobody holds its lock.
    pub(crate) fn is_unlocked(&self, name: &Name) -> bool {
        self.open_file(name, false).is_ok_and(|file| {
            let shared = rustix::fs::FlockOperation::NonBlockingLockExclusive;
            rustix::fs::flock(file.as_fd(), shared).is_ok()
        })
    }

    /// One barrier for everything written to the file system.
    pub(crate) fn sync_file_system(&self) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::syncfs(&self.fd))?)
    }

    /// A barrier for the names in this directory.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::fsync(&self.fd))?)
    }

    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let room = retry_on_intr(|| rustix::fs::fstatvfs(&self.fd))?;
        let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
        Ok(Usage::new(
            (bytes(room.f_blocks), bytes(room.f_bavail)),
            (room.f_files, room.f_favail),
        ))
    }
}

/// Opens as many of `names` as one call resolves; answers how many those were.
fn open_some(from: BorrowedFd<'_>, names: &[&Name]) -> io::Result<(OwnedFd, usize)> {
    if HAS_OPENAT2.load(Ordering::Relaxed) {
        let mut path = Vec::new();
        let mut used = 0;
        for name in names {
            if used > 0 && path.len() + name.as_bytes().len() >= PATH_BYTES_MAX {
                break;
            }
            if used > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            used += 1;
        }
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| {
            rustix::fs::openat2(
                from,
                OsStr::from_bytes(&path),
                flags,
                Mode::empty(),
                resolve,
            )
        });
        match opened {
            Err(Errno::NOSYS | Errno::PERM) => HAS_OPENAT2.store(false, Ordering::Relaxed),
            other => return Ok((other?, used)),
        }
    }
    let Some(first) = names.first() else {
        return Err(Errno::INVAL.into());
    };
    Ok((open_one(from, os(first))?, 1))
}

/// Opens one directory by its name.
fn open_one<P: rustix::path::Arg + Copy>(from: BorrowedFd<'_>, name: P) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| {
        rustix::fs::openat(from, name, flags, Mode::empty())
    })?)
}

fn os(name: &Name) -> &OsStr {
    OsStr::from_bytes(name.as_bytes())
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::MNT_ID);

fn stat(at: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat> {
    let flags = if name.is_empty() {
        AtFlags::EMPTY_PATH
    } else {
        AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT
    };
    let found = retry_on_intr(|| rustix::fs::statx(at, OsStr::from_bytes(name), flags, WANTED))?;
    Ok(converted(&found))
}

fn converted(found: &Statx) -> Stat {
    const LOCKS: u64 = 0x10 | 0x20;
    let time = |stamp: rustix::fs::StatxTimestamp| Time::new(stamp.tv_sec, stamp.tv_nsec);
    Stat {
        kind: match FileType::from_raw_mode(u32::from(found.stx_mode)) {
            FileType::BlockDevice => StatKind::BlockDevice,
            FileType::CharacterDevice => StatKind::CharDevice,
            FileType::Directory => StatKind::Directory,
            FileType::Fifo => StatKind::Fifo,
            FileType::Socket => StatKind::Socket,
            FileType::Symlink => StatKind::Symlink,
            _ => StatKind::File,
        },
        size: found.stx_size,
        allocated: found.stx_blocks.saturating_mul(512),
        mode: u32::from(found.stx_mode) & 0o7777,
        uid: found.stx_uid,
        gid: found.stx_gid,
        modified: time(found.stx_mtime),
        changed: time(found.stx_ctime),
        device: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        mount: found.stx_mnt_id,
        links: found.stx_nlink,
        number: rustix::fs::makedev(found.stx_rdev_major, found.stx_rdev_minor),
        is_locked: found.stx_attributes.bits() & LOCKS != 0,
    }
}

/// Sets the modification time and leaves the access time as it is.
fn modified(time: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: time.secs,
            tv_nsec: i64::from(time.nanos),
        },
    }
}

/// All mounts that this process sees; none without `/proc`.
pub(crate) fn mounts() -> Vec<Mount> {
    let list = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    list.lines().filter_map(Mount::parse).collect()
}

/// Whether this process may do what root may: change owners, read everything.
pub(crate) fn is_privileged() -> bool {
    static PRIVILEGED: OnceLock<bool> = OnceLock::new();
    *PRIVILEGED.get_or_init(|| rustix::process::geteuid().is_root())
}

/// Who the process is.
pub(crate) fn own_ids() -> Ids {
    static OWN: OnceLock<Ids> = OnceLock::new();
    *OWN.get_or_init(|| Ids {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    })
}

/// Whether the process may give its files that group.
pub(crate) fn has_group(gid: u32) -> bool {
    static GROUPS: OnceLock<Vec<u32>> = OnceLock::new();
    let groups = GROUPS.get_or_init(|| {
        let groups = rustix::process::getgroups().unwrap_or_default();
        groups.into_iter().map(Gid::as_raw).collect()
    });
    own_ids().gid == gid || groups.contains(&gid)
}

/// The permission bits that the process takes from what it makes.
pub(crate) fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())
            // Without /proc: assume the strictest, so that every mode is set by a call of its own.
            .unwrap_or(0o777)
    })
}

/// How many files the process may have open.
pub(crate) fn open_files_limit() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    limit
        .current
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(1 << 20)
}

/// Raises the soft limit of open files to the hard one: each staged file holds a descriptor. For
/// binaries, before they open a store.
pub fn raise_open_files_limit() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Refused: then batches are smaller.
    let _ = rustix::process::setrlimit(Resource::Nofile, limit);
}

fn c_name(name: &[u8]) -> io::Result<std::ffi::CString> {
    std::ffi::CString::new(name).map_err(io::Error::from)
}

fn split_names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
}
