//! A connection: two ends that share one link.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use blit_contract::{
    Connection, Cx, Demands, Error, ErrorKind, Limits, PeerInfo, Result, Stream, StreamKind,
    TransportCaps,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    MemConfig,
    stream::{MemRecv, MemSend, Pipe, pipe},
    transport::CAPS,
};

/// Two connected ends, for a session whose sides share a process.
#[must_use]
pub fn pair() -> (Box<dyn Connection>, Box<dyn Connection>) {
    pair_with(MemConfig::default())
}

/// Two connected ends that behave like that.
#[must_use]
pub fn pair_with(config: MemConfig) -> (Box<dyn Connection>, Box<dyn Connection>) {
    let (a, b) = pair_at("pair", config);
    (Box::new(a), Box::new(b))
}

/// Two connected ends of the connection that people know as `name`.
pub(crate) fn pair_at(name: &str, config: MemConfig) -> (MemConnection, MemConnection) {
    let link = Arc::new(Link::default());
    let end = |side| MemConnection {
        link: link.clone(),
        side,
        config,
        peer: PeerInfo::new(format!("mem://{name}")),
    };
    (end(0), end(1))
}

/// One end of a connection. Dropping it closes the connection, but not the streams that are open.
#[derive(Debug)]
pub(crate) struct MemConnection {
    link: Arc<Link>,
    /// 0 or 1: which of the two ends this is.
    side: usize,
    config: MemConfig,
    peer: PeerInfo,
}

/// What the two ends share.
#[derive(Debug, Default)]
struct Link {
    state: Mutex<LinkState>,
    /// For each end: something happened that its `accept` waits for.
    arrived: [Notify; 2],
}

#[derive(Debug, Default)]
struct LinkState {
    closed: Option<u32>,
    next_id: u64,
    /// For each end: the streams that it has yet to accept.
    waiting: [VecDeque<Stream>; 2],
    /// Every direction of every stream, as long as somebody holds it.
    pipes: Vec<Weak<Pipe>>,
}

impl LinkState {
    /// One direction of a stream that breaks when the connection is closed.
    fn pipe(&mut self, config: MemConfig) -> (MemSend, MemRecv) {
        let (send, recv) = pipe(config.queue_chunks_max as usize);
        self.pipes.retain(|pipe| pipe.strong_count() > 0);
        self.pipes.push(Arc::downgrade(send.pipe()));
        (send, recv)
    }
}

impl Link {
    fn close(&self, code: u32) {
        self.state.lock().closed.get_or_insert(code);
        self.arrived.iter().for_each(Notify::notify_waiters);
    }
}

#[async_trait]
impl Connection for MemConnection {
    fn caps(&self) -> TransportCaps {
        CAPS
    }

    fn demands(&self) -> Demands {
        Demands::default()
    }

    fn limits(&self) -> Limits {
        self.config.limits()
    }

    fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    async fn open(&self, cx: &Cx, kind: StreamKind) -> Result<Stream> {
        cx.check()?;
        let there = 1 - self.side;
        let mut state = self.link.state.lock();
        if let Some(code) = state.closed {
            return Err(Error::new(ErrorKind::Unreachable, "open")
                .because(format!("the connection was closed with code {code}")));
        }
        let id = state.next_id;
        state.next_id += 1;
        let (send, recv) = state.pipe(self.config);
        let mut ours = Stream {
            id,
            send: Some(Box::new(send)),
            recv: None,
        };
        let mut theirs = Stream {
            id,
            send: None,
            recv: Some(Box::new(recv)),
        };
        if kind == StreamKind::TwoWay {
            let (send, recv) = state.pipe(self.config);
            theirs.send = Some(Box::new(send));
            ours.recv = Some(Box::new(recv));
        }
        state.waiting[there].push_back(theirs);
        drop(state);
        self.link.arrived[there].notify_waiters();
        Ok(ours)
    }

    async fn accept(&self, cx: &Cx) -> Result<Option<Stream>> {
        loop {
            cx.check()?;
            // Taken before the look, so that nothing can happen between the look and the wait.
            let arrived = self.link.arrived[self.side].notified();
            {
                let mut state = self.link.state.lock();
                if let Some(stream) = state.waiting[self.side].pop_front() {
                    return Ok(Some(stream));
                }
                if state.closed.is_some() {
                    return Ok(None);
                }
            }
            arrived.await;
        }
    }

    async fn close(&self, code: u32) -> Result<()> {
        self.link.close(code);
        let pipes: Vec<_> = self.link.state.lock().pipes.drain(..).collect();
        for pipe in pipes.iter().filter_map(Weak::upgrade) {
            pipe.reset(code);
        }
        Ok(())
    }
}

impl Drop for MemConnection {
    fn drop(&mut self) {
        self.link.close(0);
    }
}
