//! The default planner: pure, streaming, deterministic by seed.
//!
//! No I/O, no clock, no randomness but the seed: the same differences, history and seed give the same
//! plan. Where to look: `planner` turns differences into work; `window` orders the tail; `rates` and
//! `history` are what earlier runs measured.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod history;
mod planner;
mod rates;
mod window;

pub use history::{MeasuredHistory, Record, compact, decode, encode};
pub use planner::{DESCRIPTOR, DefaultPlanner};
pub use rates::{Rate, bucket_of};

blit_registry::register!(Planner, &DESCRIPTOR, |_| {
    Ok(std::sync::Arc::new(DefaultPlanner::default()))
});

#[cfg(test)]
mod tests;
