//! The source's end of lanes.

use std::{ops::Range, sync::Arc};

use blit_contract::{
    Attributes, Connection, ContentHasher, Cx, Diff, History, Method, Reader, Result, SmallFile,
    StreamKind,
};
use blit_mover::{Outlet, next_data};
use blit_wire::{Answers, Body, Carried, DATA_BYTES_MAX, FileSeal, FileStart, Frame, Payload};
use tokio::sync::{Mutex, mpsc};

use super::changes::{self, Known, Ledgers};
use crate::session::Session;
use blit_channel::{self as channel, Sender};

/// Answers of about so many bytes share a frame.
const ANSWERS_BYTES: usize = 2 << 20;

/// The lanes of a session; whoever has something to send takes a free one.
#[derive(Debug)]
pub(crate) struct Lanes {
    free: Mutex<mpsc::Receiver<LaneSender>>,
    give_back: mpsc::Sender<LaneSender>,
    count: u32,
}

impl Lanes {
    /// Opens `count` lanes over `connection`.
    pub(crate) async fn open(
        cx: &Cx,
        connection: &dyn Connection,
        count: u32,
        shared: &Arc<Shared>,
    ) -> Result<Self> {
        let (give_back, free) = mpsc::channel(count.max(1) as usize);
        // Side by side: each may take some round trips.
        let streams = (0..count).map(|_| connection.open(cx, StreamKind::OneWay));
        for mut stream in futures_util::future::try_join_all(streams).await? {
            let lane = if channel::passes_objects(connection.caps()) {
                LaneSender::Local(channel::sender(&mut stream, true)?)
            } else {
                LaneSender::Remote(RemoteLane {
                    frames: channel::sender(&mut stream, false)?,
                    shared: Arc::clone(shared),
                })
            };
            drop(give_back.try_send(lane));
        }
        Ok(Self {
            free: Mutex::new(free),
            give_back,
            count,
        })
    }

    /// Sends a payload over a lane that is free.
    pub(crate) async fn send(&self, cx: &Cx, payload: Payload) -> Result<()> {
        let mut lane = self.take().await?;
        lane.send(cx, payload).await?;
        drop(self.give_back.try_send(lane));
        Ok(())
    }

    /// Ends all lanes, once nobody sends any more.
    pub(crate) async fn finish(&self) -> Result<()> {
        for _ in 0..self.count {
            self.take().await?.finish().await?;
        }
        Ok(())
    }

    async fn take(&self) -> Result<LaneSender> {
        let lane = self.free.lock().await.recv().await;
        lane.ok_or_else(|| crate::source::bug("the lanes are gone"))
    }
}

/// One lane.
#[derive(Debug)]
pub(crate) enum LaneSender {
    /// Both roles share a process.
    Local(Sender<Payload>),
    /// They do not.
    Remote(RemoteLane),
}

impl LaneSender {
    async fn send(&mut self, cx: &Cx, payload: Payload) -> Result<()> {
        match self {
            Self::Local(sender) => sender.send_object(payload).await,
            // Apart, so that what serves a copy inside the process stays small.
            Self::Remote(lane) => Box::pin(lane.send(cx, payload)).await,
        }
    }

    async fn finish(&mut self) -> Result<()> {
        match self {
            Self::Local(sender) => sender.finish().await,
            Self::Remote(lane) => lane.frames.finish().await,
        }
    }
}

/// A lane that leaves the process.
pub(crate) struct RemoteLane {
    frames: Sender<Frame>,
    shared: Arc<Shared>,
}

/// What all lanes of a session need.
pub(crate) struct Shared {
    pub(crate) session: Arc<Session>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) ledgers: Ledgers,
}

impl std::fmt::Debug for RemoteLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RemoteLane").field(&self.frames).finish()
    }
}

impl RemoteLane {
    async fn send(&mut self, cx: &Cx, payload: Payload) -> Result<()> {
        let Payload { item, reason, body } = payload;
        match body {
            Body::Attributes(answers) => {
                self.answers(item, reason, answers, Frame::Attributes).await
            }
            Body::Pack(answers) => self.answers(item, reason, answers, Frame::Pack).await,
            Body::Digests(answers) => {
                let answers = answers.into_iter();
                let answers = answers.map(|(diff, digest)| (diff.id, digest)).collect();
                let frame = Frame::Digests(Answers {
                    item,
                    reason,
                    answers,
                });
                self.frames.send(frame).await
            }
            Body::File(diff, reader) => {
                let ledger = self.shared.ledgers.take(diff.id);
                let (reader, entry) = match reader {
                    Ok(reader) => (Some(reader), Ok(diff.entry)),
                    Err(error) => (None, Err(error)),
                };
                let size = entry.as_ref().map_or(0, |entry| entry.size);
                let start = FileStart {
                    item,
                    reason,
                    need: diff.id,
                    entry,
                };
                self.frames.send(Frame::FileStart(start)).await?;
                match reader {
                    Some(reader) => self.file(cx, item, &*reader, (size, ledger)).await,
                    None => Ok(()),
                }
            }
            _ => Err(crate::source::bug(
                "a payload that cannot leave the process",
            )),
        }
    }

