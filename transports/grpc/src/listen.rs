//! The daemon's end.

use async_trait::async_trait;
use blit_contract::{
    Connection, Cx, Demands, Error, ErrorKind, Limits, PeerInfo, Result, Stream, StreamKind,
    TransportCaps,
};
use tokio::sync::{Mutex, mpsc};

/// How many streams of a session may wait for its side here.
const STREAMS_AHEAD: usize = 32;

/// Where a daemon puts the streams of a session as they arrive.
#[derive(Debug, Clone)]
pub struct Arrived {
    theirs: mpsc::Sender<Stream>,
    ours: mpsc::Sender<Stream>,
}

impl Arrived {
    /// Takes a stream; `reverse` if this side opens it. `false`: the session is over, or too many came.
    #[must_use]
    pub fn put(&self, reverse: bool, stream: Stream) -> bool {
        let queue = if reverse { &self.ours } else { &self.theirs };
        queue.try_send(stream).is_ok()
    }
}

/// A connection over streams that `peer` dials, and where to put them.
#[must_use]
pub fn serving(peer: PeerInfo) -> (Box<dyn Connection>, Arrived) {
    let (theirs, accepted) = mpsc::channel(STREAMS_AHEAD);
    let (ours, opened) = mpsc::channel(STREAMS_AHEAD);
    let connection = Serving {
        peer,
        accepted: Mutex::new(accepted),
        opened: Mutex::new(opened),
    };
    (Box::new(connection), Arrived { theirs, ours })
}

#[derive(Debug)]
struct Serving {
    peer: PeerInfo,
    accepted: Mutex<mpsc::Receiver<Stream>>,
    opened: Mutex<mpsc::Receiver<Stream>>,
}

#[async_trait]
impl Connection for Serving {
    fn caps(&self) -> TransportCaps {
        TransportCaps::new()
    }

    fn demands(&self) -> Demands {
        Demands::default()
    }

    fn limits(&self) -> Limits {
        Limits::default()
    }

    fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    async fn open(&self, cx: &Cx, _kind: StreamKind) -> Result<Stream> {
        cx.check()?;
        let stream = self.opened.lock().await.recv().await;
        stream
            .ok_or_else(|| Error::new(ErrorKind::Unreachable, "open").because("the client is gone"))
    }

    async fn accept(&self, cx: &Cx) -> Result<Option<Stream>> {
        cx.check()?;
        Ok(self.accepted.lock().await.recv().await)
    }

    async fn close(&self, _code: u32) -> Result<()> {
        Ok(())
    }
}
