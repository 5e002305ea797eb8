//! Who reaches what: every method of every service and every kind of request, for everybody.
//!
//! Both are listed from the protocol files, so that a new one fails this test until somebody decides.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use blit_conform::Scratch;
use blit_contract::{Cx, Durability, ErrorKind, Peer, Preserve, RelPath};
use blit_control::{Client, Identity, NodeId, Peers};
use blit_wire::{
    Answer, Compare, FrameBuffer, LaneWishes, MaxDelete, Place, PullRequest, Reply, Request, Role,
    Rules, SessionRequest, Terms, TokenRequest, Top, Verb,
};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use prost_types::FileDescriptorSet;
use tokio::net::{TcpSocket, TcpStream};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use crate::bench::{Daemon, HOST, client};

/// Who comes, and what its TLS connection says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    WithoutTls,
    WithoutKey,
    Unknown,
    UnknownToPair,
    Paired,
}

const ALL: [Comes; 5] = [
    Comes::WithoutTls,
    Comes::WithoutKey,
    Comes::Unknown,
    Comes::UnknownToPair,
    Comes::Paired,
];

/// Whether a method does anything for whoever comes. Without TLS and a key nothing can be called at all.
fn is_reached(method: &str, who: Comes) -> bool {
    let (service, name) = method.split_once('/').unwrap();
    match (service, name) {
        ("blit.control.v1.Link", "Carry") => who == Comes::Paired,
        ("blit.control.v1.Pairing", "Join" | "Knock") => who == Comes::UnknownToPair,
        ("grpc.health.v1.Health", "Check" | "Watch") => {
            !matches!(who, Comes::WithoutTls | Comes::WithoutKey)
        }
        // Only for machines that the configuration names.
        ("blit.control.v1.Jobs", "List" | "Watch" | "Cancel") => false,
        // Only over the socket in the file system.
        (
            "blit.control.v1.Management",
            "Status" | "Reload" | "Invite" | "Peers" | "ChangePeers" | "StartJob",
        ) => false,
        _ => panic!("{method} is new: who may call it?"),
    }
}

fn compiled(folder: &str, file: &str) -> FileDescriptorSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    protox::compile([folder.join(file)], [folder]).unwrap()
}

/// `package.Service/Method` of all.
fn methods() -> Vec<String> {
    let own = compiled("../core/control/proto", "blit/control/v1/control.proto");
    let mut found = vec![
        "grpc.health.v1.Health/Check".to_owned(),
        "grpc.health.v1.Health/Watch".to_owned(),
    ];
    for file in &own.file {
        for service in &file.service {
            for method in &service.method {
                let (package, service) = (file.package(), service.name());
                found.push(format!("{package}.{service}/{}", method.name()));
            }
        }
    }
    assert!(found.len() >= 10, "{found:?}");
    found
}

