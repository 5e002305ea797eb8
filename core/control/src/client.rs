//! Reaches a peer.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use blit_contract::{
    Carrier, Connection, Cx, Error, ErrorKind, Peer, PeerInfo, Result, SecurityClass, SessionGrant,
    Stream,
};
use blit_lanes::{LaneKeys, MakeLanes, Rung, Secret, Sockets, Ways};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use crate::{
    Identity, Invitation, InvitationError, JobsOf, NodeId,
    proto::{
        JoinRequest, KnockRequest, Opening, Piece, link_client::LinkClient,
        pairing_client::PairingClient,
    },
    stream::{
        CONNECTION_WINDOW_BYTES, CallRecv, CallSend, KEEP_ALIVE, MESSAGE_BYTES_MAX, PIECES_AHEAD,
        STREAM_WINDOW_BYTES, from_status,
    },
    tls::{self, ALPN, ALPN_PAIR, EXPORTER_LABEL, LANES_EXPORTER_LABEL, exported},
};

/// How long reaching one address may take, with everything that proves who is there.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// Why a peer cannot be spoken to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer holds another key than the one that is known.
    #[error("it shows another key than the one that is known")]
    OtherKey {
        /// The key that is known.
        expected: NodeId,
        /// The key that it holds.
        found: NodeId,
    },
    /// None of its addresses answers.
    #[error("it cannot be reached")]
    Unreachable(Vec<(String, String)>),
    /// The peer does not want this invitation.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// The peer says no.
    #[error("it refuses: {0}")]
    Refused(String),
}

/// A peer, connected.
#[derive(Debug, Clone)]
pub struct Client {
    link: LinkClient<Channel>,
    channel: Channel,
    info: PeerInfo,
    lanes: Arc<dyn MakeLanes>,
    /// The name of the way on which calls and, where there is no better one, lanes cross.
    way: &'static str,
    sockets: Option<SocketRoot>,
}

/// What lanes of all sessions that are sockets of their own come from.
#[derive(Debug, Clone)]
struct SocketRoot {
    address: SocketAddr,
    secret: Secret,
    tls: Arc<ClientConfig>,
}

/// What a new connection proved.
struct Reached {
    channel: Channel,
    exporter: [u8; 32],
    secret: Secret,
    address: String,
    socket: SocketAddr,
}

impl Client {
    /// Connects to the machine `id` at one of `addresses`. `lanes` makes the connections of sessions.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub async fn connect(
        identity: &Identity,
        id: NodeId,
        addresses: &[String],
        lanes: Arc<dyn MakeLanes>,
    ) -> Result<Self, ConnectError> {
        let reached = reach(identity, ALPN, id, addresses).await?;
        let mut info = PeerInfo::new(reached.address);
        info.identity = Some(*id.as_bytes());
        info.channel_binding = Some(reached.exporter);
        info.socket = Some(reached.socket);
        // The key that the control connection proved is the only one that a lane may show.
        let lane_tls = tls::client_config(identity, tls::ALPN_LANE, id, Arc::default());
        let lane_tls = lane_tls.map_err(|error| ConnectError::Refused(error.to_string()))?;
        Ok(Self {
            link: link(reached.channel.clone()),
            channel: reached.channel,
            info,
            lanes,
            way: "grpc",
            sockets: Some(SocketRoot {
                address: reached.socket,
                secret: reached.secret,
                tls: Arc::new(lane_tls),
            }),
        })
    }

    /// Speaks to the machine at the other end of `stream`, which whoever made it has proved: calls and
    /// lanes cross it and nothing else. `way` is what it is called, `address` what that machine is.
    ///
    /// # Errors
    /// The other end does not speak the protocol of the control plane.
    pub async fn over<S>(
        stream: S,
        (way, address): (&'static str, String),
        lanes: Arc<dyn MakeLanes>,
    ) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let channel = channel(stream).await?;
        Ok(Self {
            link: link(channel.clone()),
            channel,
            info: PeerInfo::new(address),
            lanes,
            way,
            sockets: None,
        })
    }

    /// Its jobs, as far as it lets this machine see them.
    #[must_use]
    pub fn jobs(&self) -> JobsOf {
        JobsOf::behind(self.channel.clone())
    }

    async fn carry(&self, opening: Opening) -> Result<Stream> {
        let (pieces, mut queue) = mpsc::channel(PIECES_AHEAD);
        let first = Piece {
            data: bytes::Bytes::new(),
            opening: Some(opening),
        };
        drop(pieces.try_send(first));
        let outgoing = futures_util::stream::poll_fn(move |cx| queue.poll_recv(cx));
        let call = self.link.clone().carry(outgoing).await;
        let incoming = call.map_err(|status| from_status("ask", &status))?;
        Ok(Stream {
            id: 0,
            send: Some(Box::new(CallSend::of_client(pieces))),
            recv: Some(Box::new(CallRecv::of_client(incoming.into_inner()))),
        })
    }
}

#[async_trait]
impl Peer for Client {
    fn info(&self) -> &PeerInfo {
        &self.info
    }

    async fn request(&self, cx: &Cx) -> Result<Stream> {
        cx.check()?;
        self.carry(Opening::default()).await
    }

