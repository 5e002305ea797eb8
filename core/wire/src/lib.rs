//! What the two sides of a session say, and when they may say it.
//!
//! [`Message`]s cross the session's one two-way stream; [`Payload`]s cross its lanes. [`Machine`]
//! judges every message by role and phase. Nothing here does I/O, reads a clock or waits: messages
//! come in as arguments, and verdicts go out. Where both roles share a process, messages pass as
//! they are ([`blit_contract::TransportCap::Objects`]); the encoding comes with the first transport
//! that leaves it.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod limits;
mod machine;
mod message;

pub use limits::{LISTING_ENTRIES_MAX, NEEDS_MAX, SETTLED_MAX, VERSIONS};
pub use machine::{Machine, Role, Violation};
pub use message::{
    Accept, Body, Hello, Message, Open, Payload, RangePart, Seal, Settled, Summary, Unsealed, Verb,
};
