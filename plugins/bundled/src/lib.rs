//! The plugins of a default build: the one readable list.
//!
//! A plugin that nobody names is not linked, and is not there. A program names this crate once,
//! `use blit_bundled as _;`, and has them all.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod lanes;

pub use lanes::Lanes;

/// The planner that measures, packs, stripes and orders.
use blit_plan as _;
/// Trees on local disks.
use blit_store_fs as _;
/// Trees in memory, for tests and for what never touches a disk.
use blit_store_mem as _;
/// The two sides of a session inside one process: every local copy.
use blit_transport_mem as _;

/// Gives the plugins what they need of the process: room for open files, and a heap that stays small. For binaries, once, before
/// they start a thread.
pub fn prepare_process() {
    blit_store_fs::prepare_process();
}
