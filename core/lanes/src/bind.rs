//! How a socket comes to belong to a session.
//!
//! A socket is [`Accepted`] until the hello on it is proved; only what is [`Bound`] becomes a stream, which
//! lends its descriptor: so nothing can be sent from a file into a socket of which nobody knows where it ends.

use std::{io, os::fd::AsFd, sync::Arc, time::Duration};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use blit_contract::{RecvStream, SecurityClass, SendStream, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    BadHello, Grant, HELLO_BYTES, Hello, LaneKeys, Unproved, hello,
    plain::{PlainRecv, PlainSend},
    sealed::{SealedRecv, SealedSend},
};

/// How long the daemon waits for a hello.
pub const HELLO_WAIT: Duration = Duration::from_secs(5);

/// What a client says first on a socket in clear. No TLS connection begins with these bytes.
pub const PREFACE: [u8; 8] = *b"blit-ln1";

/// What the two ends of an encrypted lane bind its hello to (RFC 9266).
pub const LANE_EXPORTER_LABEL: &[u8] = b"EXPORTER-blit-lane-v1";

/// A socket that somebody opened, of which it is not known what for.
#[derive(Debug)]
pub struct Accepted<S> {
    socket: S,
    binding: [u8; 32],
    security: SecurityClass,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Accepted<S> {
    /// An encrypted socket; `binding` is what its two ends exported for [`LANE_EXPORTER_LABEL`].
    pub fn encrypted(socket: S, binding: [u8; 32]) -> Self {
        Self {
            socket,
            binding,
            security: SecurityClass::Encrypted,
        }
    }

    /// A socket in clear, on which the client is to say [`PREFACE`]. The daemon draws what the hello is
    /// bound to: a hello that was overheard is of no use.
    ///
    /// # Errors
    /// `InvalidData` if it says something else; whatever the socket says.
    pub async fn in_clear(mut socket: S, security: SecurityClass) -> io::Result<Self> {
        let mut preface = [0; PREFACE.len()];
        socket.read_exact(&mut preface).await?;
        if preface != PREFACE {
            return Err(refused(BadHello::Form));
        }
        let binding = random()?;
        socket.write_all(&binding).await?;
        socket.flush().await?;
        Ok(Self {
            socket,
            binding,
            security,
        })
    }

    /// Reads the hello and binds the socket to the session that `find` knows under its number. What is
    /// wrong with a hello is not said to the other end, which sees its socket closed.
    ///
    /// # Errors
    /// `InvalidData` with a [`BadHello`], `NotConnected` with [`BadHello::Over`]; whatever the socket says.
    pub async fn bind(
        mut self,
        find: impl FnOnce(&[u8; 16]) -> Option<Arc<Grant>>,
    ) -> io::Result<Bound<S>> {
        let mut bytes = [0; HELLO_BYTES];
        self.socket.read_exact(&mut bytes).await?;
        let (hello, grant) = self.prove(bytes, find).map_err(refused)?;
        let answer = hello::answer(grant.keys(), &hello, &self.binding);
        self.socket.write_all(&answer).await?;
        self.socket.flush().await?;
        Ok(Bound {
            socket: self.socket,
            is_daemon: true,
            keys: grant.keys().clone(),
            hello,
        })
    }

    fn prove(
        &self,
        bytes: [u8; HELLO_BYTES],
        find: impl FnOnce(&[u8; 16]) -> Option<Arc<Grant>>,
    ) -> Result<(Hello, Arc<Grant>), BadHello> {
        let unproved = Unproved::read(bytes)?;
        let grant = find(unproved.session()).ok_or(BadHello::Session)?;
        let hello = unproved.prove(grant.keys(), &self.binding)?;
        if self.security < grant.security() {
            return Err(BadHello::Security);
        }
        if grant.is_over() {
            return Err(BadHello::Over);
        }
        // The last check, since it uses the number up: a stranger cannot take one away.
        if !grant.take(hello.stream) {
            return Err(BadHello::Stream);
        }
        Ok((hello, grant))
    }
}

/// Says the hello on a socket that was dialled, and checks the answer: the client's end of a lane.
/// `binding` is what the ends of an encrypted socket exported; without one the socket is in clear.
///
/// # Errors
/// `InvalidData` if the other end does not have the session's keys; whatever the socket says.
pub async fn greet<S: AsyncRead + AsyncWrite + Send + Unpin>(
    mut socket: S,
    binding: Option<[u8; 32]>,
    keys: &LaneKeys,
    (session, stream, reverse): ([u8; 16], u32, bool),
) -> io::Result<Bound<S>> {
    let binding = match binding {
        Some(binding) => binding,
        None => {
            socket.write_all(&PREFACE).await?;
            socket.flush().await?;
            let mut drawn = [0; 32];
            socket.read_exact(&mut drawn).await?;
            drawn
        }
    };
    let hello = Hello {
        session,
        stream,
        reverse,
        nonce: random()?,
    };
    socket.write_all(&hello.seal(keys, &binding)).await?;
    socket.flush().await?;
    let mut answer = [0; 32];
    socket.read_exact(&mut answer).await?;
    let expected = hello::answer(keys, &hello, &binding);
    if blake3::Hash::from_bytes(answer) != blake3::Hash::from_bytes(expected) {
        return Err(refused(BadHello::Proof));
    }
    Ok(Bound {
        socket,
        is_daemon: false,
        keys: keys.clone(),
        hello,
    })
}

/// A socket that belongs to a session.
#[derive(Debug)]
pub struct Bound<S> {
    socket: S,
    is_daemon: bool,
    keys: LaneKeys,
    hello: Hello,
}

impl<S> Bound<S> {
    /// Which session it belongs to.
    #[must_use]
    pub fn session(&self) -> [u8; 16] {
        self.hello.session
    }

    /// Whether the daemon's side of the session opens it.
    #[must_use]
    pub fn is_reverse(&self) -> bool {
        self.hello.reverse
    }

    fn sends(&self) -> bool {
        self.hello.reverse == self.is_daemon
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Bound<S> {
    /// The one-way stream over a socket that something else encrypts. Whoever opens it sends.
    #[must_use]
    pub fn into_encrypted_stream(self) -> Stream {
        let (id, sends) = (self.hello.stream.into(), self.sends());
        let socket = self.socket;
        if sends {
            sending(id, Box::new(PlainSend::new(socket)))
        } else {
            receiving(id, Box::new(PlainRecv::new(socket)))
        }
    }
}

impl<S: AsyncRead + AsyncWrite + AsFd + Send + Sync + Unpin + 'static> Bound<S> {
    /// The one-way stream over a socket in clear: each chunk has its digest.
    #[must_use]
    pub fn into_clear_stream(self) -> Stream {
        let (id, sends) = (self.hello.stream.into(), self.sends());
        let key = self.keys.of_stream(self.hello.reverse, self.hello.stream);
        let socket = self.socket;
        if sends {
            sending(id, Box::new(SealedSend::new(socket, &key)))
        } else {
            receiving(id, Box::new(SealedRecv::new(socket, &key)))
        }
    }
}

fn sending(id: u64, half: Box<dyn SendStream>) -> Stream {
    Stream {
        id,
        send: Some(half),
        recv: None,
    }
}

fn receiving(id: u64, half: Box<dyn RecvStream>) -> Stream {
    Stream {
        id,
        send: None,
        recv: Some(half),
    }
}

fn refused(why: BadHello) -> io::Error {
    let kind = match why {
        BadHello::Over => io::ErrorKind::NotConnected,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, why)
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
