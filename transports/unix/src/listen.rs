//! The daemon's end.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use blit_contract::{SecurityClass, Stream};
use blit_lanes::{Accepted, Grant, HELLO_WAIT};
use tokio::{
    net::{UnixListener, UnixStream},
    time::timeout,
};

/// A Unix socket of the daemon. The path is removed when it is dropped.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
}

impl Listening {
    /// Listens at `path`, in place of a daemon that was killed.
    ///
    /// # Errors
    /// If it cannot: the path may be too long for a socket.
    pub fn at(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        let listening = Self {
            listener,
            path: path.to_owned(),
        };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listening)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next socket of a process of this user or of root; any other is closed.
    ///
    /// # Errors
    /// If the system cannot accept.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (socket, _) = self.listener.accept().await?;
            let uid = socket.peer_cred()?.uid();
            if uid == 0 || uid == rustix::process::geteuid().as_raw() {
                return Ok(socket);
            }
            tracing::info!(uid, "another user's process is not let in");
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

/// Makes a lane of a socket: its session, whether the daemon's side opens it, and the stream. `find`
/// answers the sessions whose client is on this machine.
///
/// # Errors
/// No hello, none in time, or a wrong one: nothing was said to the other end.
pub async fn bind(
    socket: UnixStream,
    find: impl FnOnce(&[u8; 16]) -> Option<Arc<Grant>> + Send,
) -> io::Result<([u8; 16], bool, Stream)> {
    let binding = async {
        let accepted = Accepted::in_clear(socket, SecurityClass::SameMachine).await?;
        accepted.bind(find).await
    };
    let bound = timeout(HELLO_WAIT, binding).await;
    let bound = bound.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    let (session, is_reverse) = (bound.session(), bound.is_reverse());
    Ok((session, is_reverse, bound.into_clear_stream()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialer;
    use blit_contract::{Carrier, Cx};
    use blit_lanes::{LaneKeys, Secret};

    const SESSION: [u8; 16] = [6; 16];

    fn keys() -> LaneKeys {
        LaneKeys::derive(&Secret::new([1; 32]), &SESSION)
    }

    #[tokio::test]
    async fn a_process_of_this_user_gets_a_lane() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lanes.sock");
        // What a killed daemon left is in nobody's way.
        std::fs::write(&path, "").unwrap();
        let listening = Listening::at(&path).unwrap();
        let dialer = Dialer::new(&path, keys(), Arc::default());
        let cx = Cx::default();
        let dialing = dialer.dial(&cx, SESSION, false);
        let accepting = async {
            let socket = listening.accept().await.unwrap();
            let grant = Arc::new(Grant::new(keys(), SecurityClass::SameMachine));
            bind(socket, |_| Some(grant)).await
        };
        let (dialled, accepted) = tokio::join!(dialing, accepting);
        let (session, is_reverse, stream) = accepted.unwrap();
        assert_eq!((session, is_reverse), (SESSION, false));
        assert!(stream.recv.is_some() && dialled.unwrap().send.is_some());
        drop(listening);
        assert!(!path.exists());
    }
}
