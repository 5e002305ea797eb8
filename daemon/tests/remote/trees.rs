//! Whole trees, there and back.

use blit_conform::{
    assert_same, scaled, seed,
    tree::{edit_tree, nasty_tree, random_tree},
};

use crate::bench::{Two, Way, contents, there};

macro_rules! over_every_way {
    ($($module:ident: $way:ident,)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn a_nasty_tree_is_pushed_and_pulled_exactly_and_the_second_run_does_nothing() {
                there_and_back(Way::$way);
            }

            #[test]
            fn a_mirror_over_another_tree_ends_equal_either_way() {
                mirrored_both_ways(Way::$way);
            }

            #[test]
            fn names_and_slashes_mean_the_same_as_on_one_machine() {
                named(Way::$way);
            }

            #[test]
            fn a_move_removes_exactly_what_arrived_either_way() {
                moved_both_ways(Way::$way);
            }
        }
    )*};
}

over_every_way! {
    over_tcp_encrypted: Encrypted,
    over_grpc: Grpc,
    over_ssh: Ssh,
    over_tcp_on_one_machine: Tcp,
    over_tcp_in_a_trusted_network: Trusted,
    over_unix: Unix,
}

fn there_and_back(way: Way) {
    if !way.is_there() {
        return;
    }
    let two = Two::over(way);
    let source = two.scratch.directory("source");
    nasty_tree(&source);
    let push = [contents(&source), two.there("m/x/").into()];
    for expected in [way.words(), "Nothing to do"] {
        let _ = two
            .blit(&[&["copy".into()], &push[..]].concat())
            .exits(0)
            .says(expected);
        assert_same(&source, &two.module().join("x"));
    }
    let back = two.scratch.path("back");
    let pull = [two.there("m/x/").into(), contents(&back)];
    for expected in [way.words(), "Nothing to do"] {
        let _ = two
            .blit(&[&["copy".into()], &pull[..]].concat())
            .exits(0)
            .says(expected);
        assert_same(&source, &back);
    }
}

fn mirrored_both_ways(way: Way) {
    if !way.is_there() {
        return;
    }
    let two = Two::over(way);
    let (source, target) = (two.scratch.directory("source"), two.module().join("t"));
    std::fs::create_dir(&target).unwrap();
    nasty_tree(&source);
    nasty_tree(&target);
    edit_tree(&target, seed(), 40);
    let words = [
        "mirror".into(),
        "-y".into(),
        contents(&source),
        two.there("m/t/").into(),
    ];
    two.blit(&words).succeeds();
    assert_same(&source, &target);
    edit_tree(&source, seed(), 40);
    let words = [
        "mirror".into(),
        "-y".into(),
        two.there("m/t/").into(),
        contents(&source),
    ];
    two.blit(&words).succeeds();
    assert_same(&target, &source);
}

fn moved_both_ways(way: Way) {
    if !way.is_there() {
        return;
    }
    let two = Two::over(way);
    let source = two.scratch.directory("source");
    nasty_tree(&source);
    let twin = two.scratch.path("twin");
    let words = [
        "copy".into(),
        contents(&source),
        twin.clone().into_os_string(),
    ];
    two.blit(&words).succeeds();
    let words = [
        "move".into(),
        source.clone().into_os_string(),
        two.there("m/").into(),
    ];
    two.blit(&words).succeeds();
    assert!(!source.exists(), "the source is still there");
    assert_same(&twin, &two.module().join("source"));
    two.blit(&["move", &two.there("m/source"), "."]).succeeds();
    assert!(!two.module().join("source").exists());
    assert_same(&twin, &source);
}

