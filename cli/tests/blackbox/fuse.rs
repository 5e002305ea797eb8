//! File systems that fold names, fail in the middle or lie (benches T5d, nasty cases 12 and 13): what
//! cannot be told apart is named, and whatever fails, success is an exact copy.

pub(crate) mod volume;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use blit_conform::tree::Random;
use blit_conform::{Options, Ran, What, assert_same_with, need_root};

use self::volume::{Manners, Mounted, folded};
use crate::bench::{Pair, read, write};
use crate::json::error_codes;
use blit_conform::is_unfinished;

/// A pair whose target is a volume; nothing where FUSE cannot be had.
pub(crate) fn onto(manners: Manners) -> Option<(Pair, Mounted)> {
    if !can_mount() {
        return None;
    }
    let pair = Pair::new();
    let mounted = Mounted::at(&pair.target, manners);
    Some((pair, mounted))
}

/// A pair whose source is a volume.
pub(crate) fn from(manners: Manners) -> Option<(Pair, Mounted)> {
    if !can_mount() {
        return None;
    }
    let pair = Pair::new();
    // Well-behaved while it is filled.
    let mounted = Mounted::at(&pair.source, Manners::default());
    write(&pair.source, &[("before", "whole"), ("d/after", "whole")]);
    fs::write(pair.source.join("large"), Random::new(3).bytes(3 << 20)).unwrap();
    fs::write(pair.source.join("small"), Random::new(4).bytes(9_000)).unwrap();
    mounted.behaves(manners);
    Some((pair, mounted))
}

pub(crate) fn can_mount() -> bool {
    if !Path::new("/dev/fuse").exists() {
        blit_conform::skip("this kernel has no /dev/fuse");
        return false;
    }
    need_root("to mount")
}

/// Links are counted by inode there, and the volume keeps no attributes.
fn kept() -> Options {
    Options::exact().without(What::Xattr).without(What::Holes)
}

#[track_caller]
fn nothing_hidden(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!is_unfinished(name.as_encoded_bytes()), "{name:?} is left");
    }
}

#[test]
fn a_tree_goes_onto_a_fuse_mount_and_back_and_a_second_run_does_nothing() {
    let Some((pair, _mounted)) = onto(Manners::default()) else {
        return;
    };
    write(
        &pair.source,
        &[("a", "content"), ("d/e/b", "content"), ("empty/", "")],
    );
    fs::write(pair.source.join("large"), Random::new(1).bytes(3 << 20)).unwrap();
    symlink("a", pair.source.join("symlink")).unwrap();
    pair.run("copy", &[]).succeeds();
    assert_same_with(&pair.source, &pair.target, kept());
    let again = pair.run("mirror", &["-y", "-i"]).exits(0);
    assert!(!again.stdout.contains("large"), "{again}");
    let mut back = Pair::on(blit_conform::Scratch::new());
    back.source = pair.target.clone();
    back.run("copy", &[]).succeeds();
    assert_same_with(&pair.source, &back.target, kept());
}

/// Pairs of names that are two files on Linux, and one on a file system that folds.
fn twins() -> Vec<[OsString; 2]> {
    [
        ["README", "readme"],
        ["caf\u{e9}", "cafe\u{301}"],
        ["stra\u{df}e", "STRASSE"],
        ["I", "\u{131}"],
    ]
    .map(|twins| twins.map(OsString::from))
    .into()
}

fn plant_twins(root: &Path, kind: &str) {
    for names in twins() {
        for (at, name) in names.iter().enumerate() {
            let path = root.join(name);
            match kind {
                "file" => fs::write(path, format!("twin {at}")).unwrap(),
                "link" => symlink(format!("twin {at}"), path).unwrap(),
                _ => fs::create_dir(path).unwrap(),
            }
        }
    }
    fs::write(root.join("alone"), "content").unwrap();
    fs::write(root.join(OsString::from_vec(b"\xff".into())), "content").unwrap();
}

