//! What is left when a run ends in the middle: the process is killed, or the power fails.
//!
//! The trees afterwards are judged by `blit-conform`, which shares no code with the stores. Each
//! bench says how many cases it ran, and of which seed.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests: a set-up that fails is a failed test, and counts are said aloud"
)]

mod arena;
mod kill;
mod moments;
mod power;
mod workload;
