//! Benchmarks against the peers: `cargo xtask bench local` and `cargo xtask bench remote`.
//!
//! Read it in the order of a run: [`work`] says what is measured, [`tree`] makes it, [`contender`]
//! knows the programs, [`run`] lets them run in pairs, [`measure`] weighs one run, [`verify`]
//! judges what it left, [`figures`] reduces the samples, [`page`] writes them down. [`remote`] has its
//! own work and contenders, and a server for each run.

#![deny(missing_docs)]

pub mod contender;
pub mod figures;
mod goal;
pub mod machine;
pub mod measure;
pub mod memory;
pub mod page;
pub mod random;
pub mod raw;
mod reflink;
pub mod remote;
pub mod results;
pub mod run;
mod shell;
mod sys;
pub mod tree;
pub mod verify;
pub mod work;

pub use goal::Goal;
