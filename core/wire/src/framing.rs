//! Frames on a byte stream: four bytes of length, low byte first, then the message.

use bytes::{Buf, BufMut, Bytes, BytesMut};

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

/// Cuts a byte stream, which comes in pieces of any size, into messages.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    pieces: BytesMut,
}

impl FrameBuffer {
    /// Adds what came next.
    pub fn push(&mut self, piece: &Bytes) {
        self.pieces.extend_from_slice(piece);
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// `TooLarge` as soon as a length is beyond the limit: nothing is allocated for it.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, BadMessage> {
        let Some(head) = self.pieces.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let size = u32::from_le_bytes(*head) as usize;
        if size > FRAME_BYTES_MAX {
            return Err(BadMessage::TooLarge("a message"));
        }
        if self.pieces.len() < LENGTH_BYTES + size {
            return Ok(None);
        }
        self.pieces.advance(LENGTH_BYTES);
        Ok(Some(self.pieces.split_to(size).freeze()))
    }

    /// Whether something is left that is no whole message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto;

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
                buffer.push(&Bytes::copy_from_slice(piece));
                while let Some(message) = buffer.next_message().unwrap() {
                    sizes.push(message.len());
                }
            }
            assert_eq!(sizes, [2, 3, 0]);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_comes() {
        let mut buffer = FrameBuffer::default();
        buffer.push(&Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]));
        assert!(matches!(
            buffer.next_message(),
            Err(BadMessage::TooLarge(_))
        ));
    }
}
