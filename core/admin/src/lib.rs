//! What an administrator does beside moving files: who is known, who may come, what was written down.
//!
//! Each verb answers lines for standard output; what goes wrong is a [`Trouble`], which the command line
//! tells in its own way. `remote` is about machines, `network` about those that are near, `audit` about the log, `daemon` about the daemon of
//! this machine, `state` about what this machine knows.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod audit;
mod daemon;
mod network;
mod remote;
mod state;

use std::path::PathBuf;

pub use audit::{AuditArgs, audit};
pub use daemon::{invite, reach, status};
pub use network::{ScanArgs, Seen, scan};
pub use remote::{RemoteArgs, pair_by_id, remote};
pub use state::{IdentityArgs, StateArgs, identity, state};

/// Where things are kept.
#[derive(Debug, Clone)]
pub struct Places {
    /// The user's own key and peers.
    pub state: PathBuf,
    /// Those of a daemon of this user.
    pub daemon_state: PathBuf,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// Which kind it is.
    pub kind: TroubleKind,
    /// What, in the user's terms.
    pub message: String,
    /// What to do about it.
    pub next: Option<String>,
}

/// Kinds of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TroubleKind {
    /// The log is not as it was written.
    AuditBroken,
    /// No daemon of this machine answers.
    NoDaemon,
    /// There is no such machine, or it cannot be called so.
    Peer,
    /// A file of ours cannot be read or written.
    State,
}

impl Trouble {
    fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            next: None,
        }
    }

    fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

type Lines = Result<Vec<String>, Trouble>;