/// A daemon with a module of each access, one that no peer sees, and a client that is paired.
pub(crate) struct Stage {
    pub(crate) scratch: Scratch,
    daemon: Daemon,
    id: NodeId,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        let mut text = "[delegation]\nallow = true\nsources = [\"any\"]\n".to_owned();
        for (name, more) in [
            ("ro", "access = \"read-only\""),
            ("add", "access = \"add-only\""),
            ("rw", "access = \"read-write\""),
            (
                "hidden",
                "access = \"read-write\"\npeers = [\"somebody-else\"]",
            ),
            ("away", "optional = true"),
        ] {
            let path = scratch.directory(name);
            std::fs::write(path.join("f"), "content").unwrap();
            text += &format!("[[module]]\nname = {name:?}\npath = {path:?}\n{more}\n");
        }
        let config = scratch.path("daemon.toml");
        std::fs::write(&config, text).unwrap();
        let arguments = [
            "--config".into(),
            config.into(),
            "--listen=127.0.0.1:0".into(),
        ];
        let daemon = Daemon::start(&[], &scratch.path("daemon-state"), &arguments);
        let host = format!("{HOST}:{}", daemon.port());
        client(&scratch)
            .args(["pair", &host, &daemon.invitation])
            .run()
            .succeeds();
        let known = Peers::load(&scratch.path("client-state")).unwrap();
        let id = known.named(HOST).unwrap().id;
        Self {
            scratch,
            daemon,
            id,
        }
    }

    /// A channel as whoever comes has it; the address it comes from is its own, because failures count.
    pub(crate) async fn channel(&self, who: Comes, from: u8) -> Result<Channel, String> {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(format!("127.0.{from}.1:0").parse().unwrap())
            .unwrap();
        let stream = socket.connect(self.daemon.address.parse().unwrap()).await;
        let stream = stream.map_err(|error| error.to_string())?;
        if who == Comes::WithoutTls {
            return over(TokioIo::new(stream)).await;
        }
        let config = self.tls(who);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = rustls::pki_types::ServerName::try_from("blit").unwrap();
        let secured: tokio_rustls::client::TlsStream<TcpStream> = connector
            .connect(name, stream)
            .await
            .map_err(|error| error.to_string())?;
        over(TokioIo::new(secured)).await
    }

    fn tls(&self, who: Comes) -> rustls::ClientConfig {
        let key = match who {
            Comes::Paired => {
                let pem = self.scratch.path("client-state/identity/node.key");
                let pem = std::fs::read_to_string(pem).unwrap();
                Some(rcgen::KeyPair::from_pem(&pem).unwrap())
            }
            Comes::Unknown | Comes::UnknownToPair => Some(key_of_stranger()),
            _ => None,
        };
        let alpn: &[u8] = match who {
            Comes::UnknownToPair => b"blit-pair/1",
            _ => b"blit/1",
        };
        tls(key, alpn)
    }

    /// How the daemon's paired client is answered; nothing if it is not refused.
    async fn asked(&self, peer: &Client, request: Request) -> Option<ErrorKind> {
        let mut stream = peer.request(&Cx::default()).await.unwrap();
        let mut send = stream.send.take().unwrap();
        let mut chunks = [blit_contract::Chunk::Bytes(request.to_frame())].into();
        send.send(&mut chunks).await.unwrap();
        let mut recv = stream.recv.take().unwrap();
        let mut frames = FrameBuffer::default();
        loop {
            if let Some(frame) = frames.next_message().unwrap() {
                return match Reply::from_frame(frame).unwrap() {
                    Reply::Refused(error) => Some(error.kind()),
                    _ => None,
                };
            }
            match recv.recv(1 << 16).await.unwrap() {
                Some(blit_contract::Chunk::Bytes(bytes)) => frames.push(bytes),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn key_of_stranger() -> rcgen::KeyPair {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()
}

/// What a paired machine would speak, with a key that nobody knows.
pub(crate) fn tls_of_stranger() -> rustls::ClientConfig {
    tls(Some(key_of_stranger()), b"blit/1")
}

/// A TLS client of that key.
pub(crate) fn tls(key: Option<rcgen::KeyPair>, alpn: &[u8]) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer));
    let mut config = match key {
        None => builder.with_no_client_auth(),
        Some(key) => {
            let parameters = rcgen::CertificateParams::new(vec!["x".to_owned()]).unwrap();
            let certificate = parameters.self_signed(&key).unwrap().der().clone();
            let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
            builder
                .with_client_auth_cert(vec![certificate], key.into())
                .unwrap()
        }
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

/// Calls over that one connection.
pub(crate) async fn over<S>(stream: S) -> Result<Channel, String>
where
    S: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let stream = parking_lot::Mutex::new(Some(stream));
    let connector = tower::service_fn(move |_| {
        let stream = stream.lock().take();
        async move { stream.ok_or_else(|| std::io::Error::other("once")) }
    });
    let endpoint = Endpoint::from_static("http://peer").timeout(std::time::Duration::from_secs(20));
    let channel = endpoint.connect_with_connector(connector).await;
    channel.map_err(|error| error.to_string())
}

/// Calls a method with an empty message. Whether it did anything: the code of an answer that is none, or
/// nothing if the connection does not even carry calls.
async fn call(channel: &Channel, method: &str) -> Option<Code> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.ok()?;
    let path = format!("/{method}").parse().unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    // As a stream of answers: some methods give more than one, and do not end.
    let answers = grpc
        .server_streaming(tonic::Request::new(()), path, codec)
        .await;
    let ended = match answers {
        Ok(answers) => answers.into_inner().message().await.map(drop),
        Err(status) => Err(status),
    };
    match ended {
        Ok(()) => Some(Code::Ok),
        // What broke under the call has a source; what the daemon answered has none.
        Err(status) if std::error::Error::source(&status).is_some() => None,
        Err(status) => Some(status.code()),
    }
}

