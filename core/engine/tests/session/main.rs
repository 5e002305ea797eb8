//! What a session does to two trees in memory.

mod copy;
mod faults;
mod mirror;
mod moves;
mod support;
