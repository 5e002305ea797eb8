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
    limits::{HalfOpen, Limits},
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

/// A connection whose other end has proved a key.
pub(crate) struct Secured {
    socket: TlsStream<TcpStream>,
    peer: VerifiedPeer,
    /// Where it is among those that have proved nothing: anybody can make a key.
    place: Option<HalfOpen>,
    /// Is over when it has to go.
    stay: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Secured {
    /// Keeps its place among those that have proved nothing, until it is seen who it is.
    pub(crate) fn holding(mut self, place: HalfOpen) -> Self {
        self.place = Some(place);
        self
    }

    /// Lets it stay for as long as it likes if it is known, and otherwise for long enough to join.
    pub(crate) fn admitted(mut self, arrivals: &dyn Arrivals) -> Self {
        let place = self.place.take();
        if let Some(place) = place.filter(|_| self.peer.pairs || !arrivals.knows(&self.peer)) {
            self.stay = Some(Box::pin(async move {
                let _ = timeout(STRANGER_WAIT, place.dismissed()).await;
            }));
        }
        self
    }

    fn may_stay(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let stay = self.stay.as_mut();
        match stay.is_some_and(|stay| stay.as_mut().poll(cx).is_ready()) {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(()),
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
        Pin::new(&mut self.socket).poll_read(cx, buffer)
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
