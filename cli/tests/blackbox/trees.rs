//! Whole trees, nasty and random: copied, mirrored and moved exactly; the second run does nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use blit_conform::tree::{
    cases, deep_tree, edit_tree, nasty_case, nasty_tree, random_tree, special_files,
};
use blit_conform::{Options, Scratch, Snapshot, assert_same, need_tool, scaled, seed};

use crate::bench::{Pair, blit, contents, untouched};

#[test]
fn every_nasty_case_is_copied_exactly_and_the_second_copy_does_nothing() {
    for case in cases() {
        let pair = Pair::new();
        if nasty_case(&pair.source, case) {
            eprintln!("case {} {}", case.number, case.name);
            copy_thrice(&pair);
        }
    }
}

#[test]
fn every_nasty_case_is_moved_exactly() {
    for case in cases() {
        let pair = Pair::new();
        if nasty_case(&pair.source, case) {
            eprintln!("case {} {}", case.number, case.name);
            move_away(&pair);
        }
    }
}

#[test]
fn a_nasty_tree_is_copied_exactly_and_rsync_agrees() {
    let pair = Pair::new();
    nasty_tree(&pair.source);
    copy_thrice(&pair);
    rsync_agrees(&pair.source, &pair.target);
}

#[test]
fn a_nasty_tree_is_mirrored_over_another_tree_exactly() {
    let pair = Pair::new();
    nasty_tree(&pair.source);
    nasty_tree(&pair.target);
    edit_tree(&pair.target, seed(), 40);
    mirror_twice(&pair);
}

#[test]
fn random_trees_are_copied_exactly() {
    let first = seed();
    for seed in first..first + scaled(6, 300) as u64 {
        eprintln!("tree of seed {seed}");
        let pair = Pair::new();
        random_tree(&pair.source, seed, 60);
        copy_thrice(&pair);
    }
}

#[test]
fn random_trees_are_mirrored_exactly_after_any_edits() {
    let first = seed();
    for seed in first..first + scaled(6, 300) as u64 {
        eprintln!("tree of seed {seed}");
        let pair = Pair::new();
        random_tree(&pair.source, seed, 60);
        pair.run("copy", &[]).succeeds();
        edit_tree(&pair.source, seed, 15);
        edit_tree(&pair.target, !seed, 15);
        mirror_twice(&pair);
    }
}

#[test]
fn random_trees_are_moved_exactly() {
    let first = seed();
    for seed in first..first + scaled(4, 200) as u64 {
        eprintln!("tree of seed {seed}");
        let pair = Pair::new();
        random_tree(&pair.source, seed, 60);
        move_away(&pair);
    }
}

#[test]
fn a_tree_that_is_deeper_than_any_path_is_copied_and_mirrored_away() {
    let pair = Pair::new();
    deep_tree(&pair.source, scaled(600, 2_000), 200);
    pair.run("copy", &[]).succeeds();
    assert_same(&pair.source, &pair.target);
    blit_conform::remove_tree(&pair.source).unwrap();
    fs::create_dir(&pair.source).unwrap();
    fs::write(pair.source.join("now this"), "").unwrap();
    pair.run("mirror", &["-y", "--max-delete", "100%"])
        .succeeds();
    assert_same(&pair.source, &pair.target);
}

#[test]
fn special_files_are_left_out_with_a_word_and_the_rest_is_copied() {
    let pair = Pair::with(&[("file", "content"), ("specials/file", "content")]);
    let count = special_files(&pair.source.join("specials"));
    let ran = pair.run("copy", &[]).exits(0);
    assert_eq!(
        Snapshot::of(&pair.source).entries() - count,
        Snapshot::of(&pair.target).entries()
    );
    assert!(
        ran.stderr.contains(&count.to_string()),
        "the count is not told: {ran}"
    );
}

#[test]
fn a_hard_link_whose_other_name_is_not_selected_becomes_a_file() {
    let pair = Pair::with(&[("member", "content")]);
    fs::hard_link(pair.source.join("member"), pair.scratch.path("outside")).unwrap();
    copy_thrice(&pair);
}

#[test]
fn another_name_of_a_file_at_the_target_keeps_the_old_content() {
    let pair = Pair::with(&[("file", "new content")]).and_target(&[("file", "old")]);
    let other = pair.scratch.path("other name");
    fs::hard_link(pair.target.join("file"), &other).unwrap();
    pair.run("copy", &[]).succeeds();
    assert_same(&pair.source, &pair.target);
    assert_eq!(crate::bench::read(other), "old");
}

