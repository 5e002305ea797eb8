//! Streams over a socket that something else encrypts.

use std::{collections::VecDeque, fmt, io};

use async_trait::async_trait;
use blit_contract::{Chunk, Error, ErrorKind, RecvStream, Result, SendStream};
use blit_rooms::{Room, Rooms};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much room there is to receive into. TLS hands out 16 KiB at a time.
const ROOM_BYTES: usize = 256 << 10;

/// How much is handed out at a time of a run whose length is known: a write of it costs little more than
/// the copy, and it still lies in the cache when it is digested.
const SLICE_BYTES: usize = 256 << 10;

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
    /// For messages: many of them share it.
    room: BytesMut,
    rooms: Rooms,
    /// Part of a slice, and how much of it has come.
    begun: Option<(Room, usize)>,
}

impl<S> PlainRecv<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self {
            socket: Some(socket),
            room: BytesMut::new(),
            rooms: Rooms::default(),
            begun: None,
        }
    }

    /// At most `bytes_max` of what has come of a slice.
    fn hand_out(&mut self, bytes_max: usize) -> Option<Chunk> {
        let (mut room, came) = self.begun.take()?;
        let size = came.min(bytes_max);
        if size < came {
            let out = Bytes::copy_from_slice(&room[..size]);
            room.copy_within(size..came, 0);
            self.begun = Some((room, came - size));
            return Some(Chunk::Bytes(out));
        }
        (size > 0).then(|| Chunk::Bytes(self.rooms.lend(room, size)))
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
        if self.begun.as_ref().is_some_and(|(_, came)| *came > 0) {
            return Ok(self.hand_out(bytes_max));
        }
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

    async fn recv_due(&mut self, bytes_due: usize) -> Result<Option<Chunk>> {
        let wanted = bytes_due.min(SLICE_BYTES);
        while let Some(socket) = &mut self.socket {
            let (room, came) = self
                .begun
                .get_or_insert_with(|| (self.rooms.take(SLICE_BYTES), 0));
            if *came >= wanted {
                break;
            }
            let read = socket.read(&mut room[*came..wanted]).await;
            match read.map_err(|error| lost(&error))? {
                0 => self.socket = None,
                size => *came += size,
            }
        }
        Ok(self.hand_out(wanted))
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::io::{DuplexStream, duplex};

    fn pair() -> (DuplexStream, PlainRecv<DuplexStream>) {
        let (near, far) = duplex(1 << 20);
        (near, PlainRecv::new(far))
    }

    fn bytes(chunk: Option<Chunk>) -> Bytes {
        match chunk {
            Some(Chunk::Bytes(bytes)) => bytes,
            _ => panic!("no bytes came"),
        }
    }

    #[tokio::test]
    async fn crumbs_of_what_is_due_come_as_one_slice() {
        let (mut near, mut stream) = pair();
        near.write_all(b"abc").await.unwrap();
        assert!(stream.recv_due(6).now_or_never().is_none());
        near.write_all(b"defghi").await.unwrap();
        assert_eq!(bytes(stream.recv_due(6).await.unwrap()), "abcdef");
        assert_eq!(bytes(stream.recv(9).await.unwrap()), "ghi");
    }

    #[tokio::test]
    async fn what_had_come_when_a_call_was_dropped_comes_first() {
        let (mut near, mut stream) = pair();
        assert!(stream.recv_due(6).now_or_never().is_none());
        near.write_all(b"abc").await.unwrap();
        assert!(stream.recv_due(6).now_or_never().is_none());
        assert_eq!(bytes(stream.recv(2).await.unwrap()), "ab");
        assert_eq!(bytes(stream.recv_due(1).await.unwrap()), "c");
    }

    #[tokio::test]
    async fn the_end_comes_after_what_came_before_it() {
        let (mut near, mut stream) = pair();
        near.write_all(b"abc").await.unwrap();
        drop(near);
        assert_eq!(bytes(stream.recv_due(6).await.unwrap()), "abc");
        assert!(stream.recv_due(3).await.unwrap().is_none());
        assert!(stream.recv(3).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn no_slice_is_longer_than_a_room() {
        let (mut near, mut stream) = pair();
        near.write_all(&vec![7; SLICE_BYTES + 5]).await.unwrap();
        let first = bytes(stream.recv_due(SLICE_BYTES + 5).await.unwrap());
        assert_eq!(first.len(), SLICE_BYTES);
        assert_eq!(bytes(stream.recv_due(5).await.unwrap()).len(), 5);
    }
}
