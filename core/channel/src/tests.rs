use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;

/// What was sent over a stream.
#[derive(Debug, Clone, Default)]
struct Sent(Arc<Mutex<Vec<u8>>>);

#[async_trait]
impl SendStream for Sent {
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> Result<u64> {
        let Some(Chunk::Bytes(bytes)) = chunks.pop_front() else {
            return Ok(0);
        };
        self.0.lock().unwrap().extend_from_slice(&bytes);
        Ok(bytes.len() as u64)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    fn reset(&mut self, _: u32) {}
}

/// What comes over a stream, in pieces.
#[derive(Debug)]
struct Coming(VecDeque<Bytes>);

#[async_trait]
impl RecvStream for Coming {
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>> {
        let Some(first) = self.0.front_mut() else {
            return Ok(None);
        };
        let piece = first.split_to(first.len().min(bytes_max));
        if first.is_empty() {
            self.0.pop_front();
        }
        Ok(Some(Chunk::Bytes(piece)))
    }

    fn stop(&mut self, _: u32) {}
}

fn stream(send: Option<Box<dyn SendStream>>, recv: Option<Box<dyn RecvStream>>) -> Stream {
    Stream { id: 0, send, recv }
}

/// Two runs of data as they cross.
async fn sent() -> Vec<u8> {
    let sent = Sent::default();
    let mut out = stream(Some(Box::new(sent.clone())), None);
    let mut sender = sender::<Frame>(&mut out, false).unwrap();
    sender.send_data(5, "abcdef".into()).await.unwrap();
    sender.send_data(20, "gh".into()).await.unwrap();
    std::mem::take(&mut sent.0.lock().unwrap())
}

fn receiver_of(bytes: &[u8], step: usize) -> Receiver<Frame> {
    let pieces = bytes.chunks(step).map(Bytes::copy_from_slice).collect();
    let mut coming = stream(None, Some(Box::new(Coming(pieces))));
    receiver::<Frame>(&mut coming).unwrap()
}

#[tokio::test]
async fn the_bytes_of_a_file_come_behind_their_frame_however_the_stream_is_cut() {
    let sent = sent().await;
    for step in 1..=sent.len() {
        let mut receiver = receiver_of(&sent, step);
        for (at, expected) in [(5, "abcdef"), (20, "gh")] {
            let Some(Frame::Data { offset, bytes }) = receiver.recv().await.unwrap() else {
                panic!("no data in steps of {step}");
            };
            assert_eq!((offset, bytes), (at, expected.len() as u64));
            let mut came = Vec::new();
            while (came.len() as u64) < bytes {
                let missing = bytes - came.len() as u64;
                came.extend_from_slice(&receiver.recv_bytes(missing).await.unwrap());
            }
            assert_eq!(came, expected.as_bytes(), "in steps of {step}");
        }
        assert!(receiver.recv().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_stream_that_ends_in_the_middle_is_cut_off() {
    let sent = sent().await;
    let mut receiver = receiver_of(&sent[..3], 1);
    let error = receiver.recv().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let mut receiver = receiver_of(&sent[..sent.len() - 8], 4);
    while let Ok(frame) = receiver.recv().await {
        let Some(Frame::Data { mut bytes, .. }) = frame else {
            panic!("it ended");
        };
        while bytes > 0 {
            match receiver.recv_bytes(bytes).await {
                Ok(came) => bytes -= came.len() as u64,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unreachable);
                    return;
                }
            }
        }
    }
}

/// A stream that remembers how much was asked of it at a time.
#[derive(Debug)]
struct Asked(Coming, Arc<Mutex<Vec<usize>>>);

#[async_trait]
impl RecvStream for Asked {
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>> {
        self.1.lock().unwrap().push(bytes_max);
        self.0.recv(bytes_max).await
    }

    async fn recv_due(&mut self, bytes_due: usize) -> Result<Option<Chunk>> {
        self.0.recv(bytes_due).await
    }

    fn stop(&mut self, _: u32) {}
}

#[tokio::test]
async fn between_runs_of_data_no_more_is_asked_for_than_the_next_frame() {
    let all = Bytes::from(sent().await);
    let frame = Frame::Data {
        offset: 5,
        bytes: 6,
    }
    .to_frame()
    .len();
    let coming = Coming(VecDeque::from([all.slice(..frame), all.slice(frame..)]));
    let asked = Arc::default();
    let mut stream = stream(None, Some(Box::new(Asked(coming, Arc::clone(&asked)))));
    let mut receiver = receiver::<Frame>(&mut stream).unwrap();
    for expected in ["abcdef", "gh"] {
        let Some(Frame::Data { bytes, .. }) = receiver.recv().await.unwrap() else {
            panic!("no data");
        };
        assert_eq!(receiver.recv_bytes(bytes).await.unwrap(), expected);
    }
    let second = Frame::Data {
        offset: 20,
        bytes: 2,
    }
    .to_frame()
    .len();
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    assert_eq!(asked, [RECEIVE_BYTES_MAX, 4, second - 4]);
    assert!(receiver.recv().await.unwrap().is_none());
}
