//! Where the kernel is called: each such site has a name, and a test may plan that it fails there.
//!
//! Outside of tests nothing is asked and nothing is paid: `pass` is empty.

use rustix::io::{Errno, retry_on_intr};

#[cfg(test)]
pub(crate) mod planned;

#[cfg(test)]
pub(super) use planned::{length, pass};

/// The name of one site.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site(pub(crate) &'static str);

/// Makes a system call, and again as long as a signal interrupts it.
pub(super) fn call<T>(site: Site, mut make: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    retry_on_intr(|| pass(site).and_then(|()| make()))
}

/// Passes a site: here it fails if that was planned.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn pass(Site(_name): Site) -> Result<(), Errno> {
    Ok(())
}

/// The same for a call that may move less than it was asked for: how much to ask for.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn length(Site(_name): Site, wanted: usize) -> Result<usize, Errno> {
    Ok(wanted)
}
