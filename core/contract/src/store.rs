//! A place where trees live.
//!
//! # How a file comes to its final name
//! [`Store::write_batch`] and [`Store::open_write`] + [`Writer::finish`] give a [`Staged`] file:
//! whole, with its metadata, but without a name. [`Store::publish`] takes many of them, makes their
//! data durable with one barrier, and only then gives them their names. Dropping a [`Staged`] leaves
//! nothing behind. So no name ever holds a part of a file.

#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::{any::Any, fmt::Debug, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;

use crate::{
    Applied, Attributes, Cx, Demands, Descriptor, Entry, EntryBatch, Error, ErrorKind, Identity,
    ListOptions, Loss, MetaOp, RelPath, Replace, Result, StoreCaps, Usage, WritePolicy,
};

/// A place where trees live: a disk, memory, a bucket.
///
/// Every path is relative to the root that the store was opened at. Calls may come from any task,
/// several at a time. No call follows a symlink below the root.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Says who this is.
    fn descriptor(&self) -> &Descriptor;

    /// Says what this store can do at its root. `conformance/` checks it.
    fn caps(&self) -> StoreCaps;

    /// Says what the host must do to use it.
    fn demands(&self) -> Demands;

    /// Lists the tree below the directory `at`, parents before children; see [`EntryBatch`].
    ///
    /// What cannot be listed comes as a problem in a batch; only a root that cannot be listed at
    /// all is an `Err`, and ends the stream. Back-pressure: nothing is read far ahead of the taker.
    fn list<'a>(
        &'a self,
        cx: &'a Cx,
        at: &'a RelPath,
        options: ListOptions,
    ) -> BoxStream<'a, Result<EntryBatch>>;

    /// Looks at one entry, without following a symlink. `None`: there is nothing.
    async fn stat(&self, cx: &Cx, path: &RelPath) -> Result<Option<Entry>>;

    /// Reads many small files, or the attributes of many entries, whole.
    ///
    /// Each answer stands at the place of its question. A file that is not what `expect` says, or
    /// changes while it is read, answers [`ErrorKind::Changed`] or `Vanished`.
    async fn read_batch(&self, cx: &Cx, items: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>>;

    /// Opens one file for reading in ranges.
    ///
    /// # Errors
    /// `Changed` or `Vanished` if it is not what `options.expect` says.
    async fn open_read(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: ReadOptions,
    ) -> Result<Box<dyn Reader>>;

    /// Opens a new file without a name for writing in ranges.
    async fn open_write(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: WriteOptions,
    ) -> Result<Box<dyn Writer>>;

    /// Stages many small files in one call. Each answer stands at the place of its file.
    async fn write_batch(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        files: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>>;

    /// Makes staged files durable with one barrier, then gives each its name.
    ///
    /// If the barrier fails, nothing is published. With `policy.verify` a file whose data on storage
    /// does not have its [`Staged::digest`] answers `Corrupt` and is not published either. Each
    /// answer stands at the place of its file.
    async fn publish(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        staged: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>>;

    /// Makes directories, links and specials, and sets metadata; in the given order.
    async fn apply(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        ops: Vec<MetaOp>,
    ) -> Result<Vec<Result<Applied>>>;

    /// Deletes entries in the given order. Refuses what is not what was scanned (`Changed`), and a
    /// directory that is not empty (`Conflict`). With `policy.backup` it moves them to the backup tree.
    async fn delete(
        &self,
        cx: &Cx,
        policy: WritePolicy,
        items: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>>;

    /// Waits until everything in `scope` is on stable storage: one batch barrier.
    async fn sync(&self, cx: &Cx, scope: SyncScope) -> Result<()>;

    /// The identities of the entry at `path` and of every directory above it, also above the root of
    /// the store, up to where its objects have no parent. What does not exist is left out.
    ///
    /// Two places overlap if the identity of one is among the ancestry of the other: names and path
    /// strings cannot tell (bind mounts, symlinked roots).
    async fn ancestry(&self, cx: &Cx, path: &RelPath) -> Result<Vec<Identity>>;

    /// Says how much room there is at the root.
    async fn usage(&self, cx: &Cx) -> Result<Usage>;

    /// How many bytes an earlier writer for such an entry left at `path`; see [`WriteOptions::keep`].
    async fn kept_bytes(&self, _cx: &Cx, _path: &RelPath, _entry: &Entry) -> Result<u64> {
        Ok(0)
    }

    /// The same place for another session, which shares nothing with those that use this one: neither
    /// which directories were found, nor what is not durable yet. `None`: there is nothing to share.
    fn anew(&self) -> Option<Arc<dyn Store>> {
        None
    }

    /// The same place for a session that changes what is below `changed`, and keeps what it replaces or
    /// deletes there in the directory `kept`, under its path from `changed` on: its backup tree. Nothing
    /// elsewhere can be kept.
    ///
    /// # Errors
    /// `Unsupported` if there are no backup trees here; `Vanished` or `Changed` if `kept` is no directory.
    async fn keeping(
        &self,
        _cx: &Cx,
        _changed: &RelPath,
        _kept: &RelPath,
    ) -> Result<Arc<dyn Store>> {
        Err(Error::new(ErrorKind::Unsupported, "back up")
            .because("this store keeps no backup tree"))
    }
}

/// Conveniences for callers, never overridden.
#[async_trait]
pub trait StoreExt: Store {
    /// Stages and publishes one small file.
    async fn put(&self, cx: &Cx, policy: WritePolicy, file: SmallFile) -> Result<Published> {
        let staged = only(self.write_batch(cx, policy, vec![file]).await?, "stage")?;
        only(self.publish(cx, policy, vec![staged]).await?, "publish")
    }

    /// Reads one small file whole.
    async fn get(&self, cx: &Cx, item: ReadItem) -> Result<SmallFile> {
        only(self.read_batch(cx, vec![item]).await?, "read")
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

fn only<T>(mut answers: Vec<Result<T>>, op: &'static str) -> Result<T> {
    let missing = || Error::new(ErrorKind::Bug, op).because("no answer to a question");
    answers.pop().unwrap_or_else(|| Err(missing()))
}

/// One thing to read in a batch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadItem {
    /// Where it is.
    pub path: RelPath,
    /// What the scan saw there.
    pub expect: Entry,
    /// Read the content too; otherwise attributes only.
    pub content: bool,
    /// Read extended attributes.
    pub xattrs: bool,
}

impl ReadItem {
    /// Asks for the content and attributes of a file.
    #[must_use]
    pub fn content(path: RelPath, expect: Entry) -> Self {
        Self {
            path,
            expect,
            content: true,
            xattrs: true,
        }
    }

    /// Asks for the attributes of any entry.
    #[must_use]
    pub fn attributes(path: RelPath, expect: Entry) -> Self {
        Self {
            content: false,
            ..Self::content(path, expect)
        }
    }
}

/// A whole small file, or the attributes of an entry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SmallFile {
    /// Where it was read, or is to be written.
    pub path: RelPath,
    /// Its metadata.
    pub entry: Entry,
    /// Its other metadata.
    pub attributes: Attributes,
    /// Its content; empty if only attributes were asked for.
    pub content: Bytes,
    /// What it may take the place of when it is written.
    pub replace: Replace,
}

impl SmallFile {
    /// A file of that content that replaces nothing.
    #[must_use]
    pub fn new(path: RelPath, entry: Entry, content: Bytes) -> Self {
        Self {
            path,
            entry,
            attributes: Attributes::default(),
            content,
            replace: Replace::Nothing,
        }
    }
}

/// How to open a file for reading.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// What the scan saw there; checked when it is opened.
    pub expect: Option<Entry>,
}

impl ReadOptions {
    /// Opens only what the scan saw.
    #[must_use]
    pub fn expecting(entry: Entry) -> Self {
        Self {
            expect: Some(entry),
        }
    }
}

/// A file open for reading. Several ranges may be read at a time.
#[async_trait]
pub trait Reader: Debug + Send + Sync {
    /// What the file was when it was opened.
    fn entry(&self) -> &Entry;

    /// Reads the extended attributes.
    async fn attributes(&self) -> Result<Attributes>;

    /// The first run of data at or after `offset`; `None` if only a hole follows up to the end.
    async fn extent(&self, offset: u64) -> Result<Option<Extent>>;

    /// Reads `range` whole.
    ///
    /// # Errors
    /// `Changed` if the file ends before the range does.
    async fn read(&self, range: Range<u64>) -> Result<Bytes>;

    /// Checks that the file is still what it was when it was opened.
    ///
    /// # Errors
    /// `Changed`, and then nothing that was read may be published.
    async fn check_unchanged(&self) -> Result<()>;

    /// The kernel's descriptor of the file, if there is one. Its offset must not be moved.
    #[cfg(unix)]
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// The file as the kernel has it, to send it without taking its bytes into memory.
    #[cfg(unix)]
    fn kernel_file(&self) -> Option<Arc<dyn KernelFile>> {
        None
    }
}

/// A file that the kernel has open. It stays open as long as this is held.
#[cfg(unix)]
pub trait KernelFile: Debug + Send + Sync {
    /// Its descriptor, whose offset must not be moved.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Makes `range` visible without copying it. May wait for the disk: not to be called where waiting
    /// is not allowed.
    ///
    /// # Errors
    /// `Unsupported` where files cannot be looked at so.
    fn view(&self, range: Range<u64>) -> Result<Box<dyn View>>;
}

/// A range of a file that can be looked at. Others may change the file meanwhile.
pub trait View: Send {
    /// Copies what lies at `offset` of the range into `buffer`, and says how much that is: all that fits,
    /// up to the end of the range. May wait for the disk.
    fn look(&self, offset: usize, buffer: &mut [u8]) -> usize;

    /// Whether something that was looked at was not there, since the file has become shorter or the disk
    /// cannot be read. Zeros came in its place.
    fn is_torn(&self) -> bool;
}

/// A run of data in a file: bytes `[start, end)`. Around it are holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first byte of the run.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
}

/// How to open a file for writing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WriteOptions {
    /// What the source says it is; the size is used to reserve room, and is not believed further.
    pub entry: Entry,
    /// What it may take the place of.
    pub replace: Replace,
    /// What all writes have in common.
    pub policy: WritePolicy,
    /// If the file is not finished, what was written is kept, hidden: the next writer for such an
    /// entry at the same path begins with it. A store may be unable to; then nothing is kept.
    pub keep: bool,
}

