//! Moves bytes between a file and a lane inside the kernel: `sendfile` out, `splice` in.
//!
//! The process never reads or writes what passes; it looks at it through the file ([`KernelFile::view`]),
//! since both digests of it have to be known: that of the chunk, which the lane wants, and that of the file.
//! A file may change while it passes. Then what was seen is not what passed, a digest does not fit, and the
//! file is refused: that is the whole of the safety of this path, and nothing in it trusts the two to agree.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod inlet;
#[cfg(target_os = "linux")]
mod outlet;
#[cfg(target_os = "linux")]
mod socket;

use std::ops::Range;

use blit_contract::{ContentHasher, Error, ErrorKind, GROUP_BYTES, Group, Result, View, Witness};

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Inlet, Outlet};
#[cfg(target_os = "linux")]
pub use {inlet::Inlet, outlet::Outlet};

/// How much is looked at at a time: it stays in the nearest cache, and is digested once for both digests.
const LOOK_BYTES: usize = GROUP_BYTES;

/// What has passed of a file into a lane.
#[derive(Debug)]
pub struct Left {
    /// What the lane wants to know.
    pub witness: Witness,
    /// The digest of the file so far.
    pub hasher: ContentHasher,
    /// Why the file cannot be whole: zeros went in the place of what could not be read.
    pub failed: Option<Error>,
}

/// What has come out of a lane into a file.
#[derive(Debug)]
pub struct Placed {
    /// What the lane wants to know.
    pub witness: Witness,
    /// What the witness saw.
    pub seen: Seen,
    /// Why the file cannot be whole: what came was dropped.
    pub failed: Option<Error>,
}

/// What was seen of a run of bytes, digested.
#[derive(Debug, Default)]
pub struct Seen {
    groups: Vec<Group>,
    /// What is behind the last whole group.
    rest: Vec<u8>,
}

impl Seen {
    fn see(&mut self, group: Group, bytes: &[u8]) {
        if group.is_whole() {
            self.groups.push(group);
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }

    /// Whether it tells `hasher` of the run; it cannot where the run does not begin a group.
    #[must_use]
    pub fn tell(&self, hasher: &mut ContentHasher) -> bool {
        let fits = self.groups.iter().all(|group| hasher.push(group));
        if fits {
            hasher.update(&self.rest);
        }
        fits
    }
}

/// Shows what lies at `range` of `view` to `see`.
fn look(
    view: &dyn View,
    range: Range<usize>,
    mut see: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = [0; LOOK_BYTES];
    let mut at = range.start;
    while at < range.end {
        let room = LOOK_BYTES.min(range.end - at);
        let seen = view.look(at, &mut buffer[..room]);
        if seen == 0 {
            break;
        }
        see(&buffer[..seen])?;
        at += seen;
    }
    if at < range.end || view.is_torn() {
        return Err(
            Error::new(ErrorKind::Changed, "read").because("the file became shorter meanwhile")
        );
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(call)
        .await
        .map_err(|error| Error::new(ErrorKind::Bug, "copy").with_source(error))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
