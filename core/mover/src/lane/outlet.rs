//! Out: from a file into a lane.

use std::{
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use blit_contract::{
    ContentHasher, Cx, Error, ErrorKind, FdLease, GROUP_BYTES, Group, History, KernelFile, Method,
    Reader, Result,
};
use rustix::{event::PollFlags, io::Errno, net::SendFlags};

use super::{
    LOOK_BYTES, Left, blocking, look,
    socket::{lost, viewable, wait},
};
use crate::leads;

/// How much one call moves: while the other end takes it, it is looked at.
const CALL_BYTES: u64 = 256 << 10;

/// A file on its way into a lane.
#[derive(Debug)]
pub struct Outlet {
    file: Arc<dyn KernelFile>,
    is_refused: Arc<AtomicBool>,
}

impl Outlet {
    /// The file of `reader`, if the kernel can send it, it can be looked at, and that was not slower.
    ///
    /// # Errors
    /// `Bug` only.
    pub async fn of(reader: &dyn Reader, history: &dyn History) -> Result<Option<Self>> {
        if !leads(Method::Sendfile, history, reader.entry().size) {
            return Ok(None);
        }
        let file = viewable(reader.kernel_file()).await?;
        Ok(file.map(|file| Self {
            file,
            is_refused: Arc::default(),
        }))
    }

    /// Whether the file system turned out not to send files so: better not go on.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// Sends `range`, all of it whatever becomes of the file. `hasher` has seen the file up to there.
    ///
    /// # Errors
    /// If the lane is lost.
    pub async fn send(
        &self,
        cx: &Cx,
        lease: FdLease,
        range: Range<u64>,
        hasher: ContentHasher,
    ) -> Result<Left> {
        let (cx, file) = (cx.clone(), Arc::clone(&self.file));
        let is_refused = Arc::clone(&self.is_refused);
        blocking(move || send(&cx, &*file, lease, range, hasher, &is_refused)).await?
    }
}

fn send(
    cx: &Cx,
    file: &dyn KernelFile,
    lease: FdLease,
    range: Range<u64>,
    mut hasher: ContentHasher,
    is_refused: &AtomicBool,
) -> Result<Left> {
    let FdLease {
        fd, mut witness, ..
    } = lease;
    let mut at = range.start;
    let passed = file.view(range.clone()).and_then(|view| {
        let within = |at: u64| (at - range.start) as usize;
        let mut looked = range.start;
        while at < range.end {
            let step = at..range.end.min(at + CALL_BYTES);
            let sent = match is_refused.load(Ordering::Relaxed) {
                true => None,
                false => send_step(cx, file.fd(), fd.as_fd(), step.clone())?,
            };
            at = match sent {
                Some(end) => end,
                None => {
                    is_refused.store(true, Ordering::Relaxed);
                    let bytes = within(step.start)..within(step.end);
                    look(&*view, bytes, |bytes| write_all(cx, fd.as_fd(), bytes))?;
                    step.end
                }
            };
            // What has gone may end within a group.
            let begun = match at < range.end {
                true => within(at) % GROUP_BYTES,
                false => 0,
            };
            let end = at - begun as u64;
            look(&*view, within(looked)..within(end), |bytes| {
                let group = Group::of(bytes);
                witness.see(&group);
                hasher.update_with(&group, bytes);
                Ok(())
            })?;
            looked = end;
        }
        Ok(())
    });
    let failed = match passed {
        Err(error) if is_end_of_lane(&error) => return Err(error),
        passed => passed.err(),
    };
    // The chunk was announced with its length.
    let zeros = [0; LOOK_BYTES];
    while at < range.end {
        let size = (range.end - at).min(LOOK_BYTES as u64) as usize;
        write_all(cx, fd.as_fd(), &zeros[..size])?;
        at += size as u64;
    }
    Ok(Left {
        witness,
        hasher,
        failed,
    })
}

/// Whether it is not only the file that cannot go on.
fn is_end_of_lane(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Cancelled | ErrorKind::Unreachable | ErrorKind::Bug
    )
}

/// Sends something from the front of `step`; answers where it ends. `None`: the file system does not do it.
fn send_step(
    cx: &Cx,
    file: BorrowedFd<'_>,
    socket: BorrowedFd<'_>,
    step: Range<u64>,
) -> Result<Option<u64>> {
    loop {
        let mut at = step.start;
        let wanted = (step.end - step.start) as usize;
        match rustix::fs::sendfile(socket, file, Some(&mut at), wanted) {
            Ok(0) => {
                return Err(Error::new(ErrorKind::Changed, "read")
                    .because("the file ended before its size"));
            }
            Ok(_) => return Ok(Some(at)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(cx, socket, PollFlags::OUT)?,
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => return Ok(None),
            Err(errno) if is_of_socket(errno) => return Err(lost(errno)),
            Err(errno) => return Err(Error::from_io("read", &errno.into())),
        }
    }
}

fn is_of_socket(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::PIPE
            | Errno::CONNRESET
            | Errno::CONNABORTED
            | Errno::NOTCONN
            | Errno::TIMEDOUT
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::NETDOWN
    )
}

fn write_all(cx: &Cx, socket: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(cx, socket, PollFlags::OUT)?,
            Err(errno) => return Err(lost(errno)),
        }
    }
    Ok(())
}
