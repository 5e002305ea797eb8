//! The frames of lanes.

use blit_contract::{Error, Result as Outcome};
use bytes::Bytes;
use prost::Message as _;

use super::{
    BadMessage, Decoded, at_most, counts, needed,
    nouns::{entry, fault, to_attributes, to_entry, to_error, xattrs},
    words::word,
};
use crate::{
    DATA_BYTES_MAX, NEEDS_MAX,
    frame::{Answers, Carried, FileSeal, FileStart, Frame},
    framing::framed,
    proto::{self, answer, digest_answer, file_end, file_start, frame::Body},
};

impl Frame {
    /// The frame as it crosses a lane, behind its length.
    #[must_use]
    pub fn to_frame(&self) -> Bytes {
        framed(&proto::Frame {
            body: Some(body(self)),
        })
    }

    /// The frame in `bytes`, which stood behind their length.
    ///
    /// # Errors
    /// [`BadMessage`], after which nothing more may be taken from the peer.
    pub fn from_frame(bytes: Bytes) -> Result<Self, BadMessage> {
        counts::check(&bytes, counts::FRAME)?;
        let frame = proto::Frame::decode(bytes)?;
        to_frame(needed(frame.body, "the body")?)
    }
}

fn body(frame: &Frame) -> Body {
    match frame {
        Frame::Attributes(given) => Body::Attributes(answers(given)),
        Frame::Pack(given) => Body::Pack(answers(given)),
        Frame::Data { offset, bytes } => Body::Data(proto::Data {
            offset: *offset,
            bytes: *bytes,
        }),
        Frame::Same { offset, bytes } => Body::Same(proto::Same {
            offset: *offset,
            bytes: *bytes,
        }),
        Frame::Digests(given) => Body::Digests(proto::DigestAnswers {
            item: given.item,
            reason: given.reason.to_owned(),
            answers: given.answers.iter().map(digest_answer).collect(),
        }),
        Frame::FileEnd(end) => Body::FileEnd(proto::FileEnd {
            result: Some(match end {
                Ok(seal) => file_end::Result::Seal(proto::FileSeal {
                    digest: Bytes::copy_from_slice(&seal.digest),
                    xattrs: xattrs(&seal.attributes),
                }),
                Err(error) => file_end::Result::Fault(fault(error)),
            }),
        }),
        Frame::FileStart(start) => Body::FileStart(proto::FileStart {
            item: start.item,
            reason: start.reason.to_owned(),
            need: start.need,
            result: Some(match &start.entry {
                Ok(found) => file_start::Result::Entry(entry(found)),
                Err(error) => file_start::Result::Fault(fault(error)),
            }),
        }),
    }
}

fn answers(given: &Answers<Carried>) -> proto::Answers {
    let answer = |(need, result): &(u64, Outcome<Carried>)| proto::Answer {
        need: *need,
        result: Some(match result {
            Ok(carried) => answer::Result::Carried(proto::Carried {
                entry: Some(entry(&carried.entry)),
                xattrs: xattrs(&carried.attributes),
                content: carried.content.clone(),
            }),
            Err(error) => answer::Result::Fault(fault(error)),
        }),
    };
    proto::Answers {
        item: given.item,
        reason: given.reason.to_owned(),
        answers: given.answers.iter().map(answer).collect(),
    }
}

fn digest_answer((need, result): &(u64, Outcome<[u8; 32]>)) -> proto::DigestAnswer {
    proto::DigestAnswer {
        need: *need,
        result: Some(match result {
            Ok(digest) => digest_answer::Result::Digest(Bytes::copy_from_slice(digest)),
            Err(error) => digest_answer::Result::Fault(fault(error)),
        }),
    }
}

