//! A way for bytes to cross: a transport gives connections, a connection carries streams.

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{any::Any, collections::VecDeque, fmt::Debug, net::SocketAddr, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Cost, Cx, Demands, Descriptor, Error, ErrorKind, Group, Limits, Result, TransportCaps,
};

/// A way for bytes to cross: tcp, quic, grpc, memory.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Says who this is.
    fn descriptor(&self) -> &Descriptor;

    /// Proposes concrete ways to reach `endpoint`. What lacks a required capability is not proposed.
    async fn offers(&self, cx: &Cx, endpoint: &Endpoint, hints: &Hints) -> Result<Vec<Offer>>;

    /// Waits for peers at the offer's endpoint.
    async fn listen(&self, cx: &Cx, offer: &Offer) -> Result<Box<dyn Listener>>;

    /// Connects to a listener at the offer's endpoint.
    async fn connect(&self, cx: &Cx, offer: &Offer) -> Result<Box<dyn Connection>>;
}

/// Where connections arrive.
#[async_trait]
pub trait Listener: Debug + Send {
    /// Where it listens; the port is the real one.
    fn local(&self) -> Endpoint;

    /// The next connection; `None` once it is closed.
    async fn accept(&mut self, cx: &Cx) -> Result<Option<Box<dyn Connection>>>;
}

/// What a transport gives when two sides have met.
#[async_trait]
pub trait Connection: Debug + Send + Sync {
    /// What this connection can do.
    fn caps(&self) -> TransportCaps;

    /// What the host must do to use it.
    fn demands(&self) -> Demands;

    /// How far it goes.
    fn limits(&self) -> Limits;

    /// Who is at the other end.
    fn peer(&self) -> &PeerInfo;

    /// Opens a stream.
    async fn open(&self, cx: &Cx, kind: StreamKind) -> Result<Stream>;

    /// The next stream that the peer opened; `None` once the connection is closed.
    async fn accept(&self, cx: &Cx) -> Result<Option<Stream>>;

    /// Access to the peer's memory, if there is any.
    fn rma(&self) -> Option<&dyn Rma> {
        None
    }

    /// Closes the connection; the peer sees `code`.
    async fn close(&self, code: u32) -> Result<()>;
}

/// The sending half of a stream. Dropping it without `finish` is a reset.
#[async_trait]
pub trait SendStream: Debug + Send {
    /// Takes chunks from the front of `chunks` and answers how many payload bytes it took. Waits
    /// while the peer or the queue is full. When it is cancelled, untaken chunks are still there.
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> Result<u64>;

    /// Sees that what was taken is on its way.
    async fn flush(&mut self) -> Result<()>;

    /// Ends the stream: the peer reads to its end.
    async fn finish(&mut self) -> Result<()>;

    /// Breaks the stream off; the peer sees `code`.
    fn reset(&mut self, code: u32);

    /// How many bytes one [`SendStream::lease`] may be for; `None` if the stream lends nothing.
    fn lends(&self) -> Option<u64> {
        None
    }

    /// Lends the kernel object under the stream (`sendfile`) for the next `bytes` payload bytes, all of which
    /// must pass. Nothing else may be called until [`SendStream::settle`]; if the lease is dropped without
    /// it, the stream is broken.
    #[cfg(unix)]
    async fn lease(&mut self, _bytes: u64) -> Result<FdLease> {
        Err(no_lease())
    }

    /// Ends a lease: exactly its bytes have passed, and `witness` saw them.
    #[cfg(unix)]
    async fn settle(&mut self, _witness: Witness) -> Result<()> {
        Err(no_lease())
    }
}

/// The receiving half of a stream.
#[async_trait]
pub trait RecvStream: Debug + Send {
    /// The next chunk, of at most `bytes_max` bytes; `None` at the end.
    ///
    /// # Errors
    /// `Corrupt` if what comes is not what the peer saw leave; see [`RecvStream::settle`].
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>>;

    /// The next chunk where the peer has said that `bytes_due` more bytes follow: of no more than these, and
    /// a stream whose bytes come in crumbs may wait until it has a slice of them. `None` at the end. When
    /// the call is dropped, nothing is lost: the next one has what had come.
    ///
    /// # Errors
    /// As [`RecvStream::recv`].
    async fn recv_due(&mut self, bytes_due: usize) -> Result<Option<Chunk>> {
        self.recv(bytes_due).await
    }

