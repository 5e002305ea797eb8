//! A source that is made up as it is read: millions of entries in constant memory.

use std::ops::Range;

use async_trait::async_trait;
use blit_contract::{
    Applied, Attributes, Cx, Demands, Descriptor, Entry, EntryBatch, Error, ErrorKind, Extent,
    Identity, Kind, ListOptions, MetaOp, Name, Published, ReadItem, ReadOptions, Reader, RelPath,
    Result, Selection, SmallFile, Staged, Store, StoreCap, StoreCaps, SyncScope, Time, Usage,
    WriteOptions, WritePolicy, Writer,
};
use bytes::{BufMut, Bytes, BytesMut};
use futures_core::stream::BoxStream;
use futures_util::stream;

/// How many entries a batch holds at most.
const BATCH_ENTRIES_MAX: u64 = 1_024;

/// The device of all made-up trees: the same entries are the same objects.
const DEVICE: u64 = 1 << 41;

/// When every entry was last changed: 2026-01-01 UTC.
const CHANGED: Time = Time {
    secs: 1_767_225_600,
    nanos: 0,
};

static DESCRIPTOR: Descriptor = Descriptor::new("store-synthetic", env!("CARGO_PKG_VERSION"), &[]);

const CAPS: StoreCaps = StoreCaps::new().with_native(&[
    StoreCap::CaseSensitive,
    StoreCap::Directories,
    StoreCap::Mode,
    StoreCap::ModifiedTimes,
    StoreCap::Owners,
    StoreCap::RangeRead,
]);

/// A read-only tree of a given shape, in which everything follows from an entry's number.
///
/// The entries are numbered level by level; those with children are directories. Nothing is held
/// but the way to the directory that is being listed.
#[derive(Debug, Clone, Copy)]
pub struct SyntheticStore {
    entries: u64,
    shape: Shape,
    file_bytes: u64,
    has_pairs: bool,
}

/// Which entries are in which directory.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// At most so many in each directory, level by level.
    Levels(u64),
    /// So many directories beside each other, with one file in each.
    Siblings(u64),
}

impl SyntheticStore {
    /// A tree of exactly `entries` entries, at most `per_directory` in each directory (at least
    /// one), whose files have `file_bytes` bytes.
    #[must_use]
    pub fn new(entries: u64, per_directory: u64, file_bytes: u64) -> Self {
        Self {
            entries,
            shape: Shape::Levels(per_directory.max(1)),
            file_bytes,
            has_pairs: false,
        }
    }

    /// A tree of `directories` directories beside each other, each with one file of `file_bytes`
    /// bytes: all of them are known before the first is entered.
    #[must_use]
    pub fn siblings(directories: u64, file_bytes: u64) -> Self {
        Self {
            entries: directories.saturating_mul(2),
            shape: Shape::Siblings(directories),
            file_bytes,
            has_pairs: false,
        }
    }

    /// The same tree, in which every two files beside each other are names of one file.
    #[must_use]
    pub fn with_pairs(mut self) -> Self {
        self.has_pairs = true;
        self
    }

    /// The numbers of what is in the directory `number`; empty for a file. The root is number 0.
    fn children(&self, number: u64) -> Range<u64> {
        let (first, count) = match self.shape {
            Shape::Levels(per_directory) => {
                let first = number.saturating_mul(per_directory).saturating_add(1);
                (first, per_directory)
            }
            Shape::Siblings(directories) if number == 0 => (1, directories),
            Shape::Siblings(directories) => (directories.saturating_add(number), 1),
        };
        let end = first
            .saturating_add(count)
            .min(self.entries.saturating_add(1));
        first.min(end)..end
    }

    fn entry(&self, number: u64) -> Result<Entry> {
        let is_directory = number == 0 || !self.children(number).is_empty();
        let kind = match is_directory {
            true => Kind::Directory,
            false => Kind::File,
        };
        let mut entry = Entry::new(name(number)?, kind);
        entry.mode = 0o755;
        if !is_directory {
            entry.mode = 0o644;
            (entry.size, entry.allocated) = (self.file_bytes, self.file_bytes);
        }
        entry.modified = CHANGED;
        entry.identity = Identity {
            device: DEVICE,
            inode: number + 1,
            mount: DEVICE,
            changed: CHANGED,
            links: 1,
        };
        if self.has_pairs && !is_directory {
            entry.identity.inode = (number & !1) + 1;
            entry.identity.links = 2;
        }
        Ok(entry)
    }

