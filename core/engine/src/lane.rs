//! Lanes: payloads inside the process, frames where they leave it.

mod changes;
mod pieces;
mod receive;
mod send;

pub(crate) use changes::Ledgers;
pub(crate) use pieces::{Piece, Pieces, broken, is_violation, prove};
pub(crate) use receive::{Arrival, LaneReceiver};
pub(crate) use send::{Lanes, Shared};

/// How many lanes a session opens where payloads leave the process: enough that one that waits for
/// the disk does not keep the others waiting.
pub(crate) const LANES: u32 = 4;
