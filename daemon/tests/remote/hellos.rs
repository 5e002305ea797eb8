//! Hellos of lanes that break one rule each (docs/spec/lanes.md), on the daemon's port and on its socket: each
//! ends in that socket closed without a word, and in nothing else.

mod session;

use std::{net::SocketAddr, sync::Arc};

use blit_lanes::{HELLO_BYTES, Hello, LANE_EXPORTER_LABEL, PREFACE, greet};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream, UnixStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    bench::{Two, contents, there},
    load::comes_to_be,
};
use session::{Control, Session};

/// Where the parts of a hello begin.
const VERSION: usize = 8;
const FLAGS: usize = 9;
const DIGEST: usize = 80;

/// Zeros of a hello, which nothing may be hidden in.
const ZEROS: [usize; 6] = [10, 11, 32, 35, 68, 79];

/// A number that was used before.
const USED: u32 = 3;

/// The first that is none.
const BEYOND: u32 = 64;

/// What somebody knows who says a hello.
struct Knows<'a> {
    /// A session that is under way, to which lanes in clear may belong.
    session: &'a Session,
    /// Another one.
    other: &'a Session,
    /// One that is over.
    over: &'a Session,
    /// What this very socket is bound to.
    binding: [u8; 32],
    /// A right hello, as it was heard on another socket.
    overheard: [u8; HELLO_BYTES],
}

impl Knows<'_> {
    /// A hello of the session that is right but for what `bend` does before it is sealed.
    fn bent(&self, bend: impl FnOnce(&mut [u8; HELLO_BYTES])) -> Vec<u8> {
        self.session.hello(5, &self.binding, bend)
    }

    fn numbered(&self, number: u32) -> Vec<u8> {
        self.session.hello(number, &self.binding, |_| {})
    }
}

/// Who says what.
type Script = (&'static str, fn(&Knows<'_>) -> Vec<u8>);

/// Said after what a socket begins with.
const SCRIPTS: &[Script] = &[
    ("says nothing", |_| Vec::new()),
    ("has another secret", |it| {
        it.session.with_other_secret(&it.binding)
    }),
    ("proves one session and names another", |it| {
        let mut hello = it.other.hello(5, &it.binding, |_| {});
        hello[12..28].copy_from_slice(&it.session.id);
        hello
    }),
    ("names a session that is not there", |it| {
        it.bent(|hello| hello[12..28].fill(0))
    }),
    ("names one that is over", |it| {
        it.over.hello(5, &it.binding, |_| {})
    }),
    ("uses a number again", |it| it.numbered(USED)),
    ("has the number behind the last", |it| it.numbered(BEYOND)),
    ("has the largest number", |it| it.numbered(u32::MAX)),
    ("says what was right on another socket", |it| {
        it.overheard.to_vec()
    }),
    ("is bound to nothing", |it| {
        it.session.hello(5, &[0; 32], |_| {})
    }),
    ("is bound to the control connection", |it| {
        it.session.hello(5, &it.session.channel, |_| {})
    }),
    ("has version 0", |it| it.bent(|hello| hello[VERSION] = 0)),
    ("has version 2", |it| it.bent(|hello| hello[VERSION] = 2)),
    ("has another flag", |it| it.bent(|hello| hello[FLAGS] = 2)),
    ("has all flags", |it| it.bent(|hello| hello[FLAGS] = 0xff)),
    ("has another magic", |it| it.bent(|hello| hello[0] = b'B')),
    ("has something in the first zero", |it| {
        it.bent(|hello| hello[ZEROS[0]] = 1)
    }),
    ("has something in the second zero", |it| {
        it.bent(|hello| hello[ZEROS[1]] = 1)
    }),
    ("has something behind the number", |it| {
        it.bent(|hello| hello[ZEROS[2]] = 1)
    }),
    ("has something at the end of that", |it| {
        it.bent(|hello| hello[ZEROS[3]] = 1)
    }),
    ("has something behind the nonce", |it| {
        it.bent(|hello| hello[ZEROS[4]] = 1)
    }),
    ("has something before the digest", |it| {
        it.bent(|hello| hello[ZEROS[5]] = 1)
    }),
    ("turned the first bit of the digest", |it| {
        turned(it, DIGEST)
    }),
    ("turned the last bit of the digest", |it| {
        turned(it, HELLO_BYTES - 1)
    }),
    ("turned a bit of the nonce", |it| turned(it, 40)),
    ("has no digest", |it| {
        let mut hello = it.numbered(5);
        hello[DIGEST..].fill(0);
        hello
    }),
    ("says half of it", |it| it.numbered(5)[..56].to_vec()),
    ("says all of it but a byte", |it| {
        it.numbered(5)[..HELLO_BYTES - 1].to_vec()
    }),
    ("begins a byte late", |it| {
        [&[0], &it.numbered(5)[..]].concat()
    }),
    ("says the preface once more", |it| {
        [&PREFACE[..], &it.numbered(5)].concat()
    }),
    ("says nonsense", |_| vec![0x55; HELLO_BYTES]),
    ("says nonsense for long", |_| vec![0x55; 1 << 20]),
    ("says HTTP", |_| {
        b"GET / HTTP/1.1\r\nHost: nas\r\n\r\n".repeat(5)
    }),
    ("begins with TLS", |_| {
        [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[7; 200]].concat()
    }),
];

