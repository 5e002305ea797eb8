//! A file that arrives over a lane, as something that can be read.

use std::ops::Range;

use async_trait::async_trait;
use blit_contract::{Attributes, ContentHasher, Entry, Error, ErrorKind, Extent, Reader, Result};
use blit_wire::FileSeal;
use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, mpsc};

/// How many pieces of at most 1 MiB may wait for the disk.
const PIECES_AHEAD: usize = 4;

/// One piece of a file that arrives.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Data, and where it belongs.
    Data(u64, Bytes),
    /// A range is as the ledger of the file has it.
    Same(Range<u64>),
    /// Nothing more comes.
    End(Result<FileSeal>),
}

/// The pieces of one file, in the order in which they arrive.
#[derive(Debug)]
pub(crate) struct Pieces(mpsc::Receiver<Piece>);

impl Pieces {
    /// The next piece.
    ///
    /// # Errors
    /// `Unreachable` if the lane ended before the file did.
    pub(crate) async fn next(&mut self) -> Result<Piece> {
        let ended = || {
            Error::new(ErrorKind::Unreachable, "receive")
                .because("the lane ended in the middle of the file")
        };
        self.0.recv().await.ok_or_else(ended)
    }
}

/// Where the lane puts what arrives. The reader may be gone: then it goes nowhere.
#[derive(Debug)]
pub(super) struct Feed(mpsc::Sender<Piece>);

/// A way for the pieces of one file.
pub(super) fn feed() -> (Feed, Pieces) {
    let (feed, pieces) = mpsc::channel(PIECES_AHEAD);
    (Feed(feed), Pieces(pieces))
}

impl Feed {
    pub(super) async fn data(&self, offset: u64, content: Bytes) {
        drop(self.0.send(Piece::Data(offset, content)).await);
    }

    pub(super) async fn same(&self, range: Range<u64>) {
        drop(self.0.send(Piece::Same(range)).await);
    }

    pub(super) async fn end(&self, end: Result<FileSeal>) {
        drop(self.0.send(Piece::End(end)).await);
    }
}

/// A file like `entry`, and where to put what arrives of it.
pub(super) fn carried_file(entry: Entry) -> (Feed, Box<dyn Reader>) {
    let (feed, pieces) = feed();
    let reader = CarriedFile {
        entry,
        arrived: Mutex::new(Arrived {
            pieces,
            ahead: None,
            at: 0,
            hasher: ContentHasher::default(),
            end: None,
        }),
    };
    (feed, Box::new(reader))
}

/// Reads from front to back what arrives.
struct CarriedFile {
    entry: Entry,
    arrived: Mutex<Arrived>,
}

impl std::fmt::Debug for CarriedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CarriedFile").field(&self.entry).finish()
    }
}

struct Arrived {
    pieces: Pieces,
    /// Data that nobody has read yet, and where it belongs.
    ahead: Option<(u64, Bytes)>,
    /// How far it has arrived.
    at: u64,
    hasher: ContentHasher,
    end: Option<FileSeal>,
}

impl Arrived {
    /// Waits until data is ahead, or the end is known.
    async fn fetch(&mut self, size: u64) -> Result<()> {
        while self.ahead.is_none() && self.end.is_none() {
            match self.pieces.next().await? {
                Piece::Data(offset, content) => {
                    let end = offset.saturating_add(content.len() as u64);
                    if offset < self.at || end > size {
                        return Err(broken("data out of its place"));
                    }
                    self.hasher.skip(offset - self.at);
                    self.hasher.update(&content);
                    self.at = end;
                    self.ahead = Some((offset, content));
                }
                Piece::End(end) => {
                    let seal = end?;
                    let mut hasher = std::mem::take(&mut self.hasher);
                    hasher.skip(size - self.at);
                    prove(hasher, &seal)?;
                    self.end = Some(seal);
                }
                Piece::Same(_) => return Err(broken("what it has no ledger of")),
            }
        }
        Ok(())
    }

    /// The end, once everything has been read.
    async fn end(&mut self, size: u64) -> Result<&FileSeal> {
        self.fetch(size).await?;
        if self.ahead.is_some() {
            return Err(broken("more data than belongs to it"));
        }
        let missing = || broken("no end");
        self.end.as_ref().ok_or_else(missing)
    }
}

/// Compares what arrived with what the source read.
pub(crate) fn prove(hasher: ContentHasher, seal: &FileSeal) -> Result<[u8; 32]> {
    let digest = hasher.finish();
    if digest == seal.digest {
        return Ok(digest);
    }
    Err(Error::new(ErrorKind::Corrupt, "receive").because("it is not what the source read"))
}

