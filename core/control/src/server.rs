//! Waits for peers.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use blit_contract::Stream;
use futures_core::Stream as Incoming;
use tokio::{sync::mpsc, time::timeout};
use tokio_rustls::TlsAcceptor;
use tonic::{Request, Response, Status, Streaming, transport::Server as GrpcServer};

use crate::{
    Admission, Door, Health, Identity, Invitations, LaneSocket, ManageJobs, NodeId, VerifiedPeer,
    arrival::{LaneArrival, Secured, take_lanes},
    desk, health,
    limits::{HALF_OPEN_MAX, Limits},
    proto::{
        JoinReply, JoinRequest, KnockReply, KnockRequest, Opening, Piece,
        link_server::{Link, LinkServer},
        pairing_server::{Pairing, PairingServer},
    },
    stream::{
        CONNECTION_WINDOW_BYTES, CallRecv, CallSend, KEEP_ALIVE, MESSAGE_BYTES_MAX, PIECES_AHEAD,
        STREAM_WINDOW_BYTES,
    },
    tls,
};

/// How long a call may take to say what it is for.
const OPENING_WAIT: Duration = Duration::from_secs(5);

const STREAMS_MAX: u32 = 64;

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

    /// Remembers that a machine which calls itself `name` would like to be known. It gets nothing by it,
    /// and learns nothing.
    fn knock(&self, peer: &VerifiedPeer, name: &str);

    /// Tells of a machine that was refused, and of what it wanted.
    fn refused(&self, peer: &VerifiedPeer, wish: &'static str);

    /// How a module does, or with an empty name the daemon. Nobody hears of what he may not see.
    fn health(&self, peer: &VerifiedPeer, service: &str) -> Health;

    /// Who looks after jobs for this peer; nobody, if it may not ask. For known peers only.
    fn jobs(&self, peer: &VerifiedPeer) -> Option<Arc<dyn ManageJobs>>;

    /// Takes a request. Called for known peers only.
    async fn request(&self, peer: VerifiedPeer, stream: Stream);

    /// Takes a socket that wants to be a lane. It is to be closed soon unless it proves itself; `false`: it
    /// did not.
    async fn lane_socket(&self, socket: LaneSocket) -> bool;

    /// Takes a stream of a session; `false` if this peer has no such session. For known peers only.
    fn lane(&self, peer: &VerifiedPeer, opening: LaneOpening, stream: Stream) -> bool;
}

/// Serves peers.
pub struct Server {
    queue: mpsc::Receiver<io::Result<Secured>>,
    lanes: mpsc::Receiver<LaneArrival>,
    invitations: Arc<Invitations>,
    limits: Arc<Limits>,
    own_id: NodeId,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.own_id).finish()
    }
}

impl Server {
    /// Will serve whoever comes through the door that is made with it, as `identity`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(
        identity: &Identity,
        invitations: Invitations,
        admission: Arc<dyn Admission>,
    ) -> io::Result<(Self, Door)> {
        let config = tls::server_config(identity).map_err(io::Error::other)?;
        let (secured, queue) = mpsc::channel(HALF_OPEN_MAX);
        let (lane_sockets, lanes) = mpsc::channel(HALF_OPEN_MAX);
        let limits = Arc::<Limits>::default();
        let door = Door {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            admission,
            limits: Arc::clone(&limits),
            secured,
            lane_sockets,
        };
        let server = Self {
            queue,
            lanes,
            invitations: Arc::new(invitations),
            limits,
            own_id: identity.id(),
        };
        Ok((server, door))
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
        let taking = take_lanes(self.lanes, Arc::clone(&arrivals));
        let arriving = Arriving {
            queue: self.queue,
            arrivals: Arc::clone(&arrivals),
            limits: Arc::clone(&self.limits),
        };
        let refusals = Refusals {
            arrivals: Arc::clone(&arrivals),
            limits: self.limits,
        };
        let link = LinkServer::new(LinkService {
            arrivals: Arc::clone(&arrivals),
            refusals: refusals.clone(),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let (judge, known) = (Arc::clone(&arrivals), refusals.clone());
        let jobs = desk::service(Arc::new(move |peer| known.jobs_for(peer)));
        let pairing = PairingServer::new(PairingService {
            arrivals,
            refusals,
            invitations: self.invitations,
            own_id: self.own_id,
        })
        .max_decoding_message_size(1 << 16);
        let health = health::service(Arc::new(
            move |peer: Option<&VerifiedPeer>, service: &str| match peer {
                Some(peer) => judge.health(peer, service),
                None => Health::Unknown,
            },
        ));
        let serving = grpc()
            .add_service(link)
            .add_service(pairing)
            .add_service(jobs)
            .add_service(health)
            .serve_with_incoming_shutdown(arriving, stop);
        // Sockets come as long as there are sessions: also while those that run come to their end.
        tokio::select! {
            served = serving => served.map_err(io::Error::other),
            () = taking => Ok(()),
        }
    }
}

/// HTTP/2 as both kinds of servers speak it.
pub(crate) fn grpc() -> GrpcServer {
    GrpcServer::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .http2_max_header_list_size(16 << 10)
}

/// What is done about those who may not come.
#[derive(Clone)]
struct Refusals {
    arrivals: Arc<dyn Arrivals>,
    limits: Arc<Limits>,
}

impl Refusals {
    /// Counts it, tells of it, and answers.
    fn refuse(&self, peer: &VerifiedPeer, wish: &'static str, answer: Status) -> Status {
        self.limits
            .failed(peer.address().ip(), std::time::Instant::now());
        self.arrivals.refused(peer, wish);
        answer
    }

    /// Refuses a machine that is not paired.
    fn known(&self, peer: &VerifiedPeer) -> Result<(), Status> {
        match self.arrivals.knows(peer) {
            true => Ok(()),
            false => {
                let answer = Status::unauthenticated("this machine is not paired here");
                Err(self.refuse(peer, "connect", answer))
            }
        }
    }

    /// Who looks after jobs for a peer.
    fn jobs_for(&self, peer: Option<&VerifiedPeer>) -> Result<Arc<dyn ManageJobs>, Status> {
        let peer = peer.filter(|peer| !peer.pairs());
        let peer = peer.ok_or_else(|| Status::unauthenticated("this cannot be called here"))?;
        self.known(peer)?;
        let refused = || Status::permission_denied("it does not let this machine see its jobs");
        self.arrivals.jobs(peer).ok_or_else(refused)
    }
}

struct Arriving {
    queue: mpsc::Receiver<io::Result<Secured>>,
    arrivals: Arc<dyn Arrivals>,
    limits: Arc<Limits>,
}

impl Incoming for Arriving {
    type Item = io::Result<Secured>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.queue.poll_recv(cx)) {
                None => return Poll::Ready(None),
                Some(Err(cause)) => return Poll::Ready(Some(Err(cause))),
                Some(Ok(secured)) => {
                    // Whoever is not admitted is hung up on.
                    if let Some(secured) = secured.admitted(&*self.arrivals, &self.limits) {
                        return Poll::Ready(Some(Ok(secured)));
                    }
                }
            }
        }
    }
}

