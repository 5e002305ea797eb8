//! Sessions whose other role is in another process, and the requests around them.
//!
//! [`run_remote`] is [`crate::run`] for a tree that a daemon holds: it asks the daemon to play the other
//! role, plays its own, and makes one report of both. [`run_relay`] lets two daemons play both roles, and passes on what they say. [`RemoteStore`] shows a daemon's module as a store
//! for everything that moves no content. [`Asked`] is the daemon's end of both.

mod client;
mod relay;
mod request;
mod serve;
mod store;

pub use blit_subtree::Subtree;
pub use client::{RemoteJob, run_remote};
pub use relay::{RelayEnd, RelayJob, run_relay};
pub use request::{Asked, ask_status};
pub use serve::{Ended, Playing, answer_with_store};
pub use store::RemoteStore;
