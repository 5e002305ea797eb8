//! What a process, and a group of its threads, gives up for good.
//!
//! Whoever finds a way past our own checks then finds the kernel's: [`forbid_calls`] takes from the whole
//! process what a server of files has no use for, and a [`Domain`] runs work on threads that reach the files
//! they are for, and no others. `docs/adr/0010` says why threads.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod domain;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as kernel;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
use elsewhere as kernel;

use std::path::PathBuf;

pub use domain::{Domain, Lost};

/// Why something was not given up: the process goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unconfined(String);

/// What threads may reach; everything else is as if its permissions said no.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Files and directories, with all that is in them, to look at and read.
    pub read: Vec<PathBuf>,
    /// Those to change as well. Programs in them cannot be run.
    pub write: Vec<PathBuf>,
}

/// Takes from this thread, and from all that it starts, the system calls that no server of files needs:
/// those that run programs, look into other processes, mount, load code into the kernel, take keys, or
/// open files past all directories. They answer `EPERM` from now on. New privileges cannot be had either.
///
/// # Errors
/// [`Unconfined`] if the kernel cannot do it.
pub fn forbid_calls() -> Result<(), Unconfined> {
    kernel::forbid_calls()
}

/// Whether a [`Domain`] can be made here.
///
/// # Errors
/// [`Unconfined`] says why not.
pub fn can_confine() -> Result<(), Unconfined> {
    kernel::Rules::new(&Reach::default()).map(drop)
}
