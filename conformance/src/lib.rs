//! The judge of blit: an independent comparer of trees, builders of nasty trees, and a bench that
//! runs the binary.
//!
//! It shares no code with the stores, so that one mistake cannot hide another. It is for tests:
//! when its own set-up fails it panics, because a test that could not be set up has failed.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a bench for tests: a set-up that fails is a failed test, and skips are said aloud"
)]

mod compare;
mod crash;
mod environment;
pub mod golden;
mod killer;
pub mod power;
mod remove;
mod run;
mod strace;
pub mod tree;
mod volume;
mod walk;

pub use compare::{Difference, Options, Snapshot, What, assert_same, assert_same_with, compare};
pub use crash::{Broken, Promise, is_unfinished, judge_claim, judge_crash, judge_move};
pub use environment::{
    Scratch, cases, counted, is_long, is_root, need_root, need_tool, scaled, seed, skip,
};
pub use killer::{Ended, Watch, kill_at};
pub use remove::remove_tree;
pub use run::{Blit, Ran};
pub use strace::{Calls, Inject, SyscallCounts, count_syscalls};
pub use volume::{FileSystem, Mounted};
