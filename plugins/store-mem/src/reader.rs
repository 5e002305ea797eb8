//! The ways out: small files whole, others in ranges.

use std::ops::Range;

use async_trait::async_trait;
use blit_contract::{
    Attributes, Entry, Error, ErrorKind, Extent, ReadItem, ReadOptions, Reader, RelPath, Result,
    SmallFile,
};
use bytes::Bytes;

use crate::{
    MemStore, Operation,
    content::{Content, flip_a_bit},
    faults::Strike,
    tree::{Body, Node, Tree},
};

impl MemStore {
    /// Reads one small file, or the attributes of one entry.
    pub(crate) async fn read_small(&self, item: ReadItem) -> Result<SmallFile> {
        let path = &item.path;
        let strike = self.begin(Operation::Read, path).await?;
        let mut tree = self.tree();
        let (entry, inode) = self
            .look(&tree, path)
            .ok_or_else(|| Error::new(ErrorKind::Vanished, "read").at(path))?;
        check_same(&entry, &item.expect, path)?;
        let node = tree
            .node(inode)
            .ok_or_else(|| Error::new(ErrorKind::Vanished, "read").at(path))?;
        let mut content = Bytes::new();
        if item.content {
            content = whole(node, path)?;
        }
        let mut attributes = Attributes::default();
        if item.xattrs {
            attributes = node.attributes.clone();
        }
        if strike.change {
            append(&mut tree, inode);
        }
        let now = tree.entry(&entry.name, inode);
        check_same(now.as_ref().unwrap_or(&entry), &item.expect, path)?;
        let mut file = SmallFile::new(path.clone(), entry, after(strike, content));
        file.attributes = attributes;
        Ok(file)
    }

    /// Opens one file for reading in ranges.
    pub(crate) async fn reader(&self, path: &RelPath, options: ReadOptions) -> Result<MemReader> {
        self.begin(Operation::OpenRead, path).await?;
        let tree = self.tree();
        let missing = match options.expect {
            Some(_) => ErrorKind::Vanished,
            None => ErrorKind::NotFound,
        };
        let (entry, inode) = self
            .look(&tree, path)
            .ok_or_else(|| Error::new(missing, "open").at(path))?;
        if let Some(expect) = &options.expect {
            check_same(&entry, expect, path)?;
        }
        if !entry.is_file() {
            return Err(not_a_file("open", path));
        }
        Ok(MemReader {
            store: self.clone(),
            path: path.clone(),
            inode,
            entry,
        })
    }
}

/// A file that is read in place: what others write meanwhile is seen.
#[derive(Debug)]
pub(crate) struct MemReader {
    store: MemStore,
    path: RelPath,
    inode: u64,
    entry: Entry,
}

impl MemReader {
    /// Looks at the file as it is now.
    fn with_node<T>(&self, op: &'static str, look: impl FnOnce(&Node) -> T) -> Result<T> {
        let tree = self.store.tree();
        let node = tree.node(self.inode);
        node.map(look)
            .ok_or_else(|| Error::new(ErrorKind::Vanished, op).at(&self.path))
    }

    fn with_content<T>(&self, op: &'static str, look: impl FnOnce(&Content) -> T) -> Result<T> {
        self.with_node(op, |node| node.file().map(|file| look(&file.content)))?
            .ok_or_else(|| not_a_file(op, &self.path))
    }
}

#[async_trait]
impl Reader for MemReader {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    async fn attributes(&self) -> Result<Attributes> {
        self.with_node("read", |node| node.attributes.clone())
    }

    async fn extent(&self, offset: u64) -> Result<Option<Extent>> {
        self.with_content("read", |content| content.extent(offset))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let strike = self.store.begin(Operation::Read, &self.path).await?;
        if range.start > range.end {
            return Err(Error::new(ErrorKind::Invalid, "read").at(&self.path));
        }
        let read = self.with_content("read", |content| {
            (range.end <= content.size()).then(|| content.read(range))
        })?;
        if strike.change {
            append(&mut self.store.tree(), self.inode);
        }
        let data = read.ok_or_else(|| {
            let error = Error::new(ErrorKind::Changed, "read").at(&self.path);
            error.because("it became shorter")
        })?;
        Ok(after(strike, data))
    }

    async fn check_unchanged(&self) -> Result<()> {
        let strike = self.store.begin(Operation::Check, &self.path).await?;
        let mut tree = self.store.tree();
        if strike.change {
            append(&mut tree, self.inode);
        }
        let now = tree
            .entry(&self.entry.name, self.inode)
            .ok_or_else(|| Error::new(ErrorKind::Vanished, "read").at(&self.path))?;
        check_same(&now, &self.entry, &self.path)
    }
}

/// What a caller gets of `data`.
pub(crate) fn after(strike: Strike, data: Bytes) -> Bytes {
    if strike.corrupt {
        return flip_a_bit(&data);
    }
    data
}

fn check_same(now: &Entry, scanned: &Entry, path: &RelPath) -> Result<()> {
    if now.is_unchanged_since(scanned) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Changed, "read").at(path))
}

fn whole(node: &Node, path: &RelPath) -> Result<Bytes> {
    let file = node.file().ok_or_else(|| not_a_file("read", path))?;
    Ok(file.content.read_all())
}

fn not_a_file(op: &'static str, path: &RelPath) -> Error {
    Error::new(ErrorKind::Invalid, op)
        .at(path)
        .because("it is not a file")
}

/// What somebody else does to a file while it is read.
fn append(tree: &mut Tree, inode: u64) {
    if let Some(node) = tree.node_mut(inode)
        && let Body::File(file) = &mut node.body
    {
        let end = file.content.size();
        file.content.write(end, Bytes::from_static(b"!"));
    }
    tree.touch(inode);
}
