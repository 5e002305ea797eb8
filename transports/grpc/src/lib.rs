//! Lanes inside the control connection.
//!
//! Where no socket of their own can be had, lanes are calls on the connection over which the two sides
//! have already proved who they are. The client dials every stream, also those that the daemon's side of
//! the session opens; so nothing but the daemon's one port need be reachable.

#![deny(missing_docs)]

mod connect;
mod listen;

pub use connect::dialing;
pub use listen::{Arrived, serving};

use blit_contract::Descriptor;

/// Who this is.
pub static DESCRIPTOR: Descriptor =
    Descriptor::new("transport-grpc", env!("CARGO_PKG_VERSION"), &["grpc"]);

#[cfg(test)]
mod tests;