#[test]
fn a_default_access_list_of_the_parent_does_not_leak_into_a_copy() {
    if !need_tool("setfacl") {
        return;
    }
    let pair = Pair::with(&[("a/file", "content"), ("file", "content")]).and_target(&[]);
    let default = ["-d", "-m", "u:4711:rwx"];
    assert!(
        Command::new("setfacl")
            .args(default)
            .arg(&pair.target)
            .status()
            .unwrap()
            .success()
    );
    pair.run("copy", &[]).succeeds();
    assert_same(&pair.source.join("a"), &pair.target.join("a"));
    assert_same(&pair.source.join("file"), &pair.target.join("file"));
}

#[test]
fn the_umask_has_no_say() {
    for umask in ["0000", "0777"] {
        let pair = Pair::new();
        random_tree(&pair.source, 62, 30);
        let script = format!("umask {umask}; exec \"$@\"");
        pair.blit("copy")
            .under(["sh", "-c", &script, "sh"])
            .run()
            .succeeds();
        assert_same(&pair.source, &pair.target);
    }
}

/// Dry run, first run, second run.
#[track_caller]
fn copy_thrice(pair: &Pair) {
    untouched(&pair.source, || {
        pair.run("copy", &["-n"]).succeeds();
        assert!(!pair.target.exists(), "a dry run creates nothing");
        pair.run("copy", &[]).succeeds();
    });
    assert_same(&pair.source, &pair.target);
    untouched(&pair.target, || {
        let ran = pair.run("copy", &[]).exits(0);
        assert!(
            ran.stderr.contains("othing to do"),
            "the second run does nothing: {ran}"
        );
        pair.run("check", &[]).succeeds();
    });
}

#[track_caller]
fn mirror_twice(pair: &Pair) {
    let flags = ["-y", "--max-delete", "100%"];
    untouched(&pair.source, || {
        untouched(&pair.target, || {
            pair.run("mirror", &["-y", "--max-delete", "100%", "-n"])
                .succeeds()
        });
        pair.run("mirror", &flags).succeeds();
    });
    assert_same(&pair.source, &pair.target);
    untouched(&pair.target, || pair.run("mirror", &[]).succeeds());
}

#[track_caller]
fn move_away(pair: &Pair) {
    let source = Snapshot::of(&pair.source);
    untouched(&pair.source, || pair.run("move", &["-n"]).succeeds());
    assert!(!pair.target.exists(), "a dry run creates nothing");
    pair.run("move", &["-y"]).succeeds();
    let found = source.differences(&Snapshot::of(&pair.target), Options::exact());
    assert!(
        found.is_empty(),
        "what arrived is not what was there: {found:#?}"
    );
    assert!(
        Snapshot::of(&pair.source).entries() <= 1,
        "something stays behind"
    );
}

/// The judgement of another program. The vast hole is left out: rsync reads all of it.
fn rsync_agrees(source: &Path, target: &Path) {
    if !need_tool("rsync") {
        return;
    }
    let log = Scratch::new();
    let output = Command::new("rsync")
        .args([
            "-nacHAX",
            "--delete",
            "--itemize-changes",
            "--exclude=/40-vast_hole",
        ])
        .args([contents(source), contents(target)])
        .current_dir(log.root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn a_rate_changes_how_fast_a_copy_is_and_nothing_else() {
    let pair = Pair::with(&[("small", "content"), ("d/empty", "")]);
    let large = fs::File::create(pair.source.join("with a hole")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&large, &vec![7; 5 << 20], 3 << 20).unwrap();
    for (flags, by) in [
        (&["--bwlimit", "80M"][..], "copied"),
        (&["--bwlimit", "80M", "--verify"], "verified"),
        (&["--bwlimit", "0"], "without a limit"),
    ] {
        let target = pair.scratch.path(by);
        let run = blit()
            .args(["copy"])
            .arg(contents(&pair.source))
            .arg(&target);
        run.args(flags).run().succeeds();
        assert_same(&pair.source, &target);
    }
    let _ = pair
        .run("copy", &["--bwlimit", "fast"])
        .exits(2)
        .says("--bwlimit");
}
