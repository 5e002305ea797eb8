//! One direction of a stream: a bounded queue of chunks with two ends.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use blit_contract::{Chunk, Error, ErrorKind, RecvStream, Result, SendStream};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The code of a stream that was dropped, not ended.
const DROPPED: u32 = 0;

/// The two ends of a new queue for `chunks_max` chunks.
pub(crate) fn pipe(chunks_max: usize) -> (MemSend, MemRecv) {
    let pipe = Arc::new(Pipe {
        chunks_max,
        state: Mutex::default(),
        has_room: Notify::new(),
        has_data: Notify::new(),
    });
    (MemSend(pipe.clone()), MemRecv(pipe))
}

/// What both ends of one direction share.
#[derive(Debug)]
pub(crate) struct Pipe {
    chunks_max: usize,
    state: Mutex<PipeState>,
    /// There is room, or there will never be any.
    has_room: Notify,
    /// There is data, or there will never be any.
    has_data: Notify,
}

#[derive(Debug, Default)]
struct PipeState {
    chunks: VecDeque<Chunk>,
    end: End,
}

/// How a direction ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// The sender said that this was all.
    Finished,
    /// The sender broke it off.
    Reset(u32),
    /// The receiver wants no more.
    Stopped(u32),
}

impl Pipe {
    /// Breaks an open direction off; what is queued is lost.
    pub(crate) fn reset(&self, code: u32) {
        self.break_off(End::Reset(code));
    }

    fn break_off(&self, end: End) {
        let mut state = self.state.lock();
        if state.end == End::Open {
            state.end = end;
            // Outside the lock: a chunk may be an object whose drop does anything.
            let lost = std::mem::take(&mut state.chunks);
            drop(state);
            drop(lost);
            self.has_data.notify_waiters();
            self.has_room.notify_waiters();
        }
    }
}

impl PipeState {
    fn check_sendable(&self, op: &'static str) -> Result<()> {
        let reason = match self.end {
            End::Open => return Ok(()),
            End::Finished => {
                return Err(Error::new(ErrorKind::Invalid, op).because("the stream was finished"));
            }
            End::Reset(code) => format!("the stream was broken off with code {code}"),
            End::Stopped(code) => format!("the peer wants no more, with code {code}"),
        };
        Err(Error::new(ErrorKind::Unreachable, op).because(reason))
    }
}

/// The sending end. Dropping it without `finish` is a reset.
#[derive(Debug)]
pub(crate) struct MemSend(Arc<Pipe>);

impl MemSend {
    pub(crate) fn pipe(&self) -> &Arc<Pipe> {
        &self.0
    }

    /// Takes as many chunks as there is room for.
    fn take(&self, chunks: &mut VecDeque<Chunk>) -> Result<u64> {
        let mut state = self.0.state.lock();
        state.check_sendable("send")?;
        let room = self.0.chunks_max.saturating_sub(state.chunks.len());
        let taken = chunks.drain(..room.min(chunks.len()));
        let mut bytes = 0;
        for chunk in taken {
            bytes += chunk.size_bytes();
            state.chunks.push_back(chunk);
        }
        Ok(bytes)
    }
}

#[async_trait]
impl SendStream for MemSend {
    /// Takes them all. What was taken was also queued, so a cancelled call loses nothing.
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> Result<u64> {
        let mut bytes = 0;
        loop {
            // Taken before the look, so that nothing can happen between the look and the wait.
            let has_room = self.0.has_room.notified();
            bytes += self.take(chunks)?;
            self.0.has_data.notify_waiters();
            if chunks.is_empty() {
                return Ok(bytes);
            }
            has_room.await;
        }
    }

    async fn flush(&mut self) -> Result<()> {
        self.0.state.lock().check_sendable("flush")
    }

    async fn finish(&mut self) -> Result<()> {
        {
            // One look under one lock: a stream that was just broken off must not look finished.
            let mut state = self.0.state.lock();
            state.check_sendable("finish")?;
            state.end = End::Finished;
        }
        self.0.has_data.notify_waiters();
        Ok(())
    }

    fn reset(&mut self, code: u32) {
        self.0.reset(code);
    }
}

impl Drop for MemSend {
    fn drop(&mut self) {
        self.0.reset(DROPPED);
    }
}

/// The receiving end. Dropping it is a stop.
#[derive(Debug)]
pub(crate) struct MemRecv(Arc<Pipe>);

impl MemRecv {
    /// The next chunk or the end of the stream, if either is there.
    fn poll(&self, bytes_max: usize) -> Result<Option<Option<Chunk>>> {
        let mut state = self.0.state.lock();
        if let End::Reset(code) | End::Stopped(code) = state.end {
            return Err(Error::new(ErrorKind::Unreachable, "receive")
                .because(format!("the stream was broken off with code {code}")));
        }
        if let Some(Chunk::Bytes(bytes)) = state.chunks.front_mut()
            && bytes.len() > bytes_max
        {
            return Ok(Some(Some(Chunk::Bytes(bytes.split_to(bytes_max)))));
        }
        match state.chunks.pop_front() {
            Some(chunk) => Ok(Some(Some(chunk))),
            None if state.end == End::Finished => Ok(Some(None)),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl RecvStream for MemRecv {
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>> {
        if bytes_max == 0 {
            return Err(Error::new(ErrorKind::Invalid, "receive").because("0 bytes are no chunk"));
        }
        loop {
            let has_data = self.0.has_data.notified();
            if let Some(answer) = self.poll(bytes_max)? {
                self.0.has_room.notify_waiters();
                return Ok(answer);
            }
            has_data.await;
        }
    }

    fn stop(&mut self, code: u32) {
        self.0.break_off(End::Stopped(code));
    }
}

impl Drop for MemRecv {
    fn drop(&mut self) {
        self.0.break_off(End::Stopped(DROPPED));
    }
}
