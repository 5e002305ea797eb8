//! What a session costs, in figures that no noise can move: memory at its peak, and instructions.
//!
//! Each figure is that of a process of its own: this program, started once more with a workload.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests: a set-up that fails is a failed test, and figures are said aloud"
)]

mod first_byte;
mod instructions;
mod memory;
mod sink;
mod workload;
