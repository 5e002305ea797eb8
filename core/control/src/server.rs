//! Waits for peers.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use blit_contract::Stream;
use blit_lanes::{LANE_EXPORTER_LABEL, LaneKeys, PREFACE, Secret};
use futures_core::Stream as Incoming;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server as GrpcServer, server::Connected},
};

use crate::{
    Identity, Invitations, NodeId,
    proto::{
        JoinReply, JoinRequest, Opening, Piece,
        link_server::{Link, LinkServer},
        pairing_server::{Pairing, PairingServer},
    },
    stream::{
        CONNECTION_WINDOW_BYTES, CallRecv, CallSend, KEEP_ALIVE, MESSAGE_BYTES_MAX, PIECES_AHEAD,
        STREAM_WINDOW_BYTES,
    },
    tls::{self, ALPN, ALPN_LANE, ALPN_PAIR, EXPORTER_LABEL, LANES_EXPORTER_LABEL, exported},
};

/// From the first byte to a proved key.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// How long a call may take to say what it is for.
const OPENING_WAIT: Duration = Duration::from_secs(5);

/// How many connections may be on their way to a proved key.
const HALF_OPEN_MAX: usize = 256;

const STREAMS_MAX: u32 = 64;

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
}

/// What a stream of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneOpening {
    /// Which session.
    pub session: [u8; 16],
    /// Whether it is one that the daemon's side opens.
    pub reverse: bool,
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

/// Who takes what arrives, and decides who may.
#[async_trait]
pub trait Arrivals: Send + Sync + 'static {
    /// Whether this machine is known. Everything but joining is for those.
    fn knows(&self, peer: &VerifiedPeer) -> bool;

    /// Knows a machine from now on, which calls itself `name`. It holds an invitation. Answers how this
    /// machine is called; `None` if it cannot be kept.
    fn join(&self, peer: &VerifiedPeer, name: &str) -> Option<String>;

    /// Takes a request. Called for known peers only.
    async fn request(&self, peer: VerifiedPeer, stream: Stream);

    /// Takes a socket that wants to be a lane. It is to be closed soon unless it proves itself.
    async fn lane_socket(&self, socket: LaneSocket);

    /// Takes a stream of a session; `false` if this peer has no such session. For known peers only.
    fn lane(&self, peer: &VerifiedPeer, opening: LaneOpening, stream: Stream) -> bool;
}

/// Serves peers.
pub struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    invitations: Arc<Invitations>,
    own_id: NodeId,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.listener).finish()
    }
}