    /// Says that nothing more is wanted; the peer sees `code`.
    fn stop(&mut self, code: u32);

    /// Lends the kernel object under the stream for the next `bytes` payload bytes (`splice`), if there is
    /// one and they lie in it so. Nothing else may be called until [`RecvStream::settle`]; if the lease is
    /// dropped without it, the stream is broken.
    #[cfg(unix)]
    async fn lease(&mut self, _bytes: u64) -> Result<Option<FdLease>> {
        Ok(None)
    }

    /// Ends a lease: exactly its bytes have passed, and `witness` saw them.
    ///
    /// # Errors
    /// `Corrupt` if they are not what the peer saw leave. The stream goes on behind them: they come from a
    /// file that may be written to while it is sent, so this can happen between honest peers.
    #[cfg(unix)]
    async fn settle(&mut self, _witness: Witness) -> Result<()> {
        Err(no_lease())
    }
}

#[cfg(unix)]
fn no_lease() -> Error {
    Error::new(ErrorKind::Bug, "settle").because("the stream lends nothing")
}

/// What a stream carries.
pub enum Chunk {
    /// Bytes, shared and not copied.
    Bytes(Bytes),
    /// A value handed over as it is. Only where both ends are in one process
    /// ([`crate::TransportCap::Objects`]).
    Object(Box<dyn Any + Send>),
}

impl Chunk {
    /// How many payload bytes it counts; an object counts none.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Object(_) => 0,
        }
    }
}

impl Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Object(_) => f.write_str("Object"),
        }
    }
}

/// An ordered channel inside a connection. A one-way stream has only its half.
#[derive(Debug)]
pub struct Stream {
    /// Its number in the connection.
    pub id: u64,
    /// The half to send with.
    pub send: Option<Box<dyn SendStream>>,
    /// The half to receive with.
    pub recv: Option<Box<dyn RecvStream>>,
}

/// Which halves a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// Both sides send.
    TwoWay,
    /// Only the side that opened it sends.
    OneWay,
}

/// Where a transport can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Endpoint {
    /// The scheme, which selects the transport.
    pub scheme: String,
    /// What the transport makes of the rest: a host and port, a name.
    pub authority: String,
}

impl Endpoint {
    /// The endpoint `scheme://authority`.
    #[must_use]
    pub fn new(scheme: impl Into<String>, authority: impl Into<String>) -> Self {
        Self {
            scheme: scheme.into(),
            authority: authority.into(),
        }
    }
}

/// What the caller needs of a connection.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Hints {
    /// Without these there is no offer.
    pub require: TransportCaps,
    /// With these an offer is better.
    pub prefer: TransportCaps,
    /// The least security class that will do.
    pub security: SecurityClass,
}

/// Who could read the bytes on their way. The order is the order of strength.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SecurityClass {
    /// In clear inside networks that both sides listed, each chunk with a keyed digest.
    TrustedNetwork,
    /// Encrypted and authenticated.
    #[default]
    Encrypted,
    /// The bytes never leave this machine.
    SameMachine,
}

/// A concrete way to connect.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Offer {
    /// Where.
    pub endpoint: Endpoint,
    /// What the connection will be able to do.
    pub caps: TransportCaps,
    /// What the host must do.
    pub demands: Demands,
    /// How far it will go.
    pub limits: Limits,
    /// What it costs at first guess.
    pub cost: Cost,
    /// Who could read the bytes on their way.
    pub security: SecurityClass,
}

impl Offer {
    /// An offer that demands nothing, has no limits and no known cost.
    #[must_use]
    pub fn new(endpoint: Endpoint, caps: TransportCaps, security: SecurityClass) -> Self {
        Self {
            endpoint,
            caps,
            demands: Demands::default(),
            limits: Limits::default(),
            cost: Cost::default(),
            security,
        }
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The address, for people.
    pub address: String,
    /// The key that the peer proved to hold.
    pub identity: Option<[u8; 32]>,
    /// What both ends can name and nobody between can (RFC 9266).
    pub channel_binding: Option<[u8; 32]>,
    /// Where it was reached, if that was over the network.
    pub socket: Option<SocketAddr>,
}

impl PeerInfo {
    /// A peer of that address that proved nothing.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            ..Self::default()
        }
    }
}