    /// The number of the entry at `path`.
    fn find(&self, path: &RelPath) -> Option<u64> {
        path.components().iter().try_fold(0, |directory, part| {
            let digits = std::str::from_utf8(part.as_bytes())
                .ok()?
                .strip_prefix('e')?;
            let number = digits.parse().ok()?;
            let is_it = name(number).is_ok_and(|name| name == **part);
            (is_it && self.children(directory).contains(&number)).then_some(number)
        })
    }

    fn expect(&self, path: &RelPath, expect: Option<&Entry>, op: &'static str) -> Result<Entry> {
        let number = self.find(path);
        let entry = match number {
            Some(number) => self.entry(number)?,
            None => return Err(Error::new(ErrorKind::NotFound, op).at(path)),
        };
        if expect.is_none_or(|scanned| entry.is_unchanged_since(scanned)) {
            return Ok(entry);
        }
        Err(Error::new(ErrorKind::Changed, op).at(path))
    }
}

/// Numbers with leading zeros, so that their order is that of their names.
fn name(number: u64) -> Result<Name> {
    Name::new(format!("e{number:012}").into_bytes())
        .map_err(|error| Error::new(ErrorKind::Bug, "name").with_source(error))
}

/// The bytes of the file of that inode: eight at a time, from its number and their place.
fn content(inode: u64, range: Range<u64>) -> Bytes {
    let first_word = range.start / 8;
    let mut bytes = BytesMut::with_capacity((range.end - range.start) as usize + 16);
    for word in first_word..range.end.div_ceil(8) {
        bytes.put_u64_le(scramble(inode.rotate_left(32) ^ word));
    }
    let skip = (range.start - first_word * 8) as usize;
    let len = (range.end - range.start) as usize;
    bytes.freeze().slice(skip..skip + len)
}

/// SplitMix64: every bit of the answer depends on every bit of the number.
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A listing on its way: the directories between the root and where it is.
struct Listing<'a> {
    store: SyntheticStore,
    cx: &'a Cx,
    options: ListOptions,
    levels: Vec<Level>,
}

/// One directory of them.
struct Level {
    path: RelPath,
    /// What is yet to be listed.
    unlisted: Range<u64>,
    /// What was listed and is to be entered, the first last.
    inside: Vec<u64>,
    /// Whether its last batch went out.
    is_listed: bool,
}

impl Level {
    fn new(store: SyntheticStore, path: RelPath, number: u64) -> Self {
        Self {
            path,
            unlisted: store.children(number),
            inside: Vec::new(),
            is_listed: false,
        }
    }
}

impl Listing<'_> {
    fn next(&mut self) -> Result<Option<EntryBatch>> {
        self.cx.check()?;
        while let Some(level) = self.levels.last_mut() {
            if !level.is_listed {
                return self.batch().map(Some);
            }
            match level.inside.pop() {
                Some(number) => {
                    let path = level.path.join(name(number)?);
                    self.levels.push(Level::new(self.store, path, number));
                }
                None => drop(self.levels.pop()),
            }
        }
        Ok(None)
    }

    fn batch(&mut self) -> Result<EntryBatch> {
        let Some(level) = self.levels.last_mut() else {
            return Err(Error::new(ErrorKind::Bug, "list"));
        };
        let mut batch = EntryBatch::new(level.path.clone());
        let end = level
            .unlisted
            .end
            .min(level.unlisted.start + BATCH_ENTRIES_MAX);
        for number in level.unlisted.start..end {
            let entry = self.store.entry(number)?;
            let selection = match &self.options.select {
                Some(select) => select.select(&level.path, &entry),
                None => Selection::Take,
            };
            let is_taken = selection == Selection::Take && self.options.recursive;
            if is_taken && entry.is_directory() {
                level.inside.push(number);
            }
            if selection != Selection::Skip {
                batch.entries.push(entry);
            }
        }
        level.unlisted.start = end;
        batch.last = level.unlisted.is_empty();
        if batch.last {
            level.is_listed = true;
            level.inside.reverse();
        }
        Ok(batch)
    }
}

/// A made-up file.
#[derive(Debug)]
struct SyntheticReader {
    entry: Entry,
}

