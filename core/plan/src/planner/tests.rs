use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use blit_contract::{
    Cost, DiffKind, Entry, ErrorKind, Kind, Name, NoHistory, RelPath, Replace, Sample, StoreCaps,
    TransportCaps,
};
use futures_util::{FutureExt, StreamExt, stream};
use proptest::{
    prelude::*,
    test_runner::{TestCaseResult, TestRng, TestRunner},
};

use super::*;
use crate::{
    round::{BATCH_DIFFS_MAX, PACK_BYTES_MAX, PACKED_BYTES_MAX},
    stripes::{STRIPE_ALIGN_BYTES, STRIPE_BYTES_MAX},
};

/// What the input does next.
#[derive(Debug, Clone)]
enum Step {
    Diff(Diff),
    Fail,
    Pause,
}

/// What came out of a plan.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a handful of values in a test")]
enum Seen {
    Item(WorkItem),
    Failure,
    /// The plan had nothing to give, after that many steps of the input.
    Idle(usize),
}

fn diff(number: usize, size: u64, kind: DiffKind) -> Diff {
    let name = Name::new(format!("{number:06}").into_bytes()).unwrap();
    let mut entry = Entry::new(name.clone(), Kind::File);
    entry.size = size;
    entry.allocated = size;
    Diff::new(RelPath::ROOT.join(name), entry, kind, Replace::Nothing)
}

fn content(sizes: &[u64]) -> Vec<Step> {
    let numbered = sizes.iter().enumerate();
    numbered
        .map(|(at, size)| Step::Diff(diff(at, *size, DiffKind::Content)))
        .collect()
}

/// Both ends can do everything but share blocks.
fn striping(workers: u32, history: &dyn History) -> PlanCx<'_> {
    let store = StoreCaps::new().with_native(&[StoreCap::RangeRead, StoreCap::RangeWrite]);
    PlanCx::new(history, workers, 0).with_caps(store, store, TransportCaps::new())
}

/// Runs a plan over `steps` to its end.
fn run(cx: PlanCx<'_>, steps: &[Step]) -> Vec<Seen> {
    run_by(&DefaultPlanner::default(), cx, steps)
}

fn run_by(planner: &DefaultPlanner, cx: PlanCx<'_>, steps: &[Step]) -> Vec<Seen> {
    let taken = AtomicUsize::new(0);
    let mut left: VecDeque<Step> = steps.iter().cloned().collect();
    let input = stream::poll_fn(|_| {
        let step = left.pop_front();
        taken.fetch_add(usize::from(step.is_some()), Ordering::Relaxed);
        match step {
            Some(Step::Diff(diff)) => Poll::Ready(Some(Ok(diff))),
            Some(Step::Fail) => Poll::Ready(Some(Err(Error::new(ErrorKind::Io, "list")))),
            Some(Step::Pause) => Poll::Pending,
            None => Poll::Ready(None),
        }
    });
    let mut plan = planner.plan(cx, Box::pin(input));
    let mut seen = Vec::new();
    loop {
        match plan.next().now_or_never() {
            Some(Some(Ok(item))) => seen.push(Seen::Item(item)),
            Some(Some(Err(_))) => seen.push(Seen::Failure),
            Some(None) => return seen,
            None => seen.push(Seen::Idle(taken.load(Ordering::Relaxed))),
        }
    }
}

fn items(seen: Vec<Seen>) -> Vec<WorkItem> {
    let items = seen.into_iter().filter_map(|seen| match seen {
        Seen::Item(item) => Some(item),
        _ => None,
    });
    items.collect()
}

/// The differences of a piece of work, each with the bytes of it that are covered.
fn covered(work: &Work) -> Vec<(&Diff, u64, u64)> {
    match work {
        Work::Attributes(diffs) | Work::Digests(diffs) | Work::Pack(diffs) => diffs
            .iter()
            .map(|diff| (diff, 0, diff.entry.size))
            .collect(),
        Work::Whole(diff) => vec![(diff, 0, diff.entry.size)],
        Work::Range {
            diff, start, end, ..
        } => vec![(diff, *start, *end)],
        other => panic!("unknown work: {other:?}"),
    }
}

