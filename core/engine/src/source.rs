//! The source's role: it lists its tree, plans what the target needs of it, and sends that.

mod listing;
mod removal;
mod sending;

use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use blit_contract::{
    Connection, Diff, Error, ErrorKind, History, PlanCx, Planner, Result, StoreCaps, StreamKind,
    TransportCaps,
};
use blit_spool::Spool;
use blit_wire::{Allowed, Hello, Machine, Message, Open, Role, Settled, Summary, VERSIONS};
use futures_core::Stream;
use futures_util::TryStreamExt;
use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
};

use crate::{
    Source, Top,
    lane::{self, LANES, Lanes, Ledgers},
    session::{Session, joined},
};
use blit_channel as channel;

/// How many pieces of work are read at a time. More than this many cores' worth of readers only
/// fight for the same directory locks.
const WORKERS: usize = 4;

/// How many needs wait for the planner.
const NEEDS_QUEUE: usize = 4_096;

/// The side that reads trees.
#[derive(Debug)]
pub(crate) struct SourceRole {
    session: Arc<Session>,
    source: Source,
    planner: Arc<dyn Planner>,
    history: HistoryRef,
}

/// A history that can be printed.
#[derive(Clone)]
struct HistoryRef(Arc<dyn History>);

impl std::fmt::Debug for HistoryRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("History")
    }
}

type Control = Arc<AsyncMutex<channel::Sender<Message>>>;

impl SourceRole {
    pub(crate) fn new(
        session: &Arc<Session>,
        source: Source,
        planner: Arc<dyn Planner>,
        history: Arc<dyn History>,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            source,
            planner,
            history: HistoryRef(history),
        }
    }

    /// Plays the role over `connection` to its end.
    pub(crate) async fn run(self, connection: Box<dyn Connection>) -> Result<()> {
        let caps = connection.caps();
        let as_objects = channel::passes_objects(caps);
        let lanes = if as_objects { 1 } else { LANES };
        let cx = &self.session.cx;
        let mut control = connection.open(cx, StreamKind::TwoWay).await?;
        let mut outgoing = channel::sender::<Message>(&mut control, as_objects)?;
        let mut incoming = channel::receiver::<Message>(&mut control)?;
        let mut machine = Machine::facing(Role::Target);
        self.open(lanes, &mut outgoing, &mut incoming, &mut machine)
            .await?;
        let shared = Arc::new(lane::Shared {
            session: Arc::clone(&self.session),
            history: Arc::clone(&self.history.0),
            ledgers: Ledgers::default(),
        });
        let lanes = Lanes::open(cx, &*connection, lanes, &shared).await?;

        let control = Arc::new(AsyncMutex::new(outgoing));
        let (needs, wanted) = mpsc::channel(NEEDS_QUEUE);
        let mut tasks = JoinSet::new();
        let lister = self.lister().await?;
        let sender = self.sender(lanes, caps, lister.mount);
        let listing_control = Arc::clone(&control);
        tasks.spawn(async move { lister.run(&listing_control).await });
        tasks.spawn(async move { sender.run(wanted).await });
        let settled = {
            let options = &self.session.options;
            let allowed = (!as_objects).then(|| {
                Allowed::new(
                    &self.source.top,
                    options.select.clone(),
                    options.is_read_only(),
                )
            });
            let listening = self.listen(
                &mut incoming,
                &mut machine,
                (needs, &shared.ledgers),
                allowed,
            );
            tokio::pin!(listening);
            loop {
                tokio::select! {
                    settled = &mut listening => break settled?,
                    // A part that fails ends the whole: the target would wait for ever.
                    Some(ended) = tasks.join_next() => joined(ended)?,
                }
            }
        };
        while let Some(ended) = tasks.join_next().await {
            joined(ended)?;
        }
        let removed = removal::remove(&self.session, &self.source, &settled).await?;
        let mut control = control.lock().await;
        control.send(Message::Summary(Summary { removed })).await?;
        // The target hangs up as soon as it has the summary: nobody need hear the end.
        drop(control.finish().await);
        Ok(())
    }

    /// Greets, says what is to be done, and waits for the target's consent.
    async fn open(
        &self,
        lanes: u32,
        outgoing: &mut channel::Sender<Message>,
        incoming: &mut channel::Receiver<Message>,
        machine: &mut Machine,
    ) -> Result<()> {
        let hello = Hello { versions: VERSIONS };
        outgoing.send(Message::Hello(hello)).await?;
        let options = &self.session.options;
        let root = match self.source.top {
            Top::Contents => Some(listing::root(&self.session.cx, &self.source).await?),
            Top::Names(_) => None,
        };
        let open = Open {
            verb: options.verb,
            dry_run: options.dry_run,
            root,
            lanes,
        };
        outgoing.send(Message::Open(open)).await?;
        receive(incoming, machine).await?;
        machine.opened(options.verb);
        receive(incoming, machine).await?;
        Ok(())
    }

    /// Takes what the target says until its summary; answers what it settled.
    async fn listen(
        &self,
        incoming: &mut channel::Receiver<Message>,
        machine: &mut Machine,
        (needs, ledgers): (mpsc::Sender<Diff>, &Ledgers),
        mut allowed: Option<Allowed>,
    ) -> Result<Spool<(blit_contract::RelPath, blit_contract::Entry)>> {
        let mut needs = Some(needs);
        let mut settled = Spool::default();
        loop {
            match receive(incoming, machine).await? {
                Message::Needs(diffs) => {
                    for diff in diffs {
                        if let Some(allowed) = &mut allowed {
                            allowed.check_need(&diff)?;
                        }
                        match &needs {
                            // A closed queue means that the sender failed, which it reports itself.
                            Some(queue) => drop(queue.send(diff).await),
                            None => return Err(bug("a need after the end of needs")),
                        }
                    }
                }
                Message::Ledger(part) => ledgers.add(part)?,
                Message::NeedsDone => needs = None,
                Message::Settled(entries) => {
                    for one in entries {
                        if let Some(allowed) = &mut allowed {
                            allowed.check_settled(&one)?;
                        }
                        let Settled { path, entry } = one;
                        settled.push((path, entry))?;
                    }
                }
                Message::Summary(_) => return Ok(settled),
                other => return Err(bug(&format!("{other:?} at the source"))),
            }
        }
    }

    async fn lister(&self) -> Result<listing::Lister> {
        let root = listing::root(&self.session.cx, &self.source).await?;
        Ok(listing::Lister {
            session: Arc::clone(&self.session),
            source: self.source.clone(),
            mount: root.identity.mount,
        })
    }

    fn sender(&self, lanes: Lanes, connection: TransportCaps, mount: u64) -> Sending {
        Sending {
            reading: sending::Reading {
                session: Arc::clone(&self.session),
                source: self.source.clone(),
                lanes,
                leaves: !channel::passes_objects(connection),
                mount,
                open_files: Mutex::new(HashMap::new()),
            },
            planner: Arc::clone(&self.planner),
            history: self.history.clone(),
            connection,
        }
    }
}

