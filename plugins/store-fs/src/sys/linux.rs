//! Linux: held descriptors and single names.

mod closing;
pub(super) mod faults;
mod file;
mod heap;
#[expect(
    unsafe_code,
    reason = "memory that is a file is not memory to the compiler"
)]
mod mapped;
mod process;
mod stat;

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
        AtFlags, CWD, FileType, Gid, Mode, OFlags, RawDir, RenameFlags, ResolveFlags, Timespec,
        Timestamps, Uid,
    },
    io::Errno,
};

pub(crate) use closing::Closing;
pub(crate) use file::{File, in_kernel};
pub use process::prepare_process;
pub(crate) use process::{has_group, is_privileged, open_files_limit, own_ids, umask};

use self::{
    faults::{Site, call, pass},
    stat::stat,
};
use super::{Ids, Rename, Stat, StatKind};
use crate::ancestry::Mount;

/// The longest relative path that one call resolves, below the kernel's 4,096 with its NUL.
const PATH_BYTES_MAX: usize = 4_000;

/// One read of a directory: some 800 names.
const NAMES_BUFFER_BYTES: usize = 32 << 10;

/// Kinds of file systems with storage of their own: bcachefs, btrfs, ext2 to ext4, f2fs, FAT,
/// overlayfs, ramfs, tmpfs, XFS, ZFS.
const TELLING_AT_THE_BARRIER: [u32; 10] = [
    0xca45_1a4e,
    0x9123_683e,
    0x0000_ef53,
    0xf2f5_2010,
    0x0000_4d44,
    0x794c_7630,
    0x8584_58f6,
    0x0102_1994,
    0x5846_5342,
    0x2fc1_2fc1,
];

/// Old kernels and some sandboxes have no `openat2`.
static HAS_OPENAT2: AtomicBool = AtomicBool::new(true);

/// Whether a file without a name can be linked by its descriptor alone. Old kernels allow it only with
/// a capability that containers take from root.
static LINKS_BY_DESCRIPTOR: AtomicBool = AtomicBool::new(true);

/// A directory, held open.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    device: OnceLock<u64>,
    has_default_acl: OnceLock<bool>,
}

