//! How a socket is set up.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// When nothing has come for so long the other end is asked whether it is there.
const IDLE: Duration = Duration::from_secs(20);

/// How long between questions, and how many may stay without an answer: a dead peer is found within a
/// minute.
const INTERVAL: Duration = Duration::from_secs(10);
const RETRIES: u32 = 4;

/// Sets the socket of a lane up. Buffers are left to the kernel, which measures.
pub(crate) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(IDLE)
        .with_interval(INTERVAL)
        .with_retries(RETRIES);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}
