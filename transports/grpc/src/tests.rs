use std::sync::Arc;

use async_trait::async_trait;
use blit_contract::{Cancel, Carrier, Cx, ErrorKind, PeerInfo, Result, Stream, StreamKind};

use super::*;

fn stream(id: u64) -> Stream {
    let (send, recv) = (None, None);
    Stream { id, send, recv }
}

fn peer() -> PeerInfo {
    PeerInfo::new("a peer")
}

/// Answers with a stream whose number tells who opens it.
#[derive(Debug)]
struct Dialled {
    peer: PeerInfo,
    session: [u8; 16],
}

#[async_trait]
impl Carrier for Dialled {
    fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    async fn dial(&self, cx: &Cx, session: [u8; 16], reverse: bool) -> Result<Stream> {
        cx.check()?;
        assert_eq!(session, self.session);
        Ok(stream(u64::from(reverse)))
    }
}

fn cancelled() -> Cx {
    let cancel = Cancel::default();
    cancel.cancel();
    Cx::new(cancel)
}

#[tokio::test]
async fn the_client_dials_its_own_streams_and_those_of_the_other_side() {
    let session = [7; 16];
    let peer = peer();
    let connection = dialing(Arc::new(Dialled { peer, session }), session);
    let cx = Cx::default();
    let opened = connection.open(&cx, StreamKind::TwoWay).await.unwrap();
    assert_eq!(opened.id, 0, "this side opens it");
    let accepted = connection.accept(&cx).await.unwrap().unwrap();
    assert_eq!(accepted.id, 1, "the other side opens it");
    assert_eq!(connection.peer().address, "a peer");
}

#[tokio::test]
async fn streams_that_arrive_reach_the_side_that_they_are_for_in_their_order() {
    let (connection, arrived) = serving(peer());
    for id in 0..6 {
        assert!(arrived.put(id % 2 == 1, stream(id)));
    }
    let cx = Cx::default();
    for id in [1, 3, 5] {
        let opened = connection.open(&cx, StreamKind::TwoWay).await.unwrap();
        assert_eq!(opened.id, id);
    }
    for id in [0, 2, 4] {
        let accepted = connection.accept(&cx).await.unwrap().unwrap();
        assert_eq!(accepted.id, id);
    }
}

#[tokio::test]
async fn a_side_that_waits_gets_the_stream_once_it_arrives() {
    let (connection, arrived) = serving(peer());
    let cx = Cx::default();
    let put = async {
        tokio::task::yield_now().await;
        assert!(arrived.put(true, stream(2)) && arrived.put(false, stream(3)));
    };
    let opened = connection.open(&cx, StreamKind::OneWay);
    let (opened, accepted, ()) = tokio::join!(opened, connection.accept(&cx), put);
    assert_eq!(opened.unwrap().id, 2);
    assert_eq!(accepted.unwrap().unwrap().id, 3);
}

#[tokio::test]
async fn too_many_streams_that_wait_are_refused_for_each_side_by_itself() {
    let (connection, arrived) = serving(peer());
    for reverse in [false, true] {
        let taken = (0..100).filter(|&id| arrived.put(reverse, stream(id)));
        assert_eq!(taken.count(), 32, "reverse: {reverse}");
    }
    let cx = Cx::default();
    connection.accept(&cx).await.unwrap().unwrap();
    assert!(arrived.put(false, stream(100)), "there is room again");
    assert!(!arrived.put(false, stream(101)));
    assert!(!arrived.put(true, stream(102)), "the other queue is full");
}

#[tokio::test]
async fn a_dead_peer_ends_what_waits_after_the_streams_that_came() {
    let (connection, arrived) = serving(peer());
    assert!(arrived.put(false, stream(1)));
    drop(arrived);
    let cx = Cx::default();
    assert_eq!(connection.accept(&cx).await.unwrap().unwrap().id, 1);
    assert!(connection.accept(&cx).await.unwrap().is_none());
    let open = connection.open(&cx, StreamKind::TwoWay).await;
    assert_eq!(open.unwrap_err().kind(), ErrorKind::Unreachable);
}

#[tokio::test]
async fn a_session_that_is_over_takes_no_stream() {
    let (connection, arrived) = serving(peer());
    drop(connection);
    assert!(!arrived.put(false, stream(1)));
    assert!(!arrived.put(true, stream(2)));
}

#[tokio::test]
async fn who_is_cancelled_waits_for_nothing() {
    let (connection, _arrived) = serving(peer());
    let cx = cancelled();
    let open = connection.open(&cx, StreamKind::TwoWay).await;
    assert_eq!(open.unwrap_err().kind(), ErrorKind::Cancelled);
    let accept = connection.accept(&cx).await;
    assert_eq!(accept.unwrap_err().kind(), ErrorKind::Cancelled);
}