    async fn session(&self, cx: &Cx, grant: &SessionGrant) -> Result<Box<dyn Connection>> {
        cx.check()?;
        let in_band = Rung {
            transport: self.way,
            security: SecurityClass::Encrypted,
            carrier: Arc::new(InBand(self.clone())),
        };
        let sockets = self.sockets.as_ref().map(|root| Sockets {
            address: root.address,
            tls: Arc::clone(&root.tls),
            keys: LaneKeys::derive(&root.secret, &grant.id),
        });
        let ways = Ways { in_band, sockets };
        Ok(self.lanes.connection(grant, ways))
    }
}

/// Opens streams inside the control connection.
#[derive(Debug)]
struct InBand(Client);

#[async_trait]
impl Carrier for InBand {
    fn peer(&self) -> &PeerInfo {
        &self.0.info
    }

    async fn dial(&self, cx: &Cx, session: [u8; 16], reverse: bool) -> Result<Stream> {
        cx.check()?;
        let session = bytes::Bytes::copy_from_slice(&session);
        self.0.carry(Opening { session, reverse }).await
    }
}

/// Joins the machine that made `invitation`, as `name`; answers its name and the address that served.
///
/// # Errors
/// [`ConnectError`]
pub async fn join(
    identity: &Identity,
    name: &str,
    invitation: &Invitation,
    addresses: &[String],
) -> Result<(String, String), ConnectError> {
    if invitation.is_expired() {
        return Err(InvitationError::Expired.into());
    }
    let reached = reach(identity, ALPN_PAIR, invitation.inviter, addresses).await?;
    let proof = invitation.proof(&reached.exporter, &identity.id());
    let request = JoinRequest {
        invitation: bytes::Bytes::copy_from_slice(&invitation.number()),
        name: name.to_owned(),
        proof: proof.into(),
    };
    let answer = PairingClient::new(reached.channel).join(request).await;
    let answer = answer.map_err(|status| ConnectError::Refused(status.message().to_owned()))?;
    Ok((answer.into_inner().name, reached.address))
}

/// Asks the administrator of the machine `id` to be known there, as `name`; answers the address that served.
///
/// # Errors
/// [`ConnectError`]
pub async fn knock(
    identity: &Identity,
    name: &str,
    id: NodeId,
    addresses: &[String],
) -> Result<String, ConnectError> {
    let reached = reach(identity, ALPN_PAIR, id, addresses).await?;
    let name = name.to_owned();
    let mut pairing = PairingClient::new(reached.channel);
    let answer = pairing.knock(KnockRequest { name }).await;
    answer.map_err(|status| ConnectError::Refused(status.message().to_owned()))?;
    Ok(reached.address)
}

/// Tries one address after the other.
async fn reach(
    identity: &Identity,
    alpn: &[u8],
    id: NodeId,
    addresses: &[String],
) -> Result<Reached, ConnectError> {
    let mut tried = Vec::new();
    for address in addresses {
        let seen = Arc::default();
        let attempt = timeout(
            CONNECT_WAIT,
            reach_one(identity, alpn, id, address, Arc::clone(&seen)),
        );
        match attempt.await {
            Ok(Ok(reached)) => return Ok(reached),
            Ok(Err(cause)) => {
                if let Some(found) = *seen.lock() {
                    return Err(ConnectError::OtherKey {
                        expected: id,
                        found,
                    });
                }
                tried.push((address.clone(), cause.to_string()));
            }
            Err(_) => tried.push((address.clone(), "no answer within 10 s".to_owned())),
        }
    }
    Err(ConnectError::Unreachable(tried))
}

async fn reach_one(
    identity: &Identity,
    alpn: &[u8],
    id: NodeId,
    address: &str,
    seen: Arc<Mutex<Option<NodeId>>>,
) -> io::Result<Reached> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let socket = tcp.peer_addr()?;
    let config = tls::client_config(identity, alpn, id, seen).map_err(io::Error::other)?;
    // The name is nobody's: the key is all that counts.
    let name = ServerName::try_from("blit").map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(config));
    let secured = connector.connect(name, tcp).await?;
    let (_, connection) = secured.get_ref();
    let exporter = exported(connection, EXPORTER_LABEL)?;
    let secret = Secret::new(exported(connection, LANES_EXPORTER_LABEL)?);
    Ok(Reached {
        channel: channel(secured).await?,
        exporter,
        secret,
        address: address.to_owned(),
        socket,
    })
}

/// Calls over that one connection: a lost one is told, not silently made anew.
async fn channel<S>(stream: S) -> io::Result<Channel>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = Mutex::new(Some(TokioIo::new(stream)));
    let connector = tower::service_fn(move |_| {
        let stream = stream.lock().take();
        async move { stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    let channel = Endpoint::from_static("http://peer")
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .connect_with_connector(connector)
        .await;
    channel.map_err(io::Error::other)
}

fn link(channel: Channel) -> LinkClient<Channel> {
    LinkClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// Whether trying to connect again may help.
impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Unreachable(_) => ErrorKind::Unreachable,
            _ => ErrorKind::Denied,
        };
        Self::new(kind, "connect")
            .because(error.to_string())
            .with_source(error)
    }
}
