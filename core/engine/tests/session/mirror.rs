use std::sync::Arc;

use blit_contract::EndState;
use blit_engine::{Answer, MaxDelete, NobodyThere, Stop, Verb};
use blit_store_mem::MemStore;

use crate::support::{Asked, Run, paths, tree};

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_ends_equal() {
    let source = tree(&["a", "d/b", "was-directory", "was-file/now"]);
    let target = tree(&[
        "a",
        "d/b",
        "d/extra",
        "gone/x",
        "was-directory/y",
        "was-file",
    ]);
    let outcome = Run::new(Verb::Mirror, &source, &target).run().await;
    assert!(outcome.report.is_clean(), "{:?}", outcome.report);
    assert_eq!(target.paths(), source.paths());
    assert_eq!(target.content("was-directory").unwrap(), "was-directory");
    assert_eq!(outcome.report.ends.get(EndState::Deleted), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_is_asked_once_with_the_true_list() {
    let source = tree(&["a"]);
    let target = tree(&["a", "d/x", "d/y"]);
    let asked = Asked::saying(Answer::No);
    let outcome = Run::new(Verb::Mirror, &source, &target)
        .asking(asked.clone())
        .run()
        .await;
    assert!(matches!(outcome.report.stop, Some(Stop::Declined(_))));
    assert_eq!(target.paths(), ["a", "d", "d/x", "d/y"]);
    let heard = asked.heard.lock();
    let [(plan, names)] = &heard[..] else {
        panic!("asked {} times", heard.len());
    };
    assert_eq!((plan.entries, plan.of_entries), (3, 4));
    assert_eq!(names, &["d/y", "d/x", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_means_that_nothing_is_changed() {
    let source = tree(&["a", "new"]);
    let target = tree(&["a", "extra"]);
    let outcome = Run::new(Verb::Mirror, &source, &target)
        .asking(Arc::new(NobodyThere))
        .run()
        .await;
    assert!(matches!(outcome.report.stop, Some(Stop::Unconfirmed(_))));
    assert!(!outcome.report.changed_anything);
    assert_eq!(target.paths(), ["a", "extra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_deletions_nobody_is_asked() {
    let source = tree(&["a", "new"]);
    let target = tree(&["a"]);
    let asked = Asked::saying(Answer::Nobody);
    let outcome = Run::new(Verb::Mirror, &source, &target)
        .asking(asked.clone())
        .run()
        .await;
    assert!(outcome.report.is_clean());
    assert!(asked.heard.lock().is_empty());
    assert_eq!(target.paths(), ["a", "new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_source_sets_off_the_brake_even_with_a_yes() {
    let target = tree(&["a", "b"]);
    let source = MemStore::new();
    source.add_directory("x").unwrap();
    source.remove("x").unwrap();
    let outcome = Run::new(Verb::Mirror, &source, &target).run().await;
    let Some(Stop::Brake {
        plan,
        source_is_empty,
    }) = outcome.report.stop
    else {
        panic!("{:?}", outcome.report);
    };
    assert!(source_is_empty);
    assert_eq!(plan.entries, 2);
    assert_eq!(target.paths(), ["a", "b"]);

    let lifted = Run::new(Verb::Mirror, &source, &target)
        .with(|options| options.max_delete = MaxDelete::Percent(100))
        .run()
        .await;
    assert!(lifted.report.is_clean(), "{:?}", lifted.report);
    assert!(target.paths().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brake_counts_what_the_target_has_not_what_the_source_brings() {
    let many: Vec<String> = (0..1_000).map(|at| format!("new{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let extra: Vec<String> = (0..150).map(|at| format!("old{at}")).collect();
    let extra: Vec<&str> = extra.iter().map(String::as_str).collect();
    let (source, target) = (tree(&many), tree(&extra));
    let outcome = Run::new(Verb::Mirror, &source, &target).run().await;
    assert!(matches!(outcome.report.stop, Some(Stop::Brake { .. })));
    assert_eq!(target.paths().len(), 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_mirror_lists_what_would_go() {
    let source = tree(&["a"]);
    let target = tree(&["a", "d/x"]);
    let outcome = Run::new(Verb::Mirror, &source, &target)
        .asking(Arc::new(NobodyThere))
        .with(|options| options.dry_run = true)
        .run()
        .await;
    assert!(outcome.report.stop.is_none());
    assert_eq!(paths(&outcome.items), ["d", "d/x"]);
    assert_eq!(target.paths(), ["a", "d", "d/x"]);
}
