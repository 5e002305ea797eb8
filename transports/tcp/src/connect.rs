//! The client's end.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use blit_contract::{Carrier, Cx, Error, ErrorKind, PeerInfo, Result, SecurityClass, Stream};
use blit_lanes::{LANE_EXPORTER_LABEL, LaneKeys, greet};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::prepare;

/// Dials the lanes of one session.
#[derive(Debug)]
pub struct Dialer {
    peer: PeerInfo,
    address: SocketAddr,
    /// `None`: in clear.
    tls: Option<Arc<ClientConfig>>,
    keys: LaneKeys,
    /// The number of the next stream.
    next: Arc<AtomicU32>,
}

impl Dialer {
    /// Encrypted lanes to the daemon at `address`, whose key `tls` checks. `next` numbers the streams of
    /// the session, whatever way they go.
    #[must_use]
    pub fn encrypted(
        address: SocketAddr,
        tls: Arc<ClientConfig>,
        keys: LaneKeys,
        next: Arc<AtomicU32>,
    ) -> Self {
        Self {
            tls: Some(tls),
            ..Self::in_clear(address, keys, next)
        }
    }

    /// Lanes in clear to the daemon at `address`.
    #[must_use]
    pub fn in_clear(address: SocketAddr, keys: LaneKeys, next: Arc<AtomicU32>) -> Self {
        Self {
            peer: PeerInfo::new(address.to_string()),
            address,
            tls: None,
            keys,
            next,
        }
    }

    /// Who could read what crosses these lanes.
    #[must_use]
    pub fn security(&self) -> SecurityClass {
        match (&self.tls, self.address.ip().is_loopback()) {
            (Some(_), _) => SecurityClass::Encrypted,
            (None, true) => SecurityClass::SameMachine,
            (None, false) => SecurityClass::TrustedNetwork,
        }
    }

    async fn try_dial(&self, session: [u8; 16], reverse: bool) -> io::Result<Stream> {
        let socket = TcpStream::connect(self.address).await?;
        prepare(&socket)?;
        let hello = (session, self.next.fetch_add(1, Ordering::Relaxed), reverse);
        let Some(tls) = &self.tls else {
            let bound = greet(socket, None, &self.keys, hello).await?;
            return Ok(bound.into_clear_stream());
        };
        // The name is nobody's: the key is all that counts.
        let name = ServerName::try_from("blit").map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::clone(tls));
        let socket = connector.connect(name, socket).await?;
        let (_, connection) = socket.get_ref();
        let binding = connection
            .export_keying_material([0; 32], LANE_EXPORTER_LABEL, None)
            .map_err(io::Error::other)?;
        let bound = greet(socket, Some(binding), &self.keys, hello).await?;
        Ok(bound.into_encrypted_stream())
    }
}

#[async_trait]
impl Carrier for Dialer {
    fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    async fn dial(&self, cx: &Cx, session: [u8; 16], reverse: bool) -> Result<Stream> {
        cx.check()?;
        self.try_dial(session, reverse).await.map_err(|cause| {
            Error::new(ErrorKind::Unreachable, "open a lane")
                .because(format!("{}: {cause}", self.address))
        })
    }
}
