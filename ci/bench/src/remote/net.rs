//! A network namespace of its own.

use crate::shell;
use eyre::{Context, OptionExt, ensure};
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// The address that both sides have: no loopback address, though it never leaves the machine.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 1, 1));

/// How long a server may take until it listens.
const LISTEN_WAIT: Duration = Duration::from_secs(20);
/// How often it is looked whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// In a new namespace: `$0` is the harness, the rest its arguments.
const INSIDE: &str =
    r#"ip link set lo up && ip address add "$1/32" dev lo && shift && exec "$0" "$@""#;

/// Runs this program once more, with the same arguments and `more`, in a namespace of its own.
/// Returns only if that fails.
///
/// # Errors
/// When the namespace cannot be made.
pub fn enter(more: &str) -> eyre::Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root may make a network namespace"
    );
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut command = Command::new("unshare");
    command.args(["--net", "--", "sh", "-c", INSIDE]);
    command
        .arg(std::env::current_exe()?)
        .arg(ADDRESS.to_string());
    Err(command.args(arguments).arg(more).exec()).wrap_err("no network namespace (unshare, ip)")
}

/// A slower link, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Slower(());

impl Slower {
    /// Lets so many bits a second pass, headers included, in packets as on Ethernet.
    pub(crate) fn to(bits_s: u64) -> eyre::Result<Self> {
        // Both directions share it, which costs what is acknowledged: some two per cent.
        let rate = format!("{bits_s}bit");
        let shape = ["qdisc", "replace", "dev", "lo", "root", "tbf"];
        let size = ["rate", &rate, "burst", "256kb", "latency", "50ms"];
        shell::output(Command::new("tc").args(shape).args(size))?;
        shell::output(Command::new("ip").args(["link", "set", "lo", "mtu", "1500"]))?;
        Ok(Self(()))
    }
}

impl Drop for Slower {
    fn drop(&mut self) {
        let plain = [
            ("tc", "qdisc delete dev lo root"),
            ("ip", "link set lo mtu 65536"),
        ];
        for (program, words) in plain {
            drop(shell::output(Command::new(program).args(words.split(' '))));
        }
    }
}

/// Where a server listens.
pub(crate) fn at(port: u16) -> SocketAddr {
    SocketAddr::new(ADDRESS, port)
}

/// The bytes that the namespace's interface has carried, with every header. Both directions pass it
/// once: what one side sends is what the other gets.
pub(crate) fn carried_bytes() -> eyre::Result<u64> {
    carried(&fs::read_to_string("/proc/net/dev")?)
        .ok_or_eyre("/proc/net/dev does not say what crossed")
}

fn carried(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|it| it.trim_start().strip_prefix("lo:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Waits until somebody listens at `port`. Nobody is called for that: a server may count it as a failure.
pub(crate) fn wait_for(port: u16) -> eyre::Result<()> {
    let began = Instant::now();
    while !is_listening(port)? {
        ensure!(
            began.elapsed() < LISTEN_WAIT,
            "nobody listens at port {port}"
        );
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn is_listening(port: u16) -> eyre::Result<bool> {
    let tables = [
        fs::read_to_string("/proc/net/tcp")?,
        fs::read_to_string("/proc/net/tcp6").unwrap_or_default(),
    ];
    Ok(tables.iter().any(|table| listens(table, port)))
}

/// A line is `0: 0101004D:2347 00000000:0000 0A …`: local address, remote address, state.
fn listens(table: &str, port: u16) -> bool {
    let end = format!(":{port:04X}");
    table.lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().take(4).collect();
        matches!(words[..], [_, local, _, "0A"] if local.ends_with(&end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_interface_carried_is_read_from_its_line() {
        let text = "Inter-|   Receive\n face |bytes packets\n eth0: 5 1\n    lo: 1234 7 0 0 0 0 0 0 1234 7\n";
        assert_eq!(carried(text), Some(1_234));
        assert_eq!(carried("eth0: 5 1\n"), None);
    }

    #[test]
    fn only_a_socket_that_listens_at_the_port_counts() {
        let table = "  sl  local_address rem_address   st\n   0: 01014D0A:2347 00000000:0000 0A 0\n   1: 01014D0A:2222 01014D0A:9999 01 0\n";
        assert!(listens(table, 0x2347));
        assert!(!listens(table, 0x2222));
        assert!(!listens(table, 0x2348));
    }
}
