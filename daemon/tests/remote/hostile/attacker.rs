//! A paired client that says what it likes, over real TLS.

use std::{collections::VecDeque, path::Path, sync::Arc, time::Duration};

use blit_contract::{
    Chunk, Connection, Cx, Error, Peer, RecvStream, RelPath, Result, SendStream, StreamKind,
};
use blit_control::{Client, Identity, Peers};
use blit_wire::{
    FrameBuffer, LaneWishes, Message, Place, Reply, Report, Request, Role, Rules, SessionRequest,
    Stop, Top, Verb,
};
use bytes::Bytes;

use super::script::{On, Step, Words};
use crate::{
    bench::{HOST, Two},
    matrix::terms,
};

/// No answer within this is a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a source says first.
const SOURCE_OPENS: &str = "session: hello { oldest: 1 newest: 1 }
session: open { verb: VERB_COPY lanes: 1 root { name: 'r' DIR } }
hear: Accept";

/// What a target says first.
const TARGET_OPENS: &str = "session: hello { oldest: 1 newest: 1 }
hear: Open
session: accept { version: 1 }";

/// The client, and the words that it knows.
pub(crate) struct Attacker {
    client: Client,
    words: Words,
}

impl Attacker {
    /// The client of these two, which is paired; its streams stay on the control connection.
    pub(crate) async fn of(two: &Two) -> Self {
        let state = two.scratch.path("client-state");
        let lanes = Arc::new(blit_bundled::Lanes {
            only_in_band: true,
            ..blit_bundled::Lanes::default()
        });
        let identity = Identity::load_or_create(&state).unwrap();
        let known = Peers::load(&state).unwrap();
        let id = known.named(HOST).unwrap().id;
        let addresses = [two.daemon.address.clone()];
        let client = Client::connect(&identity, id, &addresses, lanes).await;
        Self {
            client: client.unwrap(),
            words: Words::new(),
        }
    }

    /// Plays a script in a session in which the daemon has that role, in that directory of the module `m`.
    /// Answers how the daemon says that it ended.
    pub(crate) async fn plays(&self, role: Role, verb: Verb, at: &Path, script: &str) -> String {
        let playing = self.play(role, verb, at, script);
        let ended = tokio::time::timeout(PATIENCE, playing).await;
        ended.unwrap_or_else(|_| "hangs".to_owned())
    }

    async fn play(&self, role: Role, verb: Verb, at: &Path, script: &str) -> String {
        let opening = match role {
            Role::Target => SOURCE_OPENS,
            Role::Source => TARGET_OPENS,
        };
        let opening = opening.replace("VERB_COPY", verb_word(verb));
        let steps = self.words.steps("Request", &opening, script);
        let cx = Cx::default();
        let mut asking = Ends::of(self.client.request(&cx).await.unwrap());
        let request = request(role, verb, at);
        asking.say(request.to_frame()).await.unwrap();
        let grant = match asking.reply().await {
            Ok(Some(Reply::Session(grant))) => grant,
            other => return told(other),
        };
        let connection = self.client.session(&cx, &grant).await.unwrap();
        let stage = Stage::open(&*connection, role, asking).await;
        match stage {
            Ok(stage) => stage.play(steps).await,
            Err(error) => format!("no stage: {error}"),
        }
    }

    /// Asks what the script says, outside of a session. Answers the last reply.
    pub(crate) async fn asks(&self, script: &str) -> String {
        let asking = async {
            let mut asking = Ends::of(self.client.request(&Cx::default()).await.unwrap());
            for step in self.words.steps("Request", "", script) {
                match step {
                    Step::Say(On::Ask, bytes) => drop(asking.say(bytes).await),
                    Step::End(On::Ask) => drop(asking.send.finish().await),
                    other => panic!("outside of a session: {other:?}"),
                }
            }
            told(asking.last_reply().await)
        };
        let ended = tokio::time::timeout(PATIENCE, asking).await;
        ended.unwrap_or_else(|_| "hangs".to_owned())
    }
}

/// The two halves of a stream.
pub(crate) struct Ends {
    pub(crate) send: Box<dyn SendStream>,
    recv: Box<dyn RecvStream>,
    frames: FrameBuffer,
}

impl Ends {
    pub(crate) fn of(mut stream: blit_contract::Stream) -> Self {
        Self {
            send: stream.send.take().unwrap(),
            recv: stream.recv.take().unwrap(),
            frames: FrameBuffer::default(),
        }
    }

    pub(crate) async fn say(&mut self, bytes: Bytes) -> Result<()> {
        say(&mut *self.send, bytes).await
    }

