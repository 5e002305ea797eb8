//! Sockets that become lanes.
//!
//! A lane that is a socket of its own has to prove which session it belongs to before anything else
//! crosses it. Read it in the order of a lane's life: `keys` come from the control connection, `hello` is
//! what the client says with them, `grant` is what the daemon remembers of a session, `bind` brings the
//! three together on a socket, `plain` and `sealed` are the streams that come of it, and `ladder` chooses
//! between several ways. `docs/spec/lanes.md` has the rules.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod bind;
mod grant;
mod hello;
mod keys;
mod ladder;
mod machine;
mod plain;
mod sealed;
mod ways;

pub use bind::{Accepted, Bound, HELLO_WAIT, LANE_EXPORTER_LABEL, PREFACE, greet};
pub use grant::{Grant, STREAMS_MAX};
pub use hello::{BadHello, HELLO_BYTES, Hello, Unproved};
pub use keys::{LaneKeys, Secret};
pub use ladder::{LANE_WAIT, Ladder, LaneUse, PassedOver, Rung, Used};
pub use machine::same_machine_proof;
pub use sealed::CHUNK_BYTES_MAX;
pub use ways::{MakeLanes, Sockets, Ways};
