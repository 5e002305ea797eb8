//! What the kernel says about an object.

use std::{ffi::OsStr, io, os::fd::BorrowedFd, os::unix::ffi::OsStrExt};

use blit_contract::Time;
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags};

use super::faults::{Site, call};
use crate::sys::{Stat, StatKind};

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::MNT_ID);

pub(super) fn stat(site: Site, at: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat> {
    let flags = if name.is_empty() {
        AtFlags::EMPTY_PATH
    } else {
        AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT
    };
    let found = call(site, || {
        rustix::fs::statx(at, OsStr::from_bytes(name), flags, WANTED)
    })?;
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
