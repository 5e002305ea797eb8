//! Sessions whose other role is in another process, and the requests around them.
//!
//! [`run_remote`] is [`crate::run`] for a tree that a daemon holds: it asks the daemon to play the other
//! role, plays its own, and makes one report of both. [`RemoteStore`] shows a daemon's module as a store for
//! everything that moves no content. [`Asked`] is the daemon's end of both. [`Asking`] and [`Listener`] are for
//! whoever has daemons play both roles.

mod client;
mod request;
mod serve;
mod store;

pub use blit_subtree::Subtree;
pub use client::{Audience, Listener, REPORT_WAIT, RemoteJob, run_remote, stopped};
pub use request::{Asked, Asking, ask_status};
pub use serve::{Ended, Playing, answer_with_store, tell};
pub use store::RemoteStore;
