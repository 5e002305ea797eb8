use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use blit_contract::{
    Diff, DiffKind, Entry, Error, ErrorKind, History, Kind, Method, Name, NoHistory, Outcome,
    PlanCx, Planner, RelPath, Replace, Result, Sample, Work, WorkItem,
};
use futures_util::{FutureExt, StreamExt, stream};
use proptest::prelude::*;

use crate::{
    DefaultPlanner, MeasuredHistory, Record, compact, decode, encode,
    planner::{PACK_BYTES, PACK_FILES, PACKED_BYTES_MAX, STRIPED_BYTES_MIN},
    window::WINDOW_DIFFS,
};

fn diff(number: usize, size: u64, kind: DiffKind) -> Diff {
    let name = Name::new(format!("{number:06}").into_bytes()).unwrap();
    let mut entry = Entry::new(name.clone(), Kind::File);
    entry.size = size;
    entry.allocated = size;
    Diff::new(RelPath::ROOT.join(name), entry, kind, Replace::Nothing)
}

fn planned(diffs: Vec<Result<Diff>>) -> Vec<Result<WorkItem>> {
    let planner = DefaultPlanner::default();
    let cx = PlanCx::new(&NoHistory, 4, 0);
    let plan = planner.plan(cx, Box::pin(stream::iter(diffs)));
    plan.collect::<Vec<_>>().now_or_never().unwrap()
}

fn plan(diffs: &[Diff]) -> Vec<WorkItem> {
    let plan = planned(diffs.iter().cloned().map(Ok).collect());
    plan.into_iter().map(Result::unwrap).collect()
}

/// Each difference of a piece of work with the bytes that the piece covers.
fn covered(work: &Work) -> Vec<(String, u64, u64)> {
    let whole = |diff: &Diff| (diff.path.to_string(), 0, diff.entry.size);
    match work {
        Work::Attributes(diffs) | Work::Digests(diffs) | Work::Pack(diffs) => {
            diffs.iter().map(whole).collect()
        }
        Work::Whole(diff) => vec![whole(diff)],
        Work::Range {
            diff, start, end, ..
        } => vec![(diff.path.to_string(), *start, *end)],
        _ => Vec::new(),
    }
}

fn kinds() -> impl Strategy<Value = DiffKind> {
    prop_oneof![
        4 => Just(DiffKind::Content),
        1 => Just(DiffKind::Attributes),
        1 => Just(DiffKind::Digest),
    ]
}

fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        1_u64..5_000,
        PACKED_BYTES_MAX - 1..PACKED_BYTES_MAX + 2,
        STRIPED_BYTES_MIN - 1..STRIPED_BYTES_MIN * 9,
    ]
}

fn diffs() -> impl Strategy<Value = Vec<Diff>> {
    let one = (sizes(), kinds());
    prop::collection::vec(one, 0..400).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        numbered
            .map(|(at, (size, kind))| diff(at, size, kind))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_difference_is_covered_exactly_once_and_ranges_tile_their_file(diffs in diffs()) {
        let mut ends: HashMap<String, Vec<(u64, u64)>> = HashMap::new();
        for item in plan(&diffs) {
            for (path, start, end) in covered(&item.work) {
                ends.entry(path).or_default().push((start, end));
            }
        }
        prop_assert_eq!(ends.len(), diffs.len());
        for diff in &diffs {
            let mut ranges = ends.remove(&diff.path.to_string()).unwrap();
            ranges.sort_unstable();
            let mut at = 0;
            for (start, end) in ranges {
                prop_assert_eq!(start, at);
                at = end;
            }
            prop_assert_eq!(at, diff.entry.size);
        }
    }

    #[test]
    fn kinds_are_never_mixed_and_packs_keep_their_limits(diffs in diffs()) {
        for item in plan(&diffs) {
            let of = |diffs: &[Diff], kind| diffs.iter().all(|diff| diff.kind == kind);
            match &item.work {
                Work::Attributes(diffs) => prop_assert!(of(diffs, DiffKind::Attributes)),
                Work::Digests(diffs) => prop_assert!(of(diffs, DiffKind::Digest)),
                Work::Pack(diffs) => {
                    prop_assert!(of(diffs, DiffKind::Content) && diffs.len() <= PACK_FILES);
                    let bytes: u64 = diffs.iter().map(|diff| diff.entry.size).sum();
                    prop_assert!(bytes <= PACK_BYTES || diffs.len() == 1);
                }
                _ => {}
            }
            prop_assert!(!item.reason.is_empty());
        }
    }

    #[test]
    fn the_same_input_gives_the_same_plan(diffs in diffs()) {
        let show = |plan: Vec<WorkItem>| format!("{plan:?}");
        prop_assert_eq!(show(plan(&diffs)), show(plan(&diffs)));
    }

    #[test]
    fn the_planner_reads_only_a_bounded_number_ahead(size in sizes(), count in 0_usize..3_000) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let input = stream::iter(0..count).map(move |at| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(diff(at, size, DiffKind::Content))
        });
        let planner = DefaultPlanner::default();
        let mut plan = planner.plan(PlanCx::new(&NoHistory, 4, 0), Box::pin(input));
        let mut given = 0;
        while let Some(item) = plan.next().now_or_never().unwrap() {
            let item = item.unwrap();
            given += match &item.work {
                Work::Range { part, .. } => usize::from(*part == 0),
                work => covered(work).len(),
            };
            prop_assert!(taken.load(Ordering::Relaxed) - given <= WINDOW_DIFFS + 1);
        }
        prop_assert_eq!(given, count);
    }
}

