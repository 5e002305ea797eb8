use super::*;
use crate::Secret;
use blit_contract::{Chunk, ErrorKind, Group};
use bytes::Bytes;
use std::collections::VecDeque;
use tokio::net::UnixStream;

const SESSION: [u8; 16] = [4; 16];
const CLEAR: SecurityClass = SecurityClass::TrustedNetwork;

fn keys() -> LaneKeys {
    LaneKeys::derive(&Secret::new([1; 32]), &SESSION)
}

fn grant(security: SecurityClass) -> Arc<Grant> {
    Arc::new(Grant::new(keys(), security))
}

/// Both ends of a socket in clear.
async fn met(
    keys: &LaneKeys,
    grant: &Arc<Grant>,
    stream: u32,
    reverse: bool,
) -> (io::Result<Bound<UnixStream>>, io::Result<Bound<UnixStream>>) {
    let (client, daemon) = UnixStream::pair().unwrap();
    let greeting = greet(client, None, keys, (SESSION, stream, reverse));
    let accepting = async {
        let accepted = Accepted::in_clear(daemon, CLEAR).await?;
        let find = |session: &[u8; 16]| (*session == SESSION).then(|| Arc::clone(grant));
        accepted.bind(find).await
    };
    tokio::join!(greeting, accepting)
}

fn why(refused: io::Result<Bound<UnixStream>>) -> BadHello {
    let error = refused.unwrap_err().into_inner().unwrap();
    *error.downcast::<BadHello>().unwrap()
}

async fn send(stream: &mut Stream, bytes: &[u8]) {
    let mut queue = VecDeque::from([Chunk::Bytes(Bytes::copy_from_slice(bytes))]);
    let half = stream.send.as_mut().unwrap();
    while !queue.is_empty() {
        half.send(&mut queue).await.unwrap();
    }
}

