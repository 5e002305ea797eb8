//! A tree as it is at one moment, in memory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, SeekFrom, Stat, getxattr, listxattr, open, openat, readlinkat,
    seek, statat,
};
use rustix::io::Errno;

use crate::walk::{Visitor, names, walk};

/// Contents are digested in blocks of this size, so that a difference can be located.
pub(super) const BLOCK_BYTES: u64 = 1 << 20;

/// A tree as it was at one moment.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) nodes: Vec<Node>,
}

impl Snapshot {
    /// Reads the tree at `root`. What cannot be read is remembered, and differs from everything.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        let state = open(root, HANDLE.difference(OFlags::NOFOLLOW), Mode::empty())
            .map_err(io::Error::from)
            .and_then(|handle| State::read(&handle));
        let is_directory = state.as_ref().is_ok_and(|it| it.kind == Kind::Directory);
        let mut scan = Scan {
            nodes: vec![Node::new(0, OsString::new(), state)],
            here: 0,
        };
        if is_directory && let Err(error) = walk(root, &mut scan) {
            scan.nodes[0].trouble.push(error.to_string());
        }
        Self { nodes: scan.nodes }
    }

    /// How many entries it has, the root among them.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.nodes.len()
    }

    /// The paths of all entries, the root left out, as bytes with `/` between names.
    #[must_use]
    pub fn paths(&self) -> Vec<Vec<u8>> {
        (1..self.nodes.len()).map(|at| self.path(at)).collect()
    }

    /// The content of the entry at `path`: its type and its bytes, or where it points; not its
    /// metadata. `None` if there is no entry.
    #[must_use]
    pub fn content_of(&self, path: &[u8]) -> Option<String> {
        let state = self.find(path)?;
        if state.kind == Kind::Directory {
            return Some("Directory".into());
        }
        let State {
            kind,
            size_bytes,
            content,
            link_target,
            ..
        } = state;
        Some(format!("{kind:?} {size_bytes} {content:?} {link_target:?}"))
    }

    /// The metadata of the entry at `path`: owner, mode, time and attributes.
    #[must_use]
    pub fn metadata_of(&self, path: &[u8]) -> Option<String> {
        let State {
            owner,
            mode,
            modified,
            attributes,
            ..
        } = self.find(path)?;
        Some(format!("{owner:?} {mode:o} {modified:?} {attributes:?}"))
    }

    fn find(&self, path: &[u8]) -> Option<&State> {
        let mut at = 0;
        for name in path.split(|byte| *byte == b'/').filter(|it| !it.is_empty()) {
            at = *self.nodes[at].children.get(OsStr::from_bytes(name))?;
        }
        self.nodes[at].state.as_ref().ok()
    }

    pub(super) fn path(&self, mut at: usize) -> Vec<u8> {
        let mut names = Vec::new();
        while at != 0 {
            names.push(self.nodes[at].name.as_bytes());
            at = self.nodes[at].parent;
        }
        names.reverse();
        names.join(&b'/')
    }
}

#[derive(Debug)]
pub(super) struct Node {
    parent: usize,
    name: OsString,
    pub(super) children: BTreeMap<OsString, usize>,
    pub(super) state: io::Result<State>,
    /// Errors in reading what is below.
    pub(super) trouble: Vec<String>,
}

impl Node {
    fn new(parent: usize, name: OsString, state: io::Result<State>) -> Self {
        Self {
            parent,
            name,
            children: BTreeMap::new(),
            state,
            trouble: Vec::new(),
        }
    }
}

/// Everything about one entry that a copy must keep.
#[derive(Debug)]
pub(super) struct State {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) modified: (i64, u64),
    pub(super) changed: (i64, u64),
    pub(super) identity: (u64, u64),
    pub(super) links: u64,
    pub(super) device: u64,
    pub(super) size_bytes: u64,
    pub(super) allocated_bytes: u64,
    pub(super) block_bytes: u64,
    pub(super) link_target: Option<Vec<u8>>,
    pub(super) attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The digests of those blocks that are not all zero: a hole and zeros are equal content.
    pub(super) content: Vec<(u64, blake3::Hash)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BlockDevice,
    CharacterDevice,
    Directory,
    Fifo,
    File,
    Socket,
    Symlink,
    Unknown,
}

