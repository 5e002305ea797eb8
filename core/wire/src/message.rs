//! The messages of a session, and the payloads of its lanes.

use std::sync::Arc;

use blit_contract::{Diff, Entry, EntryBatch, Reader, RelPath, Result, SmallFile};

/// What a session does with the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Compare, change nothing.
    Check,
    /// Add and update; delete nothing.
    Copy,
    /// Make the target equal the source: also delete what is extra.
    Mirror,
    /// Copy, verify, then remove from the source exactly what was verified.
    Move,
}

/// One message on the session's two-way stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum Message {
    /// The answer to `Open`: go on.
    Accept(Accept),
    /// The first message both ways.
    Hello(Hello),
    /// Target: what it has already of a file that it will need; comes before that need.
    Ledger(Ledger),
    /// Source: some entries of one directory; parents before children.
    Listing(EntryBatch),
    /// Target: these are needed.
    Needs(Vec<Diff>),
    /// Target: nothing more is needed, and every need was answered.
    NeedsDone,
    /// Initiator: what the session is to do.
    Open(Open),
    /// Source: the listing is complete and free of errors.
    Seal(Seal),
    /// Target: these entries are committed; `move` may remove them at the source.
    Settled(Vec<Settled>),
    /// Source: what it removed. Target: everything is done. The last message of each.
    Summary(Summary),
    /// Source: the listing ended, but is not complete.
    Unsealed(Unsealed),
}

/// Who speaks, and which versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The oldest and the newest version that the sender speaks.
    pub versions: (u32, u32),
}

impl Hello {
    /// The highest version that both speak.
    #[must_use]
    pub fn common_version(&self, other: &Self) -> Option<u32> {
        let newest = self.versions.1.min(other.versions.1);
        let oldest = self.versions.0.max(other.versions.0);
        (oldest <= newest).then_some(newest)
    }
}

/// What the session is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What to do with the target.
    pub verb: Verb,
    /// Change nothing.
    pub dry_run: bool,
    /// The source directory itself, if all of its contents are meant: the target's root becomes like
    /// it, and what is extra there is extra. Otherwise only named entries of it are meant.
    pub root: Option<Entry>,
    /// How many lanes the source opens.
    pub lanes: u32,
}

/// The session may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accept {
    /// The version that both speak from here on.
    pub version: u32,
}

/// The digests ([`blit_contract::ContentHasher`]) of blocks of a file that the target has already: of an
/// older version, or of a transfer that was cut off. They only save the sending of what is equal; that a
/// file is whole is proved by the digest of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The number that the need for the file will have.
    pub need: u64,
    /// The size of every block but the last of the file.
    pub block_bytes: u64,
    /// The digests of the next blocks; the first part begins with the first block.
    pub digests: Vec<[u8; 32]>,
}

/// The listing is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// How many entries it had.
    pub entries: u64,
}

/// The listing is not complete: nothing may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsealed {
    /// How many entries it had.
    pub entries: u64,
    /// How many things could not be listed.
    pub problems: u64,
}

/// An entry that is committed at the target.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Which.
    pub path: RelPath,
    /// What the source had listed there.
    pub entry: Entry,
}

/// What one side did in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries that it removed from its own tree.
    pub removed: u64,
}

/// What crosses a lane: the answer to one or more needs.
#[derive(Debug)]
pub struct Payload {
    /// The number of the piece of work.
    pub item: u64,
    /// Why it was planned so.
    pub reason: &'static str,
    /// The answers.
    pub body: Body,
}

/// The answers to needs. Each need is answered exactly once, with what was asked or an error.
#[derive(Debug)]
#[non_exhaustive]
pub enum Body {
    /// Attributes, each beside its need.
    Attributes(Vec<(Diff, Result<SmallFile>)>),
    /// Digests of content, each beside its need.
    Digests(Vec<(Diff, Result<[u8; 32]>)>),
    /// A whole file, as an open reader. Only where both roles share a process.
    File(Diff, Result<Box<dyn Reader>>),
    /// Small files, each beside its need.
    Pack(Vec<(Diff, Result<SmallFile>)>),
    /// A part of a file, as an open reader that its other parts share.
    Range(RangePart, Result<Arc<dyn Reader>>),
}

/// Which part of which file: bytes `[start, end)`, piece `part` of `parts`.
#[derive(Debug, Clone)]
pub struct RangePart {
    /// The file.
    pub diff: Arc<Diff>,
    /// The first byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// Which piece this is, from 0.
    pub part: u32,
    /// How many pieces there are.
    pub parts: u32,
}
