//! `mirror` deletes what is extra: after asking, never too much, and never after an error.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use blit_conform::{assert_same, need_root, need_tool};

use crate::bench::{Pair, read, untouched};

fn pair_with_extras(extras: usize) -> Pair {
    let pair = Pair::with(&[("kept", "content"), ("a/kept", "content")]).and_target(&[]);
    for index in 0..extras {
        fs::write(pair.target.join(format!("extra{index}")), "old").unwrap();
    }
    pair
}

#[test]
fn edits_removals_and_type_changes_end_equal() {
    let pair = Pair::with(&[
        ("edited", "new content"),
        ("file to directory/inner", "content"),
        ("directory to file", "content"),
        ("link to file", "content"),
        ("same", "content"),
    ])
    .and_target(&[
        ("edited", "old"),
        ("file to directory", "was a file"),
        ("directory to file/inner/deep", "was below"),
        ("directory to link/inner", "was below"),
        ("removed", "goes"),
        ("removed directory/inner", "goes"),
    ]);
    symlink("same", pair.source.join("directory to link")).unwrap();
    symlink("edited", pair.target.join("link to file")).unwrap();
    pair.run("mirror", &["-y"]).succeeds();
    assert_same(&pair.source, &pair.target);
}

#[test]
fn an_edit_within_the_same_second_and_of_the_same_size_is_seen() {
    let pair = Pair::with(&[("file", "AAAA")]);
    pair.run("copy", &[]).succeeds();
    fs::write(pair.source.join("file"), "BBBB").unwrap();
    pair.run("mirror", &[]).succeeds();
    assert_eq!(read(pair.target.join("file")), "BBBB");
}

#[test]
fn a_newer_file_at_the_target_is_replaced_all_the_same() {
    let pair = Pair::with(&[("file", "AAAA")]).and_target(&[("file", "BBBB")]);
    pair.run("mirror", &[]).succeeds();
    assert_same(&pair.source, &pair.target);
}

#[test]
fn deletions_that_nobody_can_confirm_are_exit_7_and_nothing_changes() {
    for flags in [&[][..], &["--no-input"], &["--json"]] {
        let pair = pair_with_extras(3);
        untouched(&pair.target, || {
            let ran = pair.run("mirror", flags).exits(7);
            let said = [ran.stdout.as_str(), &ran.stderr].concat();
            assert!(said.contains('3') && said.contains("confirm"), "{ran}");
        });
    }
}

#[test]
fn nothing_to_delete_needs_no_question() {
    let pair = pair_with_extras(0);
    pair.run("mirror", &[]).succeeds();
    assert_same(&pair.source, &pair.target);
}

#[test]
fn a_person_at_a_terminal_is_asked() {
    if !need_tool("script") {
        return;
    }
    for (answer, code) in [("y", 0), ("n", 7), ("", 7)] {
        let pair = pair_with_extras(3);
        let ran = pair.blit("mirror").at_a_terminal(&format!("{answer}\n"));
        assert_eq!(ran.code, Some(code), "{answer:?}: {ran}");
        assert!(ran.stdout.contains("Go on? [y/N/l]"), "{ran}");
        assert_eq!(pair.target.join("extra0").exists(), answer != "y", "{ran}");
    }
}

#[test]
fn the_plan_that_is_shown_before_the_question_counts_what_will_be_copied() {
    let pair = Pair::with(&[("new", "content"), ("d/other", "content")])
        .and_target(&[("extra", "x"), ("more", "x")]);
    let _ = pair
        .run("mirror", &[])
        .exits(7)
        .says("plan: mirror 2 files (14 B)")
        .says("delete 2 entries");
}

#[test]
fn an_empty_source_deletes_nothing_even_with_yes() {
    let pair = Pair::new().and_target(&[("file", "content")]);
    untouched(&pair.target, || {
        let _ = pair
            .run("mirror", &["-y"])
            .exits(7)
            .says("refusing")
            .says("--max-delete");
    });
    pair.run("mirror", &["-y", "--max-delete", "100%"])
        .succeeds();
    assert_same(&pair.source, &pair.target);
}

#[test]
fn more_than_half_of_many_entries_are_not_deleted_even_with_yes() {
    let pair = pair_with_extras(120);
    untouched(&pair.target, || {
        let _ = pair
            .run("mirror", &["-y"])
            .exits(7)
            .says("refusing to delete 120 of");
    });
}

#[test]
fn more_than_half_of_few_entries_are_deleted_with_yes() {
    let pair = pair_with_extras(60);
    pair.run("mirror", &["-y"]).succeeds();
    assert_same(&pair.source, &pair.target);
}

#[test]
fn the_brake_can_be_set_to_a_number_or_a_share() {
    for (limit, code) in [("4", 7), ("5", 0), ("90%", 7), ("100%", 0)] {
        let pair = pair_with_extras(5);
        let ran = pair.run("mirror", &["-y", "--max-delete", limit]);
        assert_eq!(ran.code, Some(code), "{limit}: {ran}");
        assert_eq!(pair.target.join("extra0").exists(), code == 7, "{limit}");
    }
}

#[test]
fn a_missing_source_deletes_nothing() {
    let pair = Pair::new().and_target(&[("file", "content")]);
    fs::remove_dir(&pair.source).unwrap();
    untouched(&pair.target, || {
        let _ = pair.run("mirror", &["-y", "--max-delete", "100%"]).exits(5);
    });
}