/// What a kernel descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FdKind {
    /// A regular file, used at this offset.
    File {
        /// In bytes.
        offset: u64,
    },
    /// A pipe.
    Pipe,
    /// A connected stream socket.
    StreamSocket,
}

/// The exclusive use of the kernel object under a stream, for a number of bytes.
#[cfg(unix)]
#[derive(Debug)]
pub struct FdLease {
    /// The descriptor, a copy of the stream's own. It may answer that it would block.
    pub fd: OwnedFd,
    /// What it is.
    pub kind: FdKind,
    /// What must see the bytes that pass, in their order.
    pub witness: Witness,
}

/// Looks at bytes that pass through the kernel, where the stream wants them digested. It sees the digests of
/// their groups of [`crate::GROUP_BYTES`] (the last may be shorter): whoever shows them needs those, too.
#[derive(Debug, Clone, Default)]
pub struct Witness(Option<blake3::Hasher>);

impl Witness {
    /// One that adds what it sees to `hasher`.
    #[must_use]
    pub fn with(hasher: blake3::Hasher) -> Self {
        Self(Some(hasher))
    }

    /// Sees the next group.
    pub fn see(&mut self, group: &Group) {
        if let Some(hasher) = &mut self.0 {
            hasher.update(group.digest());
        }
    }

    /// The digest of what it saw; `None` if nobody wants it.
    #[must_use]
    pub fn digest(&self) -> Option<[u8; 32]> {
        self.0.as_ref().map(|hasher| *hasher.finalize().as_bytes())
    }
}

/// Opens byte streams to a peer that knows already who asks: what a transport inside another connection
/// rides on.
#[async_trait]
pub trait Carrier: Debug + Send + Sync {
    /// Who is at the other end.
    fn peer(&self) -> &PeerInfo;

    /// Opens a two-way stream of the session of that number. `reverse`: it is one that the peer's side of
    /// the session opens.
    async fn dial(&self, cx: &Cx, session: [u8; 16], reverse: bool) -> Result<Stream>;
}

/// Another machine's daemon, reached and authenticated.
#[async_trait]
pub trait Peer: Debug + Send + Sync {
    /// Who it is.
    fn info(&self) -> &PeerInfo;

    /// Opens a two-way stream for one request.
    async fn request(&self, cx: &Cx) -> Result<Stream>;

    /// The connection for the session that a request has begun.
    async fn session(&self, cx: &Cx, grant: &SessionGrant) -> Result<Box<dyn Connection>>;
}

/// A session that a daemon has begun, and how its lanes may be opened.
#[derive(Debug, Clone)]
pub struct SessionGrant {
    /// Its number, which cannot be guessed.
    pub id: [u8; 16],
    /// Ways beside the control connection, the best first. An empty authority is the address of the
    /// control connection.
    pub offers: Vec<Offer>,
}

/// Access to the peer's memory.
#[async_trait]
pub trait Rma: Send + Sync {
    /// Makes memory known to the device.
    async fn register(&self, memory: Arc<dyn MemoryRegion>) -> Result<RegionHandle>;

    /// Writes `range` of `local` into the peer's region `remote` at `offset`.
    async fn put(
        &self,
        cx: &Cx,
        local: &RegionHandle,
        range: Range<u64>,
        remote: &Bytes,
        offset: u64,
    ) -> Result<()>;

    /// Waits until everything put so far has arrived.
    async fn fence(&self) -> Result<()>;
}

/// Memory that a device may use.
pub trait MemoryRegion: Send + Sync {
    /// How long it is, in bytes.
    fn size_bytes(&self) -> u64;
}

/// Memory that a device knows.
pub struct RegionHandle {
    /// The device's number for it.
    pub id: u64,
    /// What the peer needs to reach it.
    pub export: Bytes,
    /// The memory, held while the handle lives.
    pub region: Arc<dyn MemoryRegion>,
}
