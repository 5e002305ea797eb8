//! The checks of another machine: how far the way to it leads, and what it is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use blit_config::units;
use blit_contract::{Cx, Escaped, Name, RelPath, Store};
use blit_control::{Client, ConnectError, Connected, Identity, KnownPeer, Probe};
use blit_discover::{Neighbour, scan};
use blit_engine::RemoteStore;
use blit_lanes::MakeLanes;
use blit_wire::{Hello, Place, Status, VERSIONS};

use crate::{Check, Verdict};

/// Two clocks that differ by less are one.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// What is asked when a long question is wanted: more than a packet of any network.
const LONG_NAME_BYTES: usize = 200;
const LONG_NAMES: usize = 100;

/// How long the answer to it may take.
const LARGE_WAIT: Duration = Duration::from_secs(5);

/// How long the local network may take to tell of a machine.
const ANNOUNCED_WAIT: Duration = Duration::from_secs(3);

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
    checks.extend(announced(&host).await);
    if !is_reached {
        return checks;
    }
    let segment = probes.iter().find_map(segment_of);
    let id = host.peer.id;
    match Client::connect(host.identity, id, host.addresses, Arc::clone(&host.lanes)).await {
        Ok(client) => {
            let detail = format!("{}, the one that was paired", id.short());
            checks.push(Check::new("key", Verdict::Good, detail));
            checks.extend(spoken(cx, &client, segment).await);
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
        Ok(Connected { at, took, .. }) => {
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
    let mut checks = spoken(cx, client, None).await;
    checks.retain(|check| check.name != MODULES);
    checks
}

const MODULES: &str = "modules";

/// What the machine says, and how long that takes.
async fn spoken(cx: &Cx, client: &Client, segment: Option<u32>) -> Vec<Check> {
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
    let large = match status.modules.first() {
        Some(module) => Some(path_mtu(cx, client, &module.name, segment).await),
        None => None,
    };
    let mut checks = vec![
        protocol(&status),
        Check::new("round trip", Verdict::Good, milliseconds(took)),
        clock(&status, jiff::Timestamp::now(), took / 2),
        modules,
    ];
    checks.extend(large);
    checks
}

/// How much of one address goes into a packet.
fn segment_of(probe: &Probe) -> Option<u32> {
    let connected = probe.connected.as_ref()?.as_ref().ok()?;
    connected.segment_bytes
}

/// Whether what needs several full packets arrives as what fits into one did: asks for a path that is long
/// and not there.
async fn path_mtu(cx: &Cx, client: &Client, module: &str, segment: Option<u32>) -> Check {
    let name = Name::new(vec![b'x'; LONG_NAME_BYTES]);
    let names = name.iter().cycle().take(LONG_NAMES);
    let path = names.fold(RelPath::ROOT, |path, name| path.join(name.clone()));
    let module = module.to_owned();
    let there = RemoteStore::new(Arc::new(client.clone()), Place { module, path });
    let answer = tokio::time::timeout(LARGE_WAIT, there.stat(cx, &RelPath::ROOT)).await;
    judge_mtu(answer.is_ok(), segment)
}

fn judge_mtu(passes: bool, segment: Option<u32>) -> Check {
    let size = match segment {
        Some(bytes) => format!("{bytes} bytes to a packet"),
        None => "packets".to_owned(),
    };
    match passes {
        true => Check::new(
            "path MTU",
            Verdict::Good,
            format!("full packets pass, {size}"),
        ),
        false => Check::new(
            "path MTU",
            Verdict::Bad,
            format!(
                "small packets pass and full ones are lost ({size}): something on the way drops them \
                 without a word; try a smaller one: ip link set dev DEVICE mtu 1280"
            ),
        ),
    }
}

/// Whether the local network tells of it; of a machine that is this one it never does.
async fn announced(host: &Host<'_>) -> Option<Check> {
    let is_here = |address: &String| {
        let name = address
            .rsplit_once(':')
            .map_or(&**address, |(name, _)| name);
        let ip = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        name == "localhost" || ip.is_ok_and(|it| it.to_canonical().is_loopback())
    };
    if host.addresses.iter().all(is_here) {
        return None;
    }
    let short = host.peer.id.short();
    let known = short.clone();
    let heard = scan(ANNOUNCED_WAIT, move |it: &Neighbour| it.may_hold(&known)).await;
    Some(match heard {
        Err(error) => Check::new("mDNS", Verdict::Lacking, error.to_string()),
        Ok(heard) => match heard.iter().find(|it| it.may_hold(&short)) {
            Some(it) => {
                let detail = format!("{} announces itself at {}", it.name, it.places().join(", "));
                Check::new("mDNS", Verdict::Good, detail)
            }
            None => {
                let detail = "it does not announce itself here: another network, no multicast, or \
                              discovery.mdns = false";
                Check::new("mDNS", Verdict::Lacking, detail)
            }
        },
    })
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
            keeps: true,
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

    #[test]
    fn packets_that_are_lost_when_they_are_full_are_bad() {
        let check = judge_mtu(false, Some(1_448));
        assert_eq!(check.verdict, Verdict::Bad);
        assert!(check.detail.contains("1448 bytes"), "{}", check.detail);
        assert_eq!(judge_mtu(true, None).verdict, Verdict::Good);
    }
}
