//! A control connection whose secrets are known, and sessions that were asked for on it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use blit_control::calls::{Opening, Piece};
use blit_lanes::{HELLO_BYTES, LaneKeys, Secret, same_machine_proof};
use blit_wire::{FrameBuffer, LaneWishes, Reply, Request, Role, Verb};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_rustls::TlsConnector;
use tonic::{Streaming, transport::Channel};

use crate::{
    bench::Two,
    hostile::attacker::request,
    matrix::{over, tls},
};

/// Of all hellos here: chance is of no matter.
pub(crate) const NONCE: [u8; 32] = [3; 32];

/// Where the first number is that scripts leave alone.
const OWN: u32 = 16;

/// The connection of the client of two machines.
pub(crate) struct Control {
    channel: Channel,
    key: String,
    secret: [u8; 32],
    binding: [u8; 32],
}

impl Control {
    pub(crate) async fn of(two: &Two) -> Self {
        let key = std::fs::read_to_string(two.scratch.path("client-state/identity/node.key"));
        let key = key.unwrap();
        let config = tls(Some(rcgen::KeyPair::from_pem(&key).unwrap()), b"blit/1");
        let socket = TcpStream::connect(&two.daemon.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("blit").unwrap();
        let socket = connector.connect(name, socket).await.unwrap();
        let exported = |label: &[u8]| {
            let (_, connection) = socket.get_ref();
            let exported = connection.export_keying_material([0; 32], label, None);
            exported.unwrap()
        };
        Self {
            secret: exported(b"EXPORTER-blit-lanes-v1"),
            binding: exported(b"EXPORTER-blit-channel-v1"),
            key,
            channel: over(TokioIo::new(socket)).await.unwrap(),
        }
    }

    /// The key that was proved on it.
    pub(crate) fn key(&self) -> rcgen::KeyPair {
        rcgen::KeyPair::from_pem(&self.key).unwrap()
    }

    /// Asks for a session; lanes in clear may belong to it if `is_here` is said.
    pub(crate) async fn session(&self, is_here: bool) -> Session {
        let mut request = request(Role::Target, Verb::Copy, Path::new("held"));
        if let Request::Session(session) = &mut request {
            let machine = same_machine_proof(&self.binding).filter(|_| is_here);
            session.lanes = LaneWishes {
                clear: false,
                machine,
            };
        }
        let mut asked = self.ask(request).await;
        match asked.reply().await {
            Some(Reply::Session(grant)) => Session::of(self, grant.id, Some(asked)),
            other => panic!("{other:?}"),
        }
    }

    /// How many sessions the daemon has.
    pub(crate) async fn sessions(&self) -> u32 {
        match self.ask(Request::Status).await.reply().await {
            Some(Reply::Status(status)) => status.sessions,
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&self, request: Request) -> Asked {
        let (pieces, mut queue) = mpsc::channel(8);
        let outgoing = futures_util::stream::poll_fn(move |cx| queue.poll_recv(cx));
        let opening = Some(Opening::default());
        let data = Bytes::new();
        pieces.send(Piece { data, opening }).await.unwrap();
        let data = request.to_frame();
        pieces
            .send(Piece {
                data,
                opening: None,
            })
            .await
            .unwrap();
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let path = "/blit.control.v1.Link/Carry".parse().unwrap();
        let codec = tonic_prost::ProstCodec::<Piece, Piece>::default();
        let answered = grpc.streaming(tonic::Request::new(outgoing), path, codec);
        Asked {
            replies: answered.await.unwrap().into_inner(),
            frames: FrameBuffer::default(),
            _pieces: pieces,
        }
    }
}

/// A request that was made, which is over when this is dropped.
struct Asked {
    replies: Streaming<Piece>,
    frames: FrameBuffer,
    _pieces: mpsc::Sender<Piece>,
}

impl Asked {
    async fn reply(&mut self) -> Option<Reply> {
        loop {
            if let Some(frame) = self.frames.next_message().unwrap() {
                return Some(Reply::from_frame(frame).unwrap());
            }
            let piece = self.replies.message().await.ok()??;
            self.frames.push(piece.data);
        }
    }
}

/// A session, and all that is secret of it.
pub(crate) struct Session {
    pub(crate) id: [u8; 16],
    /// What the control connection is bound to.
    pub(crate) channel: [u8; 32],
    secret: [u8; 32],
    keys: LaneKeys,
    next: AtomicU32,
    asked: Option<Asked>,
}

impl Session {
    fn of(control: &Control, id: [u8; 16], asked: Option<Asked>) -> Self {
        Self {
            id,
            channel: control.binding,
            secret: control.secret,
            keys: LaneKeys::derive(&Secret::new(control.secret), &id),
            next: OWN.into(),
            asked,
        }
    }

    /// One that no daemon knows.
    pub(crate) fn imagined() -> Self {
        let (id, secret) = ([2; 16], [1; 32]);
        Self {
            id,
            channel: [4; 32],
            secret,
            keys: LaneKeys::derive(&Secret::new(secret), &id),
            next: OWN.into(),
            asked: None,
        }
    }

    pub(crate) fn keys(&self) -> &LaneKeys {
        &self.keys
    }

    /// What a right lane says of itself: each time another number. It is one that the daemon opens: no
    /// session here comes so far that it does.
    pub(crate) fn next(&self) -> ([u8; 16], u32, bool) {
        (self.id, self.next.fetch_add(1, Ordering::Relaxed), true)
    }

    /// The same, of which the daemon hears no more.
    pub(crate) fn ended(mut self) -> Self {
        self.asked = None;
        self
    }

    /// A hello by the specification (L-7, L-9), on which `bend` has worked before it was sealed.
    pub(crate) fn hello(
        &self,
        number: u32,
        binding: &[u8; 32],
        bend: impl FnOnce(&mut [u8; HELLO_BYTES]),
    ) -> Vec<u8> {
        self.sealed(self.secret, (number, binding), bend)
    }

    /// A right one, but for the secret.
    pub(crate) fn with_other_secret(&self, binding: &[u8; 32]) -> Vec<u8> {
        self.sealed([0x77; 32], (5, binding), |_| {})
    }

    fn sealed(
        &self,
        secret: [u8; 32],
        (number, binding): (u32, &[u8; 32]),
        bend: impl FnOnce(&mut [u8; HELLO_BYTES]),
    ) -> Vec<u8> {
        let mut hello = [0; HELLO_BYTES];
        hello[..8].copy_from_slice(b"blitlane");
        (hello[8], hello[9]) = (1, 1);
        hello[12..28].copy_from_slice(&self.id);
        hello[28..32].copy_from_slice(&number.to_le_bytes());
        hello[36..68].copy_from_slice(&NONCE);
        bend(&mut hello);
        let material = [&secret[..], &self.id].concat();
        let key = blake3::derive_key("blit 2026-11-21 lanes v1 hello", &material);
        let mut digest = blake3::Hasher::new_keyed(&key);
        digest.update(&hello[..80]).update(binding);
        hello[80..].copy_from_slice(digest.finalize().as_bytes());
        hello.to_vec()
    }
}