impl State {
    /// Reads an entry through a handle that opens nothing, so that FIFOs and links do no harm.
    fn read(handle: &OwnedFd) -> io::Result<Self> {
        let stat = statat(handle, c"", AtFlags::EMPTY_PATH)?;
        let kind = kind(&stat);
        let mut state = Self {
            kind,
            mode: stat.st_mode & 0o7777,
            owner: (stat.st_uid, stat.st_gid),
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
            identity: (stat.st_dev, stat.st_ino),
            links: stat.st_nlink,
            device: 0,
            size_bytes: stat.st_size.cast_unsigned(),
            allocated_bytes: stat.st_blocks.cast_unsigned() * 512,
            block_bytes: stat.st_blksize.cast_unsigned(),
            link_target: None,
            attributes: attributes(handle)?,
            content: Vec::new(),
        };
        match kind {
            Kind::BlockDevice | Kind::CharacterDevice => state.device = stat.st_rdev,
            Kind::Symlink => {
                state.link_target = Some(readlinkat(handle, c"", Vec::new())?.into_bytes())
            }
            Kind::File => state.content = content(handle, state.size_bytes)?,
            _ => {}
        }
        Ok(state)
    }
}

fn kind(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharacterDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::Unknown => Kind::Unknown,
    }
}

/// User attributes and access lists. They are asked through `/proc`, which needs no path to the
/// entry and works for a handle that opens nothing.
fn attributes(handle: &OwnedFd) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let mut list = Vec::with_capacity(1 << 16);
    match listxattr(&through, spare_capacity(&mut list)) {
        Err(Errno::NOTSUP) => return Ok(BTreeMap::new()),
        other => other?,
    };
    let mut attributes = BTreeMap::new();
    for name in list.split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let mut value = Vec::with_capacity(1 << 16);
        getxattr(&through, name, spare_capacity(&mut value))?;
        attributes.insert(name.to_vec(), value);
    }
    Ok(attributes)
}

fn is_kept(attribute: &[u8]) -> bool {
    attribute.starts_with(b"user.") || attribute.starts_with(b"system.posix_acl_")
}

/// Digests the blocks with data in them; a terabyte of hole costs nothing.
fn content(handle: &OwnedFd, size_bytes: u64) -> io::Result<Vec<(u64, blake3::Hash)>> {
    let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let file = File::open(through)?;
    let mut digests = Vec::new();
    let mut block = vec![0; BLOCK_BYTES as usize];
    let mut at = 0;
    while at < size_bytes {
        let data = match seek(&file, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::NOTSUP) => at,
            other => other?,
        };
        let start = data / BLOCK_BYTES * BLOCK_BYTES;
        let want = BLOCK_BYTES.min(size_bytes.saturating_sub(start)) as usize;
        file.read_exact_at(&mut block[..want], start)?;
        if block[..want].iter().any(|byte| *byte != 0) {
            digests.push((start / BLOCK_BYTES, blake3::hash(&block[..want])));
        }
        at = start + BLOCK_BYTES;
    }
    Ok(digests)
}

struct Scan {
    nodes: Vec<Node>,
    here: usize,
}

impl Visitor for Scan {
    fn enter(&mut self, directory: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
        let mut subdirectories = Vec::new();
        for name in names(directory)? {
            let state = openat(directory.as_fd(), name.as_os_str(), HANDLE, Mode::empty())
                .map_err(io::Error::from)
                .and_then(|handle| State::read(&handle));
            if state.as_ref().is_ok_and(|it| it.kind == Kind::Directory) {
                subdirectories.push(name.clone());
            }
            let at = self.nodes.len();
            self.nodes.push(Node::new(self.here, name.clone(), state));
            self.nodes[self.here].children.insert(name, at);
        }
        Ok(subdirectories)
    }

    fn descend(&mut self, name: &OsStr) -> bool {
        self.here = self.nodes[self.here].children[name];
        true
    }

    fn ascend(&mut self, _parent: BorrowedFd<'_>, _name: &OsStr) -> io::Result<()> {
        self.here = self.nodes[self.here].parent;
        Ok(())
    }

    fn fail(&mut self, error: io::Error) -> io::Result<()> {
        self.nodes[self.here].trouble.push(error.to_string());
        Ok(())
    }
}

const HANDLE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