/// How many differences a piece of work brings to their end or, of a striped file, to a start.
fn begun(work: &Work) -> usize {
    match work {
        Work::Range { part, .. } => usize::from(*part == 0),
        work => covered(work).len(),
    }
}

fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        4 => 1_u64..5_000,
        2 => PACKED_BYTES_MAX - 1..PACKED_BYTES_MAX + 2,
        1 => PACKED_BYTES_MAX..STRIPED_BYTES_MIN,
        1 => STRIPED_BYTES_MIN - 1..STRIPED_BYTES_MIN * 9,
    ]
}

fn kinds() -> impl Strategy<Value = DiffKind> {
    prop_oneof![
        4 => Just(DiffKind::Content),
        1 => Just(DiffKind::Attributes),
        1 => Just(DiffKind::Digest),
    ]
}

/// Bytes per second of any machine, and what no machine has.
fn rates() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        1 => Just(None),
        4 => (1e6..8e9).prop_map(Some),
        1 => prop::num::f64::ANY.prop_map(Some),
    ]
}

prop_compose! {
    fn diffs()(size in sizes(), kind in kinds(), holes: bool, attempt in 0_u8..20) -> Diff {
        let mut diff = diff(0, size, kind);
        diff.entry.allocated = if holes { size / 2 } else { size };
        diff.attempt = attempt.saturating_sub(18);
        diff
    }
}

/// An input of any kind, in any rhythm. Each difference has a path of its own.
fn inputs() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        60 => diffs().prop_map(Step::Diff),
        1 => Just(Step::Fail),
        3 => Just(Step::Pause),
    ];
    prop::collection::vec(step, 0..600).prop_map(|mut steps| {
        for (number, step) in steps.iter_mut().enumerate() {
            if let Step::Diff(step) = step {
                step.path = diff(number, 0, step.kind).path;
            }
        }
        steps
    })
}

/// Each difference once; the ranges of a file tile it and say so.
fn check_coverage(steps: &[Step]) -> TestCaseResult {
    let seen = items(run(striping(4, &NoHistory), steps));
    let mut ranges: HashMap<RelPath, Vec<(u64, u64)>> = HashMap::new();
    for (number, item) in seen.iter().enumerate() {
        prop_assert_eq!(item.id, number as u64);
        if let Work::Range {
            start, end, part, ..
        } = item.work
        {
            prop_assert!(start < end && start % STRIPE_ALIGN_BYTES == 0);
            prop_assert!(end - start <= STRIPE_BYTES_MAX);
            prop_assert_eq!(part == 0, start == 0);
        }
        for (diff, start, end) in covered(&item.work) {
            let ranges = ranges.entry(diff.path.clone()).or_default();
            prop_assert_eq!(start, ranges.last().map_or(0, |(_, end)| *end));
            ranges.push((start, end));
        }
        if let Work::Range {
            diff, parts, part, ..
        } = &item.work
        {
            prop_assert_eq!(ranges[&diff.path].len(), *part as usize + 1);
            prop_assert_eq!(part + 1 == *parts, ranges_end(&ranges, diff));
        }
    }
    for step in steps {
        if let Step::Diff(diff) = step {
            prop_assert!(ranges_end(&ranges, diff), "{:?}", diff);
            let is_striped = ranges[&diff.path].len() > 1;
            prop_assert!(!is_striped || diff.entry.size >= STRIPED_BYTES_MIN);
            ranges.remove(&diff.path);
        }
    }
    prop_assert!(ranges.is_empty());
    Ok(())
}

fn ranges_end(ranges: &HashMap<RelPath, Vec<(u64, u64)>>, diff: &Diff) -> bool {
    let last = ranges.get(&diff.path).and_then(|ranges| ranges.last());
    last.is_some_and(|(_, end)| *end == diff.entry.size)
}

