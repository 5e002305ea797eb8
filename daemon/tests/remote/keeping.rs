//! `--backup-dir` with a destination on another machine: what is replaced or deleted there is kept there.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
};

use blit_conform::{Options, Ran, Snapshot, assert_same, seed, tree::random_tree};

use crate::{
    bench::{Daemon, Two, Way, contents, there},
    hostile::villain::Villain,
};

/// A mirror that may delete all.
const MIRROR: [&str; 3] = ["mirror", "-y", "--max-delete=100%"];

/// Mirrors `new/` to that place, and keeps the old state in that one.
fn mirror(two: &Two, target: &str, backup: &str) -> Ran {
    two.command(&MIRROR)
        .args(["--backup-dir", backup, "new/", target])
        .run()
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// An older tree in `m/tree`, and a newer one in `new` that replaces and deletes something of every kind.
fn old_and_new(two: &Two) {
    let (new, old) = (two.scratch.directory("new"), two.module().join("tree"));
    for (at, name, content) in [
        (&old, "stays", "same"),
        (&old, "f", "older"),
        (&old, "gone", "goes"),
        (&old, "d/deep/gone", "goes too"),
        (&old, "becomes", "a file"),
        (&new, "stays", "same"),
        (&new, "f", "new"),
        (&new, "becomes/a", "directory"),
    ] {
        write(&at.join(name), content);
    }
    let then = std::time::SystemTime::UNIX_EPOCH;
    for at in [&old, &new] {
        let stays = fs::File::options().write(true).open(at.join("stays"));
        stays.unwrap().set_modified(then).unwrap();
    }
    symlink("f", old.join("link")).unwrap();
    fs::write(old.join(OsStr::from_bytes(b"odd\xff")), "odd").unwrap();
}

#[test]
fn what_a_push_replaces_or_deletes_is_kept_and_the_second_run_does_nothing() {
    for way in [Way::Unix, Way::Grpc, Way::Ssh] {
        if !way.is_there() {
            continue;
        }
        let two = Two::over(way);
        old_and_new(&two);
        let run = || mirror(&two, &two.there("m/tree/"), &two.there("m/kept/old"));
        let _ = run().exits(0);
        assert_same(&two.scratch.path("new"), &two.module().join("tree"));
        let old = two.module().join("kept/old");
        for (name, content) in [
            ("f", "older"),
            ("gone", "goes"),
            ("d/deep/gone", "goes too"),
            ("becomes", "a file"),
        ] {
            assert_eq!(read(&old.join(name)), content, "{name} {way:?}");
        }
        assert_eq!(fs::read_link(old.join("link")).unwrap(), Path::new("f"));
        assert_eq!(
            fs::read(old.join(OsStr::from_bytes(b"odd\xff"))).unwrap(),
            b"odd"
        );
        assert!(!old.join("stays").exists());
        let before = Snapshot::of(&two.module());
        let _ = run().exits(0).says("Nothing to do");
        let changed = before.differences(&Snapshot::of(&two.module()), Options::untouched());
        assert!(changed.is_empty(), "{changed:#?}");
    }
}

#[test]
fn what_is_kept_twice_stands_beside_what_was_kept_before() {
    let two = Two::new();
    let (new, tree) = (two.scratch.directory("new"), two.module().join("tree"));
    for content in ["first", "second!", "third"] {
        fs::write(new.join("f"), content).unwrap();
        let backup = there("m/old");
        let copy = ["copy", "--backup-dir", &backup, "new/", &there("m/tree")];
        two.blit(&copy).succeeds();
    }
    assert_eq!(read(&tree.join("f")), "third");
    assert_eq!(read(&two.module().join("old/f")), "first");
    assert_eq!(read(&two.module().join("old/f.~1~")), "second!");
}

#[test]
fn a_whole_tree_that_is_mirrored_away_is_in_the_backup_directory() {
    let two = Two::new();
    let _ = two.scratch.directory("new");
    random_tree(&two.module().join("tree"), seed(), 800);
    let twin = two.scratch.path("twin");
    two.blit(&["copy", "m/tree/", "twin"]).succeeds();
    mirror(&two, &there("m/tree/"), &there("m/old")).succeeds();
    let kept = Snapshot::of(&two.module().join("old"));
    // Directories are made anew; what is in them is moved.
    let (twin, left) = (
        Snapshot::of(&twin).paths(),
        fs::read_dir(two.module().join("tree")),
    );
    assert_eq!(kept.paths(), twin);
    assert_eq!(left.unwrap().count(), 0);
}

#[test]
fn a_dry_run_makes_no_backup_directory_here_or_there() {
    for way in [Way::Unix, Way::Ssh] {
        if !way.is_there() {
            continue;
        }
        let two = Two::over(way);
        old_and_new(&two);
        let before = Snapshot::of(&two.module());
        for (target, backup) in [
            ("m/tree/".to_owned(), "m/kept/old".to_owned()),
            (two.there("m/tree/"), two.there("m/kept/old")),
            (two.there("m/none/tree/"), two.there("m/kept/old")),
        ] {
            let words = ["mirror", "-n", "--backup-dir", &backup, "new/", &target];
            let ran = two.blit(&words).exits(0);
            assert!(ran.stdout.contains("f"), "{ran}");
        }
        let changed = before.differences(&Snapshot::of(&two.module()), Options::untouched());
        assert!(changed.is_empty(), "{changed:#?} {way:?}");
    }
}

#[test]
fn a_backup_directory_that_is_not_beside_the_target_is_refused_with_what_to_type() {
    let two = Two::new();
    old_and_new(&two);
    let tree = there("m/tree/");
    let before = Snapshot::of(&two.module());
    for (target, backup, says, next) in [
        (
            &*tree,
            "old",
            "is a path on this machine",
            format!("--backup-dir {}", there("m/old")),
        ),
        (
            &*tree,
            &*there("ro/old"),
            "in another module",
            there("m/old"),
        ),
        (
            &*tree,
            &*there("m/tree/old"),
            "the backup directory is inside the destination",
            "beside it".into(),
        ),
        (
            &*tree,
            &*tree,
            "the backup directory is inside the destination",
            "beside it".into(),
        ),
        (
            &*tree,
            &*there("m/"),
            "the destination is inside the backup directory",
            "choose a directory below it".into(),
        ),
        (
            &*there("m/"),
            &*there("m/old"),
            "the backup directory is inside the destination",
            "choose a directory below it".into(),
        ),
        (
            "m/tree/",
            &*there("m/old"),
            "is on another machine",
            "on this machine".into(),
        ),
    ] {
        let _ = mirror(&two, target, backup)
            .exits(2)
            .says(says)
            .says("nothing was changed")
            .says(&next);
    }
    let changed = before.differences(&Snapshot::of(&two.module()), Options::untouched());
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn over_ssh_a_backup_directory_must_lie_apart_by_whatever_name() {
    if !Way::Ssh.is_there() {
        return;
    }
    let two = Two::over(Way::Ssh);
    old_and_new(&two);
    symlink("tree", two.module().join("alias")).unwrap();
    for backup in ["m/alias/old", "m/alias"] {
        let _ = mirror(&two, &two.there("m/tree/"), &two.there(backup))
            .exits(2)
            .says("the backup directory is the destination, inside it or above it")
            .says("choose a --backup-dir beside the destination");
    }
    assert_eq!(read(&two.module().join("tree/gone")), "goes");
    // As on one machine it may be behind a link.
    fs::create_dir(two.scratch.path("elsewhere")).unwrap();
    symlink("../elsewhere", two.module().join("old")).unwrap();
    mirror(&two, &two.there("m/tree/"), &two.there("m/old")).succeeds();
    assert_eq!(read(&two.scratch.path("elsewhere/gone")), "goes");
}

/// The destination under another name.
const BOUND: &str =
    "mkdir -p \"$0/tree\" \"$0/alias\" && mount --bind \"$0/tree\" \"$0/alias\" && exec \"$@\"";

#[test]
fn the_target_under_another_name_is_no_backup_directory() {
    let two = Two::under(Way::Tcp, |scratch| {
        let module = scratch.path("m").display().to_string();
        let words = ["unshare", "--mount", "sh", "-c", BOUND, &module];
        words.map(str::to_owned).into()
    });
    old_and_new(&two);
    for (target, backup) in [
        ("m/tree/", "m/alias"),
        ("m/tree/", "m/alias/old"),
        ("m/alias/d/", "m/tree"),
    ] {
        let _ = mirror(&two, &there(target), &there(backup))
            .exits(2)
            .says("the backup directory is the destination, inside it or above it");
    }
    assert_eq!(read(&two.module().join("tree/f")), "older");
    assert!(!two.module().join("tree/old").exists());
}

#[test]
fn where_nothing_may_be_replaced_there_is_no_backup_directory() {
    let mut two = Two::new();
    old_and_new(&two);
    let added = two.scratch.directory("added");
    write(&added.join("tree/f"), "older");
    two.daemon.kill();
    let more = format!("--module=add={}:add", added.display());
    let listen = format!("--listen=127.0.0.1:{}", two.daemon.port());
    let config = two.scratch.path("daemon.toml").into_os_string();
    let arguments = ["--config".into(), config, more.into(), listen.into()];
    two.daemon = Daemon::start(&[], &two.scratch.path("daemon-state"), &arguments);
    for (module, why) in [("add", "is add-only"), ("ro", "is read-only")] {
        let (tree, old) = (
            there(&format!("{module}/tree/")),
            there(&format!("{module}/old")),
        );
        for more in [&[][..], &["-n"]] {
            let copy = ["copy", "--backup-dir", &old, "new/", &tree];
            let _ = two.command(&copy).args(more).run().exits(6).says(why);
        }
    }
    assert_eq!(read(&added.join("tree/f")), "older");
    assert_eq!(fs::read_dir(&added).unwrap().count(), 1);
}

#[test]
fn no_link_leads_what_is_kept_out_of_the_module() {
    let two = Two::new();
    old_and_new(&two);
    let outside = two.scratch.directory("outside");
    write(&outside.join("d/canary"), "sings");
    let before = Snapshot::of(&outside);
    symlink("../outside", two.module().join("out")).unwrap();
    write(&two.module().join("file"), "");
    for backup in ["m/out", "m/out/old", "m/out/d", "m/file", "m/file/old"] {
        let ran = mirror(&two, &there("m/tree/"), &there(backup));
        let _ = ran
            .exits(2)
            .says("is no directory")
            .says("nothing was changed");
        assert_eq!(read(&two.module().join("tree/f")), "older", "{backup}");
    }
    // One that lies in the backup directory already: what would go through it stays where it is.
    fs::create_dir(two.module().join("old")).unwrap();
    symlink("../../outside", two.module().join("old/d")).unwrap();
    let _ = mirror(&two, &there("m/tree/"), &there("m/old")).exits(3);
    assert_eq!(read(&two.module().join("tree/d/deep/gone")), "goes too");
    assert_eq!(read(&two.module().join("old/f")), "older");
    let changed = before.differences(&Snapshot::of(&outside), Options::untouched());
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn where_the_old_state_went_is_in_the_log() {
    let two = Two::new();
    old_and_new(&two);
    mirror(&two, &there("m/tree/"), &there("m/kept/old")).succeeds();
    let log = fs::read_to_string(two.scratch.path("daemon-state/audit/audit.jsonl")).unwrap();
    let begun = log.lines().find(|line| line.contains("\"session.mirror\""));
    let words = "\"result\":\"what it replaces is kept in m/kept/old\"";
    assert!(begun.is_some_and(|line| line.contains(words)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_would_not_keep_it_is_asked_for_nothing() {
    let status = |keeps| {
        format!(
            "status {{ name: 'nas' version: '0.9' oldest: 1 newest: 1 now {{ secs: 1 }} {keeps} }}"
        )
    };
    for (keeps, code, says) in [
        ("", 2, "blit on localhost has no --backup-dir"),
        ("keeps: true", 1, "what was asked for is heard"),
    ] {
        let heard =
            "bare\nask: refused { kind: 10 op: 'ask' detail: 'what was asked for is heard' }";
        let scripts = [
            ("all.status".to_owned(), status(keeps)),
            ("s0".to_owned(), heard.to_owned()),
        ];
        let villain = Villain::with(scripts.into()).await;
        let met = tokio::task::spawn_blocking(move || {
            let here = villain.directory("here");
            write(&here.join("f"), "new");
            let backup = format!("--backup-dir={}", there("s0/old"));
            villain.meets(&["copy", &backup, "HERE", "THEREtree"], "s0", &here)
        });
        let ran = met.await.unwrap().unwrap();
        let _ = ran.exits(code).says(says);
    }
}

#[test]
fn a_pull_keeps_what_it_replaces_on_this_machine_and_nowhere_else() {
    let two = Two::new();
    old_and_new(&two);
    let target = two.scratch.directory("target");
    write(&target.join("f"), "mine");
    let pull = |backup: &str| {
        let pull = two.command(&MIRROR).args(["--backup-dir", backup]);
        pull.args([there("m/tree/").into(), contents(&target)])
            .run()
    };
    let _ = pull(&there("m/old")).exits(2).says("on this machine");
    assert_eq!(read(&target.join("f")), "mine");
    pull("old").succeeds();
    assert_eq!(read(&two.scratch.path("old/f")), "mine");
}