impl WriteOptions {
    /// Options for a file like `entry`.
    #[must_use]
    pub fn new(policy: WritePolicy, entry: Entry, replace: Replace) -> Self {
        Self {
            entry,
            replace,
            policy,
            keep: false,
        }
    }

    /// The same for a file that is kept if it is not finished.
    #[must_use]
    pub fn keeping(mut self) -> Self {
        self.keep = true;
        self
    }
}

/// A new file without a name. Several ranges may be written at a time; what is not written is a hole.
/// Dropping it leaves nothing behind, unless [`WriteOptions::keep`] says otherwise.
#[async_trait]
pub trait Writer: Debug + Send + Sync {
    /// Writes `data` at `offset`.
    async fn write_at(&self, offset: u64, data: Bytes) -> Result<()>;

    /// Reads back what was written, for verification.
    async fn read_back(&self, range: Range<u64>) -> Result<Bytes>;

    /// The first run of data at or after `offset` that an earlier writer left here; `None` if there is
    /// no more. Asked before the first write. Nothing is known of what such data is.
    async fn kept(&self, _offset: u64) -> Result<Option<Extent>> {
        Ok(None)
    }

    /// Takes back what is in `range`: it reads as zeros, and is a hole where the store can make one.
    async fn clear(&self, range: Range<u64>) -> Result<()> {
        const STEP_BYTES: usize = 1 << 20;
        let zeros = Bytes::from_static(&[0; STEP_BYTES]);
        let mut at = range.start;
        while at < range.end {
            let size = (range.end - at).min(STEP_BYTES as u64);
            self.write_at(at, zeros.slice(..size as usize)).await?;
            at += size;
        }
        Ok(())
    }

