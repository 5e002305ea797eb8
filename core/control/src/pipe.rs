//! The control plane over a pair of pipes whose other end is trusted: whoever started this process
//! through ssh. Nothing is proved here, nothing is encrypted again, and there is one connection.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use blit_contract::Stream;
use futures_util::StreamExt;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    sync::oneshot,
};
use tonic::{Request, Response, Status, Streaming, transport::server::Connected};

use crate::{
    LaneOpening,
    proto::{
        Piece,
        link_server::{Link, LinkServer},
    },
    server::{Carried, Replies, grpc, no_such_session},
    stream::MESSAGE_BYTES_MAX,
};

/// Takes what the one client asks, who may do whatever this process may.
#[async_trait]
pub trait PipeCalls: Send + Sync + 'static {
    /// Takes a request.
    async fn request(&self, stream: Stream);

    /// Takes a stream of a session; `false` if there is no such session.
    fn lane(&self, opening: LaneOpening, stream: Stream) -> bool;
}

/// Serves the client at the other end of `stream` until that end is closed.
///
/// # Errors
/// If the server itself fails.
pub async fn serve_pipe<S>(stream: S, calls: Arc<dyn PipeCalls>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let link = LinkServer::new(PipeService(calls))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let (open, closed) = oneshot::channel();
    let piped = Piped {
        stream,
        _open: open,
    };
    let only = futures_util::stream::once(async { io::Result::Ok(piped) });
    // The server returns when no more connections come, whatever those are about that are there.
    let incoming = only.chain(futures_util::stream::pending());
    let serving = grpc().add_service(link).serve_with_incoming(incoming);
    tokio::select! {
        served = serving => served.map_err(io::Error::other),
        _ = closed => Ok(()),
    }
}

struct PipeService(Arc<dyn PipeCalls>);

#[async_trait]
impl Link for PipeService {
    type CarryStream = Replies;

    async fn carry(&self, request: Request<Streaming<Piece>>) -> Result<Response<Replies>, Status> {
        let Carried {
            opening,
            stream,
            replies,
        } = Carried::accept(request.into_inner()).await?;
        match opening {
            None => {
                let calls = Arc::clone(&self.0);
                tokio::spawn(async move { calls.request(stream).await });
            }
            Some(opening) if self.0.lane(opening, stream) => {}
            Some(_) => return Err(no_such_session()),
        }
        Ok(Response::new(replies))
    }
}

/// The connection; when the server lets go of it, whoever waits for that is told.
struct Piped<S> {
    stream: S,
    _open: oneshot::Sender<()>,
}

impl<S> Connected for Piped<S> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl<S: AsyncRead + Unpin> AsyncRead for Piped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Piped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What the process at the other end says first: that it is there, and which versions of the session it
/// speaks. What a login prints before it is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The oldest and the newest version of the session that it speaks.
    pub versions: (u32, u32),
    /// The version of the program, for people.
    pub program: String,
}

const GREETING: &str = "blit-daemon --stdio 1";

/// How much a login may print before the greeting.
const NOISE_BYTES_MAX: u64 = 64 << 10;

impl fmt::Display for Greeting {
    /// A line of its own, whatever stands before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (oldest, newest) = self.versions;
        writeln!(f, "\n{GREETING} {oldest} {newest} {}", self.program)
    }
}

impl Greeting {
    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.strip_prefix(GREETING)?.split_ascii_whitespace();
        let (oldest, newest) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self {
            versions: (oldest, newest),
            program: words.next()?.to_owned(),
        })
    }

    /// Waits for it; `None` if it never comes.
    ///
    /// # Errors
    /// If reading fails.
    pub async fn receive<R: AsyncBufRead + Unpin>(from: &mut R) -> io::Result<Option<Self>> {
        let mut from = from.take(NOISE_BYTES_MAX);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).await? > 0 {
            if let Some(greeting) = Self::read(&line) {
                return Ok(Some(greeting));
            }
            line.clear();
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        Greeting {
            versions: (1, 3),
            program: "0.1.0".to_owned(),
        }
    }

    async fn received(said: &[u8]) -> (Option<Greeting>, Vec<u8>) {
        let mut from = said;
        let greeting = Greeting::receive(&mut from).await.unwrap();
        (greeting, from.to_owned())
    }

    #[tokio::test]
    async fn the_greeting_is_found_behind_what_a_login_prints_and_nothing_behind_it_is_eaten() {
        let said = format!("Welcome!\nno line end{}PRI *", greeting());
        let (found, rest) = received(said.as_bytes()).await;
        assert_eq!((found, &*rest), (Some(greeting()), &b"PRI *"[..]));
    }

    #[tokio::test]
    async fn what_never_greets_is_given_up() {
        for said in [
            "",
            "Welcome!\n",
            "blit-daemon --stdio 1 x y z\n",
            "blit-daemon --stdio 1",
        ] {
            assert_eq!(received(said.as_bytes()).await.0, None, "{said:?}");
        }
        let endless = vec![b'x'; 1 << 20];
        let (found, rest) = received(&endless).await;
        assert_eq!(found, None);
        assert!(rest.len() as u64 >= (1 << 20) - NOISE_BYTES_MAX);
    }
}
