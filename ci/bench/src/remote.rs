//! Trees that go from one side to another: blit with its daemon, the peers with theirs, and limits.
//!
//! Both sides run on this machine, in a network namespace of their own (`net.rs`). Its one address is no
//! loopback address, so that blit takes the other side for another machine, and its one interface
//! counts nothing but what is measured.

mod limit;
mod net;
mod peer;
mod run;
mod server;
mod tools;
mod work;

pub use limit::{Kind, Limit, Role, Side};
pub use net::enter;
pub use peer::Peer;
pub use run::run;
pub use server::serve;
pub use work::{ALL, Work};
