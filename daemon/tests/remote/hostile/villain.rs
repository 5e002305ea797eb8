//! A paired daemon that says what it likes, to the real command line.

use std::{
    collections::HashMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use blit_conform::{Ran, Scratch};
use blit_contract::{ErrorKind, Stream};
use blit_control::{
    Admission, Arrivals, Health, Identity, Invitations, KnownPeer, LaneOpening, LaneSocket,
    ManageJobs, Peers, Server, VerifiedPeer,
};
use blit_wire::{Message, Request, Role, SessionRequest};
use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::mpsc};

use super::{
    attacker::{Ends, say},
    script::{On, Step, Words},
};
use crate::bench::{HOST, client, there};

/// What a daemon that is the target says first.
const TARGET_OPENS: &str = "ask: session { session: '[[16|s]]' }
session: hello { oldest: 1 newest: 1 }
hear: Open
session: accept { version: 1 }";

/// What a daemon that is the source says first.
const SOURCE_OPENS: &str = "ask: session { session: '[[16|s]]' }
session: hello { oldest: 1 newest: 1 }
session: open { verb: VERB_COPY lanes: 1 root { name: 'm' DIR } }
hear: Accept";

/// What there is to say, by the name of the module that is asked for.
type Scripts = Arc<HashMap<String, String>>;

/// The daemon, in this process; it plays the script that is called like the module.
pub(crate) struct Villain {
    scratch: Scratch,
}

impl Villain {
    pub(crate) async fn with(scripts: HashMap<String, String>) -> Self {
        let scratch = Scratch::new();
        let identity = Identity::load_or_create(&scratch.path("villain")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let known = KnownPeer {
            name: HOST.to_owned(),
            id: identity.id(),
            addresses: vec![listener.local_addr().unwrap().to_string()],
            how: "join-token".to_owned(),
            added: "2026-01-01T00:00:00Z".to_owned(),
        };
        let state = scratch.path("client-state");
        Identity::load_or_create(&state).unwrap();
        Peers::load(&state).unwrap().add(known).unwrap();
        let invitations = Invitations::of(&scratch.path("villain"));
        let (server, door) = Server::new(&identity, invitations, Arc::new(Everybody)).unwrap();
        tokio::spawn(door.accept(listener));
        let arrivals = Arc::new(Plays {
            scripts: Arc::new(scripts),
            words: Arc::new(Words::new()),
            waiting: Mutex::default(),
        });
        tokio::spawn(server.serve(arrivals, std::future::pending()));
        Self { scratch }
    }

    /// A directory of the client's that is only for one script.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.scratch.directory(name)
    }

    /// Runs the command line against the script of that name.
    pub(crate) fn meets(&self, words: &[&str], name: &str, at: &Path) -> Result<Ran, String> {
        let words: Vec<String> = words
            .iter()
            .map(|word| {
                let local = format!("{}/", at.display());
                word.replace("THERE", &there(&format!("{name}/")))
                    .replace("HERE", &local)
            })
            .collect();
        let transfers = ["copy", "mirror", "move", "check"];
        let is_transfer = transfers.contains(&words[0].as_str());
        let more: &[&str] = match is_transfer {
            true => &["--retry-for=0s"],
            false => &[],
        };
        client(&self.scratch)
            .env("BLIT_FORCE_GRPC_DATA", "1")
            .args(&words)
            .args(more)
            .try_run()
    }
}

struct Everybody;

impl Admission for Everybody {
    fn admits(&self, _from: IpAddr) -> bool {
        true
    }
}

/// Streams that the client dials for a session: there is one session on a connection.
type Dialled = mpsc::UnboundedSender<(bool, Stream)>;

struct Plays {
    scripts: Scripts,
    words: Arc<Words>,
    waiting: Mutex<HashMap<[u8; 32], Dialled>>,
}

#[async_trait]
impl Arrivals for Plays {
    fn knows(&self, _peer: &VerifiedPeer) -> bool {
        true
    }

    fn join(&self, _peer: &VerifiedPeer, _name: &str) -> Option<String> {
        None
    }

    fn knock(&self, _peer: &VerifiedPeer, _name: &str) {}

