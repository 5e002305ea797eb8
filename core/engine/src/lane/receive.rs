//! The target's end of lanes.

use std::sync::Arc;

use blit_contract::{Diff, DiffKind, Error, ErrorKind, Result, SmallFile, Stream};
use blit_wire::{Answers, Body, Carried, FileStart, Frame, Payload};

use super::carried::{Feed, Pieces, carried_file, feed};
use crate::{
    channel::{self, Receiver},
    target::{Needs, Prepared},
};

/// What came over a lane.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A file for which this side is prepared: it may come without what is here already.
    Changes {
        /// What was asked for.
        diff: Diff,
        /// What is ready for it.
        prepared: Prepared,
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
    pub(crate) fn new(stream: &mut Stream, as_objects: bool, needs: &Arc<Needs>) -> Result<Self> {
        if as_objects {
            return Ok(Self::Local(channel::receiver(stream)?));
        }
        Ok(Self::Remote(RemoteLane {
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
                    Some(_) => Err(violation("a lane ended in the middle of a file")),
                };
            };
            match (frame, &mut self.feed) {
                (Frame::Data { offset, content }, Some(feed)) => feed.data(offset, content).await,
                (Frame::Same { offset, bytes }, Some(feed)) => {
                    feed.same(offset..offset.saturating_add(bytes)).await;
                }
                (Frame::FileEnd(end), Some(_)) => {
                    if let Some(feed) = self.feed.take() {
                        feed.end(end).await;
                    }
                }
                (Frame::Data { .. } | Frame::FileEnd(_) | Frame::Same { .. }, None) => {
                    return Err(violation("data of no file"));
                }
                (_, Some(_)) => return Err(violation("a file without an end")),
                (Frame::FileStart(start), None) => return self.start(start).map(Some),
                (frame, None) => return Ok(Some(Arrival::Payload(self.payload(frame)?))),
            }
        }
    }

    /// A file begins, or could not be opened.
    fn start(&mut self, start: FileStart) -> Result<Arrival> {
        let (mut diff, prepared) = self.asked(start.need, DiffKind::Content)?;
        let item = start.item;
        let reader = match (start.entry, prepared) {
            (Ok(entry), Some(prepared)) => {
                must_match(&diff, &entry)?;
                if entry.size != diff.entry.size {
                    return Err(violation("a file of another size than was asked for"));
                }
                diff.entry = entry;
                let (feed, pieces) = feed();
                self.feed = Some(feed);
                return Ok(Arrival::Changes {
                    diff,
                    prepared,
                    pieces,
                });
            }
            (Ok(entry), None) => {
                must_match(&diff, &entry)?;
                diff.entry = entry;
                let (feed, reader) = carried_file(diff.entry.clone());
                self.feed = Some(feed);
                Ok(reader)
            }
            (Err(error), _) => Err(error),
        };
        Ok(Arrival::Payload(Payload {
            item,
            reason: start.reason,
            body: Body::File(diff, reader),
        }))
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
            _ => return Err(violation("a frame of an unknown kind")),
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
            Some(_) => Err(violation("an answer of another kind than was asked for")),
            None => Err(violation("an answer to what was not asked")),
        }
    }
}

fn to_file(diff: &Diff, carried: Carried) -> Result<SmallFile> {
    must_match(diff, &carried.entry)?;
    let size = carried.content.len() as u64;
    if diff.kind == DiffKind::Content && size != carried.entry.size {
        return Err(violation("a file with more or less content than its size"));
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
        Err(violation("an answer about another entry"))
    }
}

fn violation(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, "receive").because(format!("the source sent {what}"))
}
