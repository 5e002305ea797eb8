//! What the two sides of a session say, and when they may say it.
//!
//! [`Message`]s cross the session's one two-way stream; [`Payload`]s cross its lanes. [`Machine`]
//! judges every message by role and phase. Nothing here does I/O, reads a clock or waits: messages
//! come in as arguments, and verdicts go out. Where both roles share a process, messages pass as
//! they are ([`blit_contract::TransportCap::Objects`]). Where they do not, `codec` makes protobuf of
//! them ([`Message::to_frame`]), and payloads become [`Frame`]s; [`Request`]s and [`Reply`]s are what a
//! client and a daemon say around a session. `docs/spec/session.md` is the specification.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod allowed;
mod codec;
mod expected;
mod frame;
mod framing;
mod limits;
mod machine;
mod message;
mod proto;
mod remote;
mod report;
mod rules;

pub use allowed::Allowed;
pub use codec::BadMessage;
pub use expected::Expected;
pub use frame::{Answers, Carried, FileSeal, FileStart, Frame};
pub use framing::FrameBuffer;
pub use limits::{
    BLOCK_BYTES, DATA_BYTES_MAX, LANES_MAX, LEDGER_BLOCKS_MAX, LEDGER_DIGESTS_MAX, LEDGERS_MAX,
    LISTING_ENTRIES_MAX, NEEDS_MAX, PATH_NAMES_MAX, SETTLED_MAX, VERSIONS,
};
pub use machine::{Machine, Role, Violation};
pub use message::{
    Accept, Body, Hello, Ledger, Message, Open, Payload, RangePart, Seal, Settled, Summary,
    Unsealed, Verb,
};
pub use remote::{
    Access, Answer, Compare, Figures, LaneWishes, MaxDelete, Module, Place, PullRequest, Reply,
    Request, SessionId, SessionRequest, Status, Terms, TokenRequest, Top, TopName,
};
pub use report::{Ends, LanesUsed, Overlap, Report, Stop, UNCARRIED};
pub use rules::{Anchor, Bounds, Listed, PathList, Rules};