    fn refused(&self, _peer: &VerifiedPeer, _wish: &'static str) {}

    fn health(&self, _peer: &VerifiedPeer, _service: &str) -> Health {
        Health::Unknown
    }

    fn jobs(&self, _peer: &VerifiedPeer) -> Option<Arc<dyn ManageJobs>> {
        None
    }

    async fn request(&self, peer: VerifiedPeer, stream: Stream) {
        let mut asking = Ends::of(stream);
        let Ok(Some(frame)) = asking.frame().await else {
            return;
        };
        let request = Request::from_frame(frame).unwrap();
        let says = |text: &str| self.words.frame("Reply", text);
        let said = match &request {
            Request::Session(session) => return self.session(&peer, session, asking).await,
            Request::Stat(place) => match self.scripts.get(&format!("{}.stat", place.module)) {
                Some(text) => says(text),
                None => says("found { entry { name: 'm' kind: KIND_DIRECTORY } }"),
            },
            other => {
                let (kind, place) = asked(other);
                match self.scripts.get(&format!("{place}.{kind}")) {
                    Some(text) => says(text),
                    None => says("refused { kind: 17 op: 'ask' }"),
                }
            }
        };
        if asking.say(said).await.is_ok() {
            drop(asking.send.finish().await);
        }
    }

    async fn lane_socket(&self, _socket: LaneSocket) -> bool {
        false
    }

    fn lane(&self, peer: &VerifiedPeer, opening: LaneOpening, stream: Stream) -> bool {
        let waiting = self.waiting.lock();
        let dialled = waiting.get(&peer.binding());
        dialled.is_some_and(|dialled| dialled.send((opening.reverse, stream)).is_ok())
    }
}

/// Which kind of a question, and about which module.
fn asked(request: &Request) -> (&'static str, String) {
    match request {
        Request::List { place, .. } => ("list", place.module.clone()),
        Request::Usage(place) => ("usage", place.module.clone()),
        Request::Delete { place, .. } => ("delete", place.module.clone()),
        Request::Status => ("status", "all".to_owned()),
        _ => ("other", String::new()),
    }
}

impl Plays {
    async fn session(&self, peer: &VerifiedPeer, asked: &SessionRequest, asking: Ends) {
        let (dialled, streams) = mpsc::unbounded_channel();
        self.waiting.lock().insert(peer.binding(), dialled);
        let opening = match asked.role {
            Role::Target => TARGET_OPENS,
            Role::Source => SOURCE_OPENS,
        };
        let script = &self.scripts[&asked.place.module];
        let opening = opening.replace("VERB_COPY", super::attacker::verb_word(asked.terms.verb));
        let steps = self.words.steps("Reply", &opening, script);
        let play = Play {
            asking,
            role: asked.role,
            streams,
            session: None,
            lanes: Vec::new(),
        };
        play.play(steps).await;
    }
}

struct Play {
    asking: Ends,
    role: Role,
    streams: mpsc::UnboundedReceiver<(bool, Stream)>,
    session: Option<Ends>,
    lanes: Vec<Stream>,
}

impl Play {
    async fn play(mut self, steps: Vec<Step>) {
        for step in steps {
            // The client may have ended it already: it says why.
            if self.take(step).await.is_none() {
                break;
            }
        }
        // All that is held is let go when the client is: until then it gets nothing more.
        while let Ok(Some(_)) = self.asking.frame().await {}
    }

    async fn take(&mut self, step: Step) -> Option<()> {
        match step {
            Step::Say(On::Ask, bytes) => self.asking.say(bytes).await.ok(),
            Step::End(On::Ask) => self.asking.send.finish().await.ok(),
            Step::Say(On::Session, bytes) => self.session().await?.say(bytes).await.ok(),
            Step::End(On::Session) => self.session().await?.send.finish().await.ok(),
            Step::Say(On::Lane, bytes) => say(self.lane().await?, bytes).await.ok(),
            Step::End(On::Lane) => self.lane().await?.finish().await.ok(),
            Step::Hear(wanted) => self.hear(&wanted).await,
        }
    }

    async fn hear(&mut self, wanted: &str) -> Option<()> {
        loop {
            let frame = self.session().await?.frame().await.ok()??;
            let message = format!("{:?}", Message::from_frame(frame).unwrap());
            if message.starts_with(wanted) {
                return Some(());
            }
        }
    }

    /// The next stream that is for this side's role.
    async fn next(&mut self) -> Option<Stream> {
        let (is_reverse, stream) = self.streams.recv().await?;
        assert_eq!(
            is_reverse,
            self.role == Role::Source,
            "dialled for the other role"
        );
        Some(stream)
    }

    async fn session(&mut self) -> Option<&mut Ends> {
        if self.session.is_none() {
            self.session = Some(Ends::of(self.next().await?));
        }
        self.session.as_mut()
    }

    async fn lane(&mut self) -> Option<&mut dyn blit_contract::SendStream> {
        self.session().await?;
        if self.lanes.is_empty() {
            let lane = self.next().await?;
            self.lanes.push(lane);
        }
        let lane = self.lanes[0].send.as_mut();
        lane.map(|lane| &mut **lane as &mut dyn blit_contract::SendStream)
    }
}

/// The kinds of errors are numbered from 1: 17 is the one of what is not supported.
#[test]
fn the_villain_refuses_in_words_that_are_understood() {
    let refused = Words::new().frame("Reply", "refused { kind: 17 op: 'ask' }");
    let reply = blit_wire::Reply::from_frame(refused.slice(4..)).unwrap();
    assert!(
        matches!(reply, blit_wire::Reply::Refused(error) if error.kind() == ErrorKind::Unsupported)
    );
}
