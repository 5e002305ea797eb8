//! What a session may rely on between two sides of one process.

use std::{collections::VecDeque, time::Duration};

use blit_contract::{
    Chunk, Connection, Cx, Endpoint, ErrorKind, Hints, Offer, Result, Stream, StreamKind,
    Transport, TransportCap, TransportCaps,
};
use bytes::Bytes;

use crate::{MemConfig, MemTransport, pair, pair_with};

type Pair = (Box<dyn Connection>, Box<dyn Connection>);

fn bytes(text: &'static str) -> Chunk {
    Chunk::Bytes(Bytes::from_static(text.as_bytes()))
}

fn queue<const N: usize>(chunks: [Chunk; N]) -> VecDeque<Chunk> {
    chunks.into()
}

fn text(chunk: Option<Chunk>) -> String {
    match chunk {
        Some(Chunk::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A stream from the first end to the second, in both ends' hands.
async fn stream((a, b): &Pair, kind: StreamKind) -> (Stream, Stream) {
    let cx = Cx::default();
    let ours = a.open(&cx, kind).await.unwrap();
    let theirs = b.accept(&cx).await.unwrap().unwrap();
    assert_eq!(ours.id, theirs.id);
    (ours, theirs)
}

/// Whether `work` is still waiting when everything that could run has run. Time is virtual.
async fn waits<T>(work: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_secs(60), work)
        .await
        .is_err()
}

#[tokio::test]
async fn a_stream_is_read_to_its_end_in_order() {
    let (ours, theirs) = stream(&pair(), StreamKind::OneWay).await;
    let mut send = ours.send.unwrap();
    let taken = send.send(&mut queue([bytes("ab"), bytes("cde")])).await;
    assert_eq!(taken.unwrap(), 5);
    send.finish().await.unwrap();
    let mut recv = theirs.recv.unwrap();
    assert_eq!(text(recv.recv(100).await.unwrap()), "ab");
    assert_eq!(text(recv.recv(100).await.unwrap()), "cde");
    assert!(recv.recv(100).await.unwrap().is_none());
    assert!(recv.recv(100).await.unwrap().is_none());
}

#[tokio::test]
async fn what_was_finished_is_read_although_the_sender_is_gone() {
    let (mut ours, theirs) = stream(&pair(), StreamKind::OneWay).await;
    let mut send = ours.send.take().unwrap();
    send.send(&mut queue([bytes("kept")])).await.unwrap();
    send.finish().await.unwrap();
    drop(send);
    assert_eq!(text(theirs.recv.unwrap().recv(9).await.unwrap()), "kept");
}

#[tokio::test]
async fn a_long_chunk_comes_in_pieces_of_what_was_asked_for() {
    let (ours, theirs) = stream(&pair(), StreamKind::OneWay).await;
    let (mut send, mut recv) = (ours.send.unwrap(), theirs.recv.unwrap());
    send.send(&mut queue([bytes("abcde")])).await.unwrap();
    assert_eq!(text(recv.recv(2).await.unwrap()), "ab");
    assert_eq!(text(recv.recv(2).await.unwrap()), "cd");
    assert_eq!(text(recv.recv(2).await.unwrap()), "e");
}

#[tokio::test]
async fn an_object_crosses_as_it_is() {
    let (ours, theirs) = stream(&pair(), StreamKind::OneWay).await;
    let (mut send, mut recv) = (ours.send.unwrap(), theirs.recv.unwrap());
    let letter = Box::new("hello".to_owned());
    let address = letter.as_ptr();
    let taken = send.send(&mut queue([Chunk::Object(letter)])).await;
    assert_eq!(taken.unwrap(), 0, "an object counts no payload");
    let Some(Chunk::Object(object)) = recv.recv(1).await.unwrap() else {
        panic!("no object came");
    };
    let letter = object.downcast::<String>().unwrap();
    assert_eq!(letter.as_ptr(), address);
}

#[tokio::test]
async fn a_reset_is_an_error_with_its_code_and_never_an_end() {
    let (ours, theirs) = stream(&pair(), StreamKind::OneWay).await;
    let (mut send, mut recv) = (ours.send.unwrap(), theirs.recv.unwrap());
    send.send(&mut queue([bytes("half")])).await.unwrap();
    send.reset(42);
    let error = recv.recv(9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.detail().unwrap().contains("42"), "{error}");
}

#[tokio::test]
async fn a_sender_that_is_dropped_without_an_end_is_a_reset() {
    let (ours, theirs) = stream(&pair(), StreamKind::OneWay).await;
    let (mut send, mut recv) = (ours.send.unwrap(), theirs.recv.unwrap());
    send.send(&mut queue([bytes("half")])).await.unwrap();
    drop(send);
    assert!(recv.recv(9).await.is_err());
}

#[tokio::test]
async fn a_stop_makes_the_next_send_fail_with_its_code() {
    let (ours, theirs) = stream(&pair(), StreamKind::OneWay).await;
    let mut send = ours.send.unwrap();
    theirs.recv.unwrap().stop(7);
    let mut chunks = queue([bytes("unwanted")]);
    let error = send.send(&mut chunks).await.unwrap_err();
    assert!(error.detail().unwrap().contains('7'), "{error}");
    assert_eq!(chunks.len(), 1, "what was not taken stays with its owner");
}

#[tokio::test(start_paused = true)]
async fn a_stop_wakes_a_sender_that_waits_for_room() {
    let ends = pair_with(MemConfig::default().with_queue_chunks_max(1));
    let (ours, theirs) = stream(&ends, StreamKind::OneWay).await;
    let mut send = ours.send.unwrap();
    let mut recv = theirs.recv.unwrap();
    let sending =
        tokio::spawn(async move { send.send(&mut queue([bytes("a"), bytes("b")])).await });
    tokio::task::yield_now().await;
    recv.stop(7);
    assert!(sending.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_sender_wait_and_a_cancelled_send_keeps_the_rest() {
    let ends = pair_with(MemConfig::default().with_queue_chunks_max(2));
    let (ours, theirs) = stream(&ends, StreamKind::OneWay).await;
    let (mut send, mut recv) = (ours.send.unwrap(), theirs.recv.unwrap());
    let mut chunks = queue([bytes("a"), bytes("b"), bytes("c")]);
    assert!(waits(send.send(&mut chunks)).await);
    assert_eq!(chunks.len(), 1, "two were queued, the third stays");
    assert_eq!(text(recv.recv(9).await.unwrap()), "a");
    assert_eq!(send.send(&mut chunks).await.unwrap(), 1);
    assert_eq!(text(recv.recv(9).await.unwrap()), "b");
    assert_eq!(text(recv.recv(9).await.unwrap()), "c");
    assert!(waits(recv.recv(9)).await, "nothing came twice");
}

#[tokio::test]
async fn one_direction_ends_while_the_other_goes_on() {
    let (ours, theirs) = stream(&pair(), StreamKind::TwoWay).await;
    let (mut our_send, mut our_recv) = (ours.send.unwrap(), ours.recv.unwrap());
    let (mut their_send, mut their_recv) = (theirs.send.unwrap(), theirs.recv.unwrap());
    our_send.finish().await.unwrap();
    assert!(their_recv.recv(9).await.unwrap().is_none());
    their_send
        .send(&mut queue([bytes("answer")]))
        .await
        .unwrap();
    assert_eq!(text(our_recv.recv(9).await.unwrap()), "answer");
}

#[tokio::test]
async fn a_one_way_stream_has_one_half_at_each_end() {
    let (ours, theirs) = stream(&pair(), StreamKind::OneWay).await;
    assert!(ours.send.is_some() && ours.recv.is_none());
    assert!(theirs.send.is_none() && theirs.recv.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_does_not_hold_up_another() {
    let ends = pair_with(MemConfig::default().with_queue_chunks_max(1));
    let (full, _full) = stream(&ends, StreamKind::OneWay).await;
    let (free, free_there) = stream(&ends, StreamKind::OneWay).await;
    let mut full = full.send.unwrap();
    assert!(waits(full.send(&mut queue([bytes("a"), bytes("b")]))).await);
    free.send
        .unwrap()
        .send(&mut queue([bytes("passes")]))
        .await
        .unwrap();
    drop(free_there);
}

#[tokio::test]
async fn closing_ends_accept_refuses_open_and_breaks_streams_with_the_code() {
    let ends = pair();
    let (ours, theirs) = stream(&ends, StreamKind::TwoWay).await;
    ends.0.close(5).await.unwrap();
    let cx = Cx::default();
    assert!(ends.1.accept(&cx).await.unwrap().is_none());
    let refused = ends.1.open(&cx, StreamKind::OneWay).await.unwrap_err();
    assert!(refused.detail().unwrap().contains('5'), "{refused}");
    let broken = theirs.recv.unwrap().recv(9).await.unwrap_err();
    assert!(broken.detail().unwrap().contains('5'), "{broken}");
    assert!(ours.recv.unwrap().recv(9).await.is_err());
}

#[tokio::test]
async fn a_peer_that_is_gone_wakes_whoever_accepts() {
    let (a, b) = pair();
    let accepting = tokio::spawn(async move { b.accept(&Cx::default()).await });
    tokio::task::yield_now().await;
    drop(a);
    assert!(accepting.await.unwrap().unwrap().is_none());
}

async fn offer(name: &str) -> Offer {
    let endpoint = Endpoint::new("mem", name);
    let mut offers = MemTransport::default()
        .offers(&Cx::default(), &endpoint, &Hints::default())
        .await
        .unwrap();
    offers.pop().unwrap()
}

#[tokio::test]
async fn two_sides_meet_at_a_name_through_transports_of_their_own() -> Result<()> {
    let cx = Cx::default();
    let offer = offer("meeting").await;
    let mut listener = MemTransport::default().listen(&cx, &offer).await?;
    assert_eq!(listener.local(), offer.endpoint);
    let client = MemTransport::default().connect(&cx, &offer).await?;
    let server = listener.accept(&cx).await?.unwrap();
    assert_eq!(client.peer().address, "mem://meeting");
    client.open(&cx, StreamKind::OneWay).await?;
    assert!(server.accept(&cx).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_name_is_free_again_when_its_listener_is_gone() {
    let cx = Cx::default();
    let transport = MemTransport::default();
    let offer = offer("once").await;
    let first = transport.listen(&cx, &offer).await.unwrap();
    let taken = transport.listen(&cx, &offer).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Busy);
    drop(first);
    let gone = transport.connect(&cx, &offer).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Unreachable);
    transport.listen(&cx, &offer).await.unwrap();
}

#[tokio::test]
async fn the_empty_name_is_any_free_one() {
    let cx = Cx::default();
    let offer = offer("").await;
    let transport = MemTransport::default();
    let a = transport.listen(&cx, &offer).await.unwrap();
    let b = transport.listen(&cx, &offer).await.unwrap();
    assert_ne!(a.local(), b.local());
    assert!(!a.local().authority.is_empty());
}

#[tokio::test]
async fn what_is_required_and_lacks_is_not_offered() {
    let mut hints = Hints::default();
    hints.require = TransportCaps::new().with_native(&[TransportCap::RmaPut]);
    let offers = MemTransport::default()
        .offers(&Cx::default(), &Endpoint::new("mem", "x"), &hints)
        .await
        .unwrap();
    assert!(offers.is_empty());
}

#[tokio::test]
async fn a_stream_that_was_broken_off_cannot_look_finished() {
    let ends = pair();
    let (ours, theirs) = stream(&ends, StreamKind::OneWay).await;
    let mut send = ours.send.unwrap();
    send.send(&mut queue([bytes("lost")])).await.unwrap();
    ends.1.close(5).await.unwrap();
    assert!(send.finish().await.is_err());
    assert!(theirs.recv.unwrap().recv(9).await.is_err());
}
