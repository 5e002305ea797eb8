//! The default planner: pure, streaming, deterministic.
//!
//! No I/O, no clock, no random choice: the same differences, arriving in the same way, with the same
//! history give the same plan. Where to look: `planner` turns differences into work; `round` gathers
//! and orders a bounded look ahead; `stripes` cuts one large file; `rates` and `history` are what this
//! run and earlier ones measured.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod history;
mod planner;
mod rates;
mod round;
mod stripes;

pub use history::{MeasuredHistory, Record, compact, decode, encode};
pub use planner::{DESCRIPTOR, DefaultPlanner};
pub use rates::Rate;

blit_registry::register!(Planner, &DESCRIPTOR, |_| {
    Ok(std::sync::Arc::new(DefaultPlanner::default()))
});
