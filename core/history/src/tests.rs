use std::{fs, time::Duration};

use blit_plan::DefaultPlanner;

use super::*;

/// One file of 1 MiB.
const BYTES: u64 = 1 << 20;

fn time(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn outcome(took: Duration) -> Outcome {
    Outcome::new(0, Some(Sample::new(Method::Pump, 1, BYTES, took)))
}

fn record(second: i64) -> Record {
    let took = Duration::from_secs(1);
    Record::new(second, ROUTE, Sample::new(Method::Pump, 1, BYTES, took))
}

/// What a run does: it reads, moves two files, and adds what it measured.
fn run(memory: &Memory, second: i64) {
    let planner = memory.listen_to(Arc::<DefaultPlanner>::default());
    planner.observe(&outcome(Duration::from_millis(250)));
    planner.observe(&outcome(Duration::from_millis(750)));
    planner.observe(&Outcome::new(0, None));
    memory.save(time(second));
}

fn rate(memory: &Memory) -> Option<f64> {
    let cost = memory.history().cost(Method::Pump, BYTES)?;
    Some(cost.bytes_per_sec)
}

fn seconds(file: &Path) -> Vec<i64> {
    records(file).iter().map(|record| record.at).collect()
}

#[test]
fn what_a_run_measured_is_known_to_the_next() {
    let state = tempfile::tempdir().unwrap();
    let directory = state.path().join("not there yet");
    assert_eq!(rate(&Memory::kept_in(&directory)), None);
    run(&Memory::kept_in(&directory), 7);
    let next = Memory::kept_in(&directory);
    assert_eq!(rate(&next), Some(2.0 * BYTES as f64));
    run(&next, 8);
    let file = directory.join(FILE);
    assert_eq!(seconds(&file), [7, 8], "what is there stays");
    let sums = sums_of(records(&file));
    let [sum] = &*sums else {
        panic!("one way on one route: {sums:?}");
    };
    assert_eq!((sum.files, sum.bytes), (4, 4 * BYTES));
    assert_eq!(sum.bytes_per_second(), 2.0 * BYTES as f64);
}

#[test]
fn a_run_is_saved_once_and_one_that_moved_nothing_is_not() {
    let state = tempfile::tempdir().unwrap();
    let memory = Memory::kept_in(state.path());
    memory.save(time(1));
    assert!(!state.path().join(FILE).exists());
    run(&memory, 2);
    memory.save(time(3));
    assert_eq!(seconds(&state.path().join(FILE)), [2]);
}

#[test]
fn a_file_that_is_too_long_is_cut_to_the_newest() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join(FILE);
    let count = 1 + FILE_BYTES_MAX as i64 / blit_plan::encode(&record(10_000)).len() as i64;
    let before: Vec<_> = (0..count).map(|at| record(10_000 + at)).collect();
    fs::write(&file, blit_plan::compact(&before, before.len())).unwrap();
    assert!(fs::metadata(&file).unwrap().len() > FILE_BYTES_MAX);
    run(&Memory::kept_in(state.path()), 99_999);
    let kept = seconds(&file);
    assert_eq!(kept.len(), RECORDS_MAX);
    let newest = before[before.len() + 1 - RECORDS_MAX..].iter();
    let expected: Vec<_> = newest.map(|record| record.at).chain([99_999]).collect();
    assert_eq!(kept, expected);
    let names = fs::read_dir(state.path()).unwrap().count();
    assert_eq!(names, 1, "nothing stays beside it");
}

#[test]
fn a_file_that_is_not_too_long_is_not_cut() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join(FILE);
    let before: Vec<_> = (0..RECORDS_MAX as i64 + 1).map(record).collect();
    fs::write(&file, blit_plan::compact(&before, before.len())).unwrap();
    run(&Memory::kept_in(state.path()), 99_999);
    assert_eq!(seconds(&file).len(), RECORDS_MAX + 2);
}

#[test]
fn a_broken_line_is_passed_over() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join(FILE);
    run(&Memory::kept_in(state.path()), 1);
    let good = fs::read_to_string(&file).unwrap();
    let half = &good[..good.len() / 2];
    fs::write(&file, format!("{half}\n{good}no record\n")).unwrap();
    let memory = Memory::kept_in(state.path());
    assert_eq!(rate(&memory), Some(2.0 * BYTES as f64));
    run(&memory, 2);
    assert_eq!(seconds(&file), [1, 2]);
}

#[test]
fn switched_off_nothing_is_written_and_nothing_is_known() {
    let memory = Memory::new(false);
    assert!(memory.file.is_none());
    run(&memory, 1);
    assert_eq!(rate(&memory), None);
    assert!(memory.samples.lock().is_empty(), "nor listened to");
}

#[test]
fn a_state_directory_that_cannot_be_written_is_no_failure() {
    let state = tempfile::tempdir().unwrap();
    let taken = state.path().join("a file");
    fs::write(&taken, "").unwrap();
    run(&Memory::kept_in(&taken), 1);
    assert_eq!(fs::read(&taken).unwrap(), b"");
}
