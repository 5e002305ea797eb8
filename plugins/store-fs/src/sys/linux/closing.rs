//! Closes many files with one call, where the kernel has `io_uring`.
//!
//! Each small file costs two descriptors. Closing them one by one is a sixth of all system calls of a
//! copy; handed over in batches it is none that counts.
#![expect(
    unsafe_code,
    reason = "a submission queue takes entries that the kernel acts on, and closing ends an owner"
)]

use std::{
    cell::RefCell,
    io,
    os::fd::{AsRawFd, IntoRawFd, OwnedFd},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use io_uring::{IoUring, opcode, types};

use super::{
    faults::{Site, call, pass},
    process::open_files_limit,
};

/// How many files are closed by one call.
const BATCH: usize = 128;

/// Some ten threads may hold a batch each: all of them shall be a fraction of what may be open.
const SHARE: usize = 64;

fn batch() -> usize {
    static FITTING: OnceLock<usize> = OnceLock::new();
    *FITTING.get_or_init(|| BATCH.min(open_files_limit() / SHARE))
}

/// Some hosts switch `io_uring` off: found out by the first try.
static IS_MISSING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// A ring of each thread's own: a ring is not shared without a lock.
    static RING: RefCell<Option<IoUring>> = const { RefCell::new(None) };
}

/// Closes what it is given, a batch at a time; the rest when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Closing(Vec<OwnedFd>);

impl Closing {
    /// Takes a file that nobody uses any more.
    pub(crate) fn close(&mut self, file: super::File) {
        self.0.push(file.into_fd());
        if self.0.len() >= batch() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let files = std::mem::take(&mut self.0);
        if IS_MISSING.load(Ordering::Relaxed) || files.len() < 2 {
            return;
        }
        RING.with_borrow_mut(|ring| {
            if ring.is_none() {
                *ring = make_ring().ok();
            }
            match ring {
                Some(ring) => close_by(ring, files),
                // Dropping the files closes them one by one.
                None => IS_MISSING.store(true, Ordering::Relaxed),
            }
        });
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.flush();
    }
}

impl super::File {
    /// Does what closing does, and hears what it says: a twin of the descriptor is closed.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let twin = call(Site("twin"), || {
            rustix::io::fcntl_dupfd_cloexec(self.as_fd(), 3)
        })?;
        pass(Site("close_twin"))?;
        // SAFETY: the number was taken out of its owner, so it is closed here and nowhere else.
        Ok(unsafe { rustix::io::try_close(twin.into_raw_fd()) }?)
    }
}

fn make_ring() -> io::Result<IoUring> {
    pass(Site("make_ring"))?;
    IoUring::new(BATCH as u32)
}

/// Tries once more what has failed before.
#[cfg(test)]
pub(super) fn relearn_kernel() {
    IS_MISSING.store(false, Ordering::Relaxed);
}

/// Hands all of `files` to the kernel and waits until each is closed.
fn close_by(ring: &mut IoUring, files: Vec<OwnedFd>) {
    let mut handed_over = 0;
    for file in files {
        let entry = opcode::Close::new(types::Fd(file.as_raw_fd())).build();
        // SAFETY: the entry names a descriptor that is open and ours; it points to no memory.
        let is_pushed = unsafe { ring.submission().push(&entry) }.is_ok();
        if is_pushed {
            // The kernel owns it from here on.
            let _ = file.into_raw_fd();
            handed_over += 1;
        }
    }
    let submitted = pass(Site("close_batch"))
        .map_err(io::Error::from)
        .and_then(|()| ring.submit_and_wait(handed_over));
    if let Err(error) = submitted {
        tracing::debug!(%error, "closing through io_uring failed");
    }
    // A failed close of a file that was read, or whose data a barrier has covered, says nothing new.
    ring.completion().for_each(drop);
}