fn to_frame(body: Body) -> Decoded<Frame> {
    Ok(match body {
        Body::Attributes(given) => Frame::Attributes(to_answers(given)?),
        Body::Pack(given) => Frame::Pack(to_answers(given)?),
        Body::Data(data) => {
            must_be_a_range(data.offset, data.bytes, "a piece of data")?;
            if data.bytes > DATA_BYTES_MAX {
                return Err(BadMessage::TooLarge("a piece of data"));
            }
            Frame::Data {
                offset: data.offset,
                bytes: data.bytes,
            }
        }
        Body::Same(same) => {
            must_be_a_range(same.offset, same.bytes, "what is the same")?;
            Frame::Same {
                offset: same.offset,
                bytes: same.bytes,
            }
        }
        Body::Digests(given) => Frame::Digests(to_digests(given)?),
        Body::FileEnd(end) => Frame::FileEnd(to_file_end(end)?),
        Body::FileStart(start) => Frame::FileStart(FileStart {
            item: start.item,
            reason: word(&start.reason),
            need: start.need,
            entry: match needed(start.result, "the start of a file")? {
                file_start::Result::Entry(found) => Ok(to_entry(Some(found))?),
                file_start::Result::Fault(fault) => Err(to_error(fault)?),
            },
        }),
    })
}

/// A range that some file may have, and that is not empty.
fn must_be_a_range(offset: u64, bytes: u64, what: &'static str) -> Decoded<()> {
    let end = offset.checked_add(bytes);
    match end.is_some_and(|end| i64::try_from(end).is_ok()) && bytes > 0 {
        true => Ok(()),
        false => Err(BadMessage::Unknown(what)),
    }
}

fn to_answers(given: proto::Answers) -> Decoded<Answers<Carried>> {
    at_most(given.answers.len(), NEEDS_MAX, "the answers")?;
    let answers = given.answers.into_iter().map(|answer| {
        let result = match needed(answer.result, "an answer")? {
            answer::Result::Carried(carried) => Ok(Carried {
                entry: to_entry(carried.entry)?,
                attributes: to_attributes(carried.xattrs)?,
                content: carried.content,
            }),
            answer::Result::Fault(fault) => Err(to_error(fault)?),
        };
        Ok((answer.need, result))
    });
    Ok(Answers {
        item: given.item,
        reason: word(&given.reason),
        answers: answers.collect::<Decoded<_>>()?,
    })
}

fn to_digests(given: proto::DigestAnswers) -> Decoded<Answers<[u8; 32]>> {
    at_most(given.answers.len(), NEEDS_MAX, "the answers")?;
    let answers = given.answers.into_iter().map(|answer| {
        let result = match needed(answer.result, "an answer")? {
            digest_answer::Result::Digest(digest) => Ok(to_digest(&digest)?),
            digest_answer::Result::Fault(fault) => Err(to_error(fault)?),
        };
        Ok((answer.need, result))
    });
    Ok(Answers {
        item: given.item,
        reason: word(&given.reason),
        answers: answers.collect::<Decoded<_>>()?,
    })
}

fn to_file_end(end: proto::FileEnd) -> Decoded<Result<FileSeal, Error>> {
    Ok(match needed(end.result, "the end of a file")? {
        file_end::Result::Seal(seal) => Ok(FileSeal {
            digest: to_digest(&seal.digest)?,
            attributes: to_attributes(seal.xattrs)?,
        }),
        file_end::Result::Fault(fault) => Err(to_error(fault)?),
    })
}

fn to_digest(bytes: &Bytes) -> Decoded<[u8; 32]> {
    <[u8; 32]>::try_from(&**bytes).map_err(|_| BadMessage::Unknown("a digest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(offset: u64, bytes: u64) -> Result<Frame, BadMessage> {
        let frame = Frame::Same { offset, bytes }.to_frame();
        Frame::from_frame(frame.slice(4..))
    }

    #[test]
    fn what_is_the_same_is_a_range_that_a_file_can_have() {
        let last = i64::MAX as u64;
        for (offset, bytes) in [(0, 1), (5, 9), (last - 1, 1)] {
            let Ok(Frame::Same {
                offset: at,
                bytes: size,
            }) = same(offset, bytes)
            else {
                panic!("{offset} {bytes}");
            };
            assert_eq!((at, size), (offset, bytes));
        }
        for (offset, bytes) in [(0, 0), (last, 1), (1, u64::MAX), (u64::MAX, 2)] {
            assert!(same(offset, bytes).is_err(), "{offset} {bytes}");
        }
    }
}
