//! Frames on a byte stream: four bytes of length, low byte first, then the message.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{BadMessage, limits::FRAME_BYTES_MAX};

const LENGTH_BYTES: usize = 4;

/// Puts a message behind its length.
pub(crate) fn framed(message: &impl prost::Message) -> Bytes {
    let size = message.encoded_len();
    let mut buffer = BytesMut::with_capacity(LENGTH_BYTES + size);
    // Senders keep to the limit by splitting; a length that does not fit fails at the receiver.
    buffer.put_u32_le(u32::try_from(size).unwrap_or(u32::MAX));
    message
        .encode(&mut buffer)
        .unwrap_or_else(|_| unreachable!("the buffer grows"));
    buffer.freeze()
}

/// Cuts a byte stream, which comes in pieces of any size, into messages. A message that lies within one
/// piece is not copied.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    pieces: VecDeque<Bytes>,
    /// How many bytes the pieces have together.
    size: usize,
}

impl FrameBuffer {
    /// Adds what came next.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.size += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// `TooLarge` as soon as a length is beyond the limit: nothing is allocated for it.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, BadMessage> {
        let Some(size) = self.next_size() else {
            return Ok(None);
        };
        if size > FRAME_BYTES_MAX {
            return Err(BadMessage::TooLarge("a message"));
        }
        if self.size < LENGTH_BYTES + size {
            return Ok(None);
        }
        self.take(LENGTH_BYTES);
        Ok(Some(self.take(size)))
    }

    /// Bytes that are no message but what a message said would follow: what is there of them, at most
    /// `bytes_max` and not copied. `None` if nothing is.
    pub fn next_bytes(&mut self, bytes_max: usize) -> Option<Bytes> {
        let there = self.pieces.front()?.len();
        Some(self.take(there.min(bytes_max)))
    }

    /// How many bytes more have to come, at least, before there is a message.
    #[must_use]
    pub fn missing(&self) -> usize {
        let size = self.next_size().unwrap_or_default();
        LENGTH_BYTES.saturating_add(size).saturating_sub(self.size)
    }

    /// Whether something is left that is no whole message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The length of the next message, if all of the length is there.
    fn next_size(&self) -> Option<usize> {
        let mut head = [0; LENGTH_BYTES];
        let mut bytes = self.pieces.iter().flatten();
        for byte in &mut head {
            *byte = *bytes.next()?;
        }
        Some(u32::from_le_bytes(head) as usize)
    }

    /// The first `size` bytes, or all there are.
    fn take(&mut self, size: usize) -> Bytes {
        let size = size.min(self.size);
        self.size -= size;
        let mut taken = BytesMut::new();
        while let Some(first) = self.pieces.front_mut() {
            let missing = size - taken.len();
            let part = first.split_to(missing.min(first.len()));
            if first.is_empty() {
                self.pieces.pop_front();
            }
            if part.len() == size {
                return part;
            }
            taken.extend_from_slice(&part);
            if taken.len() == size {
                break;
            }
        }
        taken.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto;

    #[test]
    fn it_says_how_much_is_missing_of_a_message() {
        let frame = seal(7);
        let mut buffer = FrameBuffer::default();
        assert_eq!(buffer.missing(), LENGTH_BYTES);
        buffer.push(frame.slice(..3));
        assert_eq!(buffer.missing(), 1);
        buffer.push(frame.slice(3..5));
        assert_eq!(buffer.missing(), frame.len() - 5);
        buffer.push(frame.slice(5..));
        assert_eq!(buffer.missing(), 0);
    }

    fn seal(entries: u64) -> Bytes {
        framed(&proto::Seal { entries })
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let stream = [seal(1), seal(300), seal(0)].concat();
        for step in 1..stream.len() {
            let mut buffer = FrameBuffer::default();
            let mut sizes = Vec::new();
            for piece in stream.chunks(step) {
                buffer.push(Bytes::copy_from_slice(piece));
                while let Some(message) = buffer.next_message().unwrap() {
                    sizes.push(message.len());
                }
            }
            assert_eq!(sizes, [2, 3, 0]);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn what_follows_a_message_comes_out_as_it_came() {
        let mut buffer = FrameBuffer::default();
        buffer.push(Bytes::from([&seal(1)[..], b"abc"].concat()));
        buffer.push(Bytes::from([b"de", &seal(2)[..]].concat()));
        assert_eq!(buffer.next_message().unwrap().unwrap().len(), 2);
        assert_eq!(buffer.next_bytes(5).unwrap(), "abc");
        assert_eq!(buffer.next_bytes(2).unwrap(), "de");
        assert_eq!(buffer.next_message().unwrap().unwrap().len(), 2);
        assert_eq!(buffer.next_bytes(1), None);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_comes() {
        let mut buffer = FrameBuffer::default();
        buffer.push(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]));
        assert!(matches!(
            buffer.next_message(),
            Err(BadMessage::TooLarge(_))
        ));
    }
}
