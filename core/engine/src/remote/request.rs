//! One request and its replies on one stream.

use blit_contract::{Cx, Error, ErrorKind, Peer, Result, Stream};
use blit_wire::{Reply, Request, Status};

use blit_channel::{self as channel, Receiver, Sender};

/// The client's end of a request.
#[derive(Debug)]
pub struct Asking {
    pub(super) requests: Sender<Request>,
    replies: Receiver<Reply>,
}

impl Asking {
    /// Asks the peer something.
    ///
    /// # Errors
    /// `Unreachable` if the peer is gone.
    pub async fn ask(cx: &Cx, peer: &dyn Peer, request: Request) -> Result<Self> {
        let mut stream = peer.request(cx).await?;
        let mut asking = Self {
            requests: channel::sender(&mut stream, false)?,
            replies: channel::receiver(&mut stream)?,
        };
        asking.requests.send(request).await?;
        Ok(asking)
    }

    /// The next reply.
    ///
    /// # Errors
    /// What the peer refused it for; `Unreachable` if the peer hung up.
    pub async fn next(&mut self) -> Result<Reply> {
        match self.replies.recv().await? {
            Some(Reply::Refused(error)) => Err(error),
            Some(reply) => Ok(reply),
            None => Err(hung_up()),
        }
    }
}

pub(super) fn hung_up() -> Error {
    Error::new(ErrorKind::Unreachable, "ask").because("the peer hung up")
}

pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Invalid, "ask").because("the peer gave an answer to another question")
}

/// Asks a peer who it is and what this machine may see there.
///
/// # Errors
/// Whatever the peer refuses it for, or `Unreachable`.
pub async fn ask_status(cx: &Cx, peer: &dyn Peer) -> Result<Status> {
    match Asking::ask(cx, peer, Request::Status).await?.next().await? {
        Reply::Status(status) => Ok(status),
        _ => Err(unexpected()),
    }
}

/// A request at the daemon's end, and the way to answer it.
#[derive(Debug)]
pub struct Asked {
    pub(super) requests: Receiver<Request>,
    pub(super) replies: Sender<Reply>,
}

impl Asked {
    /// Takes the request that comes first over `stream`.
    ///
    /// # Errors
    /// `Invalid` if it is none, which the client is told; `Unreachable` if nothing comes.
    pub async fn accept(mut stream: Stream) -> Result<(Request, Self)> {
        let mut asked = Self {
            requests: channel::receiver(&mut stream)?,
            replies: channel::sender(&mut stream, false)?,
        };
        match asked.requests.recv().await {
            Ok(Some(request)) => Ok((request, asked)),
            Ok(None) => Err(hung_up()),
            Err(error) => {
                let told = Error::new(error.kind(), error.op());
                let why = error.detail().unwrap_or("it is no request");
                asked.refuse(told.because(why)).await;
                Err(error)
            }
        }
    }

    /// Answers.
    ///
    /// # Errors
    /// `Unreachable` if the client is gone.
    pub async fn reply(&mut self, reply: Reply) -> Result<()> {
        self.replies.send(reply).await
    }

    /// Answers that it will not be done, or could not, and ends the stream.
    pub async fn refuse(mut self, error: Error) {
        // The client may be gone, and then nobody asks any more.
        if self.reply(Reply::Refused(error)).await.is_ok() {
            self.finish().await;
        }
    }

    /// Ends the stream after the last reply.
    pub async fn finish(mut self) {
        drop(self.replies.finish().await);
    }
}
