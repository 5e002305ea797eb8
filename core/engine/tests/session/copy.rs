use std::sync::Arc;

use blit_contract::{EndState, ItemOp};
use blit_engine::{Compare, Verb};
use blit_store_mem::{MemStore, SyntheticStore};

use crate::support::{Run, paths, tree};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_brings_everything_and_a_second_one_nothing() {
    let source = tree(&["a.txt", "d/b.txt", "d/e/c.txt"]);
    source.add_directory("empty").unwrap();
    source.add_symlink("link", "a.txt").unwrap();
    let target = MemStore::new();

    let first = Run::new(Verb::Copy, &source, &target).run().await;
    assert!(first.report.is_clean(), "{:?}", first.report);
    assert_eq!(target.paths(), source.paths());
    assert_eq!(target.content("d/e/c.txt").unwrap(), "d/e/c.txt");
    assert_eq!(first.report.ends.get(EndState::Copied), 7);

    let second = Run::new(Verb::Copy, &source, &target).run().await;
    assert!(second.report.is_clean(), "{:?}", second.report);
    assert_eq!(second.report.ends.get(EndState::Unchanged), 7);
    assert_eq!(second.report.ends.total(), 7);
    assert!(!second.report.changed_anything);
    assert!(second.items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_a_real_run_does_and_changes_nothing() {
    let source = tree(&["a", "d/b", "d/c"]);
    let target = tree(&["a", "z"]);
    source.add_file("a", "longer than before").unwrap();
    let before = target.paths();

    let dry = Run::new(Verb::Copy, &source, &target)
        .with(|options| options.dry_run = true)
        .run()
        .await;
    assert_eq!(target.paths(), before);
    assert_eq!(target.content("a").unwrap(), "a");
    assert!(!dry.report.changed_anything);

    let real = Run::new(Verb::Copy, &source, &target).run().await;
    assert_eq!(paths(&dry.items), paths(&real.items));
    assert_eq!(dry.report.copied_bytes, real.report.copied_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_deletes_nothing() {
    let source = tree(&["a"]);
    let target = tree(&["kept", "d/kept"]);
    Run::new(Verb::Copy, &source, &target).run().await;
    assert_eq!(target.paths(), ["a", "d", "d/kept", "kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_not_copied_over_a_directory() {
    let source = tree(&["x"]);
    let target = tree(&["x/kept"]);
    let outcome = Run::new(Verb::Copy, &source, &target).run().await;
    assert_eq!(outcome.report.ends.get(EndState::Failed), 1);
    assert_eq!(target.paths(), ["x", "x/kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn named_entries_nest_and_a_single_file_takes_a_new_name() {
    let source = tree(&["photos/a", "photos/d/b", "other"]);
    let target = MemStore::new();
    Run::new(Verb::Copy, &source, &target)
        .named(&[("photos", "photos"), ("other", "renamed")])
        .run()
        .await;
    assert_eq!(
        target.paths(),
        ["photos", "photos/a", "photos/d", "photos/d/b", "renamed"]
    );
    assert_eq!(target.content("renamed").unwrap(), "other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_arrives_whole_in_several_parts() {
    let content: Vec<u8> = (0..200_000_000_u32).map(|at| (at >> 12) as u8).collect();
    let source = MemStore::new();
    source.add_file("large", content.clone()).unwrap();
    let target = MemStore::new();
    let outcome = Run::new(Verb::Copy, &source, &target)
        .with(|options| options.verify = true)
        .run()
        .await;
    assert!(outcome.report.is_clean(), "{:?}", outcome.report);
    assert!(target.content("large").unwrap() == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_by_content_finds_what_the_quick_one_cannot() {
    let source = tree(&["same", "differs"]);
    let target = MemStore::new();
    Run::new(Verb::Copy, &source, &target).run().await;
    let by_content = |store: &MemStore| {
        Run::new(Verb::Check, &source, store).with(|options| options.compare = Compare::Checksum)
    };
    let equal = by_content(&target).run().await;
    assert_eq!(equal.report.differences, 0, "{:?}", equal.items);

    target.add_file("differs", "DIFFERS").unwrap();
    target.add_file("extra", "").unwrap();
    let unequal = by_content(&target).run().await;
    let found: Vec<_> = unequal.items.iter().map(|item| item.op).collect();
    assert!(
        found.contains(&ItemOp::DiffersContent),
        "{:?}",
        unequal.items
    );
    assert!(found.contains(&ItemOp::DiffersExtra));
    assert_eq!(target.content("differs").unwrap(), "DIFFERS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_many_entries_is_planned_without_being_held() {
    let source = Arc::new(SyntheticStore::new(100_000, 100, 10));
    let target = MemStore::new();
    let dry = Run::of(Verb::Copy, source, &target)
        .with(|options| {
            options.dry_run = true;
            options.items = false;
        })
        .run()
        .await;
    assert_eq!(dry.report.ends.total(), 100_000);
    assert!(dry.report.sealed);
}
