//! Model trees and model operations: the binary against an oracle of what it promises.
//!
//! A model is a tree in memory. It is built on a disk with the standard library, blit does something
//! to it, and what is then on the disk is compared, by the comparer of `blit-conform`, with what the
//! oracle says must be there. Failures shrink. Where to look: `tree` is the model, `disk` builds it,
//! `generate` makes it up; `edit` is what people do between commands, `command` what they ask of
//! blit; `oracle` knows what must come of it; `story` plays and judges, `foretold` the dry runs.
//! `wrong` proves the bench with engines that are wrong on purpose.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests: a set-up that fails is a failed test, and counts are said aloud"
)]

mod bench;
mod command;
mod disk;
mod edit;
mod foretold;
mod found;
mod generate;
mod liar;
mod operations;
mod oracle;
mod session;
mod story;
mod tree;
mod trees;
mod wrong;
