//! What a connection turns out to be: a call to the control plane, or a socket that wants to be a lane.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use blit_lanes::{LANE_EXPORTER_LABEL, LaneKeys, PREFACE, Secret};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::Connected;

use crate::{
    Arrivals, NodeId,
    limits::{HalfOpen, Limits, Seat},
    tls::{ALPN, ALPN_LANE, ALPN_PAIR, EXPORTER_LABEL, LANES_EXPORTER_LABEL, exported},
};

/// A key that was proved in a TLS handshake, and the connection that it was proved on. Only this module
/// makes one.
#[derive(Debug, Clone)]
pub struct VerifiedPeer {
    id: NodeId,
    exporter: [u8; 32],
    secret: Secret,
    address: SocketAddr,
    local: SocketAddr,
    pairs: bool,
}

impl VerifiedPeer {
    /// Whose key it is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Where it came from.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it came to.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What both ends of the connection can name, and nobody between them.
    #[must_use]
    pub fn binding(&self) -> [u8; 32] {
        self.exporter
    }

    /// The keys of the lanes of a session that this connection asked for.
    #[must_use]
    pub fn lane_keys(&self, session: &[u8; 16]) -> LaneKeys {
        LaneKeys::derive(&self.secret, session)
    }

    /// Whether it came to join, and may do nothing else.
    pub(crate) fn pairs(&self) -> bool {
        self.pairs
    }
}

/// A socket that wants to be a lane, and has not said of which session.
#[derive(Debug)]
pub enum LaneSocket {
    /// Nobody between the two ends can read it.
    Encrypted {
        /// The socket.
        socket: Box<TlsStream<TcpStream>>,
        /// Whose key was proved on it.
        peer: NodeId,
        /// What its two ends can name, for the hello.
        binding: [u8; 32],
    },
    /// Anybody between the two ends can read it.
    Clear {
        /// The socket.
        socket: TcpStream,
        /// Where it came from.
        address: SocketAddr,
    },
}

/// A socket that wants to be a lane, and its place among those that have not proved themselves.
pub(crate) struct LaneArrival {
    pub(crate) socket: LaneSocket,
    pub(crate) from: IpAddr,
    pub(crate) limits: Arc<Limits>,
    pub(crate) place: HalfOpen,
}

/// Hands sockets over as long as doors are open.
pub(crate) async fn take_lanes(
    mut lanes: mpsc::Receiver<LaneArrival>,
    arrivals: Arc<dyn Arrivals>,
) {
    while let Some(arrival) = lanes.recv().await {
        let arrivals = Arc::clone(&arrivals);
        tokio::spawn(async move {
            let is_bound = tokio::select! {
                is_bound = arrivals.lane_socket(arrival.socket) => is_bound,
                () = arrival.place.dismissed() => return,
            };
            if !is_bound {
                arrival.limits.failed(arrival.from, Instant::now());
            }
        });
    }
    // No door any more: the connections that are there go on.
    std::future::pending::<()>().await;
}

/// How long a machine that is not known may stay, from its proved key on: joining takes no longer.
const STRANGER_WAIT: Duration = Duration::from_secs(10);

/// How long a machine that is known may take, from its proved key on, to begin HTTP/2. From then on its
/// signs of life tell whether it is there.
const GREETING_WAIT: Duration = Duration::from_secs(10);

/// With these many bytes HTTP/2 begins (RFC 9113, 3.4).
const GREETING_BYTES: usize = 24;

/// How long a connection may stay.
struct Stay {
    /// Is done when it has to go.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Once it has said so many bytes more it stays for as long as it likes; a stranger never does.
    bytes_left: Option<usize>,
}

impl Stay {
    fn of_stranger(place: HalfOpen) -> Self {
        Self {
            over: Box::pin(async move {
                let _ = timeout(STRANGER_WAIT, place.dismissed()).await;
            }),
            bytes_left: None,
        }
    }

    fn of_known(wait: Duration) -> Self {
        Self {
            over: Box::pin(tokio::time::sleep(wait)),
            bytes_left: Some(GREETING_BYTES),
        }
    }

    /// Whether it may stay for as long as it likes, now that it said so many bytes more.
    fn ends_with(&mut self, bytes: usize) -> bool {
        self.bytes_left.as_mut().is_some_and(|left| {
            *left = left.saturating_sub(bytes);
            *left == 0
        })
    }
}

/// A connection whose other end has proved a key.
pub(crate) struct Secured {
    socket: TlsStream<TcpStream>,
    peer: VerifiedPeer,
    /// Where it is among those that have proved nothing: anybody can make a key.
    place: Option<HalfOpen>,
    /// One of those that its machine may have, if that is known.
    seat: Option<Seat>,
    stay: Option<Stay>,
}

