//! How far the way to an address leads, for whoever looks for what is in between.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use socket2::SockRef;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// How long each step may take.
const STEP_WAIT: Duration = Duration::from_secs(10);

/// What came of trying one address, as far as it went.
#[derive(Debug)]
pub struct Probe {
    /// The address, `host:port`.
    pub address: String,
    /// What its name stands for.
    pub resolved: io::Result<Vec<SocketAddr>>,
    /// What came of knocking there; `None` if there was nobody to ask.
    pub connected: Option<io::Result<Connected>>,
}

/// Somebody took the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// Who.
    pub at: SocketAddr,
    /// How long that took.
    pub took: Duration,
    /// How much goes into one packet, as far as both ends know.
    pub segment_bytes: Option<u32>,
}

impl Probe {
    /// Whether somebody listens there.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.connected, Some(Ok(_)))
    }
}

/// Looks where `address` leads. Nothing is said to whoever listens there.
pub async fn probe(address: &str) -> Probe {
    let resolved = in_time(lookup_host(address)).await;
    let resolved = resolved.map(|found| found.collect::<Vec<_>>());
    let connected = match &resolved {
        Ok(found) => {
            let began = Instant::now();
            let connected = in_time(TcpStream::connect(&found[..])).await;
            let took = began.elapsed();
            Some(connected.and_then(|stream| {
                Ok(Connected {
                    at: stream.peer_addr()?,
                    took,
                    segment_bytes: SockRef::from(&stream).tcp_mss().ok(),
                })
            }))
        }
        Err(_) => None,
    };
    Probe {
        address: address.to_owned(),
        resolved,
        connected,
    }
}

async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(STEP_WAIT, step).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {} s", STEP_WAIT.as_secs()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_tells_where_the_way_ends() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let found = probe(&address).await;
        let connected = found.connected.unwrap().unwrap();
        assert!(
            connected.segment_bytes.is_some_and(|it| it > 500),
            "{connected:?}"
        );
        drop(listener);
        let found = probe(&address).await;
        assert!(found.resolved.is_ok() && !found.is_connected(), "{found:?}");
        let found = probe("no port").await;
        assert!(found.resolved.is_err() && found.connected.is_none());
    }
}
