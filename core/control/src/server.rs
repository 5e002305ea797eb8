//! Waits for peers.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use blit_contract::Stream;
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
    tls::{self, ALPN, ALPN_PAIR, EXPORTER_LABEL},
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
    address: String,
    pairs: bool,
}

impl VerifiedPeer {
    /// Whose key it is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Where it came from, for people.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
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
        let accepting = accept(self.listener, self.acceptor, secured);
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
async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    secured: mpsc::Sender<io::Result<Secured>>,
) {
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
        let (acceptor, secured) = (acceptor.clone(), secured.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE_WAIT, Secured::accept(tcp, &acceptor)).await {
                Ok(Ok(stream)) => drop(secured.send(Ok(stream)).await),
                Ok(Err(cause)) => tracing::debug!(%cause, "no handshake"),
                Err(_) => tracing::debug!("no handshake in time"),
            }
            drop(place);
        });
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
    stream: TlsStream<TcpStream>,
    peer: VerifiedPeer,
}

impl Secured {
    async fn accept(tcp: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let address = tcp.peer_addr()?.to_string();
        let stream = acceptor.accept(tcp).await?;
        let (_, connection) = stream.get_ref();
        let pairs = match connection.alpn_protocol() {
            Some(alpn) if alpn == ALPN => false,
            Some(alpn) if alpn == ALPN_PAIR => true,
            _ => return Err(io::Error::other("it speaks something else")),
        };
        let certificate = connection
            .peer_certificates()
            .and_then(<[_]>::first)
            .ok_or_else(|| io::Error::other("it shows no key"))?;
        let id = NodeId::of_certificate(certificate).map_err(io::Error::other)?;
        let exporter = connection
            .export_keying_material([0; 32], EXPORTER_LABEL, None)
            .map_err(io::Error::other)?;
        let peer = VerifiedPeer {
            id,
            exporter,
            address,
            pairs,
        };
        Ok(Self { stream, peer })
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
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
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
