//! Where the daemon listens: on loopback until there is something to have and somebody to have it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use blit_config::Exit;
use blit_control::Door;
use tokio::{net::TcpListener, task::AbortHandle};

use crate::failure::Failure;

/// The sockets that are open.
#[derive(Debug)]
pub(crate) struct Doors {
    door: Door,
    /// As configured, with the ports that were given to port 0.
    wanted: Vec<String>,
    /// What the service manager listens on for this process. Then nothing else is listened on.
    handed: Vec<std::net::TcpListener>,
    open: Vec<(SocketAddr, AbortHandle)>,
    is_wide: Option<bool>,
    /// Whether other machines may come: sockets that were handed over are open to them all the time.
    admits_others: Arc<AtomicBool>,
}

impl Doors {
    pub(crate) fn new(
        door: Door,
        wanted: Vec<String>,
        handed: Vec<std::net::TcpListener>,
        admits_others: Arc<AtomicBool>,
    ) -> Self {
        Self {
            door,
            wanted,
            handed,
            open: Vec::new(),
            is_wide: None,
            admits_others,
        }
    }

    /// Listens where it was configured, or only where this machine itself can come. Connections that are
    /// there stay. Answers whether anything changed.
    pub(crate) async fn set(&mut self, wide: bool) -> Result<bool, Failure> {
        if self.is_wide == Some(wide) {
            return Ok(false);
        }
        self.admits_others.store(wide, Ordering::Release);
        let is_first = self.is_wide.is_none();
        if !self.handed.is_empty() {
            if is_first {
                self.open_handed()?;
            }
            self.is_wide = Some(wide);
            return Ok(is_first);
        }
        self.close();
        self.is_wide = None;
        for at in 0..self.wanted.len() {
            let wanted = self.wanted[at].clone();
            let listeners = match wide {
                true => vec![bind(&wanted).await?],
                false => bind_loopback(&wanted).await?,
            };
            for listener in listeners {
                let address = self.open(listener)?;
                if let Some(host) = wanted.strip_suffix(":0") {
                    // The next time it is the same port.
                    self.wanted[at] = format!("{host}:{}", address.port());
                }
            }
        }
        self.is_wide = Some(wide);
        Ok(true)
    }

    fn open_handed(&mut self) -> Result<(), Failure> {
        for handed in 0..self.handed.len() {
            let listener = self.handed[handed].try_clone()?;
            self.open(TcpListener::from_std(listener)?)?;
        }
        Ok(())
    }

    fn open(&mut self, listener: TcpListener) -> Result<SocketAddr, Failure> {
        let address = listener.local_addr()?;
        let task = tokio::spawn(self.door.clone().accept(listener));
        self.open.push((address, task.abort_handle()));
        Ok(address)
    }

    pub(crate) fn close(&mut self) {
        for (_, task) in self.open.drain(..) {
            task.abort();
        }
    }

    pub(crate) fn sockets(&self) -> Vec<SocketAddr> {
        self.open.iter().map(|(address, _)| *address).collect()
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        let sockets = self.sockets();
        sockets.iter().map(ToString::to_string).collect()
    }
}

async fn bind(wanted: &str) -> Result<TcpListener, Failure> {
    let failed = |cause: std::io::Error| {
        Failure::new(
            "net.listen",
            Exit::Failed,
            format!("cannot listen on {wanted}"),
        )
        .because(&cause)
        .next("see who does: ss -ltnp")
    };
    // An accept loop that was just ended may hold its socket for a moment more.
    for _ in 0..100 {
        match TcpListener::bind(wanted).await {
            Err(cause) if cause.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            other => return or_ipv4(other, wanted).await.map_err(failed),
        }
    }
    TcpListener::bind(wanted).await.map_err(failed)
}

/// A machine without IPv6 still has its other addresses.
async fn or_ipv4(
    bound: std::io::Result<TcpListener>,
    wanted: &str,
) -> std::io::Result<TcpListener> {
    match (bound, wanted.strip_prefix("[::]:")) {
        (Err(cause), Some(port)) if has_no_ipv6(&cause) => {
            TcpListener::bind(format!("0.0.0.0:{port}")).await
        }
        (bound, _) => bound,
    }
}

fn has_no_ipv6(cause: &std::io::Error) -> bool {
    let number = cause
        .raw_os_error()
        .map(rustix::io::Errno::from_raw_os_error);
    number.is_some_and(|it| {
        it == rustix::io::Errno::AFNOSUPPORT || it == rustix::io::Errno::ADDRNOTAVAIL
    })
}

/// The same port where only this machine can come. What is loopback already stays as it is.
async fn bind_loopback(wanted: &str) -> Result<Vec<TcpListener>, Failure> {
    let resolved = tokio::net::lookup_host(wanted).await;
    let mut resolved = resolved.map_err(|cause| {
        let text = format!("daemon.listen: {wanted} is no address");
        Failure::config("config.value", text).because(&cause)
    })?;
    let Some(address) = resolved.next() else {
        return Ok(Vec::new());
    };
    if address.ip().is_loopback() {
        return Ok(vec![bind(wanted).await?]);
    }
    let first = bind(&format!("127.0.0.1:{}", address.port())).await?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    if address.is_ipv6() {
        // Without IPv6 there is no loopback of it either.
        listeners.extend(TcpListener::bind(format!("[::1]:{port}")).await.ok());
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_ipv6_is_told_from_other_errors() {
        let error = |number: rustix::io::Errno| std::io::Error::from(number);
        assert!(has_no_ipv6(&error(rustix::io::Errno::AFNOSUPPORT)));
        assert!(!has_no_ipv6(&error(rustix::io::Errno::ACCESS)));
    }

    #[tokio::test]
    async fn loopback_of_an_address_has_its_port() {
        let bound = bind_loopback("0.0.0.0:0").await.unwrap();
        assert!(bound[0].local_addr().unwrap().ip().is_loopback());
        let six = bind_loopback("[::]:0").await.unwrap();
        let ports: Vec<_> = six
            .iter()
            .map(|it| it.local_addr().unwrap().port())
            .collect();
        assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }
}
