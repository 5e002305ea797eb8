//! The one question that the kernel answers only to those who try.
#![expect(unsafe_code, reason = "no library of ours sets this option")]

use std::{io, net::TcpStream, os::fd::AsRawFd};

/// Asks the kernel to encrypt what crosses this socket from now on. Without keys nothing crosses any more.
pub(crate) fn attach_tls(socket: &TcpStream) -> io::Result<()> {
    const NAME: [u8; 3] = *b"tls";
    // SAFETY: the socket is open for the call, and the kernel reads as many bytes as there are.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_ULP,
            NAME.as_ptr().cast(),
            NAME.len() as libc::socklen_t,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
