//! Typed values over a stream of a connection.
//!
//! Where both ends share a process ([`TransportCap::Objects`]) the values pass as they are; on any other
//! connection they cross as the frames of `blit-wire`.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod metered;

use std::{any::Any, collections::VecDeque, marker::PhantomData};

use blit_contract::{
    Chunk, Error, ErrorKind, FdLease, RecvStream, Result, SendStream, Stream, TransportCap,
    TransportCaps, Witness,
};
use blit_wire::{BadMessage, Frame, FrameBuffer, Message, Reply, Request};
use bytes::Bytes;

pub use metered::{Meter, Metered};

/// How much is asked of a stream at a time.
const RECEIVE_BYTES_MAX: usize = 1 << 20;

/// What can leave the process.
pub trait Crossing: Any + Send + Sized {
    /// Encodes it, behind its length.
    fn to_frame(&self) -> Bytes;

    /// Decodes what stood behind a length.
    ///
    /// # Errors
    /// [`BadMessage`] if it is none.
    fn from_frame(bytes: Bytes) -> std::result::Result<Self, BadMessage>;

    /// Whether bytes may follow that are no value, behind it or behind the next one.
    fn leads_to_bytes(&self) -> bool {
        false
    }
}

macro_rules! crossing {
    ($($type:ty)*) => {$(
        impl Crossing for $type {
            fn to_frame(&self) -> Bytes {
                <$type>::to_frame(self)
            }

            fn from_frame(bytes: Bytes) -> std::result::Result<Self, BadMessage> {
                <$type>::from_frame(bytes)
            }
        }
    )*};
}
crossing!(Message Reply Request);

impl Crossing for Frame {
    fn to_frame(&self) -> Bytes {
        Self::to_frame(self)
    }

    fn from_frame(bytes: Bytes) -> std::result::Result<Self, BadMessage> {
        Self::from_frame(bytes)
    }

    fn leads_to_bytes(&self) -> bool {
        matches!(
            self,
            Self::Data { .. } | Self::FileStart(_) | Self::Same { .. }
        )
    }
}

/// Whether values pass through such a connection as they are.
pub fn passes_objects(caps: TransportCaps) -> bool {
    caps.has(TransportCap::Objects)
}

/// Sends values of one type.
#[derive(Debug)]
pub struct Sender<T> {
    stream: Box<dyn SendStream>,
    queue: VecDeque<Chunk>,
    as_objects: bool,
    values: PhantomData<fn(T)>,
}

impl<T: Any + Send> Sender<T> {
    /// Sends one value as it is.
    pub async fn send_object(&mut self, value: T) -> Result<()> {
        self.push(Chunk::Object(Box::new(value))).await
    }

    /// Ends the stream.
    pub async fn finish(&mut self) -> Result<()> {
        self.stream.finish().await
    }

    async fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.queue.push_back(chunk);
        self.drain().await
    }

    async fn drain(&mut self) -> Result<()> {
        while !self.queue.is_empty() {
            self.stream.send(&mut self.queue).await?;
        }
        Ok(())
    }
}

impl<T: Crossing> Sender<T> {
    /// Sends one value; waits while the peer is behind.
    pub async fn send(&mut self, value: T) -> Result<()> {
        if self.as_objects {
            self.send_object(value).await
        } else {
            self.push(Chunk::Bytes(value.to_frame())).await
        }
    }
}

impl Sender<Frame> {
    /// Sends a run of data: its frame, and behind it the bytes as they are.
    pub async fn send_data(&mut self, offset: u64, content: Bytes) -> Result<()> {
        let bytes = content.len() as u64;
        let frame = Frame::Data { offset, bytes };
        self.queue.push_back(Chunk::Bytes(frame.to_frame()));
        self.push(Chunk::Bytes(content)).await
    }

    /// How many bytes behind a frame the kernel may move; `None` if it cannot here.
    pub fn lends(&self) -> Option<u64> {
        self.stream.lends()
    }

    /// Sends the frame of a run of data, and lends what is under the stream for its bytes.
    pub async fn lease(&mut self, offset: u64, bytes: u64) -> Result<FdLease> {
        self.send(Frame::Data { offset, bytes }).await?;
        self.stream.lease(bytes).await
    }

    /// Ends a lease.
    pub async fn settle(&mut self, witness: Witness) -> Result<()> {
        self.stream.settle(witness).await
    }
}