impl Secured {
    /// Keeps its place among those that have proved nothing, until it is seen who it is.
    pub(crate) fn holding(mut self, place: HalfOpen) -> Self {
        self.place = Some(place);
        self
    }

    /// Lets it stay for as long as it likes if it is known, and otherwise for long enough to join. `None`:
    /// its machine has as many connections as it may.
    pub(crate) fn admitted(
        mut self,
        arrivals: &dyn Arrivals,
        limits: &Arc<Limits>,
    ) -> Option<Self> {
        let place = self.place.take();
        if self.peer.pairs || !arrivals.knows(&self.peer) {
            self.stay = place.map(Stay::of_stranger);
            return Some(self);
        }
        self.seat = limits.seat(self.peer.id);
        if self.seat.is_none() {
            let peer = self.peer.id.short();
            tracing::warn!(%peer, "it has as many connections as it may");
            return None;
        }
        self.stay = Some(Stay::of_known(GREETING_WAIT));
        Some(self)
    }

    fn may_stay(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let stay = self.stay.as_mut();
        match stay.is_some_and(|stay| stay.over.as_mut().poll(cx).is_ready()) {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(()),
        }
    }

    fn heard(&mut self, bytes: usize) {
        if self.stay.as_mut().is_some_and(|stay| stay.ends_with(bytes)) {
            self.stay = None;
        }
    }
}

/// What a connection turns out to be.
pub(crate) enum Arrived {
    Control(Box<Secured>),
    Lane(LaneSocket),
}

impl Arrived {
    pub(crate) async fn accept(tcp: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let (address, local) = (tcp.peer_addr()?, tcp.local_addr()?);
        let mut first = [0];
        tcp.peek(&mut first).await?;
        if first[0] == PREFACE[0] {
            let socket = tcp;
            return Ok(Self::Lane(LaneSocket::Clear { socket, address }));
        }
        let socket = acceptor.accept(tcp).await?;
        let (_, connection) = socket.get_ref();
        let alpn = connection.alpn_protocol();
        let pairs = match alpn {
            Some(alpn) if alpn == ALPN || alpn == ALPN_LANE => false,
            Some(alpn) if alpn == ALPN_PAIR => true,
            _ => return Err(io::Error::other("it speaks something else")),
        };
        let certificate = connection
            .peer_certificates()
            .and_then(<[_]>::first)
            .ok_or_else(|| io::Error::other("it shows no key"))?;
        let id = NodeId::of_certificate(certificate).map_err(io::Error::other)?;
        if alpn == Some(ALPN_LANE) {
            return Ok(Self::Lane(LaneSocket::Encrypted {
                binding: exported(connection, LANE_EXPORTER_LABEL)?,
                socket: Box::new(socket),
                peer: id,
            }));
        }
        let peer = VerifiedPeer {
            id,
            exporter: exported(connection, EXPORTER_LABEL)?,
            secret: Secret::new(exported(connection, LANES_EXPORTER_LABEL)?),
            address,
            local,
            pairs,
        };
        Ok(Self::Control(Box::new(Secured {
            socket,
            peer,
            place: None,
            seat: None,
            stay: None,
        })))
    }
}

impl Connected for Secured {
    type ConnectInfo = VerifiedPeer;

    fn connect_info(&self) -> VerifiedPeer {
        self.peer.clone()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.may_stay(cx)?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        self.heard(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::HALF_OPEN_MAX;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn who_is_known_has_to_begin_and_may_stay_then() {
        let mut stay = Stay::of_known(GREETING_WAIT);
        assert!(stay.over.as_mut().now_or_never().is_none());
        assert!(!stay.ends_with(GREETING_BYTES - 1));
        assert!(stay.ends_with(1));
        // Whoever says nothing has to go.
        Stay::of_known(Duration::ZERO).over.await;
    }

    #[tokio::test]
    async fn a_stranger_has_to_go_when_others_come_whatever_it_says() {
        let limits = Arc::<Limits>::default();
        let enter = || limits.enter(IpAddr::from([192, 0, 2, 1]), Instant::now());
        let mut stay = Stay::of_stranger(enter().unwrap());
        assert!(!stay.ends_with(1 << 20));
        assert!(stay.over.as_mut().now_or_never().is_none());
        let _others: Vec<_> = (0..HALF_OPEN_MAX).map(|_| enter()).collect();
        stay.over.await;
    }
}
