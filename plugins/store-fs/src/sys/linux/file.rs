//! One open object.

use std::{
    io,
    ops::Range,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use blit_contract::{Error, KernelFile, Time, View};
use bytes::Bytes;
use rustix::{
    fs::{FallocateFlags, Gid, Mode, SeekFrom, Uid, XattrFlags},
    io::Errno,
};

use super::{
    Ids, Stat,
    faults::{Site, call, length},
    lock,
    mapped::Mapping,
    modified, stat,
};

/// The most that the attributes of one entry may hold together.
const XATTRS_BYTES_MAX: usize = 1 << 20;

/// An open file, or a directory as an object with attributes.
#[derive(Debug)]
pub(crate) struct File(OwnedFd);

impl File {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.0
    }

    pub(super) fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The kernel's descriptor, for the paths that stay inside it.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    pub(crate) fn stat(&self) -> io::Result<Stat> {
        stat(Site("stat_file"), self.0.as_fd(), b"")
    }

    /// Reads at `offset` until `buffer` is full or the file ends; answers how much was read.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            let read = length(Site("read_at"), rest.len()).and_then(|step| {
                rustix::io::pread(&self.0, &mut rest[..step], offset + filled as u64)
            });
            match read {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(filled)
    }

    /// Reads a small file whole, by one call that also finds its end: `buffer` must be longer than
    /// the file is expected to be.
    pub(crate) fn read_whole(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = length(Site("read_whole"), buffer.len())
                .and_then(|step| rustix::io::read(&self.0, &mut buffer[..step]));
            match read {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    pub(crate) fn write_at(&self, mut data: &[u8], mut offset: u64) -> io::Result<()> {
        while !data.is_empty() {
            let wrote = length(Site("write_at"), data.len())
                .and_then(|step| rustix::io::pwrite(&self.0, &data[..step], offset));
            match wrote {
                Ok(0) => return Err(Errno::IO.into()),
                Ok(written) => {
                    data = &data[written..];
                    offset += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    pub(crate) fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        Ok(call(Site("set_size"), || {
            rustix::fs::ftruncate(&self.0, size_bytes)
        })?)
    }

    /// The first run of data at or after `offset`; `None` if there is none.
    pub(crate) fn next_data(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        let start = match call(Site("next_data"), || {
            rustix::fs::seek(&self.0, SeekFrom::Data(offset))
        }) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let end = call(Site("next_hole"), || {
            rustix::fs::seek(&self.0, SeekFrom::Hole(start))
        })?;
        Ok(Some(start..end))
    }

    /// Makes a hole of `range`; where that does not work, writes zeros.
    pub(crate) fn clear(&self, range: Range<u64>) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let bytes = range.end.saturating_sub(range.start);
        match call(Site("punch_hole"), || {
            rustix::fs::fallocate(&self.0, flags, range.start, bytes)
        }) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.write_zeros(range),
            other => Ok(other?),
        }
    }

    fn write_zeros(&self, range: Range<u64>) -> io::Result<()> {
        let zeros = vec![0; 1 << 20];
        let mut at = range.start;
        while at < range.end {
            let size = (range.end - at).min(zeros.len() as u64);
            self.write_at(&zeros[..size as usize], at)?;
            at += size;
        }
        Ok(())
    }

    /// Locks the file as ours, without waiting.
    pub(crate) fn lock(&self) -> io::Result<()> {
        Ok(lock(Site("lock_partial"), self.0.as_fd())?)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(call(Site("sync_file"), || rustix::fs::fsync(&self.0))?)
    }

    /// Asks the kernel to forget what it holds of the file, so that the next read asks the disk.
    pub(crate) fn forget_cache(&self) -> io::Result<()> {
        Ok(call(Site("forget_cache"), || {
            rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::DontNeed)
        })?)
    }

    pub(crate) fn set_modified(&self, time: Time) -> io::Result<()> {
        Ok(call(Site("set_modified"), || {
            rustix::fs::futimens(&self.0, &modified(time))
        })?)
    }

    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(call(Site("set_mode"), || {
            rustix::fs::fchmod(&self.0, Mode::from_raw_mode(mode))
        })?)
    }

    /// Sets the mode of an object that is held, but not opened.
    pub(super) fn set_mode_by_path(&self, mode: u32) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", self.number());
        Ok(call(Site("set_mode_by_path"), || {
            rustix::fs::chmod(path.as_str(), Mode::from_raw_mode(mode))
        })?)
    }

    pub(crate) fn set_owner(&self, owner: Ids) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        Ok(call(Site("set_owner"), || {
            rustix::fs::fchown(&self.0, Some(uid), Some(gid))
        })?)
    }

    /// The names of all extended attributes. One call, if there are few or none.
    pub(crate) fn xattr_names(&self) -> io::Result<Vec<Bytes>> {
        let mut buffer = vec![0; 1_024];
        loop {
            match call(Site("xattr_names"), || {
                rustix::fs::flistxattr(&self.0, &mut buffer[..])
            }) {
                Ok(size) => {
                    buffer.truncate(size);
                    return Ok(split_names(&buffer).map(Bytes::copy_from_slice).collect());
                }
                Err(Errno::RANGE) if buffer.len() < XATTRS_BYTES_MAX => {
                    buffer.resize(buffer.len() * 8, 0);
                }
                Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn xattr(&self, name: &[u8]) -> io::Result<Bytes> {
        let name = c_name(name)?;
        let mut buffer = vec![0; 4_096];
        loop {
            match call(Site("xattr"), || {
                rustix::fs::fgetxattr(&self.0, &name, &mut buffer[..])
            }) {
                Ok(size) => {
                    buffer.truncate(size);
                    return Ok(buffer.into());
                }
                Err(Errno::RANGE) if buffer.len() < XATTRS_BYTES_MAX => {
                    buffer.resize(buffer.len() * 8, 0);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()> {
        let name = c_name(name)?;
        Ok(call(Site("set_xattr"), || {
            rustix::fs::fsetxattr(&self.0, &name, value, XattrFlags::empty())
        })?)
    }

    pub(crate) fn remove_xattr(&self, name: &[u8]) -> io::Result<()> {
        let name = c_name(name)?;
        Ok(call(Site("remove_xattr"), || {
            rustix::fs::fremovexattr(&self.0, &name)
        })?)
    }
}

fn c_name(name: &[u8]) -> io::Result<std::ffi::CString> {
    std::ffi::CString::new(name).map_err(io::Error::from)
}

fn split_names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
}

/// The file as others may hold it, for the paths that leave through a socket.
pub(crate) fn in_kernel(file: &Arc<File>) -> Option<Arc<dyn KernelFile>> {
    Some(Arc::<File>::clone(file))
}

impl KernelFile for File {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn view(&self, range: Range<u64>) -> blit_contract::Result<Box<dyn View>> {
        let view = Mapping::of(self.0.as_fd(), &range);
        let view = view.map_err(|cause| Error::from_io("read", &cause))?;
        Ok(Box::new(view))
    }
}
