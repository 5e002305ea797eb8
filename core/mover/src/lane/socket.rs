//! What both ways need.

use std::{os::fd::BorrowedFd, sync::Arc};

use blit_contract::{Cx, Error, ErrorKind, KernelFile, Result};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::blocking;

/// How long a socket is waited for before it is asked whether anybody still wants it: 100 ms.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Gives the file if it can be looked at.
pub(super) async fn viewable(
    file: Option<Arc<dyn KernelFile>>,
) -> Result<Option<Arc<dyn KernelFile>>> {
    let Some(file) = file else {
        return Ok(None);
    };
    blocking(move || file.view(0..1).is_ok().then_some(file)).await
}

pub(super) fn lost(errno: Errno) -> Error {
    let cause = std::io::Error::from(errno);
    Error::new(ErrorKind::Unreachable, "use a lane").because(cause.to_string())
}

/// Waits until the socket is ready.
pub(super) fn wait(cx: &Cx, socket: BorrowedFd<'_>, flags: PollFlags) -> Result<()> {
    loop {
        cx.check()?;
        let mut polled = [PollFd::new(&socket, flags)];
        match poll(&mut polled, Some(&PATIENCE)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(lost(errno)),
        }
    }
}
