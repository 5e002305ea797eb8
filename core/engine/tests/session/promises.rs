//! Sentences of docs/promises.md that need a fault to be seen.

use blit_contract::{EndState, ErrorKind};
use blit_engine::{Stop, Verb};
use blit_store_mem::{Fault, Faults, MemStore, Operation};

use crate::support::{Run, path, tree};

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_comes_to_exactly_one_end() {
    let faults = Faults::new()
        .with(Fault::fail(Operation::Read, ErrorKind::Io).at(path("bad")))
        .with(Fault::change(Operation::Read).at(path("busy")))
        .with(Fault::fail(Operation::Read, ErrorKind::Vanished).at(path("gone")));
    let source = tree(&["bad", "busy", "d/new", "d/same", "gone"]);
    source.add_symlink("link", "d/new").unwrap();
    let target = MemStore::new();
    Run::new(Verb::Copy, &source, &target)
        .with(|options| options.select = Some(std::sync::Arc::new(Only("same"))))
        .run()
        .await;
    assert_eq!(target.paths(), ["d", "d/same"]);
    target.add_file("extra", "stays").unwrap();

    let source = source.with_faults(faults);
    let entries = source.paths().len() as u64;
    let outcome = Run::new(Verb::Mirror, &source, &target).run().await;
    let ends = outcome.report.ends;
    let counts = [
        (EndState::Changed, 1),
        (EndState::Copied, 2),
        (EndState::Deleted, 0),
        (EndState::Failed, 1),
        (EndState::Metadata, 0),
        // One of them is the directory, in which something was written.
        (EndState::Unchanged, 2),
        (EndState::Vanished, 1),
    ];
    for (end, count) in counts {
        assert_eq!(ends.get(end), count, "{end:?} in {ends:?}");
    }
    assert_eq!(ends.total(), entries, "{ends:?}");
}

/// Takes the directories, and files of one name.
struct Only(&'static str);

impl blit_contract::Select for Only {
    fn select(
        &self,
        _directory: &blit_contract::RelPath,
        entry: &blit_contract::Entry,
    ) -> blit_contract::Selection {
        match entry.is_directory() || entry.name.as_bytes() == self.0.as_bytes() {
            true => blit_contract::Selection::Take,
            false => blit_contract::Selection::Skip,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanished_after_the_scan_keeps_its_copy_and_nothing_is_deleted() {
    let source = tree(&["gone", "new"]).with_faults(
        Faults::new().with(Fault::fail(Operation::Read, ErrorKind::Vanished).at(path("gone"))),
    );
    let target = tree(&["extra", "gone"]);
    target.add_file("gone", "an older copy").unwrap();
    let outcome = Run::new(Verb::Mirror, &source, &target).run().await;
    assert_eq!(outcome.report.ends.get(EndState::Vanished), 1);
    assert!(outcome.report.only_vanished(), "{:?}", outcome.report);
    assert_eq!(outcome.report.deletions_withheld, 1);
    assert_eq!(target.content("gone").unwrap(), "an older copy");
    assert_eq!(target.paths(), ["extra", "gone", "new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_three_times_is_given_up() {
    let names: Vec<String> = (0..5).map(|at| format!("f{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (times, is_given_up) in [(2, false), (3, true)] {
        let fault = Fault::fail(Operation::Stage, ErrorKind::Io).times(times);
        let target = MemStore::new().with_faults(Faults::new().with(fault));
        let outcome = Run::new(Verb::Copy, &tree(&names), &target).run().await;
        assert_eq!(outcome.report.problems_total, times);
        assert!(
            matches!(outcome.report.stop, Some(Stop::Failed(_))) == is_given_up,
            "after {times} errors: {:?}",
            outcome.report
        );
    }
}
