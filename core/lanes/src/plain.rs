//! Streams over a socket that something else encrypts.

use std::{collections::VecDeque, fmt, io};

use async_trait::async_trait;
use blit_contract::{Chunk, Error, ErrorKind, RecvStream, Result, SendStream};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much room there is to receive into. TLS hands out 16 KiB at a time.
const ROOM_BYTES: usize = 256 << 10;

/// With less room than this a new one is made.
const ROOM_BYTES_MIN: usize = 16 << 10;

/// The half that sends.
pub(crate) struct PlainSend<S>(Option<S>);

impl<S> PlainSend<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self(Some(socket))
    }
}

impl<S> fmt::Debug for PlainSend<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainSend")
    }
}

#[async_trait]
impl<S: AsyncWrite + Send + Unpin> SendStream for PlainSend<S> {
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> Result<u64> {
        let socket = self.0.as_mut().ok_or_else(ended)?;
        let bytes = first_bytes(chunks)?;
        let sent = socket.write(bytes).await.map_err(|error| lost(&error))?;
        bytes.advance(sent);
        if bytes.is_empty() {
            chunks.pop_front();
        }
        if chunks.is_empty() {
            // What was taken may still be on its way through the cipher.
            socket.flush().await.map_err(|error| lost(&error))?;
        }
        Ok(sent as u64)
    }

    async fn flush(&mut self) -> Result<()> {
        let socket = self.0.as_mut().ok_or_else(ended)?;
        socket.flush().await.map_err(|error| lost(&error))
    }

    async fn finish(&mut self) -> Result<()> {
        let mut socket = self.0.take().ok_or_else(ended)?;
        // The cipher's own end: without it the peer takes this for a broken lane.
        socket.shutdown().await.map_err(|error| lost(&error))
    }

    fn reset(&mut self, _code: u32) {
        self.0 = None;
    }
}

/// The half that receives.
pub(crate) struct PlainRecv<S> {
    socket: Option<S>,
    room: BytesMut,
}

impl<S> PlainRecv<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self {
            socket: Some(socket),
            room: BytesMut::new(),
        }
    }
}

impl<S> fmt::Debug for PlainRecv<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainRecv")
    }
}

#[async_trait]
impl<S: AsyncRead + Send + Unpin> RecvStream for PlainRecv<S> {
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>> {
        let Some(socket) = &mut self.socket else {
            return Ok(None);
        };
        if self.room.len() < ROOM_BYTES_MIN {
            self.room = BytesMut::zeroed(ROOM_BYTES);
        }
        let wanted = self.room.len().min(bytes_max);
        let read = socket.read(&mut self.room[..wanted]).await;
        match read.map_err(|error| lost(&error))? {
            0 => {
                self.socket = None;
                Ok(None)
            }
            size => Ok(Some(Chunk::Bytes(self.room.split_to(size).freeze()))),
        }
    }

    fn stop(&mut self, _code: u32) {
        self.socket = None;
    }
}

/// The bytes in front. Objects cannot leave the process.
pub(crate) fn first_bytes(chunks: &mut VecDeque<Chunk>) -> Result<&mut Bytes> {
    match chunks.front_mut() {
        Some(Chunk::Bytes(bytes)) => Ok(bytes),
        _ => Err(Error::new(ErrorKind::Bug, "send").because("only bytes can cross")),
    }
}

pub(crate) fn ended() -> Error {
    Error::new(ErrorKind::Unreachable, "send").because("the lane has ended")
}

pub(crate) fn lost(error: &io::Error) -> Error {
    Error::new(ErrorKind::Unreachable, "use a lane").because(error.to_string())
}