#[test]
fn the_first_pack_is_small_so_that_the_first_byte_leaves_at_once() {
    let many: Vec<Diff> = (0..1_000)
        .map(|at| diff(at, 10, DiffKind::Content))
        .collect();
    let sizes: Vec<usize> = plan(&many)
        .iter()
        .map(|item| covered(&item.work).len())
        .collect();
    assert_eq!(sizes[..5], [8, 16, 32, 64, 128]);
}

#[test]
fn a_half_full_pack_leaves_when_no_more_is_at_hand() {
    let input = stream::iter([Ok(diff(0, 10, DiffKind::Content))]).chain(stream::pending());
    let planner = DefaultPlanner::default();
    let mut plan = planner.plan(PlanCx::new(&NoHistory, 4, 0), Box::pin(input));
    let first = plan.next().now_or_never().flatten();
    assert!(first.is_some());
}

#[test]
fn near_the_end_large_files_go_first() {
    let sizes = [2 << 20, 9 << 20, 5 << 20];
    let diffs: Vec<Diff> = (0..)
        .zip(sizes)
        .map(|(at, size)| diff(at, size, DiffKind::Content))
        .collect();
    let order: Vec<u64> = plan(&diffs)
        .iter()
        .map(|item| covered(&item.work)[0].2 >> 20)
        .collect();
    assert_eq!(order, [9, 5, 2]);
}

#[test]
fn a_file_with_holes_travels_alone_however_small() {
    let mut sparse = diff(0, 100_000, DiffKind::Content);
    sparse.entry.allocated = 0;
    let items = plan(&[sparse]);
    assert!(matches!(items[0].work, Work::Whole(_)));
    assert!(items[0].reason.contains("holes"));
}

#[test]
fn a_file_that_is_tried_again_is_not_striped() {
    let mut again = diff(0, STRIPED_BYTES_MIN * 4, DiffKind::Content);
    again.attempt = 1;
    assert!(matches!(plan(&[again])[0].work, Work::Whole(_)));
}

#[test]
fn an_error_passes_through_in_its_place() {
    let error = || Err(Error::new(ErrorKind::Io, "list"));
    let input = vec![Ok(diff(0, 10, DiffKind::Content)), error()];
    let items = planned(input);
    assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1);
    assert_eq!(items.iter().filter(|item| item.is_ok()).count(), 1);
}

#[test]
fn a_measured_rate_sets_the_stripe() {
    let planner = DefaultPlanner::default();
    let sample = Sample::new(Method::CopyFileRange, 1, 4 << 30, Duration::from_secs(8));
    planner.observe(&Outcome::new(0, Some(sample)));
    let large = diff(0, 4 << 30, DiffKind::Content);
    let cx = PlanCx::new(&NoHistory, 4, 0);
    let plan = planner.plan(cx, Box::pin(stream::iter([Ok(large)])));
    let items = plan.collect::<Vec<_>>().now_or_never().unwrap();
    // 512 MiB/s for a quarter of a second.
    assert_eq!(items.len(), 4096 / 128);
}

fn record(at: i64, bytes: u64) -> Record {
    let sample = Sample::new(Method::Pump, 1, bytes, Duration::from_secs(1));
    Record::new(at, ("a", "b", "c"), sample)
}

#[test]
fn history_survives_a_broken_line_and_keeps_the_newest() {
    let lines = [record(1, 1 << 20), record(2, 2 << 20), record(3, 3 << 20)];
    let mut text = String::from("not json\n{\"v\":99}\n");
    text.push_str(
        &lines
            .iter()
            .map(|line| encode(line) + "\n")
            .collect::<String>(),
    );
    let (records, broken) = decode(&text);
    assert_eq!((records.len(), broken), (3, 2));
    let (kept, _) = decode(&compact(&records, 2));
    assert_eq!(kept, lines[1..]);
}

#[test]
fn history_answers_for_its_own_route_with_the_median() {
    let records: Vec<Record> = [5, 1, 3].map(|mib| record(0, mib << 20)).into();
    let history = MeasuredHistory::of(&records, ("a", "b", "c"));
    let rate = history.cost(Method::Pump, 3 << 20).unwrap().bytes_per_sec;
    assert!(
        (rate - f64::from(3 << 20)).abs() < f64::from(3 << 20),
        "{rate}"
    );
    let elsewhere = MeasuredHistory::of(&records, ("a", "b", "other"));
    assert!(elsewhere.cost(Method::Pump, 3 << 20).is_none());
}
