//! The ways in: files are staged without a name, and published.

use std::ops::Range;

use async_trait::async_trait;
use blit_contract::{
    Attributes, Durability, Entry, Error, ErrorKind, Extent, Name, Published, RelPath, Replace,
    Result, SmallFile, Staged, WriteOptions, WritePolicy, Writer,
};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    MemStore, Operation,
    change::{make_way, set_metadata},
    content::Content,
    reader::after,
    space::Room,
    tree::{Body, File, Node},
};

/// A file that is whole and has no name: the store's own part of a [`Staged`].
#[derive(Debug)]
struct StagedFile {
    /// The device of the tree that it was staged in.
    device: u64,
    node: Node,
    replace: Replace,
}

impl MemStore {
    /// Stages one small file.
    pub(crate) async fn stage(&self, policy: WritePolicy, file: SmallFile) -> Result<Staged> {
        let strike = self.begin(Operation::Stage, &file.path).await?;
        self.place(&mut self.tree(), &file.path, "stage")?;
        let mut room = Room::new(self.space());
        room.resize(file.content.len() as u64)
            .map_err(|error| error.at(&file.path))?;
        let content = Content::new(after(strike, file.content));
        let file_body = File { content, room };
        let options = WriteOptions::new(policy, file.entry.clone(), file.replace);
        Ok(self.staged(file.path, file_body, options, &file.entry, file.attributes))
    }

    /// Opens a new file for writing in ranges.
    pub(crate) async fn writer(&self, path: &RelPath, options: WriteOptions) -> Result<MemWriter> {
        self.check_writable(options.policy, "open")?;
        self.begin(Operation::OpenWrite, path).await?;
        self.place(&mut self.tree(), path, "open")?;
        let hidden = options.keep.then(|| self.hidden(path, &options.entry));
        let kept = hidden.as_ref().and_then(|at| self.kept().remove(at));
        let mut file = kept.unwrap_or_else(|| self.fresh());
        if options.keep {
            file.content.resize(options.entry.size);
        }
        Ok(MemWriter {
            store: self.clone(),
            path: path.clone(),
            options,
            file: Mutex::new(file),
            hidden,
        })
    }

    fn fresh(&self) -> File {
        File {
            content: Content::default(),
            room: Room::new(self.space()),
        }
    }

    fn staged(
        &self,
        path: RelPath,
        file: File,
        options: WriteOptions,
        entry: &Entry,
        attributes: Attributes,
    ) -> Staged {
        let size = file.content.size();
        let mut node = Node::new(Body::File(file));
        let mut tree = self.tree();
        node.modified = tree.now();
        set_metadata(&mut node, options.policy, entry, Some(attributes));
        let token = StagedFile {
            device: tree.device,
            node,
            replace: options.replace,
        };
        Staged::new(path, size, Box::new(token))
    }

    /// Waits until staged data is safe, as far as the policy asks.
    pub(crate) async fn barrier(&self, policy: WritePolicy) -> Result<()> {
        if policy.durability == Durability::None {
            return Ok(());
        }
        self.begin(Operation::Sync, &RelPath::ROOT).await.map(drop)
    }

    /// Gives one staged file its name.
    pub(crate) async fn publish_one(
        &self,
        policy: WritePolicy,
        staged: Staged,
    ) -> Result<Published> {
        let path = staged.path.clone();
        let (digest, losses) = (staged.digest, staged.losses.clone());
        let file: StagedFile = staged.into_token()?;
        self.begin(Operation::Publish, &path).await?;
        if policy.verify {
            verify(&file.node, digest).map_err(|error| error.at(&path))?;
        }
        let mut tree = self.tree();
        if file.device != tree.device {
            return Err(Error::new(ErrorKind::Bug, "publish")
                .at(&path)
                .because("this file was staged in another tree"));
        }
        let (directory, name) = self.place(&mut tree, &path, "publish")?;
        make_way(&mut tree, directory, name, &file.replace).map_err(|error| error.at(&path))?;
        let inode = tree.add(file.node);
        tree.link(directory, name.clone(), inode);
        let entry = tree.entry(name, inode).ok_or_else(|| {
            let error = Error::new(ErrorKind::Bug, "publish").at(&path);
            error.because("it is gone at once")
        })?;
        Ok(Published::new(entry, losses))
    }
}

/// Compares what is stored with what the source read.
fn verify(node: &Node, digest: Option<[u8; 32]>) -> Result<()> {
    let wanted = digest.ok_or_else(|| {
        Error::new(ErrorKind::Bug, "verify").because("there is no digest to compare with")
    })?;
    let content = node.file().map(|file| file.content.read_all());
    if blit_contract::ContentHasher::digest(&content.unwrap_or_default()) != wanted {
        return Err(Error::new(ErrorKind::Corrupt, "verify"));
    }
    Ok(())
}

/// A new file without a name.
#[derive(Debug)]
pub(crate) struct MemWriter {
    store: MemStore,
    path: RelPath,
    options: WriteOptions,
    file: Mutex<File>,
    /// Where it is kept if it is not finished.
    hidden: Option<(RelPath, Name)>,
}

impl Drop for MemWriter {
    fn drop(&mut self) {
        let file = std::mem::replace(self.file.get_mut(), self.store.fresh());
        if let Some(hidden) = self.hidden.take()
            && file.content.allocated() > 0
        {
            self.store.kept().insert(hidden, file);
        }
    }
}

#[async_trait]
impl Writer for MemWriter {
    async fn write_at(&self, offset: u64, data: Bytes) -> Result<()> {
        let strike = self.store.begin(Operation::Write, &self.path).await?;
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or_else(|| Error::new(ErrorKind::TooLarge, "write").at(&self.path))?;
        let mut file = self.file.lock();
        let added = file.content.unallocated(&(offset..end));
        file.room
            .grow(added)
            .map_err(|error| error.at(&self.path))?;
        file.content.write(offset, after(strike, data));
        Ok(())
    }

    async fn read_back(&self, range: Range<u64>) -> Result<Bytes> {
        let strike = self.store.begin(Operation::ReadBack, &self.path).await?;
        let file = self.file.lock();
        if range.start > range.end || range.end > file.content.size() {
            return Err(Error::new(ErrorKind::Invalid, "read back")
                .at(&self.path)
                .because(format!("only {} bytes were written", file.content.size())));
        }
        Ok(after(strike, file.content.read(range)))
    }

    async fn kept(&self, offset: u64) -> Result<Option<Extent>> {
        Ok(self.file.lock().content.extent(offset))
    }

    async fn clear(&self, range: Range<u64>) -> Result<()> {
        self.store.begin(Operation::Write, &self.path).await?;
        self.file.lock().content.clear(range);
        Ok(())
    }

    async fn discard(mut self: Box<Self>) {
        self.hidden = None;
    }

    async fn finish(mut self: Box<Self>, entry: Entry, attributes: Attributes) -> Result<Staged> {
        self.store.begin(Operation::Finish, &self.path).await?;
        self.hidden = None;
        let mut file = std::mem::replace(self.file.get_mut(), self.store.fresh());
        file.content.resize(entry.size);
        file.room.resize(file.content.allocated())?;
        let (path, options) = (self.path.clone(), self.options.clone());
        Ok(self.store.staged(path, file, options, &entry, attributes))
    }
}
