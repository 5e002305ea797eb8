//! Streams over a socket in clear: chunks, each with a keyed digest.
//!
//! A chunk is four bytes of length, low byte first, the bytes, and the keyed BLAKE3 of the place of the
//! chunk in the stream, its length and the digests of its groups. The key is that of the stream and of who sends. A chunk
//! of no bytes is the end: a stream that is cut off does not pass for one that ended.
//!
//! Either half lends its socket for the bytes of one chunk: the kernel then moves them from or to a file,
//! and whoever has the lease shows them to the digest.

use std::{collections::VecDeque, fmt, os::fd::AsFd};

use async_trait::async_trait;
use blit_contract::{
    Chunk, Error, ErrorKind, FdKind, FdLease, GROUP_BYTES, Group, RecvStream, Result, SendStream,
    Witness,
};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::plain::{ended, first_bytes, lost};

/// The most bytes of one chunk.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

const LENGTH_BYTES: usize = 4;
const DIGEST_BYTES: usize = 32;

/// The digest of the chunk of `size` bytes that begins at `offset`, before it has seen them.
fn digest_of(key: &[u8; 32], offset: u64, size: u64) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&offset.to_le_bytes());
    hasher.update(&size.to_le_bytes());
    hasher
}

fn digest(key: &[u8; 32], offset: u64, bytes: &[u8]) -> blake3::Hash {
    let mut hasher = digest_of(key, offset, bytes.len() as u64);
    for group in bytes.chunks(GROUP_BYTES) {
        hasher.update(Group::of(group).digest());
    }
    hasher.finalize()
}

fn lease(socket: &impl AsFd, hasher: blake3::Hasher) -> Result<FdLease> {
    let fd = socket.as_fd().try_clone_to_owned();
    Ok(FdLease {
        fd: fd.map_err(|error| lost(&error))?,
        kind: FdKind::StreamSocket,
        witness: Witness::with(hasher),
    })
}

/// A lease was dropped, or there was none.
fn unsettled() -> Error {
    Error::new(ErrorKind::Bug, "settle").because("no lease, or no digest of what passed")
}

/// The half that sends.
pub(crate) struct SealedSend<S> {
    socket: Option<S>,
    key: [u8; 32],
    offset: u64,
    /// A chunk of which not everything is written.
    pending: VecDeque<Bytes>,
    /// For how many bytes the socket is lent.
    lent: Option<u64>,
}

impl<S> SealedSend<S> {
    pub(crate) fn new(socket: S, key: &[u8; 32]) -> Self {
        Self {
            socket: Some(socket),
            key: *key,
            offset: 0,
            pending: VecDeque::new(),
            lent: None,
        }
    }

    /// Puts a chunk in the way of the socket.
    fn push(&mut self, bytes: Bytes) {
        let digest = digest(&self.key, self.offset, &bytes);
        let length = (bytes.len() as u32).to_le_bytes();
        self.offset += bytes.len() as u64;
        self.pending.push_back(Bytes::copy_from_slice(&length));
        self.pending.push_back(bytes);
        self.pending
            .push_back(Bytes::copy_from_slice(digest.as_bytes()));
    }
}

impl<S: AsyncWrite + Send + Unpin> SealedSend<S> {
    /// Writes what is pending. When it is cancelled, the rest stays pending.
    async fn write(&mut self) -> Result<()> {
        if self.lent.is_some() {
            // Nobody knows how much of the chunk has passed.
            self.socket = None;
        }
        let socket = self.socket.as_mut().ok_or_else(ended)?;
        while !self.pending.is_empty() {
            let mut slices = [std::io::IoSlice::new(&[]); 3];
            for (slice, bytes) in slices.iter_mut().zip(&self.pending) {
                *slice = std::io::IoSlice::new(bytes);
            }
            let written = socket.write_vectored(&slices).await;
            let mut written = written.map_err(|error| lost(&error))?;
            if written == 0 {
                return Err(ended());
            }
            while let Some(first) = self.pending.front_mut() {
                let part = written.min(first.len());
                first.advance(part);
                written -= part;
                if !first.is_empty() {
                    break;
                }
                self.pending.pop_front();
            }
        }
        Ok(())
    }
}

impl<S> fmt::Debug for SealedSend<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSend")
    }
}

#[async_trait]
impl<S: AsyncWrite + AsFd + Send + Sync + Unpin> SendStream for SealedSend<S> {
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> Result<u64> {
        self.write().await?;
        let bytes = first_bytes(chunks)?;
        let part = bytes.split_to(bytes.len().min(CHUNK_BYTES_MAX));
        if bytes.is_empty() {
            chunks.pop_front();
        }
        let sent = part.len() as u64;
        if sent > 0 {
            self.push(part);
            self.write().await?;
        }
        Ok(sent)
    }

    async fn flush(&mut self) -> Result<()> {
        self.write().await
    }

    async fn finish(&mut self) -> Result<()> {
        self.write().await?;
        self.push(Bytes::new());
        self.write().await?;
        let mut socket = self.socket.take().ok_or_else(ended)?;
        socket.shutdown().await.map_err(|error| lost(&error))
    }

    fn reset(&mut self, _code: u32) {
        self.socket = None;
    }

    fn lends(&self) -> Option<u64> {
        Some(CHUNK_BYTES_MAX as u64)
    }

