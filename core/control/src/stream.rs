//! A gRPC call that carries bytes both ways, as a stream of a connection.

use std::{collections::VecDeque, fmt, time::Duration};

use async_trait::async_trait;
use blit_contract::{Chunk, Error, ErrorKind, RecvStream, Result, SendStream};
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use crate::proto::Piece;

/// One piece on the way. Larger ones would hold up other streams of the connection.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// The most bytes of one message, for both ends.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Flow-control windows of both ends: with 4 MiB for each, four lanes fill 1 Gbit/s at 130 ms. Four lanes that
/// nobody reads leave room for the session's own stream, and cost a daemon 20 MiB for each connection of a
/// peer that says what nobody hears.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 4 << 20;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 5 * STREAM_WINDOW_BYTES;

/// How often each end asks whether the other is there, and how long it waits for the answer.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How many pieces may wait to be written.
pub(crate) const PIECES_AHEAD: usize = 4;

/// The half that sends; `T` is what the call wants its pieces in.
pub(crate) struct CallSend<T> {
    pieces: Option<mpsc::Sender<T>>,
    wrap: fn(Piece) -> T,
    broken: fn(u32) -> Option<T>,
}

impl CallSend<Piece> {
    /// The client's half.
    pub(crate) fn of_client(pieces: mpsc::Sender<Piece>) -> Self {
        Self {
            pieces: Some(pieces),
            wrap: |piece| piece,
            // Without an end the server sees that the call was dropped.
            broken: |_| None,
        }
    }
}

impl CallSend<Result<Piece, Status>> {
    /// The server's half.
    pub(crate) fn of_server(pieces: mpsc::Sender<Result<Piece, Status>>) -> Self {
        Self {
            pieces: Some(pieces),
            wrap: Ok,
            broken: |code| Some(Err(Status::aborted(format!("reset with code {code}")))),
        }
    }
}

impl<T> fmt::Debug for CallSend<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallSend")
    }
}

#[async_trait]
impl<T: Send + 'static> SendStream for CallSend<T> {
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> Result<u64> {
        let pieces = self.pieces.as_ref().ok_or_else(gone)?;
        let Some(Chunk::Bytes(bytes)) = chunks.front_mut() else {
            return match chunks.is_empty() {
                true => Ok(0),
                false => Err(Error::new(ErrorKind::Bug, "send").because("only bytes can cross")),
            };
        };
        let place = pieces.reserve().await.map_err(|_| gone())?;
        let data = bytes.split_to(bytes.len().min(PIECE_BYTES_MAX));
        let size = data.len() as u64;
        if bytes.is_empty() {
            chunks.pop_front();
        }
        place.send((self.wrap)(Piece {
            data,
            opening: None,
        }));
        Ok(size)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        self.pieces = None;
        Ok(())
    }

    fn reset(&mut self, code: u32) {
        if let (Some(pieces), Some(end)) = (self.pieces.take(), (self.broken)(code)) {
            // A full queue: the call ends without its end, which is as good.
            drop(pieces.try_send(end));
        }
    }
}

impl<T> Drop for CallSend<T> {
    /// Not finished: the other side must not take this for the end.
    fn drop(&mut self) {
        if let (Some(pieces), Some(end)) = (self.pieces.take(), (self.broken)(0)) {
            drop(pieces.try_send(end));
        }
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Unreachable, "send").because("the connection to the peer is lost")
}

/// The half that receives.
pub(crate) struct CallRecv {
    pieces: Option<Streaming<Piece>>,
    is_client: bool,
}

/// How long a call may last that nobody listens to any more, for what is still on its way out.
const LINGER: Duration = Duration::from_secs(30);

impl CallRecv {
    /// The client's half.
    pub(crate) fn of_client(pieces: Streaming<Piece>) -> Self {
        Self {
            pieces: Some(pieces),
            is_client: true,
        }
    }

    /// The server's half.
    pub(crate) fn of_server(pieces: Streaming<Piece>) -> Self {
        Self {
            pieces: Some(pieces),
            is_client: false,
        }
    }
}

impl Drop for CallRecv {
    /// A client that drops the answer cancels the whole call, and with it what it has sent and what is
    /// not yet written. So the answer is heard to its end.
    fn drop(&mut self) {
        let pieces = self.pieces.take().filter(|_| self.is_client);
        if let (Some(mut pieces), Ok(runtime)) = (pieces, tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LINGER, async move {
                while let Ok(Some(_)) = pieces.message().await {}
            }));
        }
    }
}

impl fmt::Debug for CallRecv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallRecv")
    }
}

#[async_trait]
impl RecvStream for CallRecv {
    async fn recv(&mut self, _bytes_max: usize) -> Result<Option<Chunk>> {
        let Some(pieces) = &mut self.pieces else {
            return Ok(None);
        };
        match pieces.message().await {
            Ok(Some(piece)) => Ok(Some(Chunk::Bytes(piece.data))),
            Ok(None) => {
                self.pieces = None;
                Ok(None)
            }
            Err(status) => Err(from_status("receive", &status)),
        }
    }

    fn stop(&mut self, _code: u32) {
        self.pieces = None;
    }
}

/// What a call ended with, in our words.
pub(crate) fn from_status(op: &'static str, status: &Status) -> Error {
    let kind = match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => ErrorKind::Denied,
        Code::ResourceExhausted => ErrorKind::Busy,
        Code::InvalidArgument | Code::OutOfRange => ErrorKind::Invalid,
        Code::Unimplemented => ErrorKind::Unsupported,
        _ => ErrorKind::Unreachable,
    };
    Error::new(kind, op).because(status.message())
}
