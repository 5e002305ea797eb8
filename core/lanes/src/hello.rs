//! The stream hello: what a client says first on a socket that is to be a lane.

use crate::LaneKeys;

/// How long a hello is. All of it is fixed, so that one read is enough.
pub const HELLO_BYTES: usize = 112;

const MAGIC: [u8; 8] = *b"blitlane";
const VERSION: u8 = 1;
const REVERSE: u8 = 1;
/// Everything before the digest.
const SAID_BYTES: usize = 80;

/// The numbers in a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Which session the lane is for.
    pub session: [u8; 16],
    /// The number of the stream, which is used once.
    pub stream: u32,
    /// Whether the daemon's side of the session opens it.
    pub reverse: bool,
    /// Chance, so that no two hellos are alike.
    pub nonce: [u8; 32],
}

/// Why a hello is none. The other end is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHello {
    /// It does not have the form.
    #[error("it is no hello of a lane")]
    Form,
    /// There is no such session, or not of this peer.
    #[error("there is no such session")]
    Session,
    /// Whoever sent it does not have the keys of the session, or has them from another connection.
    #[error("it does not prove the session's secret")]
    Proof,
    /// The number was used before, or is beyond the window.
    #[error("its stream number is not free")]
    Stream,
    /// The session wants lanes that nobody can read.
    #[error("the session wants encrypted lanes")]
    Security,
    /// It is right, and its session is over.
    #[error("its session is over")]
    Over,
}

impl Hello {
    /// As it crosses, with the proof for a channel of that binding.
    #[must_use]
    pub fn seal(&self, keys: &LaneKeys, binding: &[u8; 32]) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = VERSION;
        bytes[9] = if self.reverse { REVERSE } else { 0 };
        bytes[12..28].copy_from_slice(&self.session);
        bytes[28..32].copy_from_slice(&self.stream.to_le_bytes());
        bytes[36..68].copy_from_slice(&self.nonce);
        let proof = keys.of_hello(&[&bytes[..SAID_BYTES], binding]);
        bytes[SAID_BYTES..].copy_from_slice(proof.as_bytes());
        bytes
    }
}

/// A hello of the right form, of which nothing is proved.
#[derive(Debug)]
pub struct Unproved {
    hello: Hello,
    bytes: [u8; HELLO_BYTES],
}

impl Unproved {
    /// Reads the form. There is one way to write a hello; any other is refused.
    ///
    /// # Errors
    /// `Form`
    pub fn read(bytes: [u8; HELLO_BYTES]) -> Result<Self, BadHello> {
        let field = |start: usize| -> [u8; 32] {
            let mut field = [0; 32];
            field.copy_from_slice(&bytes[start..start + 32]);
            field
        };
        let is_zero = |range: std::ops::Range<usize>| bytes[range].iter().all(|byte| *byte == 0);
        let has_form = bytes[..8] == MAGIC
            && bytes[8] == VERSION
            && bytes[9] & !REVERSE == 0
            && is_zero(10..12)
            && is_zero(32..36)
            && is_zero(68..SAID_BYTES);
        if !has_form {
            return Err(BadHello::Form);
        }
        let mut session = [0; 16];
        session.copy_from_slice(&bytes[12..28]);
        let hello = Hello {
            session,
            stream: u32::from_le_bytes([bytes[28], bytes[29], bytes[30], bytes[31]]),
            reverse: bytes[9] & REVERSE != 0,
            nonce: field(36),
        };
        Ok(Self { hello, bytes })
    }

    /// Which session it says to be for.
    #[must_use]
    pub fn session(&self) -> &[u8; 16] {
        &self.hello.session
    }

    /// Checks the proof, in constant time.
    ///
    /// # Errors
    /// `Proof`
    pub fn prove(self, keys: &LaneKeys, binding: &[u8; 32]) -> Result<Hello, BadHello> {
        let expected = keys.of_hello(&[&self.bytes[..SAID_BYTES], binding]);
        let mut found = [0; 32];
        found.copy_from_slice(&self.bytes[SAID_BYTES..]);
        // The comparison of two `blake3::Hash` takes constant time.
        if expected == blake3::Hash::from_bytes(found) {
            Ok(self.hello)
        } else {
            Err(BadHello::Proof)
        }
    }
}

/// What the daemon answers to a proved hello, so that the client knows whom it reached.
pub(crate) fn answer(keys: &LaneKeys, hello: &Hello, binding: &[u8; 32]) -> [u8; 32] {
    *keys
        .of_hello(&[
            b"answer",
            &hello.nonce,
            &hello.stream.to_le_bytes(),
            binding,
        ])
        .as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    const BINDING: [u8; 32] = [9; 32];

    fn keys() -> LaneKeys {
        LaneKeys::derive(&Secret::new([1; 32]), &[2; 16])
    }

    fn hello() -> Hello {
        Hello {
            session: [2; 16],
            stream: 5,
            reverse: true,
            nonce: [3; 32],
        }
    }

    #[test]
    fn a_hello_comes_out_as_it_went_in() {
        let bytes = hello().seal(&keys(), &BINDING);
        let proved = Unproved::read(bytes).unwrap().prove(&keys(), &BINDING);
        assert_eq!(proved, Ok(hello()));
    }

    #[test]
    fn no_bit_of_a_hello_can_be_turned() {
        let bytes = hello().seal(&keys(), &BINDING);
        for bit in 0..HELLO_BYTES * 8 {
            let mut turned = bytes;
            turned[bit / 8] ^= 1 << (bit % 8);
            let proved = Unproved::read(turned).and_then(|it| it.prove(&keys(), &BINDING));
            assert!(proved.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_hello_for_another_channel_or_session_proves_nothing() {
        let bytes = hello().seal(&keys(), &BINDING);
        let elsewhere = Unproved::read(bytes).unwrap().prove(&keys(), &[8; 32]);
        assert_eq!(elsewhere, Err(BadHello::Proof));
        let others = LaneKeys::derive(&Secret::new([1; 32]), &[3; 16]);
        let other = Unproved::read(bytes).unwrap().prove(&others, &BINDING);
        assert_eq!(other, Err(BadHello::Proof));
    }
}
