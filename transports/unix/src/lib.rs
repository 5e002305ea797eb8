//! Lanes between two processes of one machine, over a Unix socket.
//!
//! The daemon listens at a path inside its state folder, which only its own user and root can reach.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod connect;
mod listen;

pub use connect::Dialer;
pub use listen::{Listening, bind};

use blit_contract::Descriptor;

/// Who this is.
pub static DESCRIPTOR: Descriptor =
    Descriptor::new("transport-unix", env!("CARGO_PKG_VERSION"), &["unix"]);