async fn receive_all(stream: &mut Stream) -> blit_contract::Result<Vec<u8>> {
    let mut all = Vec::new();
    let half = stream.recv.as_mut().unwrap();
    while let Some(Chunk::Bytes(bytes)) = half.recv(1 << 20).await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

#[tokio::test]
async fn whoever_opens_a_lane_sends_over_it() {
    for reverse in [false, true] {
        let (client, daemon) = met(&keys(), &grant(CLEAR), 0, reverse).await;
        let (client, daemon) = (client.unwrap(), daemon.unwrap());
        assert_eq!((daemon.session(), daemon.is_reverse()), (SESSION, reverse));
        let (mut client, mut daemon) = (client.into_clear_stream(), daemon.into_clear_stream());
        let (from, to) = match reverse {
            false => (&mut client, &mut daemon),
            true => (&mut daemon, &mut client),
        };
        let content: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
        let sending = async {
            send(from, &content).await;
            from.send.as_mut().unwrap().finish().await.unwrap();
        };
        let ((), received) = tokio::join!(sending, receive_all(to));
        assert!(received.unwrap() == content);
    }
}

#[tokio::test]
async fn a_stream_number_is_good_once() {
    let grant = grant(CLEAR);
    let (client, daemon) = met(&keys(), &grant, 7, false).await;
    assert!(client.is_ok() && daemon.is_ok());
    let (client, daemon) = met(&keys(), &grant, 7, false).await;
    assert_eq!(why(daemon), BadHello::Stream);
    // The client is not told why.
    assert_eq!(client.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_lane_of_a_session_that_is_over_is_late_and_a_wrong_one_is_wrong() {
    let grant = grant(CLEAR);
    grant.end();
    let (client, daemon) = met(&keys(), &grant, 0, false).await;
    assert_eq!(client.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    let late = daemon.unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::NotConnected);
    assert_eq!(why(Err(late)), BadHello::Over);
    let others = LaneKeys::derive(&Secret::new([2; 32]), &SESSION);
    let (_, daemon) = met(&others, &grant, 0, false).await;
    assert_eq!(why(daemon), BadHello::Proof);
}

#[tokio::test]
async fn another_secret_is_refused_and_uses_no_number_up() {
    let grant = grant(CLEAR);
    let others = LaneKeys::derive(&Secret::new([2; 32]), &SESSION);
    let (_, daemon) = met(&others, &grant, 0, false).await;
    assert_eq!(why(daemon), BadHello::Proof);
    let (_, daemon) = met(&keys(), &grant, 0, false).await;
    assert!(daemon.is_ok());
}

#[tokio::test]
async fn a_session_of_encrypted_lanes_takes_none_in_clear() {
    let (_, daemon) = met(&keys(), &grant(SecurityClass::Encrypted), 0, false).await;
    assert_eq!(why(daemon), BadHello::Security);
}

#[tokio::test]
async fn a_daemon_without_the_secret_is_found_out() {
    let others = LaneKeys::derive(&Secret::new([2; 32]), &SESSION);
    let (client, mut daemon) = UnixStream::pair().unwrap();
    let impostor = async {
        let mut heard = [0; HELLO_BYTES + PREFACE.len()];
        daemon
            .read_exact(&mut heard[..PREFACE.len()])
            .await
            .unwrap();
        daemon.write_all(&[5; 32]).await.unwrap();
        daemon
            .read_exact(&mut heard[PREFACE.len()..])
            .await
            .unwrap();
        let mut hello = [0; HELLO_BYTES];
        hello.copy_from_slice(&heard[PREFACE.len()..]);
        let claimed = Hello {
            session: SESSION,
            stream: 0,
            reverse: false,
            nonce: hello[36..68].try_into().unwrap(),
        };
        let answer = hello::answer(&others, &claimed, &[5; 32]);
        daemon.write_all(&answer).await.unwrap();
    };
    let keys = keys();
    let greeting = greet(client, None, &keys, (SESSION, 0, false));
    let (greeted, ()) = tokio::join!(greeting, impostor);
    assert_eq!(why(greeted), BadHello::Proof);
}

#[tokio::test]
async fn garbage_instead_of_the_preface_is_refused() {
    let (mut client, daemon) = UnixStream::pair().unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let accepted = Accepted::in_clear(daemon, CLEAR).await;
    assert_eq!(accepted.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

/// What the receiver says when the bytes on the way are changed by `change`.
async fn tampered(change: impl FnOnce(&mut Vec<u8>)) -> blit_contract::Result<Vec<u8>> {
    let (mut client, wire) = UnixStream::pair().unwrap();
    let key = keys().of_stream(false, 0);
    let (outgoing, mut caught) = UnixStream::pair().unwrap();
    let mut sender = sending(0, Box::new(SealedSend::new(outgoing, &key)));
    send(&mut sender, b"first").await;
    send(&mut sender, b"second").await;
    sender.send.as_mut().unwrap().finish().await.unwrap();
    drop(sender);
    let mut bytes = Vec::new();
    caught.read_to_end(&mut bytes).await.unwrap();
    change(&mut bytes);
    client.write_all(&bytes).await.unwrap();
    drop(client);
    let mut receiver = receiving(0, Box::new(SealedRecv::new(wire, &key)));
    receive_all(&mut receiver).await
}

#[tokio::test]
async fn no_byte_in_clear_can_be_changed_moved_or_cut_off() {
    const FIRST: usize = 4 + 5 + 32;
    assert_eq!(tampered(|_| {}).await.unwrap(), b"firstsecond");
    let kind = |outcome: blit_contract::Result<Vec<u8>>| outcome.unwrap_err().kind();
    assert_eq!(kind(tampered(|it| it[5] ^= 1).await), ErrorKind::Corrupt);
    assert_eq!(kind(tampered(|it| it[20] ^= 1).await), ErrorKind::Corrupt);
    let swapped = tampered(|it| it.rotate_left(FIRST)).await;
    assert_eq!(kind(swapped), ErrorKind::Corrupt);
    let repeated = tampered(|it| it.extend_from_within(..FIRST)).await;
    assert_eq!(
        repeated.unwrap(),
        b"firstsecond",
        "nothing is read behind the end"
    );
    let cut = tampered(|it| it.truncate(FIRST)).await;
    assert_eq!(kind(cut), ErrorKind::Unreachable);
    let long = tampered(|it| it[..4].copy_from_slice(&u32::MAX.to_le_bytes())).await;
    assert_eq!(kind(long), ErrorKind::Corrupt);
}

/// Both halves of a lane in clear.
async fn halves() -> (Box<dyn SendStream>, Box<dyn RecvStream>) {
    let (client, daemon) = met(&keys(), &grant(CLEAR), 0, false).await;
    let mut sending = client.unwrap().into_clear_stream();
    let mut receiving = daemon.unwrap().into_clear_stream();
    (sending.send.take().unwrap(), receiving.recv.take().unwrap())
}

/// Sends `sent` under a lease whose witness sees `seen`.
async fn lend(half: &mut dyn SendStream, sent: &[u8], seen: &[u8]) {
    let mut lease = half.lease(sent.len() as u64).await.unwrap();
    assert_eq!(rustix::io::write(&lease.fd, sent).unwrap(), sent.len());
    lease.witness.see(&Group::of(seen));
    half.settle(lease.witness).await.unwrap();
}

#[tokio::test]
async fn what_passes_under_a_lease_is_what_the_other_end_receives() {
    let (mut sending, mut receiving) = halves().await;
    lend(&mut *sending, b"abcdef", b"abcdef").await;
    let came = receiving.recv(100).await.unwrap().unwrap();
    assert_eq!(came.size_bytes(), 6);

    lend(&mut *sending, b"ghi", b"ghi").await;
    let mut lease = receiving.lease(3).await.unwrap().unwrap();
    let mut bytes = [0; 3];
    assert_eq!(rustix::io::read(&lease.fd, &mut bytes).unwrap(), 3);
    lease.witness.see(&Group::of(&bytes));
    receiving.settle(lease.witness).await.unwrap();
    sending.finish().await.unwrap();
    assert!(receiving.recv(100).await.unwrap().is_none());
}

#[tokio::test]
async fn bytes_that_changed_on_their_way_are_corrupt_and_the_lane_goes_on() {
    let (mut sending, mut receiving) = halves().await;
    lend(&mut *sending, b"abc", b"abX").await;
    let error = receiving.recv(100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);

    lend(&mut *sending, b"abc", b"abc").await;
    let mut lease = receiving.lease(3).await.unwrap().unwrap();
    let mut bytes = [0; 3];
    rustix::io::read(&lease.fd, &mut bytes).unwrap();
    lease.witness.see(&Group::of(b"abX"));
    let error = receiving.settle(lease.witness).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);

    lend(&mut *sending, b"def", b"def").await;
    let came = receiving.recv(100).await.unwrap().unwrap();
    assert_eq!(came.size_bytes(), 3);
}

#[tokio::test]
async fn a_lease_that_nobody_settles_breaks_the_lane() {
    let (mut sending, mut receiving) = halves().await;
    drop(sending.lease(3).await.unwrap());
    let mut queue = VecDeque::from([Chunk::Bytes(Bytes::from_static(b"abc"))]);
    assert!(sending.send(&mut queue).await.is_err());
    assert!(receiving.recv(100).await.is_err());
}

#[tokio::test]
async fn a_lease_is_for_one_chunk_and_no_other_size() {
    let (mut sending, mut receiving) = halves().await;
    assert!(sending.lease(0).await.is_err());
    assert!(sending.lease((1 << 20) + 1).await.is_err());
    lend(&mut *sending, b"abc", b"abc").await;
    assert!(receiving.lease(4).await.unwrap().is_none());
    let came = receiving.recv(100).await.unwrap().unwrap();
    assert_eq!(came.size_bytes(), 3);
}