#[test]
fn each_difference_is_covered_once_for_a_fixed_seed_too() {
    let config = ProptestConfig::with_cases(64);
    let seeded = TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, seeded)
        .run(&inputs(), |steps| check_coverage(&steps))
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_difference_is_covered_once_and_ranges_tile_their_file(steps in inputs()) {
        check_coverage(&steps)?;
    }

    #[test]
    fn kinds_are_never_mixed_and_batches_keep_their_limits(steps in inputs()) {
        for item in items(run(striping(4, &NoHistory), &steps)) {
            let kind = match &item.work {
                Work::Attributes(_) => DiffKind::Attributes,
                Work::Digests(_) => DiffKind::Digest,
                _ => DiffKind::Content,
            };
            let diffs = covered(&item.work);
            prop_assert!(diffs.iter().all(|(diff, ..)| diff.kind == kind));
            prop_assert!(!diffs.is_empty() && diffs.len() <= BATCH_DIFFS_MAX);
            if let Work::Pack(diffs) = &item.work {
                prop_assert!(diffs.iter().map(|diff| diff.entry.size).sum::<u64>() <= PACK_BYTES_MAX);
                prop_assert!(!diffs.iter().any(|diff| diff.entry.may_have_holes()));
                prop_assert!(diffs.iter().all(|diff| diff.attempt == 0));
            }
            prop_assert!(!item.reason.is_empty());
        }
    }

    #[test]
    fn the_same_input_in_the_same_rhythm_gives_the_same_plan(steps in inputs(), seed: u64) {
        let mut cx = striping(4, &NoHistory);
        cx.seed = seed;
        let show = || format!("{:?}", run(cx, &steps));
        prop_assert_eq!(show(), show());
    }

    #[test]
    fn an_error_passes_in_its_place_and_nothing_waits_while_the_input_pauses(steps in inputs()) {
        let mut begun_so_far = 0;
        let mut failures = 0;
        for seen in run(striping(4, &NoHistory), &steps) {
            let position = match seen {
                Seen::Item(item) => {
                    begun_so_far += begun(&item.work);
                    continue;
                }
                Seen::Idle(taken) => taken,
                Seen::Failure => {
                    failures += 1;
                    let mut fails = steps.iter().enumerate();
                    let nth = fails.by_ref().filter(|(_, step)| matches!(step, Step::Fail));
                    nth.map(|(at, _)| at).nth(failures - 1).unwrap()
                }
            };
            let before = steps[..position].iter();
            let expected = before.filter(|step| matches!(step, Step::Diff(_))).count();
            prop_assert_eq!(begun_so_far, expected);
        }
        let expected = steps.iter().filter(|step| matches!(step, Step::Fail)).count();
        prop_assert_eq!(failures, expected);
    }

    #[test]
    fn the_planner_holds_a_bounded_number_of_differences(size in sizes(), count in 0_usize..5_000) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let input = stream::iter(0..count).map(move |at| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(diff(at, size, DiffKind::Content))
        });
        let planner = DefaultPlanner::default();
        let mut plan = planner.plan(striping(4, &NoHistory), Box::pin(input));
        let mut given = 0;
        while let Some(item) = plan.next().now_or_never().unwrap() {
            let given_before = given;
            given += begun(&item.unwrap().work);
            prop_assert!(taken.load(Ordering::Relaxed) - given_before <= LOOK_AHEAD_MAX);
        }
        prop_assert_eq!(given, count);
    }

    #[test]
    fn stripes_fit_their_workers_whatever_the_rate(
        size in STRIPED_BYTES_MIN..1 << 50,
        workers in 2_u32..64,
        rate in rates(),
    ) {
        let diff = diff(0, size, DiffKind::Content);
        let works: Vec<Work> = Stripes::new(diff, workers, rate).take(2_000).collect();
        prop_assert!(works.len() > 1);
        let mut at = 0;
        for work in &works {
            let (_, start, end) = covered(work)[0];
            let length = end - start;
            prop_assert_eq!(start, at);
            prop_assert!(length >= STRIPE_BYTES_MIN || end == size);
            prop_assert!(length <= STRIPE_BYTES_MAX);
            prop_assert_eq!(start % STRIPE_ALIGN_BYTES, 0);
            at = end;
        }
        prop_assert!(at == size || works.len() == 2_000);
    }
}

