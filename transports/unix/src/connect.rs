//! The client's end.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use blit_contract::{Carrier, Cx, Error, ErrorKind, PeerInfo, Result, Stream};
use blit_lanes::{LaneKeys, greet};
use tokio::net::UnixStream;

/// Dials the lanes of one session.
#[derive(Debug)]
pub struct Dialer {
    peer: PeerInfo,
    path: PathBuf,
    keys: LaneKeys,
    /// The number of the next stream.
    next: Arc<AtomicU32>,
}

impl Dialer {
    /// Lanes to the daemon that listens at `path`. `next` numbers the streams of the session, whatever
    /// way they go.
    #[must_use]
    pub fn new(path: &Path, keys: LaneKeys, next: Arc<AtomicU32>) -> Self {
        Self {
            peer: PeerInfo::new(path.to_string_lossy()),
            path: path.to_owned(),
            keys,
            next,
        }
    }

    async fn try_dial(&self, session: [u8; 16], reverse: bool) -> io::Result<Stream> {
        let socket = UnixStream::connect(&self.path).await?;
        let hello = (session, self.next.fetch_add(1, Ordering::Relaxed), reverse);
        let bound = greet(socket, None, &self.keys, hello).await?;
        Ok(bound.into_clear_stream())
    }
}

#[async_trait]
impl Carrier for Dialer {
    fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    async fn dial(&self, cx: &Cx, session: [u8; 16], reverse: bool) -> Result<Stream> {
        cx.check()?;
        self.try_dial(session, reverse).await.map_err(|cause| {
            Error::new(ErrorKind::Unreachable, "open a lane").because(cause.to_string())
        })
    }
}