/// Whose call it is: the one door through which every call comes.
fn verified<T>(request: &Request<T>, pairs: bool) -> Result<VerifiedPeer, Status> {
    let peer = request.extensions().get::<VerifiedPeer>();
    let peer = peer.filter(|peer| peer.pairs() == pairs);
    peer.cloned()
        .ok_or_else(|| Status::unauthenticated("this cannot be called here"))
}

struct LinkService {
    arrivals: Arc<dyn Arrivals>,
    refusals: Refusals,
}

pub(crate) type Replies = Pin<Box<dyn Incoming<Item = Result<Piece, Status>> + Send>>;

#[async_trait]
impl Link for LinkService {
    type CarryStream = Replies;

    async fn carry(&self, request: Request<Streaming<Piece>>) -> Result<Response<Replies>, Status> {
        let peer = verified(&request, false)?;
        self.refusals.known(&peer)?;
        let Carried {
            opening,
            stream,
            replies,
        } = Carried::accept(request.into_inner()).await?;
        match opening {
            None => {
                let arrivals = Arc::clone(&self.arrivals);
                tokio::spawn(async move { arrivals.request(peer, stream).await });
            }
            Some(opening) if self.arrivals.lane(&peer, opening, stream) => {}
            Some(_) => return Err(no_such_session()),
        }
        Ok(Response::new(replies))
    }
}

/// A call that has said what it is for.
pub(crate) struct Carried {
    /// Which stream of a session it is; nothing for a request.
    pub(crate) opening: Option<LaneOpening>,
    pub(crate) stream: Stream,
    pub(crate) replies: Replies,
}

impl Carried {
    pub(crate) async fn accept(mut incoming: Streaming<Piece>) -> Result<Self, Status> {
        let opening = first(&mut incoming).await?;
        let session = match opening.session.is_empty() {
            true => None,
            false => Some(<[u8; 16]>::try_from(&*opening.session)),
        };
        let session = session.transpose();
        let session = session.map_err(|_| Status::invalid_argument("no session"))?;
        let (pieces, mut queue) = mpsc::channel(PIECES_AHEAD);
        Ok(Self {
            opening: session.map(|session| LaneOpening {
                session,
                reverse: opening.reverse,
            }),
            stream: Stream {
                id: 0,
                send: Some(Box::new(CallSend::of_server(pieces))),
                recv: Some(Box::new(CallRecv::of_server(incoming))),
            },
            replies: Box::pin(futures_util::stream::poll_fn(move |cx| queue.poll_recv(cx))),
        })
    }
}

pub(crate) fn no_such_session() -> Status {
    Status::not_found("there is no such session")
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
    refusals: Refusals,
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
        let redeemed = self.invitations.redeem(
            &invitation,
            &proof,
            &peer.binding(),
            &peer.id(),
            &self.own_id,
        );
        if let Err(error) = redeemed {
            tracing::warn!(peer = %peer.id().short(), %error, "refused to pair");
            let answer = "that invitation is wrong, used or older than 15 minutes";
            let answer = Status::permission_denied(answer);
            return Err(self.refusals.refuse(&peer, "pair", answer));
        }
        let joined = self.arrivals.join(&peer, &name);
        let name = joined.ok_or_else(|| Status::internal("the daemon cannot keep its peers"))?;
        Ok(Response::new(JoinReply { name }))
    }

    async fn knock(&self, request: Request<KnockRequest>) -> Result<Response<KnockReply>, Status> {
        let peer = verified(&request, true)?;
        let KnockRequest { name } = request.into_inner();
        if name.len() > 255 {
            return Err(Status::invalid_argument("that name is too long"));
        }
        if !self.arrivals.knows(&peer) {
            self.arrivals.knock(&peer, &name);
            // It may do no harm, but it is a stranger who tries.
            let _ = self.refusals.refuse(&peer, "knock", Status::ok(""));
        }
        // The same answer for everybody.
        Ok(Response::new(KnockReply {}))
    }
}
