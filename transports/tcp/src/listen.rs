//! The daemon's end.

use std::{io, sync::Arc};

use blit_contract::{SecurityClass, Stream};
use blit_lanes::{Accepted, Bound, Grant, HELLO_WAIT};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::server::TlsStream;

use crate::config::prepare;

/// Makes a lane of an encrypted socket: its session, whether the daemon's side opens it, and the stream.
/// `find` answers the sessions of the peer whose key the socket proved; `binding` is what the two ends
/// exported for the hello.
///
/// # Errors
/// No hello, none in time, or a wrong one: nothing was said to the other end.
pub async fn bind_encrypted(
    socket: TlsStream<TcpStream>,
    binding: [u8; 32],
    find: impl FnOnce(&[u8; 16]) -> Option<Arc<Grant>> + Send,
) -> io::Result<([u8; 16], bool, Stream)> {
    prepare(socket.get_ref().0)?;
    let accepted = async { Ok(Accepted::encrypted(socket, binding)) };
    let bound = bound(accepted, find).await?;
    let (session, is_reverse) = (bound.session(), bound.is_reverse());
    Ok((session, is_reverse, bound.into_encrypted_stream()))
}

/// The same for a socket in clear between addresses of that class.
///
/// # Errors
/// Those of [`bind_encrypted`].
pub async fn bind_clear(
    socket: TcpStream,
    class: SecurityClass,
    find: impl FnOnce(&[u8; 16]) -> Option<Arc<Grant>> + Send,
) -> io::Result<([u8; 16], bool, Stream)> {
    prepare(&socket)?;
    let bound = bound(Accepted::in_clear(socket, class), find).await?;
    let (session, is_reverse) = (bound.session(), bound.is_reverse());
    Ok((session, is_reverse, bound.into_clear_stream()))
}

async fn bound<S: AsyncRead + AsyncWrite + Send + Unpin>(
    accepting: impl Future<Output = io::Result<Accepted<S>>> + Send,
    find: impl FnOnce(&[u8; 16]) -> Option<Arc<Grant>> + Send,
) -> io::Result<Bound<S>> {
    let binding = async { accepting.await?.bind(find).await };
    let bound = timeout(HELLO_WAIT, binding).await;
    bound.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::Dialer;
    use blit_contract::{Carrier, Cx};
    use blit_lanes::{LaneKeys, Secret};
    use tokio::net::TcpListener;

    const SESSION: [u8; 16] = [6; 16];

    fn keys() -> LaneKeys {
        LaneKeys::derive(&Secret::new([1; 32]), &SESSION)
    }

    #[tokio::test]
    async fn a_socket_in_clear_becomes_a_lane_of_its_session() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dialer = Dialer::in_clear(address, keys(), Arc::new(AtomicU32::new(3)));
        assert_eq!(dialer.security(), SecurityClass::SameMachine);
        let cx = Cx::default();
        let dialing = dialer.dial(&cx, SESSION, true);
        let accepting = async {
            let (socket, _) = listener.accept().await.unwrap();
            let grant = Arc::new(Grant::new(keys(), SecurityClass::SameMachine));
            bind_clear(socket, SecurityClass::SameMachine, |_| Some(grant)).await
        };
        let (dialled, accepted) = tokio::join!(dialing, accepting);
        let (session, is_reverse, stream) = accepted.unwrap();
        assert_eq!((session, is_reverse, stream.id), (SESSION, true, 3));
        assert!(stream.send.is_some() && dialled.unwrap().recv.is_some());
    }

    #[tokio::test]
    async fn where_nobody_listens_there_is_no_lane() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let dialer = Dialer::in_clear(address, keys(), Arc::default());
        let refused = dialer.dial(&Cx::default(), SESSION, false).await;
        let text = refused.unwrap_err().to_string();
        assert!(text.contains(&address.to_string()), "{text}");
    }
}