impl Server {
    /// Will serve whoever comes to `listener`, as `identity`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(
        listener: TcpListener,
        identity: &Identity,
        invitations: Invitations,
    ) -> io::Result<Self> {
        let config = tls::server_config(identity).map_err(io::Error::other)?;
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            invitations: Arc::new(invitations),
            own_id: identity.id(),
        })
    }

    /// Serves until `stop` is done, and then until what is under way is over.
    ///
    /// # Errors
    /// If the server itself fails; a connection that fails ends alone.
    pub async fn serve(
        self,
        arrivals: Arc<dyn Arrivals>,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let (secured, queue) = mpsc::channel(HALF_OPEN_MAX);
        let accepting = accept(
            self.listener,
            Door {
                acceptor: self.acceptor,
                secured,
                arrivals: Arc::clone(&arrivals),
            },
        );
        let link = LinkServer::new(LinkService {
            arrivals: Arc::clone(&arrivals),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let pairing = PairingServer::new(PairingService {
            arrivals,
            invitations: self.invitations,
            own_id: self.own_id,
        })
        .max_decoding_message_size(1 << 16);
        let serving = GrpcServer::builder()
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(STREAMS_MAX)
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .http2_max_header_list_size(16 << 10)
            .add_service(link)
            .add_service(pairing)
            .serve_with_incoming_shutdown(Arriving(queue), stop);
        tokio::select! {
            served = serving => served.map_err(io::Error::other),
            () = accepting => Ok(()),
        }
    }
}

/// Accepts for ever. Nothing that a stranger does ends it.
async fn accept(listener: TcpListener, door: Door) {
    /// After an error of `accept` (no descriptors left) it would come at once again.
    const PAUSE: Duration = Duration::from_millis(50);
    let places = Arc::new(Semaphore::new(HALF_OPEN_MAX));
    loop {
        let tcp = match listener.accept().await {
            Ok((tcp, _)) => tcp,
            Err(cause) => {
                tracing::warn!(%cause, "cannot accept");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            // Too many are half open: this one goes without an answer.
            continue;
        };
        let door = door.clone();
        tokio::spawn(async move {
            match timeout(HANDSHAKE_WAIT, door.let_in(tcp)).await {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => tracing::debug!(%cause, "no handshake"),
                Err(_) => tracing::debug!("no handshake in time"),
            }
            drop(place);
        });
    }
}

/// Where connections part: calls to the control plane, sockets to be lanes.
#[derive(Clone)]
struct Door {
    acceptor: TlsAcceptor,
    secured: mpsc::Sender<io::Result<Secured>>,
    arrivals: Arc<dyn Arrivals>,
}

impl Door {
    async fn let_in(&self, tcp: TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let mut first = [0];
        tcp.peek(&mut first).await?;
        if first[0] == PREFACE[0] {
            let address = tcp.peer_addr()?;
            let lane = LaneSocket::Clear {
                socket: tcp,
                address,
            };
            self.arrivals.lane_socket(lane).await;
            return Ok(());
        }
        let (address, local) = (tcp.peer_addr()?, tcp.local_addr()?);
        let socket = self.acceptor.accept(tcp).await?;
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
            let lane = LaneSocket::Encrypted {
                binding: exported(connection, LANE_EXPORTER_LABEL)?,
                socket: Box::new(socket),
                peer: id,
            };
            self.arrivals.lane_socket(lane).await;
            return Ok(());
        }
        let peer = VerifiedPeer {
            id,
            exporter: exported(connection, EXPORTER_LABEL)?,
            secret: Secret::new(exported(connection, LANES_EXPORTER_LABEL)?),
            address,
            local,
            pairs,
        };
        drop(self.secured.send(Ok(Secured { socket, peer })).await);
        Ok(())
    }
}

struct Arriving(mpsc::Receiver<io::Result<Secured>>);

impl Incoming for Arriving {
    type Item = io::Result<Secured>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// A connection whose other end has proved a key.
struct Secured {
    socket: TlsStream<TcpStream>,
    peer: VerifiedPeer,
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

/// Whose call it is: the one door through which every call comes.
fn verified<T>(request: &Request<T>, pairs: bool) -> Result<VerifiedPeer, Status> {
    let peer = request.extensions().get::<VerifiedPeer>();
    let peer = peer.filter(|peer| peer.pairs == pairs);
    peer.cloned()
        .ok_or_else(|| Status::unauthenticated("this cannot be called here"))
}

struct LinkService {
    arrivals: Arc<dyn Arrivals>,
}

type Replies = Pin<Box<dyn Incoming<Item = Result<Piece, Status>> + Send>>;

#[async_trait]
impl Link for LinkService {
    type CarryStream = Replies;

    async fn carry(&self, request: Request<Streaming<Piece>>) -> Result<Response<Replies>, Status> {
        let peer = verified(&request, false)?;
        if !self.arrivals.knows(&peer) {
            return Err(Status::unauthenticated("this machine is not paired here"));
        }
        let mut incoming = request.into_inner();
        let opening = first(&mut incoming).await?;
        let (pieces, mut queue) = mpsc::channel(PIECES_AHEAD);
        let stream = Stream {
            id: 0,
            send: Some(Box::new(CallSend::of_server(pieces))),
            recv: Some(Box::new(CallRecv::of_server(incoming))),
        };
        if opening.session.is_empty() {
            let arrivals = Arc::clone(&self.arrivals);
            tokio::spawn(async move { arrivals.request(peer, stream).await });
        } else {
            let session = <[u8; 16]>::try_from(&*opening.session);
            let session = session.map_err(|_| Status::invalid_argument("no session"))?;
            let opening = LaneOpening {
                session,
                reverse: opening.reverse,
            };
            if !self.arrivals.lane(&peer, opening, stream) {
                return Err(Status::not_found("there is no such session"));
            }
        }
        let replies = futures_util::stream::poll_fn(move |cx| queue.poll_recv(cx));
        Ok(Response::new(Box::pin(replies)))
    }
}

async fn first(incoming: &mut Streaming<Piece>) -> Result<Opening, Status> {
    let first = timeout(OPENING_WAIT, incoming.message()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("nothing was said"))??;
    first
        .and_then(|piece| piece.opening)
        .ok_or_else(|| Status::invalid_argument("the first piece must say what for"))
}

struct PairingService {
    arrivals: Arc<dyn Arrivals>,
    invitations: Arc<Invitations>,
    own_id: NodeId,
}

#[async_trait]
impl Pairing for PairingService {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let peer = verified(&request, true)?;
        let JoinRequest {
            invitation,
            name,
            proof,
        } = request.into_inner();
        if name.len() > 255 {
            return Err(Status::invalid_argument("that name is too long"));
        }
        let redeemed =
            self.invitations
                .redeem(&invitation, &proof, &peer.exporter, &peer.id, &self.own_id);
        if let Err(error) = redeemed {
            tracing::warn!(peer = %peer.id.short(), %error, "refused to pair");
            return Err(Status::permission_denied(
                "that invitation is wrong, used or older than 15 minutes",
            ));
        }
        let joined = self.arrivals.join(&peer, &name);
        let name = joined.ok_or_else(|| Status::internal("the daemon cannot keep its peers"))?;
        Ok(Response::new(JoinReply { name }))
    }
}
