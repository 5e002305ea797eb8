//! A session between two other machines, whose every byte passes this one.
//!
//! The daemons play the roles; what one says is passed on to the other as it is, so that what the source has
//! read and the target writes is compared by those two. This side starts them, hears both, and answers
//! the question before deletions.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use blit_clock::{Pace, SystemClock};
use blit_contract::{
    Cancel, Chunk, Connection, Cx, Error, ErrorKind, Event, Peer, RecvStream, Result, SendStream,
    Side, Stream, StreamKind,
};
use blit_wire::{
    Figures, FrameBuffer, LANES_MAX, LaneWishes, Message, Place, Reply, Report, Request, Role,
    Rules, SessionRequest, Stop, Top,
};
use tokio::sync::mpsc;

use super::{
    client::{Listener, REPORT_WAIT, stopped},
    request::{Asking, unexpected},
};
use blit_channel as channel;

use crate::{Confirm, Options, Progress, progress::Told};

/// How much is passed on at a time.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// How often somebody's wish to stop is looked at.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// One of the two machines.
#[derive(Debug)]
pub struct RelayEnd {
    /// Its daemon.
    pub peer: Arc<dyn Peer>,
    /// The directory there.
    pub place: Place,
    /// How the lanes to it should be.
    pub lanes: LaneWishes,
}

/// A session between two daemons.
pub struct RelayJob {
    /// Where the tree is.
    pub source: RelayEnd,
    /// Which entries of that directory.
    pub top: Top,
    /// Where it goes.
    pub target: RelayEnd,
    /// Which entries take part.
    pub rules: Rules,
    /// How to behave.
    pub options: Options,
    /// Who is asked before a mirror deletes.
    pub confirm: Arc<dyn Confirm>,
    /// Where events of both sides go.
    pub events: mpsc::Sender<Event>,
    /// Figures of both sides.
    pub progress: Arc<Progress>,
    /// Ends the session soon.
    pub cancel: Cancel,
}

/// Runs the session to its end, like [`crate::run`]: what stopped it early is in the report, which tells of both
/// sides.
pub async fn run_relay(job: RelayJob) -> Report {
    let cx = Cx::new(job.cancel.child());
    let begun = begin(&job, &cx, Role::Source).await;
    let (source, from) = match begun {
        Ok(begun) => begun,
        Err(error) => return stopped(Side::Source, error),
    };
    let (target, to) = match begin(&job, &cx, Role::Target).await {
        Ok(begun) => begun,
        Err(error) => return stopped(Side::Target, error),
    };
    let pace = Pace::new(Arc::new(SystemClock::default()), job.options.bytes_per_sec);
    let wire = Wire {
        cx: cx.clone(),
        pace,
    };
    let mut report = tokio::select! {
        report = both(listener(&job, source, Told::Source), listener(&job, target, Told::Target { scans: true }), wire.pass(&*from, &*to)) => report,
        () = cancelled(&job.cancel) => {
            let mut report = Report::default();
            // Nobody is asked any more what was done.
            report.changed_anything = !job.options.is_read_only();
            report
        }
    };
    if job.cancel.is_cancelled() && report.stop.as_ref().is_none_or(Stop::is_lost_peer) {
        report.stop = Some(Stop::Cancelled);
    }
    // Whoever still passes something on has nothing to do it for.
    cx.cancel.cancel();
    report
}

async fn begin(job: &RelayJob, cx: &Cx, role: Role) -> Result<(Asking, Box<dyn Connection>)> {
    let (end, is_relayed) = match role {
        Role::Source => (&job.source, false),
        Role::Target => (&job.target, true),
    };
    let request = SessionRequest {
        place: end.place.clone(),
        role,
        terms: job.options.terms(),
        top: job.top.clone(),
        is_relayed,
        lanes: end.lanes,
        rules: job.rules.clone(),
    };
    let request = Request::Session(Box::new(request));
    let mut asking = Asking::ask(cx, &*end.peer, request).await?;
    match asking.next().await? {
        Reply::Session(grant) => Ok((asking, end.peer.session(cx, &grant).await?)),
        _ => Err(unexpected()),
    }
}

fn listener(job: &RelayJob, asking: Asking, of: Told) -> Listener {
    Listener {
        asking,
        confirm: Arc::clone(&job.confirm),
        events: job.events.clone(),
        progress: Arc::clone(&job.progress),
        of,
        figures: Figures::default(),
    }
}

async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(CANCEL_POLL).await;
    }
}

