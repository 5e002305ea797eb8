//! The daemon and the command line, as two machines use them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests: a set-up that fails is a failed test"
)]

mod audit;
mod bench;
mod between;
mod chaos;
mod clocks;
mod completing;
mod configuring;
mod corpus;
mod cuts;
mod delegated;
mod exact;
mod filters;
mod first_steps;
mod floods;
mod gate;
mod halting;
mod handed;
mod health;
mod hellos;
mod hostile;
mod jobs;
mod jobs_elsewhere;
mod keeping;
mod kernel;
mod kills;
mod lanes;
mod load;
mod manage;
mod matrix;
mod node;
mod privacy;
mod refusals;
mod relay;
mod resume;
mod running;
mod scanning;
mod service;
mod soak;
mod ssh;
mod sshd;
mod trees;
mod verbs;
