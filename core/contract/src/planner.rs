//! The choice of how to move what.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures_core::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{Cost, Descriptor, Entry, RelPath, Replace, Result, StoreCaps, TransportCaps};

/// Turns differences into pieces of work, as they arrive.
///
/// A planner does no I/O and reads no clock: the same differences, history and seed give the same plan.
pub trait Planner: Debug + Send + Sync + 'static {
    /// Says who this is.
    fn descriptor(&self) -> &Descriptor;

    /// Plans the differences. Each is covered by the work exactly once; ranges of a file tile it.
    /// An error among the differences is passed on in its place.
    fn plan<'a>(
        &'a self,
        cx: PlanCx<'a>,
        diffs: BoxStream<'a, Result<Diff>>,
    ) -> BoxStream<'a, Result<WorkItem>>;

    /// Learns how a piece of work went. May be called from any task, in any order.
    fn observe(&self, outcome: &Outcome);
}

/// What a planner knows when it begins.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct PlanCx<'a> {
    /// What the source can do.
    pub source: StoreCaps,
    /// What the target can do.
    pub target: StoreCaps,
    /// What the connection can do.
    pub connection: TransportCaps,
    /// What earlier runs measured.
    pub history: &'a dyn History,
    /// How many pieces of work run at a time.
    pub workers: u32,
    /// The only source of randomness.
    pub seed: u64,
}

impl<'a> PlanCx<'a> {
    /// What a planner knows without any capability.
    #[must_use]
    pub fn new(history: &'a dyn History, workers: u32, seed: u64) -> Self {
        Self {
            source: StoreCaps::new(),
            target: StoreCaps::new(),
            connection: TransportCaps::new(),
            history,
            workers,
            seed,
        }
    }

    /// The same with the capabilities of both ends.
    #[must_use]
    pub fn with_caps(
        mut self,
        source: StoreCaps,
        target: StoreCaps,
        connection: TransportCaps,
    ) -> Self {
        (self.source, self.target, self.connection) = (source, target, connection);
        self
    }
}

/// What earlier runs of this machine measured.
pub trait History: Send + Sync {
    /// The measured cost of a method for files of about `size_bytes`, if there is any.
    fn cost(&self, method: Method, size_bytes: u64) -> Option<Cost>;
}

/// A history that knows nothing: the planner works without one.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn cost(&self, _method: Method, _size_bytes: u64) -> Option<Cost> {
        None
    }
}

/// One entry that the target lacks, or has otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diff {
    /// Where, in both trees.
    pub path: RelPath,
    /// What the source has there.
    pub entry: Entry,
    /// What is needed.
    pub kind: DiffKind,
    /// What it may take the place of.
    pub replace: Replace,
    /// How often it was tried before; after the first time the source looks at it anew.
    pub attempt: u8,
    /// The target's number for it; answers that leave the process name it by this.
    pub id: u64,
}

impl Diff {
    /// The entry at `path` needs what `kind` says.
    #[must_use]
    pub fn new(path: RelPath, entry: Entry, kind: DiffKind, replace: Replace) -> Self {
        Self {
            path,
            entry,
            kind,
            replace,
            attempt: 0,
            id: 0,
        }
    }
}

/// What the target needs of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DiffKind {
    /// Its attributes, to make or compare the metadata of what is there.
    Attributes,
    /// All of its content and attributes.
    Content,
    /// The digest of its content, to compare by content.
    Digest,
}

/// A piece of work.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkItem {
    /// Its number, from 0, in the order of planning.
    pub id: u64,
    /// What to do.
    pub work: Work,
    /// Why so, in a few words: for `-vv` and `--json`.
    pub reason: &'static str,
}

impl WorkItem {
    /// Work number `id`.
    #[must_use]
    pub fn new(id: u64, work: Work, reason: &'static str) -> Self {
        Self { id, work, reason }
    }
}

/// What a piece of work does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Work {
    /// Sends the attributes of these entries.
    Attributes(Vec<Diff>),
    /// Sends the digests of these files.
    Digests(Vec<Diff>),
    /// Sends these small files together.
    Pack(Vec<Diff>),
    /// Sends bytes `[start, end)` of one file: piece `part` of `parts`, which together tile it.
    Range {
        /// The file.
        diff: Arc<Diff>,
        /// The first byte.
        start: u64,
        /// The byte after the last.
        end: u64,
        /// Which piece this is, from 0.
        part: u32,
        /// How many pieces there are.
        parts: u32,
    },
    /// Sends one file whole.
    Whole(Diff),
}

/// A way to move the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// `copy_file_range`: inside the kernel.
    CopyFileRange,
    /// Many small files in one buffer.
    Pack,
    /// Read into memory, write from there.
    Pump,
    /// `FICLONE`: shared blocks, no copy at all.
    Reflink,
    /// `sendfile`: from a file to a socket inside the kernel.
    Sendfile,
    /// `splice`: from a socket to a file inside the kernel.
    Splice,
}

/// How a piece of work went.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// Which piece.
    pub item: u64,
    /// What was measured; `None` if it failed.
    pub sample: Option<Sample>,
}

impl Outcome {
    /// The outcome of piece `item`.
    #[must_use]
    pub fn new(item: u64, sample: Option<Sample>) -> Self {
        Self { item, sample }
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sample {
    /// How it was moved.
    pub method: Method,
    /// How many files.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl Sample {
    /// `files` files with `bytes` bytes took that long.
    #[must_use]
    pub fn new(method: Method, files: u64, bytes: u64, took: Duration) -> Self {
        Self {
            method,
            files,
            bytes,
            took,
        }
    }
}
