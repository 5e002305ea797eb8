//! How much strangers get, by where they come from: a neighbour's whole network counts as one. And how many
//! connections a machine that is known may have.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::NodeId;

/// How many connections may be on their way to a proved key: in all, and of one prefix.
pub(crate) const HALF_OPEN_MAX: usize = 256;
const HALF_OPEN_OF_PREFIX_MAX: usize = 64;

/// How many failures a prefix may have in this time, and how long it is not heard after more.
const FAILURES_MAX: u32 = 10;
const FAILURES_WINDOW: Duration = Duration::from_secs(60);
const DEAF_FOR: Duration = Duration::from_secs(60);

/// How many prefixes are remembered before those that matter no more are forgotten.
const PREFIXES_MAX: usize = 4_096;

/// How many connections one machine may have. It may have 16 sessions, and ask things beside them. What it
/// sends on a connection and nobody reads takes memory (`CONNECTION_WINDOW_BYTES`).
pub(crate) const CONNECTIONS_OF_PEER_MAX: usize = 24;

/// What each prefix, and each machine that is known, has used up.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    records: Mutex<Records>,
    connections: Mutex<HashMap<NodeId, usize>>,
}

#[derive(Debug)]
struct Records {
    of: HashMap<IpAddr, Record>,
    /// With so many, those that matter no more are forgotten.
    forget_at: usize,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            of: HashMap::new(),
            forget_at: PREFIXES_MAX,
        }
    }
}

impl Records {
    fn of(&mut self, prefix: IpAddr, now: Instant) -> &mut Record {
        if self.of.len() >= self.forget_at {
            self.of.retain(|_, record| record.matters(now));
            // While most of them matter, looking through all for each that comes would take too long.
            self.forget_at = PREFIXES_MAX.max(2 * self.of.len());
        }
        self.of.entry(prefix).or_default()
    }
}

#[derive(Debug, Default)]
struct Record {
    /// Those that have proved nothing yet, the oldest first, and who tells them to go.
    half_open: VecDeque<Arc<Notify>>,
    failures: u32,
    /// When the first of them was.
    since: Option<Instant>,
    deaf_until: Option<Instant>,
}

impl Record {
    fn matters(&self, now: Instant) -> bool {
        let is_recent = |it: Instant| now.saturating_duration_since(it) < FAILURES_WINDOW;
        let is_deaf = self.deaf_until.is_some_and(|until| until > now);
        !self.half_open.is_empty() || is_deaf || self.since.is_some_and(is_recent)
    }
}

impl Record {
    /// Tells the oldest to go.
    fn dismiss(&mut self) {
        if let Some(oldest) = self.half_open.pop_front() {
            oldest.notify_one();
        }
    }
}

impl Limits {
    /// Makes room for a connection that has proved nothing yet; `None` if it is to be hung up on. Where
    /// there are too many the oldest has to go, of the prefix that has the most: whoever comes to prove a
    /// key has done so long before, and whoever comes to sit there keeps nobody out.
    pub(crate) fn enter(self: &Arc<Self>, from: IpAddr, now: Instant) -> Option<HalfOpen> {
        let prefix = prefix_of(from);
        let mut records = self.records.lock();
        let record = records.of(prefix, now);
        if record.deaf_until.is_some_and(|until| until > now) {
            return None;
        }
        if record.half_open.len() >= HALF_OPEN_OF_PREFIX_MAX {
            record.dismiss();
        }
        let gone = Arc::<Notify>::default();
        record.half_open.push_back(Arc::clone(&gone));
        let in_all: usize = records.of.values().map(|it| it.half_open.len()).sum();
        if in_all > HALF_OPEN_MAX {
            let most = records.of.values_mut().max_by_key(|it| it.half_open.len());
            most.into_iter().for_each(Record::dismiss);
        }
        Some(HalfOpen {
            limits: Arc::clone(self),
            prefix,
            gone,
        })
    }

    /// Counts a failure to prove a key, or to be somebody who may come.
    pub(crate) fn failed(&self, from: IpAddr, now: Instant) {
        let mut records = self.records.lock();
        let record = records.of(prefix_of(from), now);
        let since = *record.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= FAILURES_WINDOW {
            record.since = Some(now);
            record.failures = 0;
        }
        record.failures += 1;
        if record.failures > FAILURES_MAX {
            tracing::warn!(%from, "too many failures: not heard for a minute");
            record.deaf_until = Some(now + DEAF_FOR);
            record.failures = 0;
            record.since = None;
        }
    }

    /// Makes room for a connection of a machine that is known; `None` if it has as many as it may.
    pub(crate) fn seat(self: &Arc<Self>, peer: NodeId) -> Option<Seat> {
        let mut connections = self.connections.lock();
        let taken = connections.entry(peer).or_default();
        if *taken >= CONNECTIONS_OF_PEER_MAX {
            return None;
        }
        *taken += 1;
        Some(Seat {
            limits: Arc::clone(self),
            peer,
        })
    }
}

/// A connection of a machine that is known.
#[derive(Debug)]
pub(crate) struct Seat {
    limits: Arc<Limits>,
    peer: NodeId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut connections = self.limits.connections.lock();
        if let Some(taken) = connections.get_mut(&self.peer) {
            *taken -= 1;
            if *taken == 0 {
                connections.remove(&self.peer);
            }
        }
    }
}

/// A connection that has proved nothing yet.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    limits: Arc<Limits>,
    prefix: IpAddr,
    gone: Arc<Notify>,
}

