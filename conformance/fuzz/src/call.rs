//! What is said to a daemon, or by it: before a control connection, inside it, and by its administrator.

use blit_control::{
    Greeting, NodeId,
    calls::{JoinReply, JoinRequest, KnockRequest, Piece},
    management::{ChangePeersRequest, InviteReply, PeersReply, ReloadReply, StatusReply},
};
use futures_util::FutureExt;
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

/// The same of what the administrator and the daemon of one machine say to each other.
pub(crate) fn management(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    match which % 5 {
        0 => round::<ChangePeersRequest>(bytes),
        1 => round::<PeersReply>(bytes),
        2 => round::<StatusReply>(bytes),
        3 => round::<ReloadReply>(bytes),
        _ => round::<InviteReply>(bytes),
    }
}

/// A greeting that is found is found again behind other noise, and nothing behind it is eaten.
pub(crate) fn greeting(bytes: &[u8]) {
    let Some((found, rest)) = greeted(bytes) else {
        return;
    };
    let written = format!("Welcome!{found}");
    let said = [written.as_bytes(), rest].concat();
    assert_eq!(greeted(&said), Some((found, rest)));
}

fn greeted(said: &[u8]) -> Option<(Greeting, &[u8])> {
    let mut from = said;
    let received = Greeting::receive(&mut from).now_or_never();
    let received = received.expect("all of it is there");
    Some((received.expect("memory can be read")?, from))
}

/// A machine is the key in its certificate, whatever else is in that.
pub(crate) fn certificate(bytes: &[u8]) {
    if let Some(id) = NodeId::shown_by(bytes) {
        assert_eq!(NodeId::shown_by(bytes), Some(id));
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