/// A daemon lives longer than the places of directories.
#[test]
fn directories_that_are_moved_between_two_sessions_are_where_they_are_now() {
    let two = Two::new();
    let (source, target) = (two.scratch.directory("source"), two.module().join("t"));
    std::fs::create_dir_all(source.join("d/e")).unwrap();
    std::fs::write(source.join("d/e/f"), "1").unwrap();
    let push = ["copy".into(), contents(&source), there("m/t/").into()];
    two.blit(&push).succeeds();
    // What was at `d` is kept elsewhere, and nothing that was begun there may be written into it.
    let kept = two.module().join("kept");
    std::fs::rename(target.join("d"), &kept).unwrap();
    std::fs::create_dir(target.join("d")).unwrap();
    std::fs::write(target.join("d/other"), "2").unwrap();
    let before = blit_conform::Snapshot::of(&kept);
    std::fs::write(source.join("d/e/g"), "3").unwrap();
    let words = [
        "mirror".into(),
        "-y".into(),
        contents(&source),
        there("m/t/").into(),
    ];
    two.blit(&words).succeeds();
    assert_same(&source, &target);
    let options = blit_conform::Options::untouched();
    let touched = before.differences(&blit_conform::Snapshot::of(&kept), options);
    assert!(touched.is_empty(), "{touched:?}");
    // The other way, and in a listing.
    std::fs::rename(target.join("d"), two.module().join("away")).unwrap();
    std::fs::create_dir(target.join("d")).unwrap();
    std::fs::write(target.join("d/now"), "4").unwrap();
    let back = two.scratch.path("back");
    two.blit(&["copy".into(), there("m/t/").into(), contents(&back)])
        .succeeds();
    assert_same(&target, &back);
    let listed = two.blit(&["ls", &there("m/t/d")]).exits(0);
    assert_eq!(listed.stdout, format!("{}\n", there("m/t/d/now")));
}

#[test]
fn random_trees_are_pushed_and_pulled_exactly() {
    let first = seed();
    for seed in first..first + scaled(2, 100) as u64 {
        let two = Two::new();
        let source = two.scratch.directory("source");
        random_tree(&source, seed, 60);
        let words = [
            "mirror".into(),
            "-y".into(),
            contents(&source),
            there("m/").into(),
        ];
        two.blit(&words).succeeds();
        assert_same(&source, &two.module());
        let words = ["check".into(), contents(&source), there("m/").into()];
        two.blit(&words).succeeds();
        let back = two.scratch.path("back");
        let words = [
            "mirror".into(),
            "-y".into(),
            there("m/").into(),
            contents(&back),
        ];
        two.blit(&words).succeeds();
        assert_same(&source, &back);
    }
}

#[test]
fn a_large_file_with_holes_crosses_with_its_holes() {
    use std::os::unix::fs::{FileExt, MetadataExt};
    let two = Two::new();
    let source = two.scratch.directory("source");
    let file = std::fs::File::create(source.join("holes")).unwrap();
    file.set_len(40 << 20).unwrap();
    file.write_all_at(&vec![7; 3 << 20], 8 << 20).unwrap();
    drop(file);
    let words = ["copy".into(), contents(&source), there("m/").into()];
    two.blit(&words).succeeds();
    assert_same(&source, &two.module());
    let found = std::fs::metadata(two.module().join("holes")).unwrap();
    assert!(found.blocks() * 512 < 6 << 20, "the holes were filled");
}

fn named(way: Way) {
    if !way.is_there() {
        return;
    }
    let two = Two::over(way);
    std::fs::write(two.scratch.path("one.txt"), "1").unwrap();
    let exists = |path: &str| two.module().join(path).is_file();
    two.blit(&["copy", "one.txt", &two.there("m/two.txt")])
        .succeeds();
    assert!(exists("two.txt"));
    two.blit(&["copy", "one.txt", &two.there("m/new/")])
        .succeeds();
    assert!(exists("new/one.txt"));
    two.blit(&["copy", "one.txt", &two.there("m/new")])
        .succeeds();
    two.blit(&["copy", &two.there("m/new"), "here"]).succeeds();
    assert!(two.scratch.path("here/new/one.txt").is_file());
    two.blit(&["copy", &two.there("m/new/one.txt"), "three.txt"])
        .succeeds();
    assert!(two.scratch.path("three.txt").is_file());
    let listed = two.blit(&["ls", &two.there("m/new")]).exits(0);
    assert_eq!(listed.stdout, format!("{}\n", two.there("m/new/one.txt")));
}
