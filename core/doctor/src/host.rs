//! The checks of another machine: how far the way to it leads, and what it is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use blit_config::units;
use blit_contract::{Cx, Escaped};
use blit_control::{Client, ConnectError, Identity, KnownPeer, Probe};
use blit_lanes::MakeLanes;
use blit_wire::{Hello, Status, VERSIONS};

use crate::{Check, Verdict};

/// Two clocks that differ by less are one.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// A paired machine, and who asks for it.
#[derive(Debug, Clone)]
pub struct Host<'a> {
    /// This machine.
    pub identity: &'a Identity,
    /// The other.
    pub peer: &'a KnownPeer,
    /// Where it may be reached.
    pub addresses: &'a [String],
    /// What makes the connections of sessions.
    pub lanes: Arc<dyn MakeLanes>,
}

/// Checks the way to a paired machine from its name to its modules, as far as it leads.
pub async fn check_host(cx: &Cx, host: Host<'_>) -> Vec<Check> {
    let mut probes = Vec::new();
    for address in host.addresses {
        probes.push(blit_control::probe(address).await);
    }
    let is_reached = probes.iter().any(Probe::is_connected);
    let mut checks: Vec<Check> = probes
        .iter()
        .flat_map(|probe| way(probe, is_reached))
        .collect();
    if host.addresses.is_empty() {
        let detail = "no address is known; pair from this side";
        checks.push(Check::new("address", Verdict::Bad, detail));
    }
    if !is_reached {
        return checks;
    }
    let id = host.peer.id;
    match Client::connect(host.identity, id, host.addresses, Arc::clone(&host.lanes)).await {
        Ok(client) => {
            let detail = format!("{}, the one that was paired", id.short());
            checks.push(Check::new("key", Verdict::Good, detail));
            checks.extend(spoken(cx, &client).await);
        }
        Err(error) => checks.push(refused(host.peer, &error)),
    }
    checks
}

/// What came of one address. One that does not answer is a lack while another does.
fn way(probe: &Probe, is_reached: bool) -> Vec<Check> {
    let failed = match is_reached {
        true => Verdict::Lacking,
        false => Verdict::Bad,
    };
    let name = match &probe.resolved {
        Ok(found) => {
            let found: Vec<String> = found.iter().map(|it| it.ip().to_string()).collect();
            let detail = format!("{} is {}", probe.address, found.join(", "));
            Check::new("name", Verdict::Good, detail)
        }
        Err(error) => Check::new("name", failed, format!("{}: {error}", probe.address)),
    };
    let connection = probe.connected.as_ref().map(|connected| match connected {
        Ok((at, took)) => {
            let detail = format!("{at} answers within {}", milliseconds(*took));
            Check::new("connection", Verdict::Good, detail)
        }
        Err(error) => {
            let detail = format!("{}: {error}; does blit-daemon run there?", probe.address);
            Check::new("connection", failed, detail)
        }
    });
    std::iter::once(name).chain(connection).collect()
}

fn refused(peer: &KnownPeer, error: &ConnectError) -> Check {
    let detail = match error {
        ConnectError::OtherKey { expected, found } => format!(
            "expected {}, got {}: reinstalled, or someone is in between",
            expected.short(),
            found.short()
        ),
        ConnectError::Unreachable(tried) => {
            let tried = tried.iter().map(|(at, why)| format!("{at}: {why}"));
            tried.collect::<Vec<_>>().join("; ")
        }
        other => format!("{other}; get an invitation from {}", peer.name),
    };
    Check::new("key", Verdict::Bad, detail)
}

/// Checks a machine that was reached over ssh, whose daemon has no modules.
pub async fn check_login(cx: &Cx, client: &Client) -> Vec<Check> {
    let mut checks = spoken(cx, client).await;
    checks.retain(|check| check.name != MODULES);
    checks
}

const MODULES: &str = "modules";

