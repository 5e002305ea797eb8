//! What crosses a lane that leaves the process: answers to needs, and the bytes of files.

use blit_contract::{Attributes, Entry, Result};
use bytes::Bytes;

/// One frame on a lane. A file's data and end follow its start on the same lane, with nothing between.
#[derive(Debug)]
#[non_exhaustive]
pub enum Frame {
    /// Attributes of entries.
    Attributes(Answers<Carried>),
    /// A run of data of the file that was started. The bytes follow behind the frame, as they are: so
    /// they pass without being copied, and where the kernel can move them without being seen.
    Data {
        /// Where it belongs, in bytes.
        offset: u64,
        /// How many bytes follow, at most [`crate::DATA_BYTES_MAX`].
        bytes: u64,
    },
    /// Digests of content.
    Digests(Answers<[u8; 32]>),
    /// The file that was started is complete, or could not be read to its end.
    FileEnd(Result<FileSeal>),
    /// A file begins.
    FileStart(FileStart),
    /// Small files, whole.
    Pack(Answers<Carried>),
    /// A run of blocks of the file that was started is as its ledger has them.
    Same {
        /// Where the first block begins, in bytes.
        offset: u64,
        /// How many bytes the run has.
        bytes: u64,
    },
}

/// Answers to needs, each beside the number of its need.
#[derive(Debug)]
pub struct Answers<T> {
    /// The number of the piece of work.
    pub item: u64,
    /// Why it was planned so.
    pub reason: &'static str,
    /// The answers.
    pub answers: Vec<(u64, Result<T>)>,
}

/// An entry as it was read, its attributes, and its content if that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// What it was when it was read.
    pub entry: Entry,
    /// Its extended attributes.
    pub attributes: Attributes,
    /// Its content.
    pub content: Bytes,
}

/// The beginning of a file.
#[derive(Debug)]
pub struct FileStart {
    /// The number of the piece of work.
    pub item: u64,
    /// Why it was planned so.
    pub reason: &'static str,
    /// Which need it answers.
    pub need: u64,
    /// What it was when it was opened; an error, and nothing follows.
    pub entry: Result<Entry>,
}

/// The end of a file that did not change while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeal {
    /// The digest ([`blit_contract::ContentHasher`]) of what was read.
    pub digest: [u8; 32],
    /// Its extended attributes.
    pub attributes: Attributes,
}
