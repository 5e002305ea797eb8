//! Sockets that the service manager has opened for this process.

#![expect(
    unsafe_code,
    reason = "who owns an inherited descriptor is known only by convention"
)]

use std::{
    io,
    net::TcpListener,
    os::fd::{FromRawFd, OwnedFd},
};

/// Takes the sockets that were handed over at the start, by `LISTEN_FDS`. To be called once.
pub(crate) fn handed_sockets() -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    for number in sd_notify::listen_fds()? {
        // SAFETY: `LISTEN_PID` names this process, so these descriptors are open, and were opened for it
        // to own; nothing else of the program knows their numbers, and this is called once.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        let socket = TcpListener::from(socket);
        // What is no listening socket of IP shows it here, and not at the first client.
        socket.local_addr()?;
        socket.set_nonblocking(true)?;
        sockets.push(socket);
    }
    Ok(sockets)
}
