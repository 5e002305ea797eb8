//! Disks as files of a small file system, which writes down everything that happens to them.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

use super::{Event, Image, Log};

/// A mounted directory with one file for each disk. It is unmounted at the end.
#[derive(Debug)]
pub struct Recorder {
    session: Option<BackgroundSession>,
    shared: Arc<Mutex<Shared>>,
    at: PathBuf,
}

#[derive(Debug)]
struct Shared {
    disks: Vec<Image>,
    log: Log,
}

impl Recorder {
    /// Shows `disks` as the files `0`, `1` and so on below the directory `at`.
    ///
    /// # Errors
    /// When the directory cannot be mounted.
    pub fn mount(disks: Vec<Image>, at: &Path) -> io::Result<Self> {
        let shared = Arc::new(Mutex::new(Shared {
            log: Log::new(disks.clone()),
            disks,
        }));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("recorder".into()), MountOption::NoAtime];
        let files = Files(Arc::clone(&shared));
        Ok(Self {
            session: Some(fuser::spawn_mount(files, at, &config)?),
            shared,
            at: at.to_owned(),
        })
    }

    /// The file that is disk number `disk`.
    #[must_use]
    pub fn file(&self, disk: usize) -> PathBuf {
        self.at.join(disk.to_string())
    }

    /// Notes that the program has just said that everything is safe.
    pub fn claim(&self) {
        lock(&self.shared).log.push(Event::Claim);
    }

    /// Unmounts, and hands over what was written down.
    ///
    /// # Errors
    /// When somebody still uses a disk.
    pub fn finish(mut self) -> io::Result<Log> {
        if let Some(session) = self.session.take() {
            session.umount_and_join()?;
        }
        Ok(lock(&self.shared).log.clone())
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the kernel asks.
struct Files(Arc<Mutex<Shared>>);

impl Files {
    /// The number of the disk that is inode `ino`.
    fn disk(&self, ino: INodeNo) -> Option<usize> {
        let disk = usize::try_from(ino.0.checked_sub(FIRST)?).ok()?;
        (disk < lock(&self.0).disks.len()).then_some(disk)
    }

    fn attributes(&self, ino: INodeNo) -> Option<FileAttr> {
        let size = match self.disk(ino) {
            Some(disk) => lock(&self.0).disks[disk].size_bytes(),
            None if ino == INodeNo::ROOT => 0,
            None => return None,
        };
        let is_root = ino == INodeNo::ROOT;
        Some(FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_root {
                FileType::Directory
            } else {
                FileType::RegularFile
            },
            perm: if is_root { 0o700 } else { 0o600 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for Files {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Whatever is smaller than this is one event, and can be torn as one.
        let _ = config.set_max_write(1 << 20);
        Ok(())
    }

    fn lookup(&self, _req: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let number: Option<u64> = name.to_str().and_then(|it| it.parse().ok());
        let ino = number.map(|it| INodeNo(it + FIRST));
        match ino.and_then(|ino| self.attributes(ino)) {
            Some(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino) {
            Some(attributes) => reply.attr(&FOREVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        // Nothing may hide in a cache between the loop device and the log.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.disk(ino) {
            Some(disk) => reply.data(&lock(&self.0).disks[disk].read(offset, size as usize)),
            None => reply.error(Errno::EISDIR),
        }
    }

    fn write(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let Some(disk) = self.disk(ino) else {
            return reply.error(Errno::EISDIR);
        };
        let mut shared = lock(&self.0);
        shared.disks[disk].write(offset, data);
        shared.log.push(Event::Write {
            disk,
            offset_bytes: offset,
            data: data.into(),
        });
        reply.written(data.len() as u32);
    }

    /// A descriptor was closed, which makes nothing safe.
    fn flush(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn fsync(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        if let Some(disk) = self.disk(ino) {
            lock(&self.0).log.push(Event::Flush { disk });
        }
        reply.ok();
    }

    /// Punching holes is what a loop device makes of a discard.
    fn fallocate(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let Some(disk) = self.disk(ino) else {
            return reply.error(Errno::EISDIR);
        };
        if mode & (PUNCH_HOLE | ZERO_RANGE) == 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        let mut shared = lock(&self.0);
        shared.disks[disk].zero(offset, length);
        shared.log.push(Event::Zero {
            disk,
            offset_bytes: offset,
            length_bytes: length,
        });
        reply.ok();
    }
}

/// The inode of the first disk; the root is 1.
const FIRST: u64 = 2;
const FOREVER: Duration = Duration::from_secs(1 << 30);
/// `FALLOC_FL_PUNCH_HOLE` and `FALLOC_FL_ZERO_RANGE`.
const PUNCH_HOLE: i32 = 0x02;
const ZERO_RANGE: i32 = 0x10;

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::{Scratch, need_root};

    #[test]
    fn under_a_mount_every_write_flush_and_discard_is_written_down_in_its_order() {
        if !need_root("to mount") {
            return;
        }
        let scratch = Scratch::new();
        let disks = vec![Image::new(1 << 20), Image::new(1 << 20)];
        let recorder = Recorder::mount(disks, &scratch.directory("disks")).unwrap();
        let open = |disk| {
            let mut options = OpenOptions::new();
            options
                .read(true)
                .write(true)
                .open(recorder.file(disk))
                .unwrap()
        };
        let (first, second): (File, File) = (open(0), open(1));
        first.write_all_at(b"one", 5).unwrap();
        second.sync_all().unwrap();
        second.write_all_at(b"two", 4_095).unwrap();
        recorder.claim();
        rustix::fs::fallocate(
            &second,
            rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE,
            4_096,
            4_096,
        )
        .unwrap();
        let mut read = [0; 3];
        second.read_exact_at(&mut read, 4_095).unwrap();
        assert_eq!(&read, b"t\0\0");
        drop((first, second));
        let log = recorder.finish().unwrap();
        let write = |disk, offset_bytes, data: &[u8]| Event::Write {
            disk,
            offset_bytes,
            data: data.into(),
        };
        assert_eq!(
            log.events(),
            [
                write(0, 5, b"one"),
                Event::Flush { disk: 1 },
                write(1, 4_095, b"two"),
                Event::Claim,
                Event::Zero {
                    disk: 1,
                    offset_bytes: 4_096,
                    length_bytes: 4_096,
                },
            ]
        );
    }
}
