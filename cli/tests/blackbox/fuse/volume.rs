//! A file system in memory, mounted through FUSE, that folds names or fails on demand.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use std::sync::{Arc, Mutex, MutexGuard};

/// Nothing is kept by the kernel: each question comes here.
const TTL: Duration = Duration::ZERO;
const BLOCK_BYTES: u32 = 4_096;

/// What the volume does otherwise than others.
#[derive(Debug, Default, Clone)]
pub(crate) struct Manners {
    /// Names that differ in case, in normal form or in the spelling of a letter are one name.
    pub(crate) folds: bool,
    /// Reads of this file fail from that offset on.
    pub(crate) bad_read: Option<(&'static str, u64)>,
    /// Writes fail at or after that offset of any file.
    pub(crate) bad_write: Option<u64>,
    /// This file says that it has so many bytes more than it gives.
    pub(crate) lie_bytes: Option<(&'static str, i64)>,
    /// `fsync` of files, and of directories, fails.
    pub(crate) bad_sync: bool,
    /// Each read waits so long.
    pub(crate) slow_read: Duration,
    /// The first read waits so long.
    pub(crate) slow_first_read: Duration,
    /// What is read is not what was written.
    pub(crate) rots: bool,
    /// This file is listed, and gone when it is opened.
    pub(crate) vanishing: Option<&'static str>,
    /// No file can be made: its directory is gone, says the volume.
    pub(crate) no_new_files: bool,
    /// Closing a file fails: what was written did not arrive.
    pub(crate) bad_flush: bool,
}

#[derive(Debug)]
struct Node {
    attr: FileAttr,
    content: Vec<u8>,
    children: BTreeMap<OsString, u64>,
}

#[derive(Debug)]
struct Tree {
    nodes: BTreeMap<u64, Node>,
    manners: Manners,
    next: u64,
    reads: u64,
}

/// The volume itself; what it holds can be looked at, and its manners changed, while it is mounted.
#[derive(Debug, Clone)]
pub(crate) struct Volume(Arc<Mutex<Tree>>);

/// A mounted volume. It is unmounted at the end.
pub(crate) struct Mounted {
    volume: Volume,
    session: Option<fuser::BackgroundSession>,
}

impl Mounted {
    pub(crate) fn at(point: &Path, manners: Manners) -> Self {
        std::fs::create_dir_all(point).unwrap();
        let volume = Volume(Arc::new(Mutex::new(Tree {
            nodes: BTreeMap::from([(1, node(1, FileType::Directory, 0o755))]),
            manners,
            next: 2,
            reads: 0,
        })));
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("blit-test".into()),
            MountOption::DefaultPermissions,
        ];
        config.n_threads = Some(2);
        let session = fuser::spawn_mount(volume.clone(), point, &config).unwrap();
        Self {
            volume,
            session: Some(session),
        }
    }

    /// The volume itself, to count its reads.
    pub(crate) fn reads(&self) -> Reads {
        Reads(self.volume.clone())
    }

    /// Changes how it behaves from here on.
    pub(crate) fn behaves(&self, manners: Manners) {
        self.volume.tree().manners = manners;
    }
}

/// How much has been read of a volume.
pub(crate) struct Reads(Volume);

impl Reads {
    pub(crate) fn so_far(&self) -> u64 {
        self.0.tree().reads
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = session.umount_and_join();
        }
    }
}

fn node(number: u64, kind: FileType, mode: u32) -> Node {
    let now = SystemTime::now();
    Node {
        attr: FileAttr {
            ino: INodeNo(number),
            size: 0,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
            crtime: now,
            kind,
            perm: (mode & 0o7777) as u16,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: BLOCK_BYTES,
            flags: 0,
        },
        content: Vec::new(),
        children: BTreeMap::new(),
    }
}

/// As a case-folding file system compares names; a few letters stand for all of their kind.
pub(crate) fn folded(name: &OsStr) -> OsString {
    match name.to_str() {
        None => name.to_owned(),
        Some(text) => text
            .to_lowercase()
            .replace('\u{e9}', "e\u{301}")
            .replace('ß', "ss")
            .replace('ı', "i")
            .replace("i\u{307}", "i")
            .into(),
    }
}