    /// Sends answers in frames of a size that the receiver takes.
    async fn answers(
        &mut self,
        item: u64,
        reason: &'static str,
        answers: Vec<(Diff, Result<SmallFile>)>,
        frame: fn(Answers<Carried>) -> Frame,
    ) -> Result<()> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (diff, answer) in answers {
            self.shared.ledgers.take(diff.id);
            let answer = answer.map(|file| Carried {
                entry: file.entry,
                attributes: file.attributes,
                content: file.content,
            });
            bytes += answer.as_ref().map_or(0, size_bytes);
            batch.push((diff.id, answer));
            if bytes >= ANSWERS_BYTES {
                let answers = std::mem::take(&mut batch);
                let full = Answers {
                    item,
                    reason,
                    answers,
                };
                self.frames.send(frame(full)).await?;
                bytes = 0;
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        let rest = Answers {
            item,
            reason,
            answers: batch,
        };
        self.frames.send(frame(rest)).await
    }

    /// Sends what is in a file, and whether it stayed what it was.
    async fn file(
        &mut self,
        cx: &Cx,
        item: u64,
        reader: &dyn Reader,
        (size, ledger): (u64, Option<Known>),
    ) -> Result<()> {
        let started = self.shared.session.clock.now();
        let sent = match ledger {
            None => self.content(cx, reader, size).await?,
            Some(ledger) => {
                let sent = changes::send(&mut self.frames, cx, reader, size, &ledger).await?;
                sent.map(|digest| (digest, None))
            }
        };
        let end = match sent {
            Ok((digest, method)) => {
                if let Some(method) = method {
                    let measured = (1, size as usize);
                    self.shared.session.observe(item, method, measured, started);
                }
                let with_xattrs = self.shared.session.options.preserve.xattrs;
                seal(reader, digest, with_xattrs).await
            }
            Err(error) => Err(error),
        };
        self.frames.send(Frame::FileEnd(end)).await
    }

    /// Sends the data of a file, whose holes are left out. The inner error is the reader's, and only the
    /// file's.
    async fn content(
        &mut self,
        cx: &Cx,
        reader: &dyn Reader,
        size: u64,
    ) -> Result<Result<([u8; 32], Option<Method>)>> {
        let outlet = match self.frames.lends() {
            Some(_) => Outlet::of(reader, &*self.shared.history).await?,
            None => None,
        };
        let by_kernel = || outlet.as_ref().filter(|outlet| !outlet.is_refused());
        let mut hasher = ContentHasher::default();
        let mut at = 0;
        loop {
            let data = match next_data(reader, at, size).await {
                Ok(Some(data)) => data,
                Ok(None) => break,
                Err(error) => return Ok(Err(error)),
            };
            hasher.skip(data.start - at);
            at = data.end;
            let sent = match by_kernel() {
                Some(outlet) => self.lend(cx, outlet, data, hasher).await?,
                None => self.pump(cx, reader, data, hasher).await?,
            };
            hasher = match sent {
                Ok(hasher) => hasher,
                Err(error) => return Ok(Err(error)),
            };
        }
        hasher.skip(size - at);
        let method = match by_kernel() {
            Some(_) => Method::Sendfile,
            None => Method::Pump,
        };
        Ok(Ok((hasher.finish(), Some(method))))
    }

    /// Sends a run of data inside the kernel.
    async fn lend(
        &mut self,
        cx: &Cx,
        outlet: &Outlet,
        data: Range<u64>,
        mut hasher: ContentHasher,
    ) -> Result<Result<ContentHasher>> {
        let step = self.frames.lends().unwrap_or(DATA_BYTES_MAX);
        let mut at = data.start;
        while at < data.end {
            cx.check()?;
            let piece = at..data.end.min(at + step.min(DATA_BYTES_MAX));
            let lease = self.frames.lease(at, piece.end - piece.start).await?;
            at = piece.end;
            let left = outlet.send(cx, lease, piece, hasher).await?;
            self.frames.settle(left.witness).await?;
            hasher = left.hasher;
            if let Some(error) = left.failed {
                return Ok(Err(error));
            }
        }
        Ok(Ok(hasher))
    }

    /// Sends a run of data through memory: while one piece is sent the next is read.
    async fn pump(
        &mut self,
        cx: &Cx,
        reader: &dyn Reader,
        data: Range<u64>,
        mut hasher: ContentHasher,
    ) -> Result<Result<ContentHasher>> {
        let mut at = data.start;
        let piece = |at: u64| at..data.end.min(at + DATA_BYTES_MAX);
        let mut ahead = reader.read(piece(at)).await;
        loop {
            cx.check()?;
            let content = match ahead {
                Ok(content) => content,
                Err(error) => return Ok(Err(error)),
            };
            hasher.update(&content);
            let offset = at;
            at += content.len() as u64;
            let send = self.frames.send_data(offset, content);
            if at >= data.end {
                send.await?;
                return Ok(Ok(hasher));
            }
            let (sent, read) = futures_util::future::join(send, reader.read(piece(at))).await;
            sent?;
            ahead = read;
        }
    }
}

/// The end of a file that is still what it was when it was opened.
async fn seal(reader: &dyn Reader, digest: [u8; 32], with_xattrs: bool) -> Result<FileSeal> {
    let attributes = match with_xattrs {
        true => reader.attributes().await?,
        false => Attributes::default(),
    };
    reader.check_unchanged().await?;
    Ok(FileSeal { digest, attributes })
}

fn size_bytes(carried: &Carried) -> usize {
    const ENTRY_BYTES: usize = 512;
    let xattrs = carried.attributes.xattrs.iter();
    let xattrs: usize = xattrs.map(|(name, value)| name.len() + value.len()).sum();
    ENTRY_BYTES + xattrs + carried.content.len()
}