    pub(crate) async fn frame(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(frame) = self.frames.next_message().unwrap() {
                return Ok(Some(frame));
            }
            match self.recv.recv(1 << 20).await? {
                Some(Chunk::Bytes(bytes)) => self.frames.push(bytes),
                Some(other) => panic!("{other:?}"),
                None => return Ok(None),
            }
        }
    }

    pub(crate) async fn reply(&mut self) -> Result<Option<Reply>> {
        let frame = self.frame().await?;
        Ok(frame.map(|frame| Reply::from_frame(frame).unwrap()))
    }

    /// The reply after which none comes.
    pub(crate) async fn last_reply(&mut self) -> Result<Option<Reply>> {
        let mut last = None;
        while let Some(reply) = self.reply().await? {
            last = Some(reply);
        }
        Ok(last)
    }
}

pub(crate) async fn say(send: &mut dyn SendStream, bytes: Bytes) -> Result<()> {
    let mut chunks: VecDeque<_> = [Chunk::Bytes(bytes)].into();
    while !chunks.is_empty() {
        send.send(&mut chunks).await?;
    }
    Ok(())
}

/// A session under way.
struct Stage {
    asking: Ends,
    session: Ends,
    /// The first is said something on; the daemon's own are only held.
    lanes: Vec<blit_contract::Stream>,
}

impl Stage {
    async fn open(connection: &dyn Connection, role: Role, asking: Ends) -> Result<Self> {
        /// As many lanes as the daemon opens.
        const THEIRS: usize = 4;
        let cx = Cx::default();
        let (session, mut lanes) = match role {
            Role::Target => (
                connection.open(&cx, StreamKind::TwoWay).await?,
                vec![connection.open(&cx, StreamKind::OneWay).await?],
            ),
            Role::Source => (connection.accept(&cx).await?.unwrap(), Vec::new()),
        };
        while role == Role::Source && lanes.len() < THEIRS {
            lanes.push(connection.accept(&cx).await?.unwrap());
        }
        Ok(Self {
            asking,
            session: Ends::of(session),
            lanes,
        })
    }

    async fn play(mut self, steps: Vec<Step>) -> String {
        for step in steps {
            // The daemon may have ended it already: it says why.
            if self.take(step).await.is_err() {
                break;
            }
        }
        told(self.asking.last_reply().await)
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Hear(wanted) => loop {
                let gone = || Error::new(blit_contract::ErrorKind::Unreachable, "hear");
                let frame = self.session.frame().await?.ok_or_else(gone)?;
                let message = format!("{:?}", Message::from_frame(frame).unwrap());
                if message.starts_with(&wanted) {
                    return Ok(());
                }
            },
            Step::Say(on, bytes) => say(self.half(on), bytes).await,
            Step::End(on) => self.half(on).finish().await,
        }
    }

    fn half(&mut self, on: On) -> &mut dyn SendStream {
        match on {
            On::Ask => &mut *self.asking.send,
            On::Session => &mut *self.session.send,
            On::Lane => self.lanes[0].send.as_deref_mut().unwrap(),
        }
    }
}

/// Asks for a session in which the daemon has that role, in that directory of the module `m`.
pub(crate) fn request(role: Role, verb: Verb, at: &Path) -> Request {
    let names = at.iter().map(|name| name.to_str().unwrap());
    let names = names.map(|name| blit_contract::Name::new(name.as_bytes()).unwrap());
    Request::Session(Box::new(SessionRequest {
        is_relayed: false,
        token: None,
        backup: None,
        place: Place {
            module: "m".to_owned(),
            path: names.collect::<RelPath>(),
        },
        role,
        terms: terms(verb),
        top: Top::Contents,
        rules: Rules::default(),
        lanes: LaneWishes::default(),
    }))
}

pub(crate) fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Check => "VERB_CHECK",
        Verb::Copy => "VERB_COPY",
        Verb::Mirror => "VERB_MIRROR",
        Verb::Move => "VERB_MOVE",
    }
}

/// The end of a request in words: the kind of the error first.
fn told(last: Result<Option<Reply>>) -> String {
    match last {
        Ok(Some(Reply::Refused(error))) => format!("refused, {}", words(&error)),
        Ok(Some(Reply::Report(report))) => told_report(&report),
        Ok(Some(other)) => format!("answered, {other:?}"),
        Ok(None) => "hung up".to_owned(),
        Err(error) => format!("cut off, {}", words(&error)),
    }
}

fn told_report(report: &Report) -> String {
    match &report.stop {
        Some(Stop::Failed(problem)) => format!("stopped, {}", words(&problem.error)),
        Some(stop) => format!("stopped, {stop:?}"),
        None => {
            let problems = report.problems.iter().map(|problem| words(&problem.error));
            format!("done, {:?}", problems.collect::<Vec<_>>())
        }
    }
}

fn words(error: &Error) -> String {
    format!("{:?}: {}", error.kind(), error.detail().unwrap_or_default())
}