fn turned(knows: &Knows<'_>, byte: usize) -> Vec<u8> {
    let mut hello = knows.numbered(5);
    hello[byte] ^= 1;
    hello
}

/// Said at once on a new socket, in place of all.
const FIRST: &[Script] = &[
    ("says another preface", |_| b"blit-ln2".to_vec()),
    ("says half a preface", |_| PREFACE[..4].to_vec()),
    ("says the first letter", |_| PREFACE[..1].to_vec()),
    ("says a hello without a preface", |it| it.numbered(5)),
    ("says a hello before it can know the binding", |it| {
        [&PREFACE[..], &it.session.hello(5, &[0; 32], |_| {})].concat()
    }),
];

/// A daemon, and sessions that its client has.
struct Stage {
    two: Two,
    control: Control,
    session: Session,
    other: Session,
    over: Session,
    sealed: Session,
    /// The next network from which a socket comes: of each not many failures are heard.
    network: std::sync::atomic::AtomicU8,
}

impl Stage {
    async fn new() -> Self {
        let two = Two::new();
        let control = Control::of(&two).await;
        let over = control.session(true).await.ended();
        let is_over = async || control.sessions().await == 0;
        comes_to_be("it is over", is_over).await;
        let stage = Self {
            session: control.session(true).await,
            other: control.session(true).await,
            sealed: control.session(false).await,
            over,
            control,
            two,
            network: 1.into(),
        };
        stage.all_is_well().await;
        stage
    }

