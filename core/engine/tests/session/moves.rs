use blit_contract::{Cx, EndState, ErrorKind, Store};
use blit_engine::Verb;
use blit_store_mem::{Fault, Faults, MemStore, Operation};

use crate::support::{Run, path, tree};

#[tokio::test(flavor = "multi_thread")]
async fn a_move_removes_exactly_what_it_carried() {
    let source = tree(&["a", "d/b"]);
    source.add_directory("empty").unwrap();
    source.add_symlink("l", "a").unwrap();
    let target = MemStore::new();
    let outcome = Run::new(Verb::Move, &source, &target).run().await;
    assert!(outcome.report.is_clean(), "{:?}", outcome.report);
    assert_eq!(target.paths(), ["a", "d", "d/b", "empty", "l"]);
    assert!(source.paths().is_empty(), "{:?}", source.paths());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_carried_stays() {
    let source = tree(&["d/good", "d/bad", "other"]).with_faults(
        Faults::new().with(Fault::fail(Operation::Read, ErrorKind::Denied).at(path("d/bad"))),
    );
    let target = MemStore::new();
    let outcome = Run::new(Verb::Move, &source, &target).run().await;
    assert_eq!(outcome.report.ends.get(EndState::Failed), 1);
    assert_eq!(source.paths(), ["d", "d/bad"]);
    assert_eq!(target.paths(), ["d", "d/good", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_which_one_name_failed_keeps_all_its_names_and_arrives_as_one_the_next_time() {
    let source = tree(&["d/first", "other"]);
    source.add_link("d/second", "d/first").unwrap();
    let fault = Fault::fail(Operation::Apply, ErrorKind::Denied).at(path("d/second"));
    let target = MemStore::new().with_faults(Faults::new().with(fault.times(1)));
    let outcome = Run::new(Verb::Move, &source, &target).run().await;
    assert_eq!(outcome.report.ends.get(EndState::Failed), 1);
    assert_eq!(source.paths(), ["d", "d/first", "d/second"]);
    assert_eq!(target.paths(), ["d", "d/first", "other"]);
    let again = Run::new(Verb::Move, &source, &target).run().await;
    assert!(again.report.is_clean(), "{:?}", again.report);
    assert!(source.paths().is_empty(), "{:?}", source.paths());
    let cx = Cx::default();
    let first = target.stat(&cx, &path("d/first")).await.unwrap().unwrap();
    let second = target.stat(&cx, &path("d/second")).await.unwrap().unwrap();
    assert_eq!(first.identity.inode, second.identity.inode);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_at_the_target_already_is_compared_by_content_before_it_goes() {
    let source = tree(&["same", "differs"]);
    let target = MemStore::new();
    Run::new(Verb::Copy, &source, &target).run().await;
    target.add_file("differs", "DIFFERS").unwrap();
    let outcome = Run::new(Verb::Move, &source, &target).run().await;
    assert!(outcome.report.is_clean(), "{:?}", outcome.report);
    assert_eq!(target.content("differs").unwrap(), "differs");
    assert!(source.paths().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_move_has_removed_is_made_durable_before_it_ends() {
    let source = tree(&["a", "d/b"]).with_record();
    let target = MemStore::new();
    let outcome = Run::new(Verb::Move, &source, &target).run().await;
    assert!(outcome.report.is_clean(), "{:?}", outcome.report);
    let calls: Vec<Operation> = source.calls().iter().map(|call| call.operation).collect();
    let last_of = |operation| calls.iter().rposition(|call| *call == operation);
    assert!(last_of(Operation::Delete).is_some());
    assert!(
        last_of(Operation::Sync) > last_of(Operation::Delete),
        "{calls:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_cannot_be_made_durable_is_no_success() {
    let faults = Faults::new().with(Fault::fail(Operation::Sync, ErrorKind::Io));
    let source = tree(&["a"]).with_faults(faults);
    let target = MemStore::new();
    let outcome = Run::new(Verb::Move, &source, &target).run().await;
    assert!(!outcome.report.is_clean(), "{:?}", outcome.report);
    assert_eq!(target.paths(), ["a"]);
}
