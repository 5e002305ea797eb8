//! What a session does to two trees in memory.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a set-up that fails is a failed test"
)]

mod copy;
mod faults;
mod hostile;
mod ledger;
mod listings;
mod mangle;
mod mirror;
mod moves;
mod pace;
mod promises;
mod remote;
mod support;