#[tokio::test]
async fn nothing_is_reached_unpaired_but_pairing_and_health() {
    let stage = Stage::new();
    for (number, who) in (1..).zip(ALL) {
        for (at, method) in (0..).zip(methods()) {
            let channel = stage.channel(who, number * 20 + at).await;
            let code = match &channel {
                Ok(channel) => call(channel, &method).await,
                Err(_) => None,
            };
            let has_connection = !matches!(who, Comes::WithoutTls | Comes::WithoutKey);
            assert_eq!(code.is_some(), has_connection, "{method} {who:?}: {code:?}");
            // Whoever is told that an invitation does not serve was heard.
            let is_heard = method.contains(".Pairing/");
            let reached = code.is_some_and(|code| match code {
                Code::Unauthenticated | Code::Unimplemented => false,
                Code::PermissionDenied => is_heard,
                _ => true,
            });
            assert_eq!(
                reached,
                is_reached(&method, who),
                "{method} {who:?}: {code:?}"
            );
        }
    }
}

/// The plainest terms of a session.
pub(crate) fn terms(verb: Verb) -> Terms {
    Terms {
        verb,
        compare: Compare::Quick,
        dry_run: false,
        items: false,
        update: false,
        ignore_existing: false,
        one_file_system: false,
        specials: false,
        verify: false,
        max_delete: MaxDelete::Default,
        durability: Durability::None,
        preserve: Preserve::NONE,
    }
}