#[test]
fn the_first_pack_is_small_so_that_the_first_byte_leaves_at_once() {
    let seen = items(run(striping(4, &NoHistory), &content(&[10; 2_000])));
    let sizes: Vec<usize> = seen.iter().map(|item| begun(&item.work)).collect();
    assert_eq!(sizes[..8], [8, 16, 32, 64, 128, 256, 256, 256]);
}

#[test]
fn large_files_go_first_and_the_largest_before_the_others() {
    let mib = [2, 0, 9, 0, 5, 9];
    let sizes: Vec<u64> = mib.iter().map(|mib| mib << 20).collect();
    let seen = items(run(striping(4, &NoHistory), &content(&sizes)));
    let order: Vec<(String, usize)> = seen
        .iter()
        .map(|item| covered(&item.work))
        .map(|all| (all[0].0.path.to_string(), all.len()))
        .collect();
    let expected = [
        ("000002", 1),
        ("000005", 1),
        ("000004", 1),
        ("000000", 1),
        ("000001", 2),
    ];
    assert_eq!(order, expected.map(|(path, all)| (path.to_owned(), all)));
}

#[test]
fn small_files_leave_in_the_order_in_which_they_came() {
    let seen = items(run(striping(4, &NoHistory), &content(&[300_000; 1_000])));
    let paths = seen.iter().flat_map(|item| covered(&item.work));
    assert!(paths.map(|(diff, ..)| diff.path.to_string()).is_sorted());
}

#[test]
fn a_large_file_amid_endless_small_ones_is_not_held_back() {
    let sizes = (0..).map(|at| if at == 3_000 { 5 << 20 } else { 10 });
    let diffs = (0..)
        .zip(sizes)
        .map(|(at, size)| Ok(diff(at, size, DiffKind::Content)));
    let planner = DefaultPlanner::default();
    let plan = planner.plan(striping(4, &NoHistory), Box::pin(stream::iter(diffs)));
    let before = plan
        .map(Result::unwrap)
        .take_while(|item| std::future::ready(!matches!(item.work, Work::Whole(_))))
        .map(|item| begun(&item.work))
        .collect::<Vec<_>>();
    let before: usize = before.now_or_never().unwrap().iter().sum();
    assert!(before <= 3_000, "{before}");
}

#[test]
fn a_size_beyond_reason_is_cut_without_holding_its_parts() {
    let seen_first = |size| {
        let input = stream::iter([Ok(diff(0, size, DiffKind::Content))]);
        let planner = DefaultPlanner::default();
        let mut plan = planner.plan(striping(4, &NoHistory), Box::pin(input));
        plan.next().now_or_never().flatten().unwrap().unwrap()
    };
    let Work::Range { end, parts, .. } = seen_first(u64::MAX).work else {
        panic!("not striped");
    };
    assert!(u128::from(end) * u128::from(parts) >= u128::from(u64::MAX));
    assert!(u128::from(end) * u128::from(parts - 1) < u128::from(u64::MAX));
}

#[test]
fn a_file_with_holes_travels_alone_however_small() {
    let mut sparse = diff(0, 100_000, DiffKind::Content);
    sparse.entry.allocated = 0;
    let seen = items(run(striping(4, &NoHistory), &[Step::Diff(sparse)]));
    assert!(matches!(seen[0].work, Work::Whole(_)));
    assert_eq!(seen[0].reason, "alone: it may have holes");
}

#[test]
fn a_file_that_is_tried_again_is_neither_packed_nor_striped() {
    for size in [10, STRIPED_BYTES_MIN * 4] {
        let mut again = diff(0, size, DiffKind::Content);
        again.attempt = 1;
        let seen = items(run(striping(4, &NoHistory), &[Step::Diff(again)]));
        assert!(matches!(seen[0].work, Work::Whole(_)), "{size}");
    }
}

#[test]
fn what_is_no_file_is_packed_even_when_tried_again() {
    let mut link = diff(0, 0, DiffKind::Content);
    link.entry.kind = Kind::Symlink("there".into());
    link.attempt = 1;
    let seen = items(run(striping(4, &NoHistory), &[Step::Diff(link)]));
    assert!(matches!(seen[0].work, Work::Pack(_)));
}