impl HalfOpen {
    /// Waits until it has to go, because others come.
    pub(crate) async fn dismissed(&self) {
        self.gone.notified().await;
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        if let Some(record) = self.limits.records.lock().of.get_mut(&self.prefix) {
            record.half_open.retain(|it| !Arc::ptr_eq(it, &self.gone));
        }
    }
}

/// The first 24 bits of an IPv4 address, the first 48 of an IPv6 address.
fn prefix_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    /// How many of them were told to go.
    fn dismissed(held: &[HalfOpen]) -> usize {
        use futures_util::FutureExt;
        let told = held.iter().filter_map(|it| it.dismissed().now_or_never());
        told.count()
    }

    #[test]
    fn of_a_prefix_the_oldest_half_open_connection_goes_when_there_are_too_many() {
        let (limits, now) = (Arc::new(Limits::default()), Instant::now());
        let held: Vec<_> = (0..HALF_OPEN_OF_PREFIX_MAX)
            .map(|it| limits.enter(at(&format!("192.0.2.{it}")), now).unwrap())
            .collect();
        let other = limits.enter(at("192.0.3.1"), now).unwrap();
        assert_eq!(dismissed(&held), 0);
        let new = limits.enter(at("192.0.2.200"), now).unwrap();
        let mapped = limits.enter(at("::ffff:192.0.2.200"), now).unwrap();
        assert_eq!(dismissed(&held[..2]), 2);
        assert_eq!(dismissed(&held[2..]), 0);
        assert_eq!(dismissed(&[other, new, mapped]), 0);
    }

    #[test]
    fn in_all_the_prefix_that_has_the_most_half_open_connections_makes_room() {
        let (limits, now) = (Arc::new(Limits::default()), Instant::now());
        let crowd = |it: usize| at(&format!("10.0.{}.1", it / HALF_OPEN_OF_PREFIX_MAX));
        let others: Vec<_> = (0..100)
            .map(|it| limits.enter(at(&format!("192.0.{it}.1")), now).unwrap())
            .collect();
        let held: Vec<_> = (0..HALF_OPEN_MAX)
            .map(|it| limits.enter(crowd(it), now).unwrap())
            .collect();
        assert_eq!(dismissed(&held), others.len());
        assert_eq!(dismissed(&others), 0, "they are not the crowd");
        drop(held);
        assert!(
            limits.records.lock().of[&at("10.0.0.0")]
                .half_open
                .is_empty()
        );
    }

    #[test]
    fn who_fails_too_often_is_not_heard_for_a_minute() {
        let (limits, start) = (Arc::new(Limits::default()), Instant::now());
        for _ in 0..FAILURES_MAX {
            limits.failed(at("2001:db8:1:2::3"), start);
        }
        assert!(limits.enter(at("2001:db8:1:2::3"), start).is_some());
        limits.failed(at("2001:db8:1:9::3"), start);
        assert!(limits.enter(at("2001:db8:1:2::3"), start).is_none());
        assert!(limits.enter(at("2001:db8:2::3"), start).is_some());
        let later = start + DEAF_FOR;
        assert!(limits.enter(at("2001:db8:1:2::3"), later).is_some());
    }

    #[test]
    fn a_failure_now_and_then_is_nothing() {
        let (limits, mut now) = (Arc::new(Limits::default()), Instant::now());
        for _ in 0..5 * FAILURES_MAX {
            limits.failed(at("192.0.2.1"), now);
            now += Duration::from_secs(7);
        }
        assert!(limits.enter(at("192.0.2.1"), now).is_some());
    }

    #[test]
    fn strangers_from_everywhere_do_not_fill_the_memory() {
        let (limits, start) = (Arc::new(Limits::default()), Instant::now());
        for number in 0..2 * PREFIXES_MAX {
            let later = start + FAILURES_WINDOW * (number / 100) as u32;
            let address = Ipv4Addr::from_bits((number as u32) << 8);
            limits.failed(address.into(), later);
        }
        assert!(limits.records.lock().of.len() <= PREFIXES_MAX);
    }

    #[test]
    fn strangers_who_come_and_go_without_a_failure_are_forgotten_too() {
        let (limits, now) = (Arc::new(Limits::default()), Instant::now());
        for number in 0..3 * PREFIXES_MAX {
            let address = Ipv4Addr::from_bits((number as u32) << 8);
            drop(limits.enter(address.into(), now));
        }
        assert!(limits.records.lock().of.len() <= PREFIXES_MAX);
    }

    #[test]
    fn prefixes_that_all_matter_are_not_looked_through_each_time() {
        let (limits, now) = (Arc::new(Limits::default()), Instant::now());
        for number in 0..2 * PREFIXES_MAX {
            let address = Ipv4Addr::from_bits((number as u32) << 8);
            limits.failed(address.into(), now);
        }
        let records = limits.records.lock();
        assert_eq!(records.of.len(), 2 * PREFIXES_MAX, "none is forgotten");
        assert!(records.forget_at >= 2 * PREFIXES_MAX);
    }

    #[test]
    fn a_machine_has_as_many_connections_as_it_may_and_others_have_theirs() {
        let limits = Arc::new(Limits::default());
        let (one, other) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let mut seats: Vec<_> = (0..CONNECTIONS_OF_PEER_MAX)
            .map(|_| limits.seat(one).unwrap())
            .collect();
        assert!(limits.seat(one).is_none());
        assert!(limits.seat(other).is_some());
        seats.pop();
        assert!(limits.seat(one).is_some());
        drop(seats);
        assert!(limits.connections.lock().is_empty());
    }
}
