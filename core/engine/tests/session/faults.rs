use blit_contract::{EndState, ErrorKind};
use blit_engine::{Stop, Verb};
use blit_store_mem::{Fault, Faults, MemStore, Operation};

use crate::support::{Run, path, tree};

fn failing(operation: Operation, kind: ErrorKind, at: &str) -> Faults {
    Faults::new().with(Fault::fail(operation, kind).at(path(at)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_directory_disables_every_deletion() {
    let source =
        tree(&["a", "secret/x"]).with_faults(failing(Operation::List, ErrorKind::Denied, "secret"));
    let target = tree(&["extra", "secret/x", "secret/y"]);
    let outcome = Run::new(Verb::Mirror, &source, &target).run().await;
    assert!(!outcome.report.sealed);
    assert_eq!(outcome.report.problems_total, 1);
    assert!(outcome.report.deletions_withheld > 0);
    assert_eq!(
        target.paths(),
        ["a", "extra", "secret", "secret/x", "secret/y"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_file_stops_neither_the_others_nor_lets_anything_be_deleted() {
    let source =
        tree(&["a", "bad", "c"]).with_faults(failing(Operation::Read, ErrorKind::Io, "bad"));
    let target = tree(&["extra"]);
    let outcome = Run::new(Verb::Mirror, &source, &target)
        .with(|options| options.max_delete = blit_engine::MaxDelete::Percent(100))
        .run()
        .await;
    assert_eq!(outcome.report.ends.get(EndState::Failed), 1);
    assert_eq!(outcome.report.ends.get(EndState::Copied), 2);
    assert_eq!(target.paths(), ["a", "c", "extra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_once_is_read_again() {
    let source =
        tree(&["busy"]).with_faults(Faults::new().with(Fault::change(Operation::Read).times(1)));
    let target = MemStore::new();
    let outcome = Run::new(Verb::Copy, &source, &target).run().await;
    assert!(outcome.report.is_clean(), "{:?}", outcome.report);
    assert_eq!(target.content("busy"), source.content("busy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_rests_is_reported_and_the_old_content_stays() {
    let source = tree(&["busy"])
        .with_faults(Faults::new().with(Fault::change(Operation::Read).at(path("busy"))));
    let target = tree(&["busy"]);
    target.add_file("busy", "what was there before").unwrap();
    let outcome = Run::new(Verb::Copy, &source, &target).run().await;
    assert_eq!(outcome.report.ends.get(EndState::Changed), 1);
    assert_eq!(target.content("busy").unwrap(), "what was there before");
    assert_eq!(outcome.report.problems[0].retried, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_fit_is_refused_before_the_first_byte() {
    let source = tree(&["small"]);
    source.add_file("large", vec![7; 100_000]).unwrap();
    let target = MemStore::new().with_capacity(50_000);
    let outcome = Run::new(Verb::Mirror, &source, &target).run().await;
    assert!(
        matches!(outcome.report.stop, Some(Stop::NoRoom { .. })),
        "{:?}",
        outcome.report
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_target_ends_the_session_with_nothing_half_written() {
    let source = tree(&["a", "b", "c"]);
    let target = MemStore::new().with_faults(failing(Operation::Stage, ErrorKind::NoSpace, "b"));
    let outcome = Run::new(Verb::Copy, &source, &target).run().await;
    let Some(Stop::Failed(problem)) = outcome.report.stop else {
        panic!("{:?}", outcome.report);
    };
    assert_eq!(problem.error.kind(), ErrorKind::NoSpace);
    assert_eq!(target.content("b"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_on_the_way_is_found_before_the_file_gets_its_name() {
    let source = tree(&["f"]);
    let target =
        MemStore::new().with_faults(Faults::new().with(Fault::corrupt(Operation::Stage).times(1)));
    let outcome = Run::new(Verb::Copy, &source, &target)
        .with(|options| options.verify = true)
        .run()
        .await;
    assert!(outcome.report.is_clean(), "{:?}", outcome.report);
    assert_eq!(target.content("f").unwrap(), "f");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_listed_at_all_ends_the_session() {
    let source =
        tree(&["a"]).with_faults(Faults::new().with(Fault::fail(Operation::List, ErrorKind::Io)));
    let target = tree(&["kept"]);
    let outcome = Run::new(Verb::Mirror, &source, &target).run().await;
    assert!(
        outcome.report.stop.is_some() || !outcome.report.sealed,
        "{:?}",
        outcome.report
    );
    assert_eq!(target.paths(), ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_vanishes_is_a_failure_and_no_vanished_source() {
    for kind in [ErrorKind::NotFound, ErrorKind::Vanished] {
        let target = MemStore::new().with_faults(failing(Operation::Stage, kind, "a"));
        let outcome = Run::new(Verb::Copy, &tree(&["a", "b"]), &target)
            .run()
            .await;
        assert!(!outcome.report.only_vanished(), "{:?}", outcome.report);
        assert_eq!(outcome.report.ends.get(EndState::Failed), 1);
        assert_eq!(target.paths(), ["b"]);
    }
}
