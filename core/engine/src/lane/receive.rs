//! The target's end of lanes.

use std::{ops::Range, sync::Arc};

use blit_contract::{Cx, Diff, DiffKind, Error, ErrorKind, Result, SmallFile, Stream};
use blit_wire::{Answers, Body, Carried, FileStart, Frame, Payload};

use super::pieces::{Feed, Pieces, broken, feed};
use crate::target::{Needs, Prepared};
use blit_channel::{self as channel, Receiver};

/// What came over a lane.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A file that comes in pieces.
    File {
        /// The number of the piece of work.
        item: u64,
        /// What was asked for.
        diff: Diff,
        /// What is ready for it: then it may come without what is here already.
        prepared: Option<Prepared>,
        /// What comes.
        pieces: Pieces,
    },
    /// Anything else.
    Payload(Payload),
}

/// One lane.
#[derive(Debug)]
pub(crate) enum LaneReceiver {
    /// Both roles share a process.
    Local(Receiver<Payload>),
    /// They do not.
    Remote(RemoteLane),
}

impl LaneReceiver {
    /// The lane over `stream`. What comes must answer one of `needs`.
    pub(crate) fn new(
        cx: &Cx,
        stream: &mut Stream,
        as_objects: bool,
        needs: &Arc<Needs>,
    ) -> Result<Self> {
        if as_objects {
            return Ok(Self::Local(channel::receiver(stream)?));
        }
        Ok(Self::Remote(RemoteLane {
            cx: cx.clone(),
            frames: channel::receiver(stream)?,
            needs: Arc::clone(needs),
            feed: None,
        }))
    }

    /// What comes next; `None` at the end.
    pub(crate) async fn recv(&mut self) -> Result<Option<Arrival>> {
        match self {
            Self::Local(receiver) => Ok(receiver.recv_object().await?.map(Arrival::Payload)),
            Self::Remote(lane) => lane.recv().await,
        }
    }
}

/// A lane that comes from outside the process.
#[derive(Debug)]
pub(crate) struct RemoteLane {
    cx: Cx,
    frames: Receiver<Frame>,
    needs: Arc<Needs>,
    /// Where the data of the file goes that is under way.
    feed: Option<Feed>,
}

impl RemoteLane {
    async fn recv(&mut self) -> Result<Option<Arrival>> {
        loop {
            let Some(frame) = self.frames.recv().await? else {
                return match self.feed {
                    None => Ok(None),
                    Some(_) => Err(broken("a lane ended in the middle of a file")),
                };
            };
            match (frame, &mut self.feed) {
                (Frame::Data { offset, bytes }, Some(feed)) => {
                    let range = range_of(offset, bytes);
                    data(&self.cx, &mut self.frames, feed, range).await?;
                }
                (Frame::Same { offset, bytes }, Some(feed)) => {
                    let range = range_of(offset, bytes);
                    feed.expect(&range)?;
                    feed.same(range).await;
                }
                (Frame::FileEnd(end), Some(_)) => {
                    if let Some(feed) = self.feed.take() {
                        feed.end(end).await;
                    }
                }
                (Frame::Data { .. } | Frame::FileEnd(_) | Frame::Same { .. }, None) => {
                    return Err(broken("data of no file"));
                }
                (_, Some(_)) => return Err(broken("a file without an end")),
                (Frame::FileStart(start), None) => return self.start(start).map(Some),
                (frame, None) => return Ok(Some(Arrival::Payload(self.payload(frame)?))),
            }
        }
    }

    /// A file begins, or could not be opened.
    fn start(&mut self, start: FileStart) -> Result<Arrival> {
        let (mut diff, prepared) = self.asked(start.need, DiffKind::Content)?;
        let item = start.item;
        let entry = match start.entry {
            Ok(entry) => entry,
            Err(error) => {
                return Ok(Arrival::Payload(Payload {
                    item,
                    reason: start.reason,
                    body: Body::File(diff, Err(error)),
                }));
            }
        };
        must_match(&diff, &entry)?;
        if prepared.is_some() && entry.size != diff.entry.size {
            return Err(broken("a file of another size than was asked for"));
        }
        diff.entry = entry;
        let (feed, pieces) = feed(diff.entry.size);
        self.feed = Some(feed);
        Ok(Arrival::File {
            item,
            diff,
            prepared,
            pieces,
        })
    }

