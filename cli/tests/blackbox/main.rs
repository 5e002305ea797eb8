//! The binary from outside, as a script or a person meets it. One file per topic.
//!
//! All of them are one program, because linking is the slow part of a test run. What the trees must
//! look like afterwards is judged by `blit-conform`, which shares no code with the stores.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests: a set-up that fails is a failed test, and counts are said aloud"
)]

mod bench;
mod errors;
mod faults;
mod filesystems;
mod flip;
mod full;
mod fuse;
mod json;
mod mirror;
mod move_;
mod moving;
mod permissions;
mod pipes;
mod promises;
mod races;
mod slashes;
mod slugs;
mod syscalls;
mod trees;