#[test]
fn a_file_is_striped_only_where_both_ends_can_move_its_parts() {
    let all = striping(4, &NoHistory);
    let none = StoreCaps::new();
    let without = [
        all.with_caps(none, all.target, all.connection),
        all.with_caps(all.source, none, all.connection),
        striping(1, &NoHistory),
    ];
    let large = content(&[STRIPED_BYTES_MIN]);
    assert!(matches!(
        items(run(all, &large))[0].work,
        Work::Range { .. }
    ));
    for cx in without {
        assert!(matches!(items(run(cx, &large))[0].work, Work::Whole(_)));
    }
}

#[test]
fn a_file_whose_blocks_may_be_shared_stays_whole() {
    let store = StoreCaps::new().with_native(StoreCap::ALL);
    let here = TransportCaps::new().with_native(&[TransportCap::Objects]);
    let large = content(&[STRIPED_BYTES_MIN]);
    let local = PlanCx::new(&NoHistory, 4, 0).with_caps(store, store, here);
    assert!(matches!(items(run(local, &large))[0].work, Work::Whole(_)));
    let far = local.with_caps(store, store, TransportCaps::new());
    assert!(matches!(
        items(run(far, &large))[0].work,
        Work::Range { .. }
    ));
}

/// How many parts a file of 4 GiB is cut into.
fn parts(planner: &DefaultPlanner, history: &dyn History) -> usize {
    items(run_by(planner, striping(4, history), &content(&[4 << 30]))).len()
}

#[test]
fn without_a_measured_rate_stripes_are_small() {
    let planner = DefaultPlanner::default();
    assert_eq!(parts(&planner, &NoHistory), 4096 / 64);
}

#[test]
fn the_rate_of_earlier_parts_sets_the_stripe() {
    let planner = DefaultPlanner::default();
    // A part of 64 MiB in an eighth of a second: 128 MiB in a quarter.
    let sample = Sample::new(Method::Splice, 1, 64 << 20, Duration::from_millis(125));
    planner.observe(&Outcome::new(0, Some(sample)));
    assert_eq!(parts(&planner, &NoHistory), 4096 / 128);
    assert_eq!(planner.rates().len(), 1);
}

#[test]
fn however_fast_each_worker_gets_a_part() {
    let diff = diff(0, 1 << 30, DiffKind::Content);
    assert_eq!(Stripes::new(diff, 4, Some(f64::INFINITY)).count(), 4);
}

/// A history that has heard of every method, but measured none.
struct Unmeasured;

impl History for Unmeasured {
    fn cost(&self, _method: Method, _size_bytes: u64) -> Option<Cost> {
        Some(Cost::default())
    }
}

#[test]
fn a_cost_without_a_rate_does_not_hide_what_was_measured() {
    let planner = DefaultPlanner::default();
    let sample = Sample::new(Method::Pump, 1, 64 << 20, Duration::from_millis(125));
    planner.observe(&Outcome::new(0, Some(sample)));
    assert_eq!(parts(&planner, &Unmeasured), 4096 / 128);
}

#[test]
fn a_failed_piece_of_work_teaches_nothing() {
    let planner = DefaultPlanner::default();
    planner.observe(&Outcome::new(0, None));
    assert_eq!(planner.rates(), []);
}

/// A history in which the pump is half as fast as `sendfile`, and blocks are shared in no time.
struct Measured;

impl History for Measured {
    fn cost(&self, method: Method, _size_bytes: u64) -> Option<Cost> {
        let mib_per_second = match method {
            Method::Pump => 512,
            Method::Reflink => 1 << 30,
            Method::Sendfile => 1024,
            _ => return None,
        };
        Some(Cost {
            bytes_per_sec: (mib_per_second << 20) as f64,
            ..Cost::default()
        })
    }
}

#[test]
fn history_sets_the_stripe_by_the_fastest_method_that_moves_parts() {
    assert_eq!(parts(&DefaultPlanner::default(), &Measured), 4096 / 256);
}