/// Receives values of one type.
#[derive(Debug)]
pub struct Receiver<T> {
    stream: Box<dyn RecvStream>,
    buffer: FrameBuffer,
    /// No more is asked for than the next value needs. Bytes behind it then come where they are due: at
    /// the beginning of a buffer that is used again, and not into one for values that has to be made anew.
    spares: bool,
    values: PhantomData<fn() -> T>,
}

impl<T: Any + Send> Receiver<T> {
    /// The next value that passed as it is; `None` at the end.
    pub async fn recv_object(&mut self) -> Result<Option<T>> {
        match self.stream.recv(RECEIVE_BYTES_MAX).await? {
            None => Ok(None),
            Some(Chunk::Object(value)) => downcast(value).map(Some),
            Some(Chunk::Bytes(_)) => Err(unexpected("bytes where a value was due")),
        }
    }
}

impl<T: Crossing> Receiver<T> {
    /// The next value; `None` at the end.
    ///
    /// # Errors
    /// `Invalid` if what came is no value of that type: the peer breaks the protocol.
    pub async fn recv(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(frame) = self.buffer.next_message().map_err(broken)? {
                let value = T::from_frame(frame).map_err(broken)?;
                self.spares = value.leads_to_bytes();
                return Ok(Some(value));
            }
            let wanted = match self.spares {
                true => self.buffer.missing().clamp(1, RECEIVE_BYTES_MAX),
                false => RECEIVE_BYTES_MAX,
            };
            match self.stream.recv(wanted).await? {
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(cut_off()),
                Some(Chunk::Object(value)) => return downcast(value).map(Some),
                Some(Chunk::Bytes(piece)) => self.buffer.push(piece),
            }
        }
    }
}

impl Receiver<Frame> {
    /// The next of the bytes that follow a frame: at least one, and at most `bytes_max`.
    pub async fn recv_bytes(&mut self, bytes_max: u64) -> Result<Bytes> {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        loop {
            if let Some(bytes) = self.buffer.next_bytes(bytes_max) {
                return Ok(bytes);
            }
            match self.stream.recv_due(bytes_max).await? {
                None => return Err(cut_off()),
                Some(Chunk::Object(_)) => return Err(unexpected("a value where bytes were due")),
                Some(Chunk::Bytes(piece)) => self.buffer.push(piece),
            }
        }
    }

    /// Lends what is under the stream for the bytes that follow a frame, if they lie in it so.
    pub async fn lease(&mut self, bytes: u64) -> Result<Option<FdLease>> {
        if !self.buffer.is_empty() {
            return Ok(None);
        }
        self.stream.lease(bytes).await
    }

    /// Ends a lease.
    pub async fn settle(&mut self, witness: Witness) -> Result<()> {
        self.stream.settle(witness).await
    }
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Unreachable, "receive")
        .because("the connection ended in the middle of a message")
}

fn downcast<T: Any>(value: Box<dyn Any + Send>) -> Result<T> {
    let value = value.downcast().map(|value| *value);
    value.map_err(|_| unexpected("a value of another type"))
}

fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Bug, "receive").because(what)
}

/// The peer broke the protocol.
pub fn broken(reason: impl std::error::Error) -> Error {
    // In words: they are told to the peer, too, who gets no source.
    Error::new(ErrorKind::Invalid, "receive").because(reason.to_string())
}

/// The typed sending half of `stream`; `as_objects` if the connection passes them.
pub fn sender<T: Any + Send>(stream: &mut Stream, as_objects: bool) -> Result<Sender<T>> {
    let half = stream.send.take().ok_or_else(missing_half)?;
    Ok(Sender {
        stream: half,
        queue: VecDeque::new(),
        as_objects,
        values: PhantomData,
    })
}

/// The typed receiving half of `stream`.
pub fn receiver<T: Any + Send>(stream: &mut Stream) -> Result<Receiver<T>> {
    let half = stream.recv.take().ok_or_else(missing_half)?;
    Ok(Receiver {
        stream: half,
        buffer: FrameBuffer::default(),
        spares: false,
        values: PhantomData,
    })
}

fn missing_half() -> Error {
    Error::new(ErrorKind::Bug, "open stream").because("the stream lacks a half")
}

#[cfg(test)]
mod tests;
