//! What earlier runs measured: a capped list of JSON lines that never leaves the machine.
//!
//! This is the format and the policy; whoever runs transfers reads and writes the file.

use std::collections::BTreeMap;

use blit_contract::{Cost, History, Method, Sample};
use serde::{Deserialize, Serialize};

use crate::rates::{Key, key_of, rate_of};

/// The version of the lines.
const VERSION: u32 = 1;

/// How many of the newest records of a method and size count.
const RECENT: usize = 9;

/// One measurement of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this line.
    pub v: u32,
    /// When, in seconds since 1970 UTC.
    pub at: i64,
    /// What the source is: a store's id.
    pub source: String,
    /// What the target is: a store's id.
    pub target: String,
    /// How the two were connected: a transport's id.
    pub transport: String,
    /// What was measured.
    #[serde(flatten)]
    pub sample: Sample,
}

impl Record {
    /// What was measured between two stores over a transport, at that many seconds since 1970 UTC.
    #[must_use]
    pub fn new(at: i64, route: (&str, &str, &str), sample: Sample) -> Self {
        let (source, target, transport) = route;
        Self {
            v: VERSION,
            at,
            source: source.to_owned(),
            target: target.to_owned(),
            transport: transport.to_owned(),
            sample,
        }
    }
}

/// The record as one line, without its end.
#[must_use]
pub fn encode(record: &Record) -> String {
    // Strings and whole numbers only: there is no record that JSON cannot say.
    serde_json::to_string(record).unwrap_or_default()
}

/// The records of `text`, and how many lines were no records of a known version.
#[must_use]
pub fn decode(text: &str) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    let mut broken = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str::<Record>(line) {
            Ok(record) if record.v == VERSION => records.push(record),
            _ => broken += 1,
        }
    }
    (records, broken)
}

/// The newest `records_max` of `records`, which are the last, as the text of a file.
#[must_use]
pub fn compact(records: &[Record], records_max: usize) -> String {
    let newest = &records[records.len().saturating_sub(records_max)..];
    let mut text = String::new();
    for record in newest {
        text.push_str(&encode(record));
        text.push('\n');
    }
    text
}

/// Rates from the records of one route: the median of the newest, so that one bad run does not count.
#[derive(Debug, Clone, Default)]
pub struct MeasuredHistory(BTreeMap<Key, f64>);

impl MeasuredHistory {
    /// What `records`, the newest last, say of the route between two stores over a transport.
    #[must_use]
    pub fn of(records: &[Record], route: (&str, &str, &str)) -> Self {
        let on_route =
            |record: &&Record| (&*record.source, &*record.target, &*record.transport) == route;
        let mut rates: BTreeMap<_, Vec<f64>> = BTreeMap::new();
        let newest_first = records.iter().rev().filter(on_route);
        for (key, rate) in newest_first.filter_map(|record| rate_of(&record.sample)) {
            let newest = rates.entry(key).or_default();
            if newest.len() < RECENT {
                newest.push(rate);
            }
        }
        let medians = rates
            .into_iter()
            .filter_map(|(key, rates)| Some((key, median(rates)?)));
        Self(medians.collect())
    }
}

fn median(mut rates: Vec<f64>) -> Option<f64> {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

impl History for MeasuredHistory {
    fn cost(&self, method: Method, size_bytes: u64) -> Option<Cost> {
        let rate = self.0.get(&key_of(method, size_bytes))?;
        Some(Cost {
            bytes_per_sec: *rate,
            ..Cost::default()
        })
    }
}

#[cfg(test)]
mod tests;
