//! The transfer session: source → plan → connection → target.
//!
//! One session serves local and remote trees: its two roles, *source* and *target*, talk in typed
//! messages over a [`blit_contract::Connection`]. [`run`] drives both roles in this process.
//!
//! Where to look: `job` says what can be asked, `report` how it ended; `session` wires the roles;
//! `source` lists and sends; `target` compares, receives, commits, links, deletes and finishes;
//! `mover` chooses how the bytes of a file move; `spool` keeps what does not fit in memory.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod channel;
mod clock;
mod digest;
mod job;
mod mover;
mod overlap;
mod progress;
mod report;
mod session;
mod source;
mod spool;
mod stall;
mod target;

pub use blit_wire::Verb;
pub use job::{
    AlwaysYes, Answer, Compare, Confirm, Doomed, Job, MaxDelete, NobodyThere, Options, Source,
    Target, Top, TopName,
};
pub use progress::{Count, Progress};
pub use report::{Ends, Overlap, Report, Stop, UNCARRIED};
pub use session::run;