    /// Drops the file; nothing of it is kept.
    async fn discard(self: Box<Self>) {}

    /// Sets the final length, applies the metadata and reads it back.
    async fn finish(self: Box<Self>, entry: Entry, attributes: Attributes) -> Result<Staged>;

    /// The kernel's descriptor of the file, if there is one. Its offset must not be moved.
    #[cfg(unix)]
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// The file as the kernel has it, to write to it without taking the bytes into memory.
    #[cfg(unix)]
    fn kernel_file(&self) -> Option<Arc<dyn KernelFile>> {
        None
    }
}

/// A whole file with its metadata, and no name yet. Dropping it leaves nothing behind, unless
/// [`WriteOptions::keep`] says otherwise.
#[derive(Debug)]
#[non_exhaustive]
pub struct Staged {
    /// Where it is to be.
    pub path: RelPath,
    /// Its size in bytes.
    pub size: u64,
    /// What could not be kept.
    pub losses: Vec<Loss>,
    /// The digest ([`crate::ContentHasher`]) of what the source read; set by the engine if the policy says `verify`.
    pub digest: Option<[u8; 32]>,
    /// The store's own.
    pub token: Box<dyn StagedToken>,
}

/// The store's own part of a [`Staged`] file.
pub trait StagedToken: Any + Debug + Send {}
impl<T: Any + Debug + Send> StagedToken for T {}

impl Staged {
    /// A staged file of that size.
    #[must_use]
    pub fn new(path: RelPath, size: u64, token: Box<dyn StagedToken>) -> Self {
        Self {
            path,
            size,
            losses: Vec::new(),
            digest: None,
            token,
        }
    }

    /// Takes the store's own part out.
    ///
    /// # Errors
    /// `Bug` if another store made it.
    pub fn into_token<T: StagedToken>(self) -> Result<T> {
        let any: Box<dyn Any> = self.token;
        any.downcast::<T>().map(|token| *token).map_err(|_| {
            Error::new(ErrorKind::Bug, "publish").because("this file was staged by another store")
        })
    }
}

/// A file that is now at its final name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Published {
    /// Its size in bytes.
    pub size: u64,
    /// What it is now, as read back; its name in the entry is the final one.
    pub entry: Entry,
    /// What could not be kept.
    pub losses: Vec<Loss>,
}

impl Published {
    /// A published file that lost nothing.
    #[must_use]
    pub fn new(entry: Entry, losses: Vec<Loss>) -> Self {
        Self {
            size: entry.size,
            entry,
            losses,
        }
    }
}

/// What a [`Store::sync`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncScope {
    /// Everything written to this store so far.
    Tree,
}