    async fn lease(&mut self, bytes: u64) -> Result<FdLease> {
        self.write().await?;
        let length = u32::try_from(bytes).unwrap_or(u32::MAX);
        if length == 0 || length as usize > CHUNK_BYTES_MAX {
            return Err(unsettled());
        }
        let hasher = digest_of(&self.key, self.offset, bytes);
        let lease = lease(self.socket.as_ref().ok_or_else(ended)?, hasher)?;
        let length = Bytes::copy_from_slice(&length.to_le_bytes());
        self.pending.push_back(length);
        self.write().await?;
        self.lent = Some(bytes);
        Ok(lease)
    }

    async fn settle(&mut self, witness: Witness) -> Result<()> {
        let digest = witness.digest().ok_or_else(unsettled)?;
        self.offset += self.lent.take().ok_or_else(unsettled)?;
        self.pending.push_back(Bytes::copy_from_slice(&digest));
        self.write().await
    }
}

/// The half that receives.
pub(crate) struct SealedRecv<S> {
    socket: Option<S>,
    key: [u8; 32],
    offset: u64,
    /// What has come of a chunk.
    begun: BytesMut,
    /// What has been proved, and not been taken.
    proved: Bytes,
    /// For how many bytes the socket is lent.
    lent: Option<u64>,
}

impl<S> SealedRecv<S> {
    pub(crate) fn new(socket: S, key: &[u8; 32]) -> Self {
        Self {
            socket: Some(socket),
            key: *key,
            offset: 0,
            begun: BytesMut::new(),
            proved: Bytes::new(),
            lent: None,
        }
    }
}

impl<S: AsyncRead + Send + Unpin> SealedRecv<S> {
    /// The next chunk, proved; empty at the end. When it is cancelled, what has come is kept.
    async fn next(&mut self) -> Result<Bytes> {
        self.fill(LENGTH_BYTES).await?;
        let length = self.length()?;
        self.fill(LENGTH_BYTES + length + DIGEST_BYTES).await?;
        self.begun.advance(LENGTH_BYTES);
        let bytes = self.begun.split_to(length).freeze();
        let expected = digest(&self.key, self.offset, &bytes);
        self.prove(length as u64, expected)?;
        Ok(bytes)
    }

    /// How long the chunk is of which that has come.
    fn length(&self) -> Result<usize> {
        let length = self.begun.first_chunk::<LENGTH_BYTES>();
        let length = length.map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize;
        if length > CHUNK_BYTES_MAX {
            return Err(forged("a chunk is longer than any"));
        }
        Ok(length)
    }

    /// Takes the digest that came, the end of a chunk.
    fn prove(&mut self, length: u64, expected: blake3::Hash) -> Result<()> {
        let mut found = [0; DIGEST_BYTES];
        self.begun.copy_to_slice(&mut found);
        self.offset += length;
        // In constant time.
        if expected != blake3::Hash::from_bytes(found) {
            return Err(forged("a chunk is not what was sent"));
        }
        Ok(())
    }

    /// Waits until that many bytes of the chunk have come.
    async fn fill(&mut self, size: usize) -> Result<()> {
        if self.lent.is_some() {
            // Nobody knows how much of the chunk has passed.
            self.socket = None;
        }
        let socket = self.socket.as_mut().ok_or_else(ended)?;
        while self.begun.len() < size {
            let missing = size - self.begun.len();
            self.begun.reserve(missing);
            let read = socket.take(missing as u64).read_buf(&mut self.begun).await;
            if read.map_err(|error| lost(&error))? == 0 {
                return Err(
                    Error::new(ErrorKind::Unreachable, "receive").because("the lane was cut off")
                );
            }
        }
        Ok(())
    }
}

impl<S> fmt::Debug for SealedRecv<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedRecv")
    }
}

#[async_trait]
impl<S: AsyncRead + AsFd + Send + Sync + Unpin> RecvStream for SealedRecv<S> {
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>> {
        if self.proved.is_empty() {
            if self.socket.is_none() {
                return Ok(None);
            }
            self.proved = self.next().await?;
            if self.proved.is_empty() {
                self.socket = None;
                return Ok(None);
            }
        }
        let size = self.proved.len().min(bytes_max);
        Ok(Some(Chunk::Bytes(self.proved.split_to(size))))
    }

    fn stop(&mut self, _code: u32) {
        self.socket = None;
    }

    async fn lease(&mut self, bytes: u64) -> Result<Option<FdLease>> {
        if !self.proved.is_empty() || self.socket.is_none() {
            return Ok(None);
        }
        self.fill(LENGTH_BYTES).await?;
        if self.length()? as u64 != bytes {
            return Ok(None);
        }
        let hasher = digest_of(&self.key, self.offset, bytes);
        let lease = lease(self.socket.as_ref().ok_or_else(ended)?, hasher)?;
        self.begun.clear();
        self.lent = Some(bytes);
        Ok(Some(lease))
    }

    async fn settle(&mut self, witness: Witness) -> Result<()> {
        let digest = witness.digest().ok_or_else(unsettled)?;
        let bytes = self.lent.take().ok_or_else(unsettled)?;
        self.fill(DIGEST_BYTES).await?;
        self.prove(bytes, blake3::Hash::from_bytes(digest))
    }
}

fn forged(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "receive").because(what)
}