/// What the machine says, and how long that takes.
async fn spoken(cx: &Cx, client: &Client) -> Vec<Check> {
    let began = Instant::now();
    let status = match blit_engine::ask_status(cx, client).await {
        Ok(status) => status,
        Err(error) => {
            let detail = error.detail().unwrap_or(error.kind().phrase()).to_owned();
            return vec![Check::new("pairing", Verdict::Bad, detail)];
        }
    };
    let took = began.elapsed();
    let modules = match status.modules.len() as u64 {
        0 => Check::new(MODULES, Verdict::Lacking, "none for this machine"),
        count => Check::new(MODULES, Verdict::Good, units::count(count)),
    };
    vec![
        protocol(&status),
        Check::new("round trip", Verdict::Good, milliseconds(took)),
        clock(&status, jiff::Timestamp::now(), took / 2),
        modules,
    ]
}

fn protocol(status: &Status) -> Check {
    let (oldest, newest) = status.versions;
    let theirs = Hello {
        versions: status.versions,
    };
    let said = format!(
        "blit {} speaks {oldest} to {newest}, this one {} to {}",
        Escaped(status.version.as_bytes()),
        VERSIONS.0,
        VERSIONS.1
    );
    let ours = Hello { versions: VERSIONS };
    match ours.common_version(&theirs) {
        Some(_) => Check::new("protocol", Verdict::Good, said),
        None => Check::new("protocol", Verdict::Bad, said),
    }
}

/// The other clock against this one, which shows `now`, `ago` after the other was read.
fn clock(status: &Status, now: jiff::Timestamp, ago: Duration) -> Check {
    let theirs = jiff::Timestamp::new(status.now.secs, status.now.nanos.cast_signed());
    let Ok(theirs) = theirs else {
        return Check::new("clock", Verdict::Lacking, "it shows no time");
    };
    let ours = now.checked_sub(ago).unwrap_or(now);
    let apart = ours.duration_since(theirs).unsigned_abs();
    let detail = format!("{} apart", milliseconds(apart));
    match apart <= CLOCK_TOLERANCE {
        true => Check::new("clock", Verdict::Good, detail),
        false => Check::new(
            "clock",
            Verdict::Lacking,
            format!("{detail}: --update and ages compare times of both"),
        ),
    }
}

fn milliseconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} ms", time.as_secs_f64() * 1_000.0),
        _ => units::duration(time),
    }
}

#[cfg(test)]
mod tests {
    use blit_contract::Time;

    use super::*;

    fn status(versions: (u32, u32), secs: i64) -> Status {
        Status {
            name: "nas".to_owned(),
            version: "9".to_owned(),
            modules: Vec::new(),
            uptime_secs: 0,
            sessions: 0,
            versions,
            now: Time::new(secs, 0),
        }
    }

    #[test]
    fn a_machine_of_another_time_or_protocol_is_noticed() {
        let now = jiff::Timestamp::from_second(1_000).unwrap();
        let verdict = |secs| clock(&status(VERSIONS, secs), now, Duration::from_secs(1)).verdict;
        assert_eq!(verdict(999), Verdict::Good);
        assert_eq!(verdict(1_100), Verdict::Lacking);
        assert_eq!(verdict(0), Verdict::Lacking);
        assert_eq!(protocol(&status(VERSIONS, 0)).verdict, Verdict::Good);
        let later = (VERSIONS.1 + 1, VERSIONS.1 + 2);
        assert_eq!(protocol(&status(later, 0)).verdict, Verdict::Bad);
    }

    #[test]
    fn an_address_that_fails_is_bad_only_if_all_do() {
        let probe = Probe {
            address: "nas:9031".to_owned(),
            resolved: Ok(vec!["127.0.0.1:9031".parse().unwrap()]),
            connected: Some(Err(std::io::ErrorKind::ConnectionRefused.into())),
        };
        let verdicts = |is_reached| {
            way(&probe, is_reached)
                .iter()
                .map(|it| it.verdict)
                .collect::<Vec<_>>()
        };
        assert_eq!(verdicts(true), [Verdict::Good, Verdict::Lacking]);
        assert_eq!(verdicts(false), [Verdict::Good, Verdict::Bad]);
    }
}