impl Directory {
    fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            device: OnceLock::new(),
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
        Ok(Self::new(call(Site("open_root"), || {
            rustix::fs::openat(CWD, path, flags, Mode::empty())
        })?))
    }

    /// Makes the directory at `path`, which is the root of a tree or above it.
    pub(crate) fn make_root(path: &Path) -> io::Result<()> {
        Ok(call(Site("make_root"), || {
            rustix::fs::mkdirat(CWD, path, Mode::from_raw_mode(0o777))
        })?)
    }

    /// Opens as many of the directories that lie beneath by these names as one call resolves, following
    /// no link; answers the last, and how many those were.
    pub(crate) fn open_some<'a>(
        &self,
        mut names: impl Iterator<Item = &'a Name> + Clone,
    ) -> io::Result<(Self, usize)> {
        if HAS_OPENAT2.load(Ordering::Relaxed) {
            let (path, used) = joined(names.clone());
            match open_beneath(self.fd.as_fd(), &path) {
                Err(Errno::NOSYS | Errno::PERM) => HAS_OPENAT2.store(false, Ordering::Relaxed),
                other => return Ok((Self::new(other?), used)),
            }
        }
        let first = names.next().ok_or(Errno::INVAL)?;
        Ok((
            Self::new(open_one(Site("open_one"), self.fd.as_fd(), os(first))?),
            1,
        ))
    }

    /// Opens this directory once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let fd = call(Site("try_clone"), || {
            rustix::io::fcntl_dupfd_cloexec(&self.fd, 3)
        })?;
        Ok(Self::new(fd))
    }

    /// Opens the directory above.
    pub(crate) fn open_parent(&self) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::new(call(Site("open_parent"), || {
            rustix::fs::openat(&self.fd, c"..", flags, Mode::empty())
        })?))
    }

    /// Calls `each` for every name.
    pub(crate) fn for_each_name(
        &self,
        each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        // A descriptor of its own, because the position in the directory belongs to the open file.
        let fd = open_one(Site("open_names"), self.fd.as_fd(), c".")?;
        let mut buffer = Vec::with_capacity(NAMES_BUFFER_BYTES);
        let mut entries = RawDir::new(&fd, buffer.spare_capacity_mut());
        loop {
            let next = match pass(Site("list_names")) {
                Ok(()) => entries.next(),
                Err(errno) => Some(Err(errno)),
            };
            match next {
                None => return Ok(()),
                Some(Err(Errno::INTR)) => {}
                Some(entry) => match entry?.file_name().to_bytes() {
                    b"." | b".." => {}
                    name => each(name)?,
                },
            }
        }
    }

    pub(crate) fn stat(&self, name: &Name) -> io::Result<Stat> {
        stat(Site("stat"), self.fd.as_fd(), name.as_bytes())
    }

    pub(crate) fn stat_itself(&self) -> io::Result<Stat> {
        stat(Site("stat_itself"), self.fd.as_fd(), b"")
    }

    pub(crate) fn read_link(&self, name: &Name) -> io::Result<Vec<u8>> {
        Ok(call(Site("read_link"), || {
            rustix::fs::readlinkat(&self.fd, os(name), Vec::new())
        })?
        .into_bytes())
    }

    /// Opens a file for reading. `no_access_time`: only where it is permitted, or the call fails.
    pub(crate) fn open_file(&self, name: &Name, no_access_time: bool) -> io::Result<File> {
        // NONBLOCK: should a FIFO have taken the name, the call must not wait for a writer.
        let mut flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        flags.set(OFlags::NOATIME, no_access_time);
        let fd = call(Site("open_file"), || {
            rustix::fs::openat(&self.fd, os(name), flags, Mode::empty())
        })?;
        Ok(File::new(fd))
    }

    /// The directory itself, as an object with attributes.
    pub(crate) fn as_file(&self) -> io::Result<File> {
        let fd = call(Site("as_file"), || {
            rustix::io::fcntl_dupfd_cloexec(&self.fd, 3)
        })?;
        Ok(File::new(fd))
    }

    /// Makes a file without a name.
    pub(crate) fn create_unnamed(&self, mode: u32) -> io::Result<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let fd = call(Site("create_unnamed"), || {
            rustix::fs::openat(&self.fd, c".", flags, Mode::from_raw_mode(mode))
        })?;
        Ok(File::new(fd))
    }

    /// Makes a file under a name that must not exist, and locks it as ours.
    pub(crate) fn create_named(&self, name: &Name, mode: u32) -> io::Result<File> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        let fd = call(Site("create_named"), || {
            rustix::fs::openat(&self.fd, os(name), flags, Mode::from_raw_mode(mode))
        })?;
        // Without lock support the age alone protects it from a clean-up.
        let _ = lock(Site("lock"), fd.as_fd());
        Ok(File::new(fd))
    }

    /// Whether files that outlive their writer can be made and found safely.
    pub(crate) fn can_keep() -> bool {
        true
    }

    /// Opens a partial that somebody left, to write on in it.
    pub(crate) fn open_partial(&self, name: &Name) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = call(Site("open_partial"), || {
            rustix::fs::openat(&self.fd, os(name), flags, Mode::empty())
        })?;
        Ok(File::new(fd))
    }

    /// Gives a file without a name its name, which must not exist.
    pub(crate) fn link_unnamed(&self, file: &File, name: &Name) -> io::Result<()> {
        if LINKS_BY_DESCRIPTOR.load(Ordering::Relaxed) {
            let linked = call(Site("link_unnamed"), || {
                rustix::fs::linkat(file.as_fd(), c"", &self.fd, os(name), AtFlags::EMPTY_PATH)
            });
            match linked {
                Err(Errno::NOENT) => {}
                other => return Ok(other?),
            }
        }
        let path = format!("/proc/self/fd/{}", file.number());
        let path = path.as_str();
        call(Site("link_unnamed_by_path"), || {
            rustix::fs::linkat(CWD, path, &self.fd, os(name), AtFlags::SYMLINK_FOLLOW)
        })?;
        // Only now is it known that the descriptor was the matter, and not the directory.
        LINKS_BY_DESCRIPTOR.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Gives the object at `name` another name, which must not exist.
    pub(crate) fn link(&self, name: &Name, to: &Self, to_name: &Name) -> io::Result<()> {
        Ok(call(Site("link"), || {
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
        let (site, flags) = match how {
            Rename::Exchange => (Site("rename_exchange"), RenameFlags::EXCHANGE),
            Rename::Keep => (Site("rename_keep"), RenameFlags::NOREPLACE),
            Rename::Replace => (Site("rename_replace"), RenameFlags::empty()),
        };
        let renamed = call(site, || {
            rustix::fs::renameat_with(&self.fd, os(name), &to.fd, os(to_name), flags)
        });
        match (renamed, how) {
            // Some file systems, NFS among them, know no such flags.
            (Err(Errno::INVAL), Rename::Keep) => self.rename_by_link(name, to, to_name),
            (Err(Errno::INVAL), Rename::Exchange) => Err(Errno::OPNOTSUPP.into()),
            (other, _) => Ok(other?),
        }
    }

    /// Renames what is no directory, without replacing anything: for a moment it has both names.
    pub(crate) fn rename_by_link(&self, name: &Name, to: &Self, to_name: &Name) -> io::Result<()> {
        self.link(name, to, to_name)?;
        // All or nothing: what failed may be tried again.
        self.unlink(name).inspect_err(|_| {
            let _ = to.unlink(to_name);
        })
    }

    pub(crate) fn make_directory(&self, name: &Name, mode: u32) -> io::Result<()> {
        Ok(call(Site("make_directory"), || {
            rustix::fs::mkdirat(&self.fd, os(name), Mode::from_raw_mode(mode))
        })?)
    }

    pub(crate) fn make_symlink(&self, name: &Name, target: &[u8]) -> io::Result<()> {
        let target = OsStr::from_bytes(target);
        Ok(call(Site("make_symlink"), || {
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
        Ok(call(Site("make_special"), || {
            rustix::fs::mknodat(&self.fd, os(name), kind, mode, number)
        })?)
    }

    pub(crate) fn unlink(&self, name: &Name) -> io::Result<()> {
        Ok(call(Site("unlink"), || {
            rustix::fs::unlinkat(&self.fd, os(name), AtFlags::empty())
        })?)
    }

    pub(crate) fn remove_directory(&self, name: &Name) -> io::Result<()> {
        Ok(call(Site("remove_directory"), || {
            rustix::fs::unlinkat(&self.fd, os(name), AtFlags::REMOVEDIR)
        })?)
    }

    /// Sets the modification time of an entry that cannot be opened: a link or special.
    pub(crate) fn set_modified_at(&self, name: &Name, time: Time) -> io::Result<()> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(call(Site("set_modified_at"), || {
            rustix::fs::utimensat(&self.fd, os(name), &modified(time), flags)
        })?)
    }

    pub(crate) fn set_owner_at(&self, name: &Name, owner: Ids) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(call(Site("set_owner_at"), || {
            rustix::fs::chownat(&self.fd, os(name), Some(uid), Some(gid), flags)
        })?)
    }

    /// Sets the mode of a special, which must not be opened. It was made by us a moment ago; a link
    /// in its place would be followed, so this is only asked for what is no link.
    pub(crate) fn set_mode_at(&self, name: &Name, mode: u32) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = call(Site("set_mode_at"), || {
            rustix::fs::openat(&self.fd, os(name), flags, Mode::empty())
        })?;
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
        self.open_file(name, false)
            .is_ok_and(|file| lock(Site("try_lock"), file.as_fd()).is_ok())
    }

    /// What one barrier covers: the file system.
    pub(crate) fn barrier_scope(&self) -> io::Result<u64> {
        if let Some(device) = self.device.get() {
            return Ok(*device);
        }
        let device = self.stat_itself()?.device;
        Ok(*self.device.get_or_init(|| device))
    }

    /// Whether closing a file here may be what tells that its content is lost: so do file systems whose
    /// storage is elsewhere, or in another process. The others tell at the barrier.
    pub(crate) fn tells_at_close(&self) -> io::Result<bool> {
        let found = call(Site("file_system_kind"), || rustix::fs::fstatfs(&self.fd))?;
        Ok(!TELLING_AT_THE_BARRIER.contains(&(found.f_type as u32)))
    }

    /// One barrier for everything written to the file system.
    pub(crate) fn sync_file_system(&self) -> io::Result<()> {
        Ok(call(Site("sync_file_system"), || {
            rustix::fs::syncfs(&self.fd)
        })?)
    }

    /// A barrier for the names in this directory.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(call(Site("sync_directory"), || {
            rustix::fs::fsync(&self.fd)
        })?)
    }

    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let room = call(Site("usage"), || rustix::fs::fstatvfs(&self.fd))?;
        let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
        Ok(Usage::new(
            (bytes(room.f_blocks), bytes(room.f_bavail)),
            (room.f_files, room.f_favail),
        ))
    }
}

