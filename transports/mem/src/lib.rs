//! The transport inside one process.
//!
//! A local copy is a session like any other, whose two sides meet here: chunks cross by ownership,
//! objects without encoding, and a full queue makes the sender wait.

#![deny(missing_docs)]

mod config;
mod connect;
mod listen;
mod stream;
mod transport;

pub use config::MemConfig;
pub use connect::{pair, pair_with};
pub use transport::MemTransport;

blit_registry::register!(Transport, &transport::DESCRIPTOR, |_config| {
    Ok(std::sync::Arc::new(MemTransport::default()))
});

#[cfg(test)]
mod tests;
