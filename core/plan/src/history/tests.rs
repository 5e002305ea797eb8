use std::time::Duration;

use super::*;

const ROUTE: (&str, &str, &str) = ("a", "b", "c");

/// A run that moved one file of 1 MiB in that time.
fn record(at: i64, took_ms: u64) -> Record {
    let took = Duration::from_millis(took_ms);
    Record::new(at, ROUTE, Sample::new(Method::Pump, 1, 1 << 20, took))
}

fn mib_per_second(records: &[Record]) -> Option<f64> {
    let cost = MeasuredHistory::of(records, ROUTE).cost(Method::Pump, 1 << 20)?;
    Some(cost.bytes_per_sec / f64::from(1 << 20))
}

#[test]
fn a_record_survives_its_line() {
    let records = [record(1, 7), record(-2, 1_000_000)];
    let text = compact(&records, 10);
    assert_eq!(text.lines().count(), 2);
    assert_eq!(decode(&text), (records.to_vec(), 0));
}

#[test]
fn broken_lines_and_those_of_other_versions_are_skipped_and_counted() {
    let good = encode(&record(1, 10));
    let half = &good[..good.len() / 2];
    let newer = good.replacen("\"v\":1", "\"v\":2", 1);
    assert_ne!(newer, good);
    let text = format!("not json\n{half}\n\n{newer}\n{good}\n{{}}\n");
    assert_eq!(decode(&text), (vec![record(1, 10)], 4));
}

#[test]
fn fields_that_a_later_version_adds_are_ignored() {
    let line = encode(&record(1, 10)).replacen('{', "{\"later\":[1],", 1);
    assert_eq!(decode(&line), (vec![record(1, 10)], 0));
}

#[test]
fn only_the_newest_records_are_kept() {
    let records: Vec<Record> = (0..5).map(|at| record(at, 10)).collect();
    assert_eq!(decode(&compact(&records, 2)).0, records[3..]);
    assert_eq!(compact(&records, 0), "");
}

#[test]
fn the_median_rules_whatever_the_order() {
    let rate = mib_per_second(&[record(0, 1_000), record(1, 10_000), record(2, 500)]);
    assert_eq!(rate, Some(1.0));
}

#[test]
fn old_records_do_not_count_beside_enough_new_ones() {
    let old = (0..100).map(|at| record(at, 10_000));
    let new = (0..9).map(|at| record(100 + at, 500));
    let records: Vec<Record> = old.chain(new).collect();
    assert_eq!(mib_per_second(&records), Some(2.0));
}

#[test]
fn a_history_answers_for_its_own_route_method_and_size_only() {
    let records = [record(0, 1_000)];
    let history = MeasuredHistory::of(&records, ROUTE);
    assert!(history.cost(Method::Pump, 1 << 20).is_some());
    assert!(history.cost(Method::Reflink, 1 << 20).is_none());
    assert!(history.cost(Method::Pump, 2 << 20).is_none());
    let elsewhere = MeasuredHistory::of(&records, ("a", "b", "other"));
    assert!(elsewhere.cost(Method::Pump, 1 << 20).is_none());
}