/// Passes everything on until both sides have said how they ended.
async fn both(
    mut source: Listener,
    mut target: Listener,
    passing: impl Future<Output = Result<()>>,
) -> Report {
    let (reading, writing) = (source.listen(), target.listen());
    tokio::pin!(reading, writing);
    let mut passing = Some(Box::pin(passing));
    let (mut read, mut written) = (None, None);
    let patience = tokio::time::sleep(Duration::MAX / 4);
    tokio::pin!(patience);
    while read.is_none() || written.is_none() {
        let pass = async {
            match &mut passing {
                Some(passing) => passing.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            told = &mut reading, if read.is_none() => read = Some(told),
            told = &mut writing, if written.is_none() => written = Some(told),
            // Without the streams each side learns that the other is gone, and says how that was for it.
            passed = pass => {
                passing = None;
                if passed.is_ok() {
                    continue;
                }
            }
            () = &mut patience => break,
        }
        if read
            .as_ref()
            .or(written.as_ref())
            .is_some_and(Result::is_err)
        {
            passing = None;
        }
        patience
            .as_mut()
            .reset(tokio::time::Instant::now() + REPORT_WAIT);
    }
    let report = |told: Option<Result<Report>>, side| match told {
        Some(Ok(report)) => report,
        Some(Err(error)) => stopped(side, error),
        None => stopped(
            side,
            Error::new(ErrorKind::Unreachable, "relay").because("it does not say how it ended"),
        ),
    };
    let mut whole = report(written, Side::Target);
    whole.merge(report(read, Side::Source));
    whole
}

/// What passes bytes on.
struct Wire {
    cx: Cx,
    pace: Pace,
}

impl Wire {
    /// Passes on what two sides of a session say, until both have said all.
    async fn pass(&self, source: &dyn Connection, target: &dyn Connection) -> Result<()> {
        let (from, to) = tokio::try_join!(
            accept(&self.cx, source),
            target.open(&self.cx, StreamKind::TwoWay)
        )?;
        let (mut talk, mut answers) = (Halves::of(from)?, Halves::of(to)?);
        let lanes = self.greet(&mut talk.recv, &mut answers.send).await?;
        let lanes = (0..lanes).map(|_| self.lane(source, target));
        let lanes = futures_util::future::try_join_all(lanes);
        tokio::try_join!(
            self.pump(&mut talk.recv, &mut answers.send),
            self.pump(&mut answers.recv, &mut talk.send),
            lanes,
        )?;
        Ok(())
    }

    /// Passes on what the source says until it has said how many lanes there are.
    async fn greet(
        &self,
        from: &mut Box<dyn RecvStream>,
        to: &mut Box<dyn SendStream>,
    ) -> Result<u32> {
        let mut frames = FrameBuffer::default();
        loop {
            let Some(Chunk::Bytes(bytes)) = from.recv(PIECE_BYTES_MAX).await? else {
                return Err(Error::new(ErrorKind::Unreachable, "relay")
                    .because("the source hung up before it began"));
            };
            frames.push(bytes.clone());
            send(to, Chunk::Bytes(bytes)).await?;
            while let Some(frame) = frames.next_message().map_err(channel::broken)? {
                if let Message::Open(open) = Message::from_frame(frame).map_err(channel::broken)? {
                    return match (1..=LANES_MAX).contains(&open.lanes) {
                        true => Ok(open.lanes),
                        false => Err(unexpected()),
                    };
                }
            }
        }
    }

    async fn lane(&self, source: &dyn Connection, target: &dyn Connection) -> Result<()> {
        let (from, to) = tokio::try_join!(
            accept(&self.cx, source),
            target.open(&self.cx, StreamKind::OneWay)
        )?;
        let (Some(mut recv), Some(mut send)) = (from.recv, to.send) else {
            return Err(unexpected());
        };
        // Their other halves live as long: where a stream is a socket, it is one for both.
        let _others = (from.send, to.recv);
        self.pump(&mut recv, &mut send).await
    }

    async fn pump(
        &self,
        from: &mut Box<dyn RecvStream>,
        to: &mut Box<dyn SendStream>,
    ) -> Result<()> {
        let piece = usize::try_from(self.pace.piece(PIECE_BYTES_MAX as u64));
        let piece = piece.unwrap_or(PIECE_BYTES_MAX);
        while let Some(chunk) = from.recv(piece).await? {
            self.pace.pass(&self.cx, chunk.size_bytes()).await?;
            send(to, chunk).await?;
        }
        to.finish().await
    }
}

/// Both halves of a stream.
struct Halves {
    send: Box<dyn SendStream>,
    recv: Box<dyn RecvStream>,
}

impl Halves {
    fn of(stream: Stream) -> Result<Self> {
        match (stream.send, stream.recv) {
            (Some(send), Some(recv)) => Ok(Self { send, recv }),
            _ => Err(unexpected()),
        }
    }
}

async fn accept(cx: &Cx, connection: &dyn Connection) -> Result<Stream> {
    let stream = connection.accept(cx).await?;
    stream.ok_or_else(|| Error::new(ErrorKind::Unreachable, "relay").because("the source hung up"))
}

async fn send(to: &mut Box<dyn SendStream>, chunk: Chunk) -> Result<()> {
    let mut chunks = VecDeque::from([chunk]);
    while !chunks.is_empty() {
        to.send(&mut chunks).await?;
    }
    Ok(())
}
