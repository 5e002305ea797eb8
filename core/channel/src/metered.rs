//! A connection that counts what crosses it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use blit_contract::{
    Chunk, Connection, Cx, Demands, FdLease, Limits, PeerInfo, RecvStream, Result, Rma, SendStream,
    Stream, StreamKind, TransportCaps, Witness,
};

/// Bytes that crossed, both ways.
pub type Meter = Arc<AtomicU64>;

/// A connection whose streams are counted.
#[derive(Debug)]
pub struct Metered {
    connection: Box<dyn Connection>,
    meter: Meter,
}

impl Metered {
    /// The same connection, counted by `meter`.
    pub fn new(connection: Box<dyn Connection>, meter: &Meter) -> Self {
        Self {
            connection,
            meter: Arc::clone(meter),
        }
    }

    fn metered(&self, stream: Stream) -> Stream {
        let Stream { id, send, recv } = stream;
        let send = send.map(|stream| {
            let meter = Arc::clone(&self.meter);
            Box::new(MeteredSend { stream, meter }) as Box<dyn SendStream>
        });
        let recv = recv.map(|stream| {
            let meter = Arc::clone(&self.meter);
            Box::new(MeteredRecv { stream, meter }) as Box<dyn RecvStream>
        });
        Stream { id, send, recv }
    }
}

#[async_trait]
impl Connection for Metered {
    fn caps(&self) -> TransportCaps {
        self.connection.caps()
    }

    fn demands(&self) -> Demands {
        self.connection.demands()
    }

    fn limits(&self) -> Limits {
        self.connection.limits()
    }

    fn peer(&self) -> &PeerInfo {
        self.connection.peer()
    }

    async fn open(&self, cx: &Cx, kind: StreamKind) -> Result<Stream> {
        let stream = self.connection.open(cx, kind).await?;
        Ok(self.metered(stream))
    }

    async fn accept(&self, cx: &Cx) -> Result<Option<Stream>> {
        let stream = self.connection.accept(cx).await?;
        Ok(stream.map(|stream| self.metered(stream)))
    }

    fn rma(&self) -> Option<&dyn Rma> {
        self.connection.rma()
    }

    async fn close(&self, code: u32) -> Result<()> {
        self.connection.close(code).await
    }
}

#[derive(Debug)]
struct MeteredSend {
    stream: Box<dyn SendStream>,
    meter: Meter,
}

#[async_trait]
impl SendStream for MeteredSend {
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> Result<u64> {
        let sent = self.stream.send(chunks).await?;
        self.meter.fetch_add(sent, Ordering::Relaxed);
        Ok(sent)
    }

    async fn flush(&mut self) -> Result<()> {
        self.stream.flush().await
    }

    async fn finish(&mut self) -> Result<()> {
        self.stream.finish().await
    }

    fn reset(&mut self, code: u32) {
        self.stream.reset(code);
    }

    fn lends(&self) -> Option<u64> {
        self.stream.lends()
    }

    async fn lease(&mut self, bytes: u64) -> Result<FdLease> {
        self.meter.fetch_add(bytes, Ordering::Relaxed);
        self.stream.lease(bytes).await
    }

    async fn settle(&mut self, witness: Witness) -> Result<()> {
        self.stream.settle(witness).await
    }
}

#[derive(Debug)]
struct MeteredRecv {
    stream: Box<dyn RecvStream>,
    meter: Meter,
}

impl MeteredRecv {
    fn count(&self, received: Option<&Chunk>) {
        let bytes = received.map_or(0, Chunk::size_bytes);
        self.meter.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[async_trait]
impl RecvStream for MeteredRecv {
    async fn recv(&mut self, bytes_max: usize) -> Result<Option<Chunk>> {
        let received = self.stream.recv(bytes_max).await?;
        self.count(received.as_ref());
        Ok(received)
    }

    async fn recv_due(&mut self, bytes_due: usize) -> Result<Option<Chunk>> {
        let received = self.stream.recv_due(bytes_due).await?;
        self.count(received.as_ref());
        Ok(received)
    }

    fn stop(&mut self, code: u32) {
        self.stream.stop(code);
    }

    async fn lease(&mut self, bytes: u64) -> Result<Option<FdLease>> {
        let lease = self.stream.lease(bytes).await?;
        if lease.is_some() {
            self.meter.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(lease)
    }

    async fn settle(&mut self, witness: Witness) -> Result<()> {
        self.stream.settle(witness).await
    }
}
