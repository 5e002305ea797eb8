//! Daemons on the local network: how they are announced, and how they are found (multicast DNS).
//!
//! What an [`Announcement`] says is all that a daemon tells to whoever listens: its name, its port, which
//! versions it speaks, and the first characters of its key. [`scan`] hears the others. Anybody on the
//! network can announce anything: a [`Neighbour`] is a place to knock at, and nothing is believed of it
//! before it has proved its key.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod announce;
mod neighbour;
mod scan;

pub use announce::{Announcement, Announcer};
pub use neighbour::{ID_CHARACTERS, Neighbour, Record};
pub use scan::{NEIGHBOURS_MAX, Neighbours, scan};

/// What daemons are announced as.
const SERVICE: &str = "_blit._tcp.local.";

/// Multicast does not work here.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The network refuses.
    #[error("the local network cannot be asked: {0}")]
    Network(#[from] mdns_sd::Error),
    /// Whoever was asking is gone.
    #[error("the local network cannot be asked: it ended early")]
    Ended,
}
