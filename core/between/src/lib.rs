//! A session between two other machines, for whoever asks for it on a third.
//!
//! Best, the target's machine fetches from the source's by itself: [`Between::run`] gets the source's leave (a
//! token), hands it to the target, and hears how it goes (`delegated`). Where either does not do that, what the
//! two say to each other is passed on, byte by byte (`relay`).

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod delegated;
mod relay;

use std::{sync::Arc, time::Duration};

use blit_contract::{Cancel, Error, ErrorKind, Peer, Side};
use blit_engine::{Audience, Options, stopped};
use blit_wire::{LaneWishes, Place, Report, Role, Rules, SessionRequest, Stop, Top};

/// How often somebody's wish to stop is looked at.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// One of the two machines.
#[derive(Debug)]
pub struct End {
    /// Its daemon.
    pub peer: Arc<dyn Peer>,
    /// The directory there.
    pub place: Place,
    /// How the lanes to it should be.
    pub lanes: LaneWishes,
}

/// A session between two daemons.
pub struct Between {
    /// Where the tree is.
    pub source: End,
    /// Which entries of that directory.
    pub top: Top,
    /// Where it goes.
    pub target: End,
    /// Where the target keeps what it replaces or deletes, if it shall.
    pub backup: Option<Place>,
    /// Which entries take part.
    pub rules: Rules,
    /// How to behave.
    pub options: Options,
    /// Whether the two may do it without this machine.
    pub may_delegate: bool,
    /// Who hears of both sides.
    pub audience: Audience,
    /// Ends the session soon.
    pub cancel: Cancel,
}

impl Between {
    /// Runs the session to its end: what stopped it early is in the report, which tells of both sides.
    /// `relays` is told why, if all data passes this machine.
    pub async fn run(self, relays: impl FnOnce(&Error)) -> Report {
        let begun = tokio::select! {
            begun = delegated::begin(&self) => begun,
            () = cancelled(&self.cancel) => {
                let mut report = self.abandoned();
                report.stop = Some(Stop::Cancelled);
                return report;
            }
        };
        let why = match begun {
            Ok(asking) => match delegated::follow(&self, asking).await {
                Ok(report) => return report,
                Err(why) => why,
            },
            // Nothing is known of what they would do, and nothing would come of passing on.
            Err(error) if error.kind() == ErrorKind::Unreachable => {
                return stopped(Side::Target, error);
            }
            Err(error) => error,
        };
        relays(&why);
        relay::run(&self).await
    }

    /// What the source is asked to do.
    fn at_source(&self) -> SessionRequest {
        SessionRequest {
            place: self.source.place.clone(),
            role: Role::Source,
            terms: self.options.terms(),
            top: self.top.clone(),
            is_relayed: false,
            rules: self.rules.clone(),
            lanes: LaneWishes {
                clear: self.source.lanes.clear,
                machine: None,
            },
            token: None,
            backup: None,
        }
    }

    /// What the target is asked to do.
    fn at_target(&self) -> SessionRequest {
        SessionRequest {
            place: self.target.place.clone(),
            role: Role::Target,
            is_relayed: true,
            backup: self.backup.clone(),
            ..self.at_source()
        }
    }

    /// Nobody is asked any more what was done.
    fn abandoned(&self) -> Report {
        let mut report = Report::default();
        report.changed_anything = !self.options.is_read_only();
        report
    }
}

async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(CANCEL_POLL).await;
    }
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Invalid, "ask").because("the peer gave an answer to another question")
}

#[cfg(test)]
mod tests;
