use std::{sync::Arc, time::Duration};

use blit_contract::{Error, ErrorKind, Name, Problem, RelPath, Side};

use super::*;
use crate::{places::Place, transfer::Request};

fn trip(verb: Verb) -> Trip {
    let place = |path: &str| Place {
        typed: path.into(),
        path: path.into(),
        is_contents: true,
        remote: None,
    };
    Trip {
        request: Request::new(verb, vec!["/src/".into()], "/dst".into()),
        sources: vec![place("/src/")],
        target: place("/dst"),
        backup: None,
        legs: Vec::new(),
        lanes: Arc::default(),
    }
}

fn outcome(ends: &[(EndState, u64)], took_ms: u64) -> Outcome {
    let mut outcome = Outcome {
        took: Duration::from_millis(took_ms),
        ..Outcome::default()
    };
    for (end, number) in ends {
        (0..*number).for_each(|_| outcome.ends.add(*end));
    }
    outcome.figures.scanned_entries = outcome.ends.total();
    outcome
}

fn with_problems(mut outcome: Outcome, side: Side, kind: ErrorKind, names: &[&str]) -> Outcome {
    for name in names {
        let path = RelPath::ROOT.join(Name::new(name.as_bytes()).unwrap());
        let error = Error::new(kind, "open").at(&path);
        outcome.add(&Arc::new(Problem::new(side, path, error)));
    }
    outcome
}

#[test]
fn a_run_is_summed_up_in_one_line() {
    let trip = trip(Verb::Copy);
    let mut copied = outcome(
        &[(EndState::Copied, 1_204), (EndState::Unchanged, 17_008)],
        291_000,
    );
    copied.copied_bytes = 118 << 30;
    copied.figures.done_files = 1_204;
    assert_eq!(
        line(&trip, &copied),
        "Copied 1 204 files, 118 GiB in 4m 51s (415 MiB/s); 17 008 were already up to date."
    );
    copied.matched_bytes = 100 << 30;
    assert_eq!(
        line(&trip, &copied),
        "Copied 1 204 files, 118 GiB of which 100 GiB were there in 4m 51s (415 MiB/s); \
         17 008 were already up to date."
    );
    assert_eq!(
        line(&trip, &outcome(&[(EndState::Unchanged, 48_212)], 3_100)),
        "Nothing to do: 48 212 entries are already up to date (checked in 3.1 s)."
    );
    assert_eq!(
        line(&trip, &outcome(&[], 0)),
        "Source is empty: nothing copied."
    );
    let directories = outcome(&[(EndState::Copied, 2)], 10);
    assert_eq!(line(&trip, &directories), "Copied 2 entries in 0.0 s.");
}

#[test]
fn a_mirror_says_what_it_deleted() {
    let deleted = outcome(&[(EndState::Deleted, 1), (EndState::Unchanged, 6)], 100);
    assert_eq!(
        line(&trip(Verb::Mirror), &deleted),
        "Deleted 1 entry; 6 were already up to date."
    );
}

#[test]
fn a_move_of_what_is_there_already_is_no_idle_run() {
    let mut moved = outcome(&[(EndState::Unchanged, 3)], 100);
    moved.changed_anything = true;
    assert_eq!(
        line(&trip(Verb::Move), &moved),
        "Moved 3 entries: the destination had the same already."
    );
}

#[test]
fn failures_are_grouped_with_an_example_a_state_and_a_next_step() {
    let trip = trip(Verb::Copy);
    let names = ["id_ed25519", "b", "c"];
    let failed = with_problems(
        outcome(&[(EndState::Copied, 9), (EndState::Failed, 3)], 100),
        Side::Source,
        ErrorKind::Denied,
        &names,
    );
    assert_eq!(line(&trip, &failed), "Copied 9 of 12 entries; 3 failed:");
    let (slug, group) = failed.groups.first_key_value().unwrap();
    assert_eq!(
        blocks::text(*slug, group, &trip, &failed),
        "3 files could not be read (permission denied), e.g. id_ed25519\n  \
         state: everything else was copied; nothing was deleted\n  \
         next: run as a user that may read them, or --exclude"
    );
    assert_eq!(failed.exit(), Exit::Partial);
}

#[test]
fn a_single_failure_is_told_in_the_singular() {
    let trip = trip(Verb::Copy);
    let changed = with_problems(
        outcome(&[], 0),
        Side::Source,
        ErrorKind::Changed,
        &["journal.wal"],
    );
    let (slug, group) = changed.groups.first_key_value().unwrap();
    let text = blocks::text(*slug, group, &trip, &changed);
    let first = text.lines().next().unwrap();
    assert_eq!(
        first,
        "1 file changed while being read and was left as it was: journal.wal"
    );
}

#[test]
fn what_is_missing_at_the_target_is_a_failure() {
    let lost = with_problems(outcome(&[], 0), Side::Target, ErrorKind::Vanished, &["a"]);
    assert_eq!(lost.exit(), Exit::Partial);
    assert_eq!(lost.failed(), 1);
}

#[test]
fn what_only_vanished_is_no_failure() {
    let vanished = with_problems(
        outcome(&[], 0),
        Side::Source,
        ErrorKind::Vanished,
        &["a", "b"],
    );
    assert_eq!(vanished.exit(), Exit::Ok);
    assert_eq!(vanished.failed(), 0);
    let corrupt = with_problems(vanished, Side::Target, ErrorKind::Corrupt, &["c"]);
    assert_eq!(corrupt.exit(), Exit::Corrupt);
}

#[test]
fn entries_that_never_came_to_an_end_are_an_error() {
    let mut lost = outcome(&[], 0);
    lost.figures.scanned_entries = 3;
    let error = nothing_came(&lost, false).unwrap();
    assert_eq!(error.slug, Slug::InternalNothing);
    assert!(nothing_came(&outcome(&[], 0), false).is_none());
}

#[test]
fn every_sort_of_failure_has_words_of_its_own() {
    let trip = trip(Verb::Copy);
    let mut seen = std::collections::HashSet::new();
    for kind in [
        ErrorKind::Busy,
        ErrorKind::Changed,
        ErrorKind::Collision,
        ErrorKind::Conflict,
        ErrorKind::Corrupt,
        ErrorKind::Denied,
        ErrorKind::Immutable,
        ErrorKind::Io,
        ErrorKind::NoSpace,
        ErrorKind::ReadOnly,
        ErrorKind::TooLarge,
        ErrorKind::Unsupported,
    ] {
        let failed = with_problems(outcome(&[], 0), Side::Target, kind, &["x"]);
        let (slug, group) = failed.groups.first_key_value().unwrap();
        let text = blocks::text(*slug, group, &trip, &failed);
        assert!(text.contains("next: "), "{text}");
        assert!(
            seen.insert(text.lines().next().unwrap().to_owned()),
            "{text}"
        );
    }
}
