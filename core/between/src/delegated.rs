//! The target's machine fetches; this one asks for it, and hears how it goes.

use blit_contract::{Cx, Error, ErrorKind, Result, Side};
use blit_engine::{Asking, Listener, Told, stopped};
use blit_wire::{PullRequest, Reply, Report, Request, Stop, TokenRequest};

use crate::{Between, End, cancelled, unexpected};

/// Has the target begin, with the source's leave. Nothing has been changed if it does not.
///
/// # Errors
/// `Unreachable` if either is gone; anything else is a reason to do it in another way.
pub(crate) async fn begin(job: &Between) -> Result<Asking> {
    if !job.may_delegate {
        return Err(no("it is to pass this machine"));
    }
    let (source, target) = (key_of(&job.source)?, key_of(&job.target)?);
    if source == target {
        return Err(no("they are one machine"));
    }
    let cx = Cx::new(job.cancel.child());
    let wish = TokenRequest {
        session: job.at_source(),
        bearer: target,
    };
    let asked = Request::Token(Box::new(wish));
    let mut answer = Asking::ask(&cx, &*job.source.peer, asked).await?;
    let token = match answer.next().await? {
        Reply::Token(token) => token,
        _ => return Err(unexpected()),
    };
    let pull = PullRequest {
        session: job.at_target(),
        source,
        address: job.source.peer.info().socket,
        from: job.source.place.clone(),
        token,
        bytes_per_sec: job.options.bytes_per_sec,
    };
    let asked = Request::Pull(Box::new(pull));
    let mut asking = Asking::ask(&cx, &*job.target.peer, asked).await?;
    match asking.next().await? {
        Reply::Session(_) => Ok(asking),
        _ => Err(unexpected()),
    }
}

/// What the source's daemon does when it refuses a token.
const REFUSING: &str = "use token";

/// Hears how it goes, to the end. When nobody listens any more, the target stops.
///
/// # Errors
/// The source did not take the token: nothing was done.
pub(crate) async fn follow(job: &Between, asking: Asking) -> Result<Report> {
    let audience = job.audience.clone();
    // What the source's side tells, the target's tells on.
    let mut listener = Listener::new(asking, audience, Told::Target { scans: true });
    let mut report = tokio::select! {
        told = listener.listen() => match told {
            Ok(report) => report,
            Err(error) => {
                let mut report = stopped(Side::Target, error);
                report.changed_anything = !job.options.is_read_only();
                report
            }
        },
        () = cancelled(&job.cancel) => job.abandoned(),
    };
    if job.cancel.is_cancelled() && report.stop.as_ref().is_none_or(Stop::is_lost_peer) {
        report.stop = Some(Stop::Cancelled);
    }
    match &report.stop {
        Some(Stop::Failed(problem)) if problem.error.op() == REFUSING => {
            Err(no(problem.error.detail().unwrap_or(REFUSING)))
        }
        _ => Ok(report),
    }
}

/// Machines that proved no key can neither be named in a token nor found by one.
fn key_of(end: &End) -> Result<[u8; 32]> {
    let key = end.peer.info().identity;
    key.ok_or_else(|| no("one of them is reached over a login"))
}

fn no(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "delegate").because(why)
}