impl Tree {
    fn node(&mut self, number: INodeNo) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&number.0).ok_or(Errno::ENOENT)
    }

    /// The name as it is kept, and whose it is.
    fn find(&mut self, parent: INodeNo, name: &OsStr) -> Result<(OsString, u64), Errno> {
        let folds = self.manners.folds;
        let children = &self.node(parent)?.children;
        let same = |known: &OsStr| known == name || (folds && folded(known) == folded(name));
        let found = children.iter().find(|(known, _)| same(known));
        found
            .map(|(known, number)| (known.clone(), *number))
            .ok_or(Errno::ENOENT)
    }

    fn attr(&mut self, number: INodeNo) -> Result<FileAttr, Errno> {
        let lie = self.manners.lie_bytes;
        let node = self.node(number)?;
        let mut attr = node.attr;
        if attr.kind == FileType::RegularFile {
            attr.size = node.content.len() as u64;
            attr.blocks = attr.size.div_ceil(512);
        }
        if let Some((name, more)) = lie
            && self.is_named(number, name)
        {
            attr.size = attr.size.saturating_add_signed(more);
            attr.blocks = attr.size.div_ceil(512);
        }
        Ok(attr)
    }

    fn is_named(&self, number: INodeNo, name: &str) -> bool {
        let mut children = self.nodes.values().flat_map(|it| &it.children);
        children.any(|(known, at)| *at == number.0 && known == name)
    }

    fn make(
        &mut self,
        parent: INodeNo,
        name: &OsStr,
        kind: FileType,
        mode: u32,
        content: &[u8],
    ) -> Result<FileAttr, Errno> {
        if self.find(parent, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let number = self.next;
        self.next += 1;
        let mut made = node(number, kind, mode);
        made.content = content.to_vec();
        if kind == FileType::Symlink {
            made.attr.size = content.len() as u64;
        }
        self.nodes.insert(number, made);
        self.node(parent)?.children.insert(name.to_owned(), number);
        self.touch(parent)?;
        self.attr(INodeNo(number))
    }

    fn remove(&mut self, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let (known, number) = self.find(parent, name)?;
        if !self.node(INodeNo(number))?.children.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.node(parent)?.children.remove(&known);
        // Its content stays for who has it open.
        self.node(INodeNo(number))?.attr.nlink -= 1;
        self.touch(parent)
    }

    fn rename(
        &mut self,
        (parent, name): (INodeNo, &OsStr),
        (to, to_name): (INodeNo, &OsStr),
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let (known, number) = self.find(parent, name)?;
        let there = self.find(to, to_name);
        let is_other = there.as_ref().is_ok_and(|(_, it)| *it != number);
        if flags.contains(RenameFlags::RENAME_NOREPLACE) && is_other {
            return Err(Errno::EEXIST);
        }
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            let (there, other) = there?;
            self.node(parent)?.children.insert(known, other);
            self.node(to)?.children.insert(there, number);
        } else {
            if let (true, Ok((there, other))) = (is_other, there) {
                if !self.node(INodeNo(other))?.children.is_empty() {
                    return Err(Errno::ENOTEMPTY);
                }
                self.node(to)?.children.remove(&there);
            }
            self.node(parent)?.children.remove(&known);
            self.node(to)?.children.insert(to_name.to_owned(), number);
        }
        self.touch(parent)?;
        self.touch(to)
    }

    fn touch(&mut self, number: INodeNo) -> Result<(), Errno> {
        let node = self.node(number)?;
        (node.attr.mtime, node.attr.ctime) = (SystemTime::now(), SystemTime::now());
        Ok(())
    }
}

impl Volume {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap()
    }
}

fn time(given: TimeOrNow) -> SystemTime {
    match given {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => SystemTime::now(),
    }
}

/// Answers with what came of it, or with the error.
macro_rules! answer {
    ($reply:ident, $result:expr, $value:pat => $good:expr) => {
        match $result {
            Ok($value) => $good,
            Err(errno) => $reply.error(errno),
        }
    };
}