/// The first of two that cannot be told apart is kept; the second is named, and nothing is mixed.
fn collide(kind: &str, verb: &[&str]) {
    let manners = Manners {
        folds: true,
        ..Manners::default()
    };
    let Some((pair, _mounted)) = onto(manners) else {
        return;
    };
    plant_twins(&pair.source, kind);
    let json = pair.blit(verb[0]).args(&verb[1..]).arg("--json").run();
    let _ = names_are_told(&pair, &json, kind);
    let again = pair.run(verb[0], &verb[1..]);
    assert_eq!(again.code, Some(3), "the second run: {again}");
    nothing_hidden(&pair.target);
    one_of_each(&pair, kind, &again);
}

#[track_caller]
fn names_are_told(pair: &Pair, json: &Ran, kind: &str) -> usize {
    assert_eq!(json.code, Some(3), "{json}");
    let codes = error_codes(json);
    let collisions = codes.iter().filter(|it| *it == "name.conflict").count();
    assert!(collisions >= twins().len(), "{codes:?}: {json}");
    one_of_each(pair, kind, json);
    collisions
}

#[track_caller]
fn one_of_each(pair: &Pair, kind: &str, ran: &Ran) {
    let names: BTreeSet<OsString> = fs::read_dir(&pair.target)
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    for twins in twins() {
        let there: Vec<_> = names
            .iter()
            .filter(|it| folded(it) == folded(&twins[0]))
            .collect();
        assert_eq!(there.len(), 1, "{twins:?}: {there:?}: {ran}");
        let name = there[0];
        assert!(twins.contains(name), "{name:?} is no name of ours: {ran}");
        if kind == "file" {
            let (is, was) = (read(pair.target.join(name)), read(pair.source.join(name)));
            assert_eq!(is, was, "{name:?} has the content of its twin: {ran}");
        }
    }
    assert_eq!(read(pair.target.join("alone")), "content", "{ran}");
    assert_eq!(names.len(), twins().len() + 2, "{names:?}: {ran}");
}

#[test]
fn files_that_a_folding_fuse_mount_cannot_tell_apart_are_named_and_the_first_is_kept() {
    collide("file", &["copy"]);
}

#[test]
fn a_mirror_onto_a_folding_fuse_mount_names_files_that_collide() {
    collide("file", &["mirror", "-y"]);
}

#[test]
fn links_that_a_folding_fuse_mount_cannot_tell_apart_are_named() {
    collide("link", &["copy"]);
}

#[test]
fn directories_that_a_folding_fuse_mount_cannot_tell_apart_are_named() {
    collide("directory", &["copy"]);
}

#[test]
fn a_move_onto_a_folding_fuse_mount_keeps_what_collides_at_the_source() {
    let manners = Manners {
        folds: true,
        ..Manners::default()
    };
    let Some((pair, _mounted)) = onto(manners) else {
        return;
    };
    plant_twins(&pair.source, "file");
    let ran = pair.run("move", &["-y"]).exits(3);
    let mut left = 0;
    for [a, b] in twins() {
        for (at, name) in [a, b].iter().enumerate() {
            let content = format!("twin {at}");
            let came = fs::read_to_string(pair.target.join(name)).ok();
            let stays = fs::read_to_string(pair.source.join(name)).ok();
            let is_somewhere = [came, stays.clone()].contains(&Some(content));
            assert!(is_somewhere, "{name:?} is nowhere: {ran}");
            left += usize::from(stays.is_some());
        }
    }
    assert_eq!(left, twins().len(), "{ran}");
}

/// What a faulty source may come to: named, never published in part, and nothing deleted.
fn faulty_source(manners: Manners, bad: &str, codes: &[&str]) {
    let Some((pair, _mounted)) = from(manners) else {
        return;
    };
    write(&pair.target, &[(bad, "old"), ("extra", "stays")]);
    let ran = pair.run("mirror", &["-y", "--max-delete", "100%", "--json"]);
    assert_eq!(ran.code, Some(3), "{ran}");
    let told = error_codes(&ran);
    assert!(
        told.iter().any(|it| codes.contains(&it.as_str())),
        "{told:?}: {ran}"
    );
    assert_eq!(read(pair.target.join(bad)), "old", "{ran}");
    assert_eq!(read(pair.target.join("extra")), "stays", "{ran}");
    for good in ["before", "d/after"] {
        assert_eq!(read(pair.target.join(good)), "whole", "{ran}");
    }
    nothing_hidden(&pair.target);
}