    fn knows(&self, binding: [u8; 32], overheard: [u8; HELLO_BYTES]) -> Knows<'_> {
        Knows {
            session: &self.session,
            other: &self.other,
            over: &self.over,
            binding,
            overheard,
        }
    }

    /// The next socket comes from the network in which the client is.
    fn next_is_near(&self) {
        self.network.store(0, std::sync::atomic::Ordering::Relaxed);
    }

    async fn socket(&self) -> TcpStream {
        let network = self
            .network
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let socket = TcpSocket::new_v4().unwrap();
        let from: SocketAddr = format!("127.0.{network}.1:0").parse().unwrap();
        socket.bind(from).unwrap();
        let there = self.two.daemon.address.parse().unwrap();
        socket.connect(there).await.unwrap()
    }

    /// A socket that has said the preface, and what it is bound to.
    async fn clear(&self) -> (TcpStream, [u8; 32]) {
        let mut socket = self.socket().await;
        let binding = begun(&mut socket).await;
        (socket, binding)
    }

    /// A TLS connection of that key that speaks `alpn`, and what it is bound to.
    async fn encrypted(
        &self,
        key: rcgen::KeyPair,
        alpn: &[u8],
    ) -> std::io::Result<(TlsStream<TcpStream>, [u8; 32])> {
        let connector = TlsConnector::from(Arc::new(crate::matrix::tls(Some(key), alpn)));
        let name = ServerName::try_from("blit").unwrap();
        let socket = connector.connect(name, self.socket().await).await?;
        let (_, connection) = socket.get_ref();
        let binding = connection.export_keying_material([0; 32], LANE_EXPORTER_LABEL, None);
        Ok((socket, binding.unwrap()))
    }

    async fn lane(&self) -> (TlsStream<TcpStream>, [u8; 32]) {
        let lane = self.encrypted(self.control.key(), b"blit-lane/1").await;
        lane.unwrap()
    }

    /// Says a right hello, which somebody overhears: the lane, and what was said.
    async fn overheard<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        (mut socket, binding): (S, [u8; 32]),
    ) -> (S, [u8; HELLO_BYTES]) {
        let right = self.session.hello(USED, &binding, |_| {});
        socket.write_all(&right).await.unwrap();
        socket.read_exact(&mut [0; 32]).await.unwrap();
        (socket, right.try_into().unwrap())
    }

    /// Plays every script, each on a socket of its own; answers who was answered.
    async fn plays<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        overheard: [u8; HELLO_BYTES],
        open: impl AsyncFn() -> (S, [u8; 32]),
    ) -> Answered {
        let mut answered = Answered::default();
        for (name, says) in SCRIPTS {
            let (socket, binding) = open().await;
            let said = says(&self.knows(binding, overheard));
            answered.note(name, told(socket, &said).await);
        }
        answered
    }

    /// The sessions go on, and lanes that are right belong to them.
    async fn all_is_well(&self) {
        // Those that were made here, but for the one that is over.
        assert_eq!(self.control.sessions().await, 3);
        let socket = self.socket().await;
        let bound = greet(socket, None, self.session.keys(), self.session.next()).await;
        assert_eq!(bound.unwrap().session(), self.session.id);
        let (socket, binding) = self.lane().await;
        let (keys, next) = (self.sealed.keys(), self.sealed.next());
        let bound = greet(socket, Some(binding), keys, next).await;
        assert_eq!(bound.unwrap().session(), self.sealed.id);
    }
}

/// Says the preface; answers what the daemon draws.
async fn begun<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S) -> [u8; 32] {
    socket.write_all(&PREFACE).await.unwrap();
    let mut binding = [0; 32];
    socket.read_exact(&mut binding).await.unwrap();
    binding
}

/// Says that, and nothing more; answers how many bytes came back before the socket was closed.
async fn told<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S, said: &[u8]) -> usize {
    // It may be closed before all was said.
    let _ = socket.write_all(said).await;
    let _ = socket.shutdown().await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    answer.len()
}

