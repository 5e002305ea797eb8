//! A file that arrives over a lane, in pieces.

use std::ops::Range;

use blit_contract::{ContentHasher, Error, ErrorKind, Result};
use blit_mover::{Inlet, Seen};
use blit_wire::FileSeal;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// How many pieces of at most 1 MiB may wait for the disk.
const PIECES_AHEAD: usize = 4;

/// One piece of a file that arrives. Pieces come in ascending order, without overlap and within the size.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Data, and where it belongs.
    Data(u64, Bytes),
    /// Data that is there already: it went into the file that [`Pieces::let_kernel`] gave.
    Placed(Range<u64>, Seen),
    /// A range is as the ledger of the file has it.
    Same(Range<u64>),
    /// Nothing more comes.
    End(Result<FileSeal>),
}

/// The pieces of one file, in the order in which they arrive.
#[derive(Debug)]
pub(crate) struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    inlet: Option<oneshot::Sender<Option<Inlet>>>,
}

impl Pieces {
    /// Says whether the lane may place data in the file by itself. It waits to be told.
    pub(crate) fn let_kernel(&mut self, inlet: Option<Inlet>) {
        if let Some(lane) = self.inlet.take() {
            drop(lane.send(inlet));
        }
    }

    /// The next piece.
    ///
    /// # Errors
    /// `Unreachable` if the lane ended before the file did.
    pub(crate) async fn next(&mut self) -> Result<Piece> {
        let ended = || {
            Error::new(ErrorKind::Unreachable, "receive")
                .because("the lane ended in the middle of the file")
        };
        self.pieces.recv().await.ok_or_else(ended)
    }
}

/// Where the lane puts what arrives of a file. Whoever takes it may be gone: then it goes nowhere.
#[derive(Debug)]
pub(super) struct Feed {
    pieces: mpsc::Sender<Piece>,
    placing: Placing,
    /// How far the file has come.
    at: u64,
    /// How large it is.
    size: u64,
    /// Why it cannot be whole any more.
    spoilt: Option<Error>,
}

/// Whether the kernel may place data, and in which file.
#[derive(Debug)]
enum Placing {
    /// Whoever takes the file has not said it yet.
    Asked(oneshot::Receiver<Option<Inlet>>),
    Told(Option<Inlet>),
}

/// A way for the pieces of one file of that size.
pub(super) fn feed(size: u64) -> (Feed, Pieces) {
    let (pieces, taken) = mpsc::channel(PIECES_AHEAD);
    let (inlet, asked) = oneshot::channel();
    let feed = Feed {
        pieces,
        placing: Placing::Asked(asked),
        at: 0,
        size,
        spoilt: None,
    };
    let pieces = Pieces {
        pieces: taken,
        inlet: Some(inlet),
    };
    (feed, pieces)
}

impl Feed {
    /// Says that what comes next belongs at `range`.
    ///
    /// # Errors
    /// `Invalid` if that is behind what has come, or beyond the size.
    pub(super) fn expect(&mut self, range: &Range<u64>) -> Result<()> {
        if range.start < self.at || range.end > self.size {
            return Err(broken("data out of its place"));
        }
        self.at = range.end;
        Ok(())
    }

    /// The file to place data in, if the kernel can.
    pub(super) async fn inlet(&mut self) -> Option<Inlet> {
        if let Placing::Asked(asked) = &mut self.placing {
            self.placing = Placing::Told(asked.await.unwrap_or_default());
        }
        match &self.placing {
            Placing::Told(inlet) if self.spoilt.is_none() => inlet.clone(),
            _ => None,
        }
    }

    pub(super) async fn data(&self, offset: u64, content: Bytes) {
        self.piece(Piece::Data(offset, content)).await;
    }

    pub(super) async fn placed(&self, range: Range<u64>, seen: Seen) {
        self.piece(Piece::Placed(range, seen)).await;
    }

    pub(super) async fn same(&self, range: Range<u64>) {
        self.piece(Piece::Same(range)).await;
    }

    /// A part is missing. What comes after it goes nowhere.
    pub(super) fn spoil(&mut self, error: Error) {
        self.spoilt.get_or_insert(error);
    }

    pub(super) async fn end(mut self, end: Result<FileSeal>) {
        let end = match self.spoilt.take() {
            // What went wrong at the source is why the part is missing.
            Some(error) => end.and(Err(error)),
            None => end,
        };
        self.piece(Piece::End(end)).await;
    }

    async fn piece(&self, piece: Piece) {
        if self.spoilt.is_none() {
            drop(self.pieces.send(piece).await);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_or_beyond_is_refused() {
        let (mut feed, _pieces) = feed(10);
        feed.expect(&(2..4)).unwrap();
        feed.expect(&(4..10)).unwrap();
        for range in [3..4, 9..11, 10..u64::MAX] {
            let error = feed.expect(&range).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{range:?}");
        }
    }

    #[tokio::test]
    async fn a_missing_part_is_the_end_of_it_unless_the_source_has_a_reason() {
        let seal = || FileSeal {
            digest: [0; 32],
            attributes: blit_contract::Attributes::default(),
        };
        let missing = || Error::new(ErrorKind::Corrupt, "receive");
        let changed = || Error::new(ErrorKind::Changed, "read");
        for (end, expected) in [
            (Ok(seal()), ErrorKind::Corrupt),
            (Err(changed()), ErrorKind::Changed),
        ] {
            let (mut feed, mut pieces) = feed(4);
            feed.spoil(missing());
            feed.data(0, "abcd".into()).await;
            feed.end(end).await;
            let Piece::End(Err(error)) = pieces.next().await.unwrap() else {
                panic!("something came after the missing part");
            };
            assert_eq!(error.kind(), expected);
        }
    }

    #[tokio::test]
    async fn a_lane_that_dies_is_no_end() {
        let (feed, mut pieces) = feed(4);
        drop(feed);
        let error = pieces.next().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
    }

    #[test]
    fn what_is_not_what_the_source_read_is_corrupt() {
        let seal = FileSeal {
            digest: ContentHasher::digest(b"abcd"),
            attributes: blit_contract::Attributes::default(),
        };
        let mut hasher = ContentHasher::default();
        hasher.update(b"abcX");
        assert_eq!(prove(hasher, &seal).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
