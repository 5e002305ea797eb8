//! Lanes over TCP sockets of their own: encrypted by TLS 1.3, or in clear where both sides allow it.
//!
//! Sockets go to the address and port of the control connection. What makes one a lane is the stream
//! hello of `blit-lanes`; here is what is particular to TCP.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod config;
mod connect;
mod listen;

pub use connect::Dialer;
pub use listen::{bind_clear, bind_encrypted};

use blit_contract::Descriptor;

/// Who this is.
pub static DESCRIPTOR: Descriptor =
    Descriptor::new("transport-tcp", env!("CARGO_PKG_VERSION"), &["tcp"]);
