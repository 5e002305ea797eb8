//! The one thing that is done between fork and exec.
#![expect(
    unsafe_code,
    reason = "what runs between fork and exec must be safe to run there"
)]

use std::io;

use tokio::process::Command;

/// Has the program ignore Ctrl-C: whoever started it decides when it ends.
pub(crate) fn ignore_interrupts(command: &mut Command) {
    // SAFETY: `signal` may be called between fork and exec, and nothing else is.
    unsafe {
        command.pre_exec(ignore_interrupt);
    }
}

fn ignore_interrupt() -> io::Result<()> {
    // SAFETY: to ignore a signal needs no handler.
    let before = unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    match before {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