/// Requests of that kind, and in which of the modules `ro`, `add` and `rw` they are answered. `own` is the
/// machine that asks.
fn requests(kind: &str, module: &str, own: NodeId) -> Vec<(Request, [bool; 3])> {
    const ALWAYS: [bool; 3] = [true; 3];
    const NEVER: [bool; 3] = [false; 3];
    const ADDING: [bool; 3] = [false, true, true];
    const CHANGING: [bool; 3] = [false, false, true];
    let place = Place {
        module: module.to_owned(),
        path: RelPath::ROOT,
    };
    let plain = |role, verb| SessionRequest {
        place: place.clone(),
        role,
        terms: terms(verb),
        top: Top::Contents,
        is_relayed: false,
        token: None,
        backup: None,
        rules: Rules::default(),
        lanes: LaneWishes::default(),
    };
    let session = |role, verb| Request::Session(Box::new(plain(role, verb)));
    let with_token = |token: &str| {
        let mut session = plain(Role::Source, Verb::Copy);
        session.token = Some(token.to_owned());
        Request::Session(Box::new(session))
    };
    let token = |role, verb, bearer: [u8; 32]| {
        let session = plain(role, verb);
        Request::Token(Box::new(TokenRequest { session, bearer }))
    };
    let pull = |role, token: &str| {
        Request::Pull(Box::new(PullRequest {
            session: plain(role, Verb::Copy),
            source: *own.as_bytes(),
            address: None,
            from: place.clone(),
            token: token.to_owned(),
            bytes_per_sec: None,
        }))
    };
    let list = Request::List {
        place: place.clone(),
        recursive: false,
        one_file_system: false,
        rules: Rules::default(),
    };
    let delete = Request::Delete {
        place: place.clone(),
        entries: Vec::new(),
    };
    match kind {
        "session" => vec![
            (session(Role::Source, Verb::Check), ALWAYS),
            (session(Role::Source, Verb::Copy), ALWAYS),
            (session(Role::Source, Verb::Mirror), ALWAYS),
            (session(Role::Source, Verb::Move), CHANGING),
            (session(Role::Target, Verb::Check), ALWAYS),
            (session(Role::Target, Verb::Copy), ADDING),
            (session(Role::Target, Verb::Mirror), CHANGING),
            (session(Role::Target, Verb::Move), ADDING),
            (with_token("a.b.c"), NEVER),
        ],
        "token" => vec![
            (token(Role::Source, Verb::Copy, *own.as_bytes()), ALWAYS),
            (token(Role::Source, Verb::Move, *own.as_bytes()), CHANGING),
            (token(Role::Target, Verb::Copy, *own.as_bytes()), NEVER),
            // Nobody gets leave who may not come.
            (token(Role::Source, Verb::Copy, [7; 32]), NEVER),
        ],
        // Without the source's leave nothing is dialled.
        "pull" => vec![
            (pull(Role::Target, "a.b.c"), NEVER),
            (pull(Role::Source, "a.b.c"), NEVER),
        ],
        "list" => vec![(list, ALWAYS)],
        "stat" => vec![(Request::Stat(place), ALWAYS)],
        "usage" => vec![(Request::Usage(place), ALWAYS)],
        "sync" => vec![(Request::Sync(place), CHANGING)],
        "delete" => vec![(delete, CHANGING)],
        // The rest of a session that is not there.
        "answered" => vec![(Request::Answered(Answer::Yes), NEVER)],
        "status" => vec![(Request::Status, ALWAYS)],
        _ => panic!("the request {kind} is new: who may ask it?"),
    }
}

fn kinds() -> Vec<String> {
    let session = compiled("../core/wire/proto", "blit/session/v1/session.proto");
    let mut messages = session.file.iter().flat_map(|file| &file.message_type);
    let request = messages.find(|it| it.name() == "Request");
    let request = request.unwrap();
    let kinds: Vec<_> = request
        .field
        .iter()
        .map(|it| it.name().to_owned())
        .collect();
    assert!(kinds.len() >= 7, "{kinds:?}");
    kinds
}

#[tokio::test]
async fn a_paired_machine_may_do_what_the_module_says_and_sees_no_other() {
    let stage = Stage::new();
    let identity = Identity::load_or_create(&stage.scratch.path("client-state")).unwrap();
    let addresses = [stage.daemon.address.clone()];
    let lanes = Arc::<blit_bundled::Lanes>::default();
    let peer = Client::connect(&identity, stage.id, &addresses, lanes)
        .await
        .unwrap();
    let mut refusals = BTreeMap::new();
    for kind in kinds() {
        for (at, module) in ["ro", "add", "rw"].into_iter().enumerate() {
            for (request, answered) in requests(&kind, module, identity.id()) {
                let told = format!("{request:?}");
                let refused = stage.asked(&peer, request).await;
                assert_eq!(refused.is_none(), answered[at], "{told}: {refused:?}");
                *refusals
                    .entry(refused.map(|it| format!("{it:?}")))
                    .or_insert(0) += 1;
            }
        }
        for (request, _) in requests(&kind, "hidden", identity.id()) {
            if !matches!(request, Request::Status | Request::Answered(_)) {
                // As one that is not there.
                let refused = stage.asked(&peer, request).await;
                assert_eq!(refused, Some(ErrorKind::NotFound), "{kind}");
            }
        }
    }
    assert!(
        refusals.contains_key(&Some("ReadOnly".to_owned())),
        "{refusals:?}"
    );
    assert_eq!(
        std::fs::read(stage.scratch.path("ro/f")).unwrap(),
        Bytes::from("content")
    );
}

#[derive(Debug)]
struct AnyServer;

impl rustls::client::danger::ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ED25519]
    }
}