#[test]
fn after_an_error_in_the_source_scan_nothing_is_deleted() {
    if !need_root("to run as somebody who may not read") {
        return;
    }
    let pair = Pair::with(&[("open", "content"), ("closed/inner", "secret")]).and_target(&[
        ("extra", "stays"),
        ("closed/inner", "old"),
        ("closed/extra", "stays"),
    ]);
    fs::set_permissions(
        pair.source.join("closed"),
        fs::Permissions::from_mode(0o000),
    )
    .unwrap();
    own_by_nobody(&pair);
    let ran = pair.blit("mirror").arg("-y").as_nobody().run().exits(3);
    assert_eq!(
        read(pair.target.join("open")),
        "content",
        "the rest is copied: {ran}"
    );
    for kept in ["extra", "closed/inner", "closed/extra"] {
        assert!(pair.target.join(kept).exists(), "{kept} is gone: {ran}");
    }
}

/// The target, so that it may be written.
pub(crate) fn own_by_nobody(pair: &Pair) {
    let chown = std::process::Command::new("chown")
        .args(["-R", "65534:65534"])
        .arg(&pair.target)
        .status();
    assert!(chown.unwrap().success());
    std::os::unix::fs::chown(pair.scratch.root(), Some(65_534), Some(65_534)).unwrap();
}

#[test]
fn what_is_outside_the_limits_is_neither_deleted_nor_compared() {
    let long = "x".repeat(3_000);
    let pair = Pair::with(&[("grown", &long), ("small", "new"), ("shrunk", "s")]).and_target(&[
        ("grown", "old"),
        ("shrunk", &long),
        ("large extra", &long),
        ("extra", "goes"),
        ("d/large", &long),
        ("d/extra", "goes"),
    ]);
    let flags = ["-y", "--max-size", "2k", "--max-delete", "100%"];
    let json = pair.run("mirror", &["-n", "--json", "--max-size", "2k"]);
    assert!(
        !json.stdout.contains("\"delete\",\"path\":\"grown\""),
        "{json}"
    );
    pair.run("mirror", &flags).succeeds();
    for (kept, content) in [
        ("grown", "old"),
        ("large extra", &long),
        ("d/large", &long),
        ("small", "new"),
        ("shrunk", "s"),
    ] {
        assert_eq!(read(pair.target.join(kept)), content, "{kept}");
    }
    assert!(!pair.target.join("extra").exists() && !pair.target.join("d/extra").exists());
    let check = pair.run("check", &["--json", "--max-size", "2k"]).exits(0);
    assert!(!check.stdout.contains("\"diff\""), "{check}");
}

#[test]
fn what_is_excluded_is_not_deleted() {
    let pair = Pair::with(&[("file", "content"), ("cache/new", "content")])
        .and_target(&[("cache/old", "stays"), ("extra", "goes")]);
    pair.run("mirror", &["-y", "--exclude", "cache"]).succeeds();
    assert!(pair.target.join("cache/old").exists());
    assert!(!pair.target.join("cache/new").exists());
    assert!(!pair.target.join("extra").exists());
}

#[test]
fn a_link_is_deleted_and_what_it_points_to_stays() {
    let pair = Pair::with(&[("file", "content")]).and_target(&[]);
    let canary = pair.scratch.directory("canary");
    fs::write(canary.join("bird"), "alive").unwrap();
    symlink(&canary, pair.target.join("link")).unwrap();
    untouched(&canary, || pair.run("mirror", &["-y"]).succeeds());
    assert_same(&pair.source, &pair.target);
}

#[test]
fn a_link_where_the_source_has_a_directory_is_replaced_and_never_written_through() {
    for verb in ["copy", "mirror"] {
        let pair = Pair::with(&[("place/file", "content")]).and_target(&[]);
        let canary = pair.scratch.directory("canary");
        fs::write(canary.join("bird"), "alive").unwrap();
        symlink(&canary, pair.target.join("place")).unwrap();
        untouched(&canary, || {
            let ran = pair.run(verb, &["-y"].as_slice()[usize::from(verb == "copy")..]);
            assert_eq!(ran.code, Some(0), "{ran}");
        });
        assert_same(&pair.source, &pair.target);
    }
}

#[test]
fn what_is_mounted_in_the_target_is_not_deleted() {
    if !need_root("to mount") || !need_tool("unshare") {
        return;
    }
    let pair = Pair::with(&[("file", "content")]).and_target(&[("mounted/", "")]);
    let script = "mount -t tmpfs none \"$1\" && touch \"$1/bird\" || exit 99
        place=$1; shift; \"$@\"; code=$?; test -e \"$place/bird\" && echo alive; exit $code";
    let place = pair.target.join("mounted").into_os_string();
    let words = ["unshare", "-m", "sh", "-c", script, "sh"]
        .map(Into::into)
        .into_iter()
        .chain([place]);
    let ran = pair
        .blit("mirror")
        .arg("-y")
        .under(words.collect::<Vec<_>>())
        .run();
    assert!(ran.stdout.contains("alive"), "{ran}");
    assert_eq!(read(pair.target.join("file")), "content");
}

#[test]
fn a_backup_directory_receives_what_is_deleted_and_overwritten() {
    let pair = Pair::with(&[("file", "new")]).and_target(&[("file", "older"), ("a/extra", "goes")]);
    let backup = pair.scratch.path("backup");
    pair.blit("mirror")
        .arg("-y")
        .arg("--backup-dir")
        .arg(&backup)
        .run()
        .succeeds();
    assert_same(&pair.source, &pair.target);
    assert_eq!(read(backup.join("file")), "older");
    assert_eq!(read(backup.join("a/extra")), "goes");
}