impl Filesystem for Volume {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut tree = self.tree();
        let found = tree.find(parent, name);
        let attr = found.and_then(|(_, number)| tree.attr(INodeNo(number)));
        answer!(reply, attr, attr => reply.entry(&TTL, &attr, Generation(0)));
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        answer!(reply, self.tree().attr(number), attr => reply.attr(&TTL, &attr));
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut tree = self.tree();
        let set = tree.node(number).map(|node| {
            let attr = &mut node.attr;
            attr.perm = mode.map_or(attr.perm, |mode| (mode & 0o7777) as u16);
            attr.uid = uid.unwrap_or(attr.uid);
            attr.gid = gid.unwrap_or(attr.gid);
            attr.atime = atime.map_or(attr.atime, time);
            attr.mtime = mtime.map_or(attr.mtime, time);
            attr.ctime = SystemTime::now();
            if let Some(size) = size {
                node.content.resize(size as usize, 0);
            }
        });
        let attr = set.and_then(|()| tree.attr(number));
        answer!(reply, attr, attr => reply.attr(&TTL, &attr));
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        let target = self.tree().node(number).map(|node| node.content.clone());
        answer!(reply, target, target => reply.data(&target));
    }

    fn mknod(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        if mode & 0o170_000 != 0o100_000 {
            return reply.error(Errno::ENOSYS);
        }
        let made = self
            .tree()
            .make(parent, name, FileType::RegularFile, mode, b"");
        answer!(reply, made, attr => reply.entry(&TTL, &attr, Generation(0)));
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let made = self
            .tree()
            .make(parent, name, FileType::Directory, mode, b"");
        answer!(reply, made, attr => reply.entry(&TTL, &attr, Generation(0)));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.tree().remove(parent, name), () => reply.ok());
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.tree().remove(parent, name), () => reply.ok());
    }

    fn symlink(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let target = target.as_os_str().to_owned().into_vec();
        let made = self
            .tree()
            .make(parent, name, FileType::Symlink, 0o777, &target);
        answer!(reply, made, attr => reply.entry(&TTL, &attr, Generation(0)));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        to_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let renamed = self.tree().rename((parent, name), (to, to_name), flags);
        answer!(reply, renamed, () => reply.ok());
    }

    fn open(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: fuser::ReplyOpen) {
        let tree = self.tree();
        let vanishing = tree.manners.vanishing;
        if vanishing.is_some_and(|name| tree.is_named(number, name)) {
            return reply.error(Errno::ENOENT);
        }
        // Past the kernel's cache: each read and write comes here.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        if self.tree().manners.no_new_files {
            return reply.error(Errno::ENOENT);
        }
        let made = self
            .tree()
            .make(parent, name, FileType::RegularFile, mode, b"");
        let (handle, flags) = (FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
        answer!(reply, made, attr => reply.created(&TTL, &attr, Generation(0), handle, flags));
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut tree = self.tree();
        tree.reads += 1;
        let is_first = tree.reads == 1;
        let manners = tree.manners.clone();
        let is_bad = manners.bad_read.is_some_and(|(name, from)| {
            offset + u64::from(size) > from && tree.is_named(number, name)
        });
        if is_bad {
            return reply.error(Errno::EIO);
        }
        let data = tree.node(number).map(|node| {
            let start = node.content.len().min(offset as usize);
            let end = node.content.len().min(start + size as usize);
            let mut data = node.content[start..end].to_vec();
            if let (true, Some(first)) = (manners.rots, data.first_mut()) {
                *first ^= 1;
            }
            data
        });
        drop(tree);
        let wait = match is_first {
            true => manners.slow_first_read.max(manners.slow_read),
            false => manners.slow_read,
        };
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        answer!(reply, data, data => reply.data(&data));
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut tree = self.tree();
        let end = offset as usize + data.len();
        if tree.manners.bad_write.is_some_and(|from| end as u64 > from) {
            return reply.error(Errno::EIO);
        }
        let wrote = tree.node(number).map(|node| {
            node.content.resize(node.content.len().max(end), 0);
            node.content[offset as usize..end].copy_from_slice(data);
        });
        let wrote = wrote.and_then(|()| tree.touch(number));
        answer!(reply, wrote, () => reply.written(data.len() as u32));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        match self.tree().manners.bad_flush {
            true => reply.error(Errno::EIO),
            false => reply.ok(),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.tree().manners.bad_sync {
            true => reply.error(Errno::EIO),
            false => reply.ok(),
        }
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.tree().manners.bad_sync {
            true => reply.error(Errno::EIO),
            false => reply.ok(),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let mut tree = self.tree();
        let children = match tree.node(number) {
            Ok(node) => node.children.clone(),
            Err(errno) => return reply.error(errno),
        };
        let all = children.iter().zip(1_u64..).skip(offset as usize);
        for ((name, child), next) in all {
            let child = INodeNo(*child);
            let kind = tree.attr(child).map_or(FileType::RegularFile, |it| it.kind);
            if reply.add(child, next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let blocks = 1 << 20;
        reply.statfs(
            blocks,
            blocks,
            blocks,
            1 << 20,
            1 << 20,
            BLOCK_BYTES,
            255,
            BLOCK_BYTES,
        );
    }
}

#[test]
fn names_fold_by_case_normal_form_and_spelling() {
    let same = |a: &[u8], b: &[u8]| folded(OsStr::from_bytes(a)) == folded(OsStr::from_bytes(b));
    assert!(same(b"README", b"readme"));
    assert!(same("caf\u{e9}".as_bytes(), "cafe\u{301}".as_bytes()));
    assert!(same("stra\u{df}e".as_bytes(), b"STRASSE"));
    assert!(same("\u{131}".as_bytes(), b"I"));
    assert!(!same(b"a", b"b"));
    assert!(!same(b"\xff", b"\xfe"));
}
