//! Time that tests can hold: the clock of a session, the detector of stalls, and the pace that somebody
//! asked for.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod clock;
mod pace;
mod stall;

pub use clock::{Clock, SystemClock};
pub use pace::{Pace, Paced};
pub use stall::{STALL_AFTER, StallDetector};
