//! The first bytes on a socket that is to be a lane, and all bytes of a lane in clear.

use blit_contract::{Chunk, SecurityClass, Stream};
use blit_lanes::{
    Accepted, BadHello, Grant, HELLO_BYTES, Hello, LaneKeys, PREFACE, Secret, Unproved, greet,
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    runtime::Runtime,
};

const BINDING: [u8; 32] = [9; 32];

/// What has the form of a hello is written in the one way in which we write it, and proves nothing.
pub(crate) fn hello(bytes: &[u8]) {
    let Some(said) = bytes.first_chunk::<HELLO_BYTES>() else {
        return;
    };
    let Ok(unproved) = Unproved::read(*said) else {
        return;
    };
    let session = *unproved.session();
    let keys = LaneKeys::derive(&Secret::new([1; 32]), &session);
    let hello = Hello {
        session,
        stream: u32::from_le_bytes(part(said, 28)),
        reverse: said[9] != 0,
        nonce: part(said, 36),
    };
    let ours = hello.seal(&keys, &BINDING);
    assert_eq!(ours[..80], said[..80], "there is one way to write it");
    let proved = unproved.prove(&keys, &BINDING);
    match ours == *said {
        true => assert_eq!(proved, Ok(hello)),
        false => assert_eq!(proved, Err(BadHello::Proof)),
    }
}

fn part<const N: usize>(said: &[u8; HELLO_BYTES], start: usize) -> [u8; N] {
    let part = said[start..].first_chunk();
    *part.expect("it is inside")
}

/// How many bytes of the content go into a chunk.
const PIECE_BYTES: usize = 997;

/// The first four bytes say what somebody on the way does to a lane, the others are what is sent over it:
/// whatever arrives is what was sent, and only all of it has an end.
pub(crate) fn sealed(bytes: &[u8]) {
    thread_local! {
        static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime");
    }
    let Some(([low, high, act, value], content)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let at = usize::from(u16::from_le_bytes([*low, *high]));
    let act = |lane: &mut Vec<u8>| change(lane, at, *act, *value);
    let (is_changed, came, has_ended) = RUNTIME.with(|it| it.block_on(crossed(content, act)));
    assert!(content.starts_with(&came), "it was not sent");
    assert!(!has_ended || came == content, "an end before the end");
    assert!(is_changed || has_ended, "nobody has changed anything");
}

/// Answers whether it did anything.
fn change(lane: &mut Vec<u8>, at: usize, act: u8, value: u8) -> bool {
    if at >= lane.len() {
        return false;
    }
    let before = lane.clone();
    match act % 4 {
        0 => lane[at] ^= value,
        1 => lane.truncate(at),
        2 => lane.rotate_left(at),
        _ => lane[at..].iter_mut().take(4).for_each(|it| *it = value),
    }
    *lane != before
}

/// Sends `content` over a lane whose bytes pass `act`; answers with what that answers, what has come, and
/// whether that had an end.
async fn crossed(content: &[u8], act: impl FnOnce(&mut Vec<u8>) -> bool) -> (bool, Vec<u8>, bool) {
    let (client, mut near) = UnixStream::pair().expect("a socket");
    let (mut far, daemon) = UnixStream::pair().expect("a socket");
    let (mut from, mut to) = lane((client, daemon), (&mut near, &mut far)).await;
    let half = from.send.as_mut().expect("the client sends");
    for piece in content.chunks(PIECE_BYTES) {
        let mut queue = VecDeque::from([Chunk::Bytes(Bytes::copy_from_slice(piece))]);
        while !queue.is_empty() {
            half.send(&mut queue).await.expect("there is room");
        }
    }
    half.finish().await.expect("there is room");
    let mut passing = Vec::new();
    near.read_to_end(&mut passing).await.expect("it has an end");
    let acted = act(&mut passing);
    far.write_all(&passing).await.expect("there is room");
    far.shutdown().await.expect("it is ours");
    let half = to.recv.as_mut().expect("the daemon receives");
    let mut came = Vec::new();
    loop {
        match half.recv(usize::MAX).await {
            Ok(Some(Chunk::Bytes(bytes))) => came.extend_from_slice(&bytes),
            Ok(Some(other)) => panic!("{other:?} on a lane"),
            Ok(None) => return (acted, came, true),
            Err(_) => return (acted, came, false),
        }
    }
}

/// Both ends of a lane, when what is said before it has passed `near` and `far`.
async fn lane(
    (client, daemon): (UnixStream, UnixStream),
    (near, far): (&mut UnixStream, &mut UnixStream),
) -> (Stream, Stream) {
    const SESSION: [u8; 16] = [4; 16];
    const CLEAR: SecurityClass = SecurityClass::TrustedNetwork;
    let keys = LaneKeys::derive(&Secret::new([1; 32]), &SESSION);
    let grant = Arc::new(Grant::new(keys.clone(), CLEAR));
    let accepting = async {
        let accepted = Accepted::in_clear(daemon, CLEAR).await?;
        accepted.bind(|_| Some(grant)).await
    };
    let passing = async {
        pass::<{ PREFACE.len() }>(near, far).await;
        pass::<32>(far, near).await;
        pass::<HELLO_BYTES>(near, far).await;
        pass::<32>(far, near).await;
    };
    let greeting = greet(client, None, &keys, (SESSION, 0, false));
    let (greeted, accepted, ()) = tokio::join!(greeting, accepting, passing);
    let (client, daemon) = (greeted.expect("the keys"), accepted.expect("the keys"));
    (client.into_clear_stream(), daemon.into_clear_stream())
}

async fn pass<const N: usize>(from: &mut UnixStream, to: &mut UnixStream) {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).await.expect("it speaks");
    to.write_all(&bytes).await.expect("it listens");
}
