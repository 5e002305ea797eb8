//! The transfer session: source → plan → connection → target.
//!
//! One session serves local and remote trees: its two roles, *source* and *target*, talk in typed
//! messages over a [`blit_contract::Connection`]. [`run`] drives both roles in this process.
//!
//! Where to look: `job` says what can be asked, `report` how it ended; `session` wires the roles;
//! `source` lists and sends; `target` compares, receives, commits, links, deletes and finishes;
//! `lane` carries payloads, also out of the process; `remote` is for sessions whose other role is elsewhere.
//! How the bytes of a file move is chosen in `blit-mover`; `blit-spool` keeps what does not fit in memory.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod digest;
mod job;
mod lane;
mod overlap;
mod progress;
mod remote;
mod session;
mod source;
mod target;

pub use blit_wire::{
    Answer, Compare, Ends, MaxDelete, Overlap, Report, Stop, Top, TopName, UNCARRIED, Verb,
};
pub use job::{
    AlwaysYes, Confirm, Doomed, Half, HalfRole, Job, NobodyThere, Options, Source, Target,
};
pub use progress::{Count, Progress, Told};
pub use remote::{
    Asked, Asking, Audience, Ended, Listener, Playing, REPORT_WAIT, RemoteJob, RemoteStore,
    Subtree, answer_with_store, ask_status, run_remote, stopped, tell,
};
pub use session::run;
