//! Typed values over a stream of a connection.
//!
//! Where both ends share a process the values pass as they are. A connection that leaves the process
//! needs the encoding of `blit-wire`, which comes with the first such transport.

use std::{any::Any, collections::VecDeque, marker::PhantomData};

use blit_contract::{Chunk, Error, ErrorKind, RecvStream, Result, SendStream, Stream};

/// Sends values of one type.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    stream: Box<dyn SendStream>,
    queue: VecDeque<Chunk>,
    values: PhantomData<fn(T)>,
}

impl<T: Any + Send> Sender<T> {
    /// Sends one value; waits while the peer is behind.
    pub(crate) async fn send(&mut self, value: T) -> Result<()> {
        self.queue.push_back(Chunk::Object(Box::new(value)));
        while !self.queue.is_empty() {
            self.stream.send(&mut self.queue).await?;
        }
        Ok(())
    }

    /// Ends the stream.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        self.stream.finish().await
    }
}

/// Receives values of one type.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    stream: Box<dyn RecvStream>,
    values: PhantomData<fn() -> T>,
}

impl<T: Any + Send> Receiver<T> {
    /// The next value; `None` at the end.
    pub(crate) async fn recv(&mut self) -> Result<Option<T>> {
        match self.stream.recv(usize::MAX).await? {
            None => Ok(None),
            Some(Chunk::Object(value)) => value
                .downcast()
                .map(|value| Some(*value))
                .map_err(|_| unexpected("a value of another type")),
            Some(Chunk::Bytes(_)) => Err(unexpected("bytes where a value was due")),
        }
    }
}

fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Bug, "receive").because(what)
}

/// The typed sending half of `stream`.
pub(crate) fn sender<T: Any + Send>(stream: &mut Stream) -> Result<Sender<T>> {
    let half = stream.send.take().ok_or_else(missing_half)?;
    Ok(Sender {
        stream: half,
        queue: VecDeque::new(),
        values: PhantomData,
    })
}

/// The typed receiving half of `stream`.
pub(crate) fn receiver<T: Any + Send>(stream: &mut Stream) -> Result<Receiver<T>> {
    let half = stream.recv.take().ok_or_else(missing_half)?;
    Ok(Receiver {
        stream: half,
        values: PhantomData,
    })
}

fn missing_half() -> Error {
    Error::new(ErrorKind::Bug, "open stream").because("the stream lacks a half")
}