/// Plans needs as they come and sends the answers.
struct Sending {
    reading: sending::Reading,
    planner: Arc<dyn Planner>,
    history: HistoryRef,
    connection: TransportCaps,
}

impl Sending {
    async fn run(self, wanted: mpsc::Receiver<Diff>) -> Result<()> {
        let source_caps = self.reading.source.store.caps();
        let workers = u32::try_from(WORKERS).unwrap_or(u32::MAX);
        let cx = PlanCx::new(&*self.history.0, workers, 0).with_caps(
            source_caps,
            StoreCaps::new(),
            self.connection,
        );
        let reading = &self.reading;
        self.planner
            .plan(cx, Box::pin(Wanted(wanted)))
            .try_for_each_concurrent(WORKERS, |item| reading.serve(item))
            .await?;
        self.reading.lanes.finish().await
    }
}

/// The needs as a stream.
struct Wanted(mpsc::Receiver<Diff>);

impl Stream for Wanted {
    type Item = Result<Diff>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|diff| diff.map(Ok))
    }
}

/// The next message, judged; the end of the stream is an error here.
pub(crate) async fn receive(
    incoming: &mut channel::Receiver<Message>,
    machine: &mut Machine,
) -> Result<Message> {
    let message = incoming
        .recv()
        .await?
        .ok_or_else(|| Error::new(ErrorKind::Unreachable, "receive").because("the peer hung up"))?;
    machine.receive(&message).map_err(channel::broken)?;
    Ok(message)
}

pub(crate) fn bug(what: &str) -> Error {
    Error::new(ErrorKind::Bug, "run session").because(what)
}
