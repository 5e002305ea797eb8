//! Lets connections in: from where they may come, and once they have proved a key.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    arrival::{Arrived, LaneArrival, Secured},
    limits::Limits,
};

/// From the first byte to a proved key.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// Says from where connections may come. It is asked before a byte is read.
pub trait Admission: Send + Sync + 'static {
    /// Whether this address may connect.
    fn admits(&self, from: IpAddr) -> bool;
}

/// Where connections come in, whatever socket they come to.
#[derive(Clone)]
pub struct Door {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) secured: mpsc::Sender<io::Result<Secured>>,
    pub(crate) lane_sockets: mpsc::Sender<LaneArrival>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl Door {
    /// Accepts for ever. Nothing that a stranger does ends it.
    pub async fn accept(self, listener: TcpListener) {
        /// After an error of `accept` (no descriptors left) it would come at once again.
        const PAUSE: Duration = Duration::from_millis(50);
        loop {
            match listener.accept().await {
                Ok((tcp, from)) => self.take(tcp, from),
                Err(cause) => {
                    tracing::warn!(%cause, "cannot accept");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Whoever may not come, or comes too often, is hung up on without a word.
    fn take(&self, tcp: TcpStream, from: SocketAddr) {
        let address = from.ip();
        if !self.admission.admits(address) {
            tracing::info!(%from, "not from there");
            return;
        }
        let Some(place) = self.limits.enter(address, Instant::now()) else {
            return;
        };
        let door = self.clone();
        tokio::spawn(async move {
            let accepting = timeout(HANDSHAKE_WAIT, Arrived::accept(tcp, &door.acceptor));
            let accepted = tokio::select! {
                accepted = accepting => accepted,
                () = place.dismissed() => {
                    tracing::debug!(%from, "no handshake while others came");
                    return;
                }
            };
            match accepted {
                Ok(Ok(Arrived::Control(secured))) => {
                    drop(door.secured.send(Ok(secured.holding(place))).await);
                    return;
                }
                Ok(Ok(Arrived::Lane(socket))) => {
                    let arrival = LaneArrival {
                        socket,
                        from: address,
                        limits: Arc::clone(&door.limits),
                        place,
                    };
                    drop(door.lane_sockets.send(arrival).await);
                    return;
                }
                Ok(Err(cause)) => tracing::debug!(%from, %cause, "no handshake"),
                Err(_) => tracing::debug!(%from, "no handshake in time"),
            }
            door.limits.failed(address, Instant::now());
        });
    }
}