/// As many of `names` as fit into one call, as a path; and how many those are.
fn joined<'a>(names: impl Iterator<Item = &'a Name>) -> (Vec<u8>, usize) {
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
    (path, used)
}

fn open_beneath(from: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = OsStr::from_bytes(path);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    call(Site("open_beneath"), || {
        rustix::fs::openat2(from, path, flags, Mode::empty(), resolve)
    })
}

/// Does without `openat2` from here on, as on an old kernel.
#[cfg(test)]
pub(crate) fn forgo_openat2() {
    HAS_OPENAT2.store(false, Ordering::Relaxed);
}

/// Forgets what was learned of the kernel: it may have been a planned fault.
#[cfg(test)]
pub(crate) fn relearn_kernel() {
    HAS_OPENAT2.store(true, Ordering::Relaxed);
    LINKS_BY_DESCRIPTOR.store(true, Ordering::Relaxed);
    closing::relearn_kernel();
}

/// Locks an open file as ours, without waiting.
fn lock(site: Site, file: BorrowedFd<'_>) -> Result<(), Errno> {
    let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    call(site, || rustix::fs::flock(file, exclusive))
}

/// Opens one directory by its name.
fn open_one<P: rustix::path::Arg + Copy>(
    site: Site,
    from: BorrowedFd<'_>,
    name: P,
) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(call(site, || {
        rustix::fs::openat(from, name, flags, Mode::empty())
    })?)
}

fn os(name: &Name) -> &OsStr {
    OsStr::from_bytes(name.as_bytes())
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
    let list = pass(Site("mounts"))
        .map_err(io::Error::from)
        .and_then(|()| std::fs::read_to_string("/proc/self/mountinfo"))
        .unwrap_or_default();
    list.lines().filter_map(Mount::parse).collect()
}
