//! What is said to a daemon, or by it, inside a control connection.

use blit_control::calls::{JoinReply, JoinRequest, KnockRequest, Piece};
use prost::Message;
use std::fmt::Debug;

/// The first byte says which of the messages the others are taken for.
pub(crate) fn run(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    match which % 4 {
        0 => round::<Piece>(bytes),
        1 => round::<JoinRequest>(bytes),
        2 => round::<KnockRequest>(bytes),
        _ => round::<JoinReply>(bytes),
    }
}

/// What can be read can be written, reads as the same again, and is written as the same again.
fn round<T: Message + Default + Debug + PartialEq>(bytes: &[u8]) {
    let first = match T::decode(bytes) {
        Ok(first) => first,
        Err(bad) => {
            assert!(!bad.to_string().is_empty(), "a refusal says why");
            return;
        }
    };
    let written = first.encode_to_vec();
    assert!(written.len() <= bytes.len(), "nothing is made up");
    let second = T::decode(&*written).expect("what we write can be read");
    assert_eq!(first, second);
    assert_eq!(second.encode_to_vec(), written);
}