    fn payload(&mut self, frame: Frame) -> Result<Payload> {
        let (item, reason, body) = match frame {
            Frame::Attributes(given) => {
                let (item, reason) = (given.item, given.reason);
                let body = Body::Attributes(self.answered(given, DiffKind::Attributes)?);
                (item, reason, body)
            }
            Frame::Pack(given) => {
                let (item, reason) = (given.item, given.reason);
                let body = Body::Pack(self.answered(given, DiffKind::Content)?);
                (item, reason, body)
            }
            Frame::Digests(given) => {
                let answers = given.answers.into_iter().map(|(need, digest)| {
                    let diff = self.needed(need, DiffKind::Digest)?;
                    Ok((diff, digest))
                });
                let body = Body::Digests(answers.collect::<Result<_>>()?);
                (given.item, given.reason, body)
            }
            _ => return Err(broken("a frame of an unknown kind")),
        };
        Ok(Payload { item, reason, body })
    }

    fn answered(
        &self,
        given: Answers<Carried>,
        kind: DiffKind,
    ) -> Result<Vec<(Diff, Result<SmallFile>)>> {
        let answers = given.answers.into_iter().map(|(need, answer)| {
            let diff = self.needed(need, kind)?;
            let answer = match answer {
                Ok(carried) => Ok(to_file(&diff, carried)?),
                Err(error) => Err(error),
            };
            Ok((diff, answer))
        });
        answers.collect()
    }

    /// What was asked for under that number: nothing else is ever taken.
    fn needed(&self, need: u64, kind: DiffKind) -> Result<Diff> {
        self.asked(need, kind).map(|(diff, _)| diff)
    }

    /// The same with what is ready for it.
    fn asked(&self, need: u64, kind: DiffKind) -> Result<(Diff, Option<Prepared>)> {
        match self.needs.take(need) {
            Some((diff, prepared)) if diff.kind == kind => Ok((diff, prepared)),
            Some(_) => Err(broken("an answer of another kind than was asked for")),
            None => Err(broken("an answer to what was not asked")),
        }
    }
}

/// Takes the bytes that follow a frame.
async fn data(
    cx: &Cx,
    frames: &mut Receiver<Frame>,
    feed: &mut Feed,
    range: Range<u64>,
) -> Result<()> {
    feed.expect(&range)?;
    if let Some(inlet) = feed.inlet().await
        && let Some(lease) = frames.lease(range.end - range.start).await?
    {
        let placed = inlet.take(cx, lease, range.clone()).await?;
        let settled = frames.settle(placed.witness).await;
        return match placed.failed.or(only_corrupt(settled)?) {
            Some(error) => {
                feed.spoil(error);
                Ok(())
            }
            None => {
                feed.placed(range, placed.seen).await;
                Ok(())
            }
        };
    }
    let mut at = range.start;
    while at < range.end {
        let received = frames.recv_bytes(range.end - at).await;
        let content = match received {
            // All that belongs behind this frame came in one chunk, which is dropped.
            Err(error) if error.kind() == ErrorKind::Corrupt && at == range.start => {
                feed.spoil(error);
                return Ok(());
            }
            received => received?,
        };
        let size = content.len() as u64;
        feed.data(at, content).await;
        at += size;
    }
    Ok(())
}

/// The error of a chunk that was not what its sender saw leave; any other ends the lane.
fn only_corrupt(settled: Result<()>) -> Result<Option<Error>> {
    match settled {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// The decoder has checked that it is one.
fn range_of(offset: u64, bytes: u64) -> Range<u64> {
    offset..offset.saturating_add(bytes)
}

fn to_file(diff: &Diff, carried: Carried) -> Result<SmallFile> {
    must_match(diff, &carried.entry)?;
    let size = carried.content.len() as u64;
    if diff.kind == DiffKind::Content && size != carried.entry.size {
        return Err(broken("a file with more or less content than its size"));
    }
    let mut file = SmallFile::new(diff.path.clone(), carried.entry, carried.content);
    file.entry.name = diff.entry.name.clone();
    file.attributes = carried.attributes;
    Ok(file)
}

/// What came must be what was asked for, as far as a name and a type go.
fn must_match(diff: &Diff, entry: &blit_contract::Entry) -> Result<()> {
    if entry.kind.is_same_type(&diff.entry.kind) && entry.name == diff.entry.name {
        Ok(())
    } else {
        Err(broken("an answer about another entry"))
    }
}