#[test]
fn a_fuse_mount_that_cannot_read_a_large_file_to_its_end_publishes_nothing_of_it() {
    for from in [0, 1, 1 << 20, (3 << 20) - 1] {
        let manners = Manners {
            bad_read: Some(("large", from)),
            ..Manners::default()
        };
        faulty_source(manners, "large", &["io.source", "io.target"]);
    }
}

#[test]
fn a_fuse_mount_that_cannot_read_a_small_file_to_its_end_publishes_nothing_of_it() {
    for from in [0, 4_096, 8_999] {
        let manners = Manners {
            bad_read: Some(("small", from)),
            ..Manners::default()
        };
        faulty_source(manners, "small", &["io.source"]);
    }
}

#[test]
fn a_fuse_mount_that_says_a_file_is_longer_than_it_is_publishes_nothing_of_it() {
    for (bad, more) in [
        ("small", 1),
        ("small", 5_000),
        ("large", 1),
        ("large", 1 << 20),
    ] {
        let manners = Manners {
            lie_bytes: Some((bad, more)),
            ..Manners::default()
        };
        faulty_source(manners, bad, &["data.changed"]);
    }
}

#[test]
fn a_fuse_mount_that_reads_slowly_is_only_slow() {
    let manners = Manners {
        slow_read: Duration::from_millis(20),
        ..Manners::default()
    };
    let Some((pair, _mounted)) = from(manners) else {
        return;
    };
    pair.run("copy", &[]).succeeds();
    assert_same_with(&pair.source, &pair.target, kept());
}

/// A target that fails: never a success, and every name is old or new.
fn faulty_target(manners: Manners, durability: &str) {
    let Some((pair, mounted)) = onto(Manners::default()) else {
        return;
    };
    write(&pair.source, &[("a", "the new a"), ("d/b", "the new b")]);
    fs::write(pair.source.join("large"), Random::new(5).bytes(3 << 20)).unwrap();
    write(&pair.target, &[("a", "old"), ("extra", "stays")]);
    let flags = ["-y", "--max-delete", "100%", "--durability", durability];
    mounted.behaves(manners.clone());
    let ran = pair.run("mirror", &flags);
    mounted.behaves(Manners::default());
    assert!(matches!(ran.code, Some(1..=12)), "{manners:?}: {ran}");
    for (name, old) in [("a", Some("old")), ("d/b", None)] {
        let is = fs::read_to_string(pair.target.join(name)).ok();
        let new = read(pair.source.join(name));
        assert!(
            is.as_deref() == old || is == Some(new),
            "{name}: {is:?}: {ran}"
        );
    }
    let large = fs::read(pair.target.join("large")).ok();
    let new = fs::read(pair.source.join("large")).unwrap();
    assert!(large.is_none_or(|it| it == new), "a part of large: {ran}");
    assert_eq!(read(pair.target.join("extra")), "stays", "{ran}");
    nothing_hidden(&pair.target);
    // And when it works again, the second run completes exactly.
    pair.run("mirror", &flags).succeeds();
    assert_same_with(&pair.source, &pair.target, kept());
}

#[test]
fn a_fuse_mount_that_cannot_write_is_no_success() {
    for from in [0, 4, 1 << 20, (3 << 20) - 1] {
        let manners = Manners {
            bad_write: Some(from),
            ..Manners::default()
        };
        faulty_target(manners, "batch");
    }
}

#[test]
fn a_fuse_mount_that_fails_only_when_a_file_is_closed_is_no_success() {
    for durability in ["batch", "file", "none"] {
        let manners = Manners {
            bad_flush: true,
            ..Manners::default()
        };
        faulty_target(manners, durability);
    }
}

#[test]
fn a_fuse_mount_that_cannot_sync_is_no_success() {
    let manners = Manners {
        bad_sync: true,
        ..Manners::default()
    };
    faulty_target(manners, "file");
}
