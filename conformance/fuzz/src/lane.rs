//! The first bytes on a socket that is to be a lane.

use blit_lanes::{BadHello, HELLO_BYTES, Hello, LaneKeys, Secret, Unproved};

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