/// Collects the names of those that were answered.
#[derive(Default)]
struct Answered(Vec<&'static str>);

impl Answered {
    fn note(&mut self, name: &'static str, bytes: usize) {
        if bytes > 0 {
            self.0.push(name);
        }
    }

    fn assert_none(&self) {
        assert!(self.0.is_empty(), "answered: who {}", self.0.join("; who "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_in_clear_that_breaks_a_rule_closes_its_socket_and_nothing_else() {
    let stage = Stage::new().await;
    let open = async || stage.clear().await;
    let (_held, overheard) = stage.overheard(open().await).await;
    let mut answered = stage.plays(overheard, open).await;
    for (name, says) in FIRST {
        let socket = stage.socket().await;
        let said = says(&stage.knows([0; 32], overheard));
        // What the preface is answered with tells nothing.
        answered.note(name, told(socket, &said).await.saturating_sub(32));
    }
    let (socket, binding) = stage.clear().await;
    let open = stage.sealed.hello(5, &binding, |_| {});
    answered.note(
        "is in clear for a session that is not",
        told(socket, &open).await,
    );
    answered.assert_none();
    stage.all_is_well().await;
    works(&stage.two);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_hello_that_breaks_a_rule_closes_its_socket_and_nothing_else() {
    let stage = Stage::new().await;
    let open = async || stage.lane().await;
    let (_held, overheard) = stage.overheard(open().await).await;
    let mut answered = stage.plays(overheard, open).await;
    let (socket, binding) = stage.lane().await;
    let in_clear = [&PREFACE[..], &stage.session.hello(5, &binding, |_| {})].concat();
    answered.note(
        "says a preface inside of TLS",
        told(socket, &in_clear).await,
    );
    let stranger = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let (socket, binding) = stage.encrypted(stranger, b"blit-lane/1").await.unwrap();
    let said = stage.session.hello(5, &binding, |_| {});
    answered.note("has the secret and another key", told(socket, &said).await);
    answered.assert_none();
    // What speaks something else is not even begun with.
    for alpn in [&b"blit-lane/2"[..], b"h2", b"blit/1"] {
        let Ok((socket, binding)) = stage.encrypted(stage.control.key(), alpn).await else {
            continue;
        };
        let said = stage.session.hello(5, &binding, |_| {});
        // HTTP/2 says that it is none.
        assert!(told(socket, &said).await < 200, "{alpn:?}");
    }
    stage.all_is_well().await;
    works(&stage.two);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_on_the_socket_of_this_machine_that_breaks_a_rule_closes_it_and_nothing_else() {
    let stage = Stage::new().await;
    let path = stage.two.scratch.path("daemon-state/lanes.sock");
    let open = async || {
        let mut socket = UnixStream::connect(&path).await.unwrap();
        let binding = begun(&mut socket).await;
        (socket, binding)
    };
    let (_held, overheard) = stage.overheard(open().await).await;
    stage.plays(overheard, open).await.assert_none();
    stage.all_is_well().await;
    works(&stage.two);
}

/// More than one network may fail in a minute before it is heard no more.
const FAILURES: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_lanes_up_or_brings_them_late_is_served_all_the_same() {
    let stage = Stage::new().await;
    for _ in 0..FAILURES {
        stage.next_is_near();
        drop(stage.lane().await);
        stage.next_is_near();
        drop(stage.clear().await);
        stage.next_is_near();
        let (socket, binding) = stage.clear().await;
        let late = stage.over.hello(5, &binding, |_| {});
        assert_eq!(told(socket, &late).await, 0);
    }
    works(&stage.two);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_nothing_again_and_again_is_heard_no_more() {
    let stage = Stage::new().await;
    let mut answers = Vec::new();
    for _ in 0..FAILURES {
        stage.next_is_near();
        let said = [&PREFACE[..], &[0x55; HELLO_BYTES]].concat();
        answers.push(told(stage.socket().await, &said).await);
    }
    // Until then each heard what it is to be bound to.
    assert_eq!((answers[0], answers[FAILURES - 1]), (32, 0), "{answers:?}");
}

/// A client that is right is served.
fn works(two: &Two) {
    let source = two.scratch.directory("source");
    std::fs::write(source.join("f"), "f").unwrap();
    let words = ["copy".into(), contents(&source), there("m/").into()];
    two.blit(&words).succeeds();
}

/// The digest that is made here by what the specification says is the one that our own client makes.
#[tokio::test]
async fn a_hello_that_is_not_bent_is_right() {
    let session = Session::imagined();
    let binding = [9; 32];
    let ours = Hello {
        session: session.id,
        stream: 5,
        reverse: true,
        nonce: session::NONCE,
    };
    let sealed = ours.seal(session.keys(), &binding);
    assert_eq!(session.hello(5, &binding, |_| {}), sealed);
    assert_ne!(session.with_other_secret(&binding), sealed);
}
