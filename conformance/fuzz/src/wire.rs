//! What crosses the wire.

use blit_wire::{BadMessage, Frame, FrameBuffer, Message, Reply, Request};
use bytes::Bytes;
use std::fmt::Debug;

/// How many bytes stand before a message: its length.
pub(crate) const LENGTH_BYTES: usize = 4;

/// The most bytes that a stream may say a message has.
const MESSAGE_BYTES_MAX: usize = 8 << 20;

pub(crate) fn message(bytes: &[u8]) {
    round(bytes, Message::from_frame, Message::to_frame);
}

pub(crate) fn frame(bytes: &[u8]) {
    round(bytes, Frame::from_frame, Frame::to_frame);
}

pub(crate) fn request(bytes: &[u8]) {
    round(bytes, Request::from_frame, Request::to_frame);
}

pub(crate) fn reply(bytes: &[u8]) {
    round(bytes, Reply::from_frame, Reply::to_frame);
}

/// What can be read can be written, and reads as the same again. The bytes may differ: of one value
/// protobuf knows many spellings, of which we write one.
fn round<T: Debug>(
    bytes: &[u8],
    decode: fn(Bytes) -> Result<T, BadMessage>,
    encode: fn(&T) -> Bytes,
) {
    let first = match decode(Bytes::copy_from_slice(bytes)) {
        Ok(first) => first,
        Err(bad) => {
            assert!(!bad.to_string().is_empty(), "a refusal says why");
            return;
        }
    };
    let written = encode(&first);
    let length = written.first_chunk().expect("a length stands first");
    assert_eq!(
        u32::from_le_bytes(*length) as usize,
        written.len() - LENGTH_BYTES
    );
    let second = decode(written.slice(LENGTH_BYTES..)).expect("what we write can be read");
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    assert_eq!(encode(&second), written);
}

/// The first byte says how the rest is cut. However that is, the same messages come out, and nothing is
/// lost.
pub(crate) fn framing(bytes: &[u8]) {
    let Some((step, stream)) = bytes.split_first() else {
        return;
    };
    let whole = messages(stream, stream.len().max(1));
    let cut = messages(stream, usize::from(*step).max(1));
    assert_eq!(whole, cut);
    let (taken, is_refused) = whole;
    let mut at = 0;
    for message in &taken {
        let head = stream[at..].first_chunk().expect("a length stands first");
        assert_eq!(u32::from_le_bytes(*head) as usize, message.len());
        assert!(message.len() <= MESSAGE_BYTES_MAX);
        at += LENGTH_BYTES;
        assert_eq!(&stream[at..at + message.len()], &message[..]);
        at += message.len();
    }
    // What is left is no whole message, or one that is too long.
    let rest = &stream[at..];
    let says = rest
        .first_chunk()
        .map(|it| u32::from_le_bytes(*it) as usize);
    assert_eq!(is_refused, says.is_some_and(|it| it > MESSAGE_BYTES_MAX));
    assert!(is_refused || says.is_none_or(|it| rest.len() - LENGTH_BYTES < it));
}

/// The messages of a stream that comes in pieces, and whether it was refused in the end.
pub(crate) fn messages(stream: &[u8], step: usize) -> (Vec<Bytes>, bool) {
    let mut buffer = FrameBuffer::default();
    let mut taken = Vec::new();
    for piece in stream.chunks(step) {
        buffer.push(Bytes::copy_from_slice(piece));
        loop {
            match buffer.next_message() {
                Ok(Some(message)) => taken.push(message),
                Ok(None) => break,
                Err(_) => return (taken, true),
            }
        }
    }
    (taken, false)
}