#[async_trait]
impl Reader for SyntheticReader {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    async fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::default())
    }

    async fn extent(&self, offset: u64) -> Result<Option<Extent>> {
        let end = self.entry.size;
        Ok((offset < end).then_some(Extent { start: offset, end }))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end {
            return Err(Error::new(ErrorKind::Invalid, "read"));
        }
        if range.end > self.entry.size {
            return Err(Error::new(ErrorKind::Changed, "read"));
        }
        Ok(content(self.entry.identity.inode, range))
    }

    async fn check_unchanged(&self) -> Result<()> {
        Ok(())
    }
}

fn read_only<T>(op: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::ReadOnly, op))
}

#[async_trait]
impl Store for SyntheticStore {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn caps(&self) -> StoreCaps {
        CAPS
    }

    fn demands(&self) -> Demands {
        Demands::default()
    }

    fn list<'a>(
        &'a self,
        cx: &'a Cx,
        at: &'a RelPath,
        options: ListOptions,
    ) -> BoxStream<'a, Result<EntryBatch>> {
        let levels = match self.expect(at, None, "list") {
            Ok(entry) if entry.is_directory() => {
                vec![Level::new(*self, at.clone(), entry.identity.inode - 1)]
            }
            Ok(_) => {
                let error = Error::new(ErrorKind::Conflict, "list").at(at);
                return Box::pin(stream::once(async { Err(error) }));
            }
            Err(error) => return Box::pin(stream::once(async { Err(error) })),
        };
        let listing = Listing {
            store: *self,
            cx,
            options,
            levels,
        };
        Box::pin(stream::unfold(Some(listing), |listing| async {
            let mut listing = listing?;
            match listing.next() {
                Ok(batch) => batch.map(|batch| (Ok(batch), Some(listing))),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    async fn stat(&self, cx: &Cx, path: &RelPath) -> Result<Option<Entry>> {
        cx.check()?;
        self.find(path).map(|number| self.entry(number)).transpose()
    }

    async fn read_batch(&self, cx: &Cx, items: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>> {
        cx.check()?;
        let read = |item: ReadItem| {
            let entry = self.expect(&item.path, Some(&item.expect), "read")?;
            let bytes = match item.content {
                true => content(entry.identity.inode, 0..entry.size),
                false => Bytes::new(),
            };
            Ok(SmallFile::new(item.path, entry, bytes))
        };
        Ok(items.into_iter().map(read).collect())
    }

    async fn open_read(
        &self,
        cx: &Cx,
        path: &RelPath,
        options: ReadOptions,
    ) -> Result<Box<dyn Reader>> {
        cx.check()?;
        let entry = self.expect(path, options.expect.as_ref(), "open")?;
        if !entry.is_file() {
            return Err(Error::new(ErrorKind::Invalid, "open").at(path));
        }
        Ok(Box::new(SyntheticReader { entry }))
    }

    async fn open_write(&self, _: &Cx, _: &RelPath, _: WriteOptions) -> Result<Box<dyn Writer>> {
        read_only("open")
    }

    async fn write_batch(
        &self,
        _: &Cx,
        _: WritePolicy,
        _: Vec<SmallFile>,
    ) -> Result<Vec<Result<Staged>>> {
        read_only("stage")
    }

    async fn publish(
        &self,
        _: &Cx,
        _: WritePolicy,
        _: Vec<Staged>,
    ) -> Result<Vec<Result<Published>>> {
        read_only("publish")
    }

    async fn apply(&self, _: &Cx, _: WritePolicy, _: Vec<MetaOp>) -> Result<Vec<Result<Applied>>> {
        read_only("apply")
    }

    async fn delete(
        &self,
        _: &Cx,
        _: WritePolicy,
        _: Vec<(RelPath, Entry)>,
    ) -> Result<Vec<Result<()>>> {
        read_only("delete")
    }

    async fn sync(&self, cx: &Cx, _: SyncScope) -> Result<()> {
        cx.check()
    }

    async fn ancestry(&self, cx: &Cx, path: &RelPath) -> Result<Vec<Identity>> {
        cx.check()?;
        let mut chain = Vec::new();
        let mut at = Some(path);
        while let Some(path) = at {
            if let Some(number) = self.find(path) {
                chain.push(self.entry(number)?.identity);
            }
            at = path.parent();
        }
        Ok(chain)
    }

    async fn usage(&self, cx: &Cx) -> Result<Usage> {
        cx.check()?;
        let used = self.entries.saturating_mul(self.file_bytes);
        Ok(Usage::new((used, 0), (self.entries, 0)))
    }
}
