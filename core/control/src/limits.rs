//! How much strangers get, by where they come from: a neighbour's whole network counts as one.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// How many connections may be on their way to a proved key: in all, and of one prefix.
pub(crate) const HALF_OPEN_MAX: usize = 256;
const HALF_OPEN_OF_PREFIX_MAX: usize = 64;

/// How many failures a prefix may have in this time, and how long it is not heard after more.
const FAILURES_MAX: u32 = 10;
const FAILURES_WINDOW: Duration = Duration::from_secs(60);
const DEAF_FOR: Duration = Duration::from_secs(60);

/// How many prefixes are remembered before those that matter no more are forgotten.
const PREFIXES_MAX: usize = 4_096;

/// What each prefix has used up.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    records: Mutex<HashMap<IpAddr, Record>>,
}

#[derive(Debug, Default)]
struct Record {
    half_open: usize,
    failures: u32,
    /// When the first of them was.
    since: Option<Instant>,
    deaf_until: Option<Instant>,
}

impl Record {
    fn matters(&self, now: Instant) -> bool {
        let is_recent = |it: Instant| now.saturating_duration_since(it) < FAILURES_WINDOW;
        let is_deaf = self.deaf_until.is_some_and(|until| until > now);
        self.half_open > 0 || is_deaf || self.since.is_some_and(is_recent)
    }
}

impl Limits {
    /// Makes room for a connection that has proved nothing yet; `None` if it is to be hung up on.
    pub(crate) fn enter(self: &Arc<Self>, from: IpAddr, now: Instant) -> Option<HalfOpen> {
        let prefix = prefix_of(from);
        let mut records = self.records.lock();
        let in_all: usize = records.values().map(|it| it.half_open).sum();
        let record = records.entry(prefix).or_default();
        let is_deaf = record.deaf_until.is_some_and(|until| until > now);
        if is_deaf || in_all >= HALF_OPEN_MAX || record.half_open >= HALF_OPEN_OF_PREFIX_MAX {
            return None;
        }
        record.half_open += 1;
        Some(HalfOpen {
            limits: Arc::clone(self),
            prefix,
        })
    }

    /// Counts a failure to prove a key, or to be somebody who may come.
    pub(crate) fn failed(&self, from: IpAddr, now: Instant) {
        let mut records = self.records.lock();
        if records.len() >= PREFIXES_MAX {
            records.retain(|_, record| record.matters(now));
        }
        let record = records.entry(prefix_of(from)).or_default();
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
}

/// A connection that has proved nothing yet.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    limits: Arc<Limits>,
    prefix: IpAddr,
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        if let Some(record) = self.limits.records.lock().get_mut(&self.prefix) {
            record.half_open = record.half_open.saturating_sub(1);
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

    #[test]
    fn a_prefix_has_so_many_half_open_connections_and_others_still_come() {
        let (limits, now) = (Arc::new(Limits::default()), Instant::now());
        let held: Vec<_> = (0..HALF_OPEN_OF_PREFIX_MAX)
            .map(|it| limits.enter(at(&format!("192.0.2.{it}")), now).unwrap())
            .collect();
        assert!(limits.enter(at("192.0.2.200"), now).is_none());
        assert!(limits.enter(at("::ffff:192.0.2.200"), now).is_none());
        assert!(limits.enter(at("192.0.3.1"), now).is_some());
        drop(held);
        assert!(limits.enter(at("192.0.2.200"), now).is_some());
    }

    #[test]
    fn there_are_so_many_half_open_connections_in_all() {
        let (limits, now) = (Arc::new(Limits::default()), Instant::now());
        let address = |it: usize| at(&format!("10.{it}.0.1"));
        let held: Vec<_> = (0..HALF_OPEN_MAX)
            .map(|it| limits.enter(address(it % 200), now).unwrap())
            .collect();
        assert!(limits.enter(at("192.0.2.1"), now).is_none());
        drop(held);
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
        assert!(limits.records.lock().len() <= PREFIXES_MAX);
    }
}
