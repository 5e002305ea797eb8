//! The client's end.

use std::sync::Arc;

use async_trait::async_trait;
use blit_contract::{
    Carrier, Connection, Cx, Demands, Limits, PeerInfo, Result, Stream, StreamKind, TransportCaps,
};

/// The connection of the session `session`, whose streams are dialled over `carrier`.
#[must_use]
pub fn dialing(carrier: Arc<dyn Carrier>, session: [u8; 16]) -> Box<dyn Connection> {
    Box::new(Dialing { carrier, session })
}

#[derive(Debug)]
struct Dialing {
    carrier: Arc<dyn Carrier>,
    session: [u8; 16],
}

#[async_trait]
impl Connection for Dialing {
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
        self.carrier.peer()
    }

    async fn open(&self, cx: &Cx, _kind: StreamKind) -> Result<Stream> {
        self.carrier.dial(cx, self.session, false).await
    }

    /// Dials the next stream for the daemon's side to open: how many there will be both sides know.
    async fn accept(&self, cx: &Cx) -> Result<Option<Stream>> {
        self.carrier.dial(cx, self.session, true).await.map(Some)
    }

    async fn close(&self, _code: u32) -> Result<()> {
        Ok(())
    }
}
