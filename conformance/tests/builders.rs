//! The builders make what they say, and the comparer can read all of it.

use std::process::Command;

use blit_conform::tree::{
    cases, deep_tree, edit_tree, many_small_files, nasty_case, nasty_tree, random_tree,
    special_files,
};
use blit_conform::{Options, Scratch, Snapshot, assert_same, compare, remove_tree, scaled};

#[test]
fn every_nasty_case_can_be_copied_by_cp_and_compared() {
    for case in cases() {
        let scratch = Scratch::new();
        let source = scratch.directory("source");
        if !nasty_case(&source, case) {
            continue;
        }
        let cp = Command::new("cp")
            .arg("-a")
            .arg(&source)
            .arg(scratch.path("copy"))
            .status();
        assert!(cp.unwrap().success(), "case {}", case.number);
        assert!(
            Snapshot::of(&source).entries() > 2,
            "case {} is empty",
            case.number
        );
        assert_same(&source, &scratch.path("copy"));
    }
}

#[test]
fn a_case_has_its_number_alone() {
    let mut numbers: Vec<u32> = cases().map(|it| it.number).collect();
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all);
}

#[test]
fn a_nasty_tree_equals_another_one() {
    // Except that hard links, times of creation and the like are new, all must be as before.
    let scratch = Scratch::new();
    nasty_tree(&scratch.path("a"));
    nasty_tree(&scratch.path("b"));
    let times = Options::exact().without(blit_conform::What::Time);
    assert_eq!(compare(&scratch.path("a"), &scratch.path("b"), times), []);
}

#[test]
fn a_seed_gives_the_same_tree_twice() {
    let scratch = Scratch::new();
    for seed in 0..scaled(4, 40) as u64 {
        let (a, b) = (
            scratch.path(format!("a{seed}")),
            scratch.path(format!("b{seed}")),
        );
        random_tree(&a, seed, 80);
        random_tree(&b, seed, 80);
        assert_same(&a, &b);
        edit_tree(&a, seed, 10);
        assert_ne!(compare(&a, &b, Options::exact()), []);
    }
}

#[test]
fn two_seeds_give_two_trees() {
    let scratch = Scratch::new();
    random_tree(&scratch.path("a"), 1, 20);
    random_tree(&scratch.path("b"), 2, 20);
    assert_ne!(
        compare(&scratch.path("a"), &scratch.path("b"), Options::exact()),
        []
    );
}

#[test]
fn a_tree_that_is_deeper_than_any_path_is_read_and_removed() {
    let scratch = Scratch::new();
    let root = scratch.path("deep");
    deep_tree(&root, 2_000, 200);
    let snapshot = Snapshot::of(&root);
    assert_eq!(snapshot.entries(), 1 + 2_000 + 20);
    assert_eq!(
        snapshot.differences(&Snapshot::of(&root), Options::untouched()),
        []
    );
    remove_tree(&root).unwrap();
    assert!(!root.exists());
}

#[test]
fn special_files_are_compared_without_being_opened() {
    let scratch = Scratch::new();
    let count = special_files(&scratch.path("a"));
    let cp = Command::new("cp")
        .arg("-a")
        .arg(scratch.path("a"))
        .arg(scratch.path("b"))
        .status();
    assert!(cp.unwrap().success());
    assert_eq!(Snapshot::of(&scratch.path("a")).entries(), 1 + count);
    assert_same(&scratch.path("a"), &scratch.path("b"));
}

#[test]
fn many_small_files_are_as_many_as_asked_for() {
    let scratch = Scratch::new();
    many_small_files(&scratch.path("many"), 250);
    assert_eq!(Snapshot::of(&scratch.path("many")).entries(), 1 + 3 + 250);
}