/// The source breaks the protocol.
pub(crate) fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, "receive").because(format!("the source sent {what}"))
}

/// Whether the peer broke the protocol: nothing more is taken of it.
pub(crate) fn is_violation(error: &Error) -> bool {
    error.op() == "receive" && error.kind() == ErrorKind::Invalid
}

#[async_trait]
impl Reader for CarriedFile {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    async fn attributes(&self) -> Result<Attributes> {
        let mut arrived = self.arrived.lock().await;
        Ok(arrived.end(self.entry.size).await?.attributes.clone())
    }

    async fn extent(&self, offset: u64) -> Result<Option<Extent>> {
        let mut arrived = self.arrived.lock().await;
        arrived.fetch(self.entry.size).await?;
        Ok(arrived.ahead.as_ref().map(|(start, data)| Extent {
            start: (*start).max(offset),
            end: *start + data.len() as u64,
        }))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let mut arrived = self.arrived.lock().await;
        let mut found = BytesMut::new();
        let mut at = range.start;
        while at < range.end {
            arrived.fetch(self.entry.size).await?;
            let Some((start, mut data)) = arrived.ahead.take() else {
                return Err(broken("less data than belongs to it"));
            };
            if start != at {
                return Err(broken("a hole in a file without holes"));
            }
            let wanted = usize::try_from(range.end - at).unwrap_or(usize::MAX);
            let part = data.split_to(wanted.min(data.len()));
            at += part.len() as u64;
            if !data.is_empty() {
                arrived.ahead = Some((at, data));
            }
            if found.is_empty() && at == range.end {
                return Ok(part);
            }
            found.extend_from_slice(&part);
        }
        Ok(found.freeze())
    }

    async fn check_unchanged(&self) -> Result<()> {
        let mut arrived = self.arrived.lock().await;
        arrived.end(self.entry.size).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blit_contract::{Kind, Name};

    fn entry(size: u64) -> Entry {
        let mut entry = Entry::new(Name::new(*b"f").unwrap(), Kind::File);
        (entry.size, entry.allocated) = (size, size);
        entry
    }

    fn seal(content: &[u8]) -> FileSeal {
        FileSeal {
            digest: ContentHasher::digest(content),
            attributes: Attributes::default(),
        }
    }

    #[tokio::test]
    async fn pieces_of_any_size_are_read_in_pieces_of_any_other() {
        let (feed, reader) = carried_file(entry(9));
        feed.data(0, "abcd".into()).await;
        feed.data(4, "efghi".into()).await;
        feed.end(Ok(seal(b"abcdefghi"))).await;
        assert_eq!(reader.read(0..6).await.unwrap(), "abcdef");
        assert_eq!(reader.read(6..9).await.unwrap(), "ghi");
        reader.check_unchanged().await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_what_the_source_read_is_corrupt() {
        let (feed, reader) = carried_file(entry(4));
        feed.data(0, "abcX".into()).await;
        feed.end(Ok(seal(b"abcd"))).await;
        reader.read(0..4).await.unwrap();
        let error = reader.check_unchanged().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }

    #[tokio::test]
    async fn data_beyond_the_size_or_before_its_place_is_refused() {
        for (offset, content) in [(2, "abc"), (u64::MAX - 1, "abc")] {
            let (feed, reader) = carried_file(entry(4));
            feed.data(offset, content.into()).await;
            let error = reader.extent(0).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    #[tokio::test]
    async fn nothing_is_the_same_as_in_a_ledger_that_was_never_sent() {
        let (feed, reader) = carried_file(entry(4));
        feed.same(0..4).await;
        let error = reader.read(0..4).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn holes_come_out_as_holes() {
        let (feed, reader) = carried_file(entry(10));
        feed.data(4, "abc".into()).await;
        let mut whole = vec![0; 4];
        whole.extend_from_slice(b"abc\0\0\0");
        feed.end(Ok(seal(&whole))).await;
        let extent = reader.extent(0).await.unwrap();
        assert_eq!(extent, Some(Extent { start: 4, end: 7 }));
        assert_eq!(reader.read(4..7).await.unwrap(), "abc");
        assert_eq!(reader.extent(7).await.unwrap(), None);
        reader.check_unchanged().await.unwrap();
    }

    #[tokio::test]
    async fn a_lane_that_dies_is_no_end() {
        let (feed, reader) = carried_file(entry(4));
        drop(feed);
        let error = reader.check_unchanged().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
    }
}
