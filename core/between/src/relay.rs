//! A session between two other machines, whose every byte passes this one.
//!
//! The daemons play the roles; what one says is passed on to the other as it is, so that what the source has
//! read and the target writes is compared by those two. This side starts them, hears both, and answers
//! the question before deletions.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use blit_channel as channel;
use blit_clock::{Pace, SystemClock};
use blit_contract::{
    Chunk, Connection, Cx, Error, ErrorKind, RecvStream, Result, SendStream, Side, Stream,
    StreamKind,
};
use blit_engine::{Asking, Listener, REPORT_WAIT, Told, stopped};
use blit_wire::{
    FrameBuffer, LANES_MAX, Message, Reply, Report, Request, Role, SessionRequest, Stop,
};

use crate::{Between, cancelled, unexpected};

/// How much is passed on at a time.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// Runs the session to its end: what stopped it early is in the report, which tells of both sides.
pub(crate) async fn run(job: &Between) -> Report {
    let cx = Cx::new(job.cancel.child());
    let begun = begin(job, &cx, Role::Source).await;
    let (source, from) = match begun {
        Ok(begun) => begun,
        Err(error) => return stopped(Side::Source, error),
    };
    let (target, to) = match begin(job, &cx, Role::Target).await {
        Ok(begun) => begun,
        Err(error) => return stopped(Side::Target, error),
    };
    let pace = Pace::new(Arc::new(SystemClock::default()), job.options.bytes_per_sec);
    let wire = Wire {
        cx: cx.clone(),
        pace,
    };
    let hear = |asking, told| Listener::new(asking, job.audience.clone(), told);
    let reading = hear(source, Told::Source);
    let writing = hear(target, Told::Target { scans: true });
    let mut report = tokio::select! {
        report = both(reading, writing, wire.pass(&*from, &*to)) => report,
        () = cancelled(&job.cancel) => job.abandoned(),
    };
    if job.cancel.is_cancelled() && report.stop.as_ref().is_none_or(Stop::is_lost_peer) {
        report.stop = Some(Stop::Cancelled);
    }
    // Whoever still passes something on has nothing to do it for.
    cx.cancel.cancel();
    report
}

async fn begin(job: &Between, cx: &Cx, role: Role) -> Result<(Asking, Box<dyn Connection>)> {
    let (end, request) = match role {
        Role::Source => (&job.source, job.at_source()),
        Role::Target => (&job.target, job.at_target()),
    };
    let request = SessionRequest {
        lanes: end.lanes,
        ..request
    };
    let request = Request::Session(Box::new(request));
    let mut asking = Asking::ask(cx, &*end.peer, request).await?;
    match asking.next().await? {
        Reply::Session(grant) => Ok((asking, end.peer.session(cx, &grant).await?)),
        _ => Err(unexpected()),
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
