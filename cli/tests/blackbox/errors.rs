//! Every local way to fail, for real: its slug, its exit code, its words, and what it leaves.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use blit_conform::Scratch;

use crate::bench::{Pair, blit, contents, read, untouched, write};
use crate::json::error_codes;

/// What is typed, and how it fails. `S` stands for the directory of the row.
struct Row {
    typed: &'static [&'static str],
    code: i32,
    slug: &'static str,
    says: &'static str,
}

const fn row(
    typed: &'static [&'static str],
    code: i32,
    slug: &'static str,
    says: &'static str,
) -> Row {
    Row {
        typed,
        code,
        slug,
        says,
    }
}

const TABLE: &[Row] = &[
    row(
        &["copy", "absent", "new"],
        5,
        "path.not_found",
        "source not found: ",
    ),
    row(
        &["copy", "absent/below", "new"],
        5,
        "path.not_found",
        "source not found: ",
    ),
    row(
        &["copy", "tree", "absent", "new"],
        5,
        "path.not_found",
        "source not found: ",
    ),
    row(
        &["mirror", "-y", "absent/", "new"],
        5,
        "path.not_found",
        "source not found: ",
    ),
    row(
        &["move", "-y", "absent", "new"],
        5,
        "path.not_found",
        "source not found: ",
    ),
    row(
        &["check", "absent", "tree"],
        5,
        "path.not_found",
        "not found: ",
    ),
    row(&["ls", "absent"], 5, "path.not_found", "not found: "),
    row(&["rm", "-y", "absent"], 5, "path.not_found", "not found: "),
    row(
        &["copy", "tree/", "tree/inner"],
        2,
        "path.overlap",
        "inside the source",
    ),
    row(&["copy", "tree", "tree"], 2, "path.overlap", ""),
    row(&["copy", "tree/", "tree"], 2, "path.overlap", ""),
    row(&["copy", "tree/inner/", "tree"], 2, "path.overlap", ""),
    row(
        &["mirror", "-y", "tree/inner/", "tree"],
        2,
        "path.overlap",
        "",
    ),
    row(
        &["move", "-y", "tree/", "tree/inner"],
        2,
        "path.overlap",
        "",
    ),
    row(
        &["copy", "tree/", "link to tree/inner"],
        2,
        "path.overlap",
        "",
    ),
    row(
        &["copy", "tree/file", "tree/inner/file", "new"],
        2,
        "path.twice",
        "",
    ),
    row(&["rm", "-y", "tree"], 2, "delete.directory", "-r"),
    row(
        &["copy", "--frobnicate", "tree", "new"],
        2,
        "usage.flag",
        "--frobnicate",
    ),
    row(&["copy", "tree"], 2, "usage.flag", ""),
    row(&["frobnicate"], 2, "usage.verb", "frobnicate"),
    row(
        &["sync", "tree/", "new"],
        2,
        "usage.verb",
        "copy never deletes, mirror does",
    ),
    row(
        &["copy", "--max-size", "many", "tree", "new"],
        2,
        "usage.flag",
        "many",
    ),
    row(
        &["copy", "--delete", "tree", "new"],
        2,
        "usage.habit",
        "blit mirror",
    ),
    row(
        &["copy", "--remove-source-files", "tree", "new"],
        2,
        "usage.habit",
        "blit move",
    ),
    row(
        &["copy", "--transfers", "8", "tree", "new"],
        2,
        "usage.habit",
        "blit chooses this itself",
    ),
    row(
        &["copy", "--compress", "tree", "new"],
        2,
        "usage.habit",
        "blit chooses this itself",
    ),
    row(
        &["copy", "tree", "nas:9031/photos"],
        2,
        "syntax.endpoint",
        "nas:9031:/photos",
    ),
    row(
        &["copy", "tree", "nas::photos"],
        2,
        "syntax.endpoint",
        "rsync",
    ),
    row(
        &["copy", "tree", "me@nas:/photos"],
        2,
        "syntax.endpoint",
        "me@",
    ),
    row(
        &["copy", "tree", "gs://bucket/x"],
        2,
        "syntax.endpoint",
        "no plugin provides gs://",
    ),
    row(
        &["copy", "tree", "nas:/photos"],
        6,
        "auth.unpaired",
        "blit pair nas INVITATION",
    ),
    row(&["df", "nas:/photos"], 6, "auth.unpaired", "blit pair nas"),
    row(&["copy", "tree", "nas:"], 8, "net.unavailable", ""),
    row(
        &["pair", "nas", "blit-join-x"],
        6,
        "auth.invitation",
        "blit pair",
    ),
    row(
        &["copy", "--config", "broken.toml", "tree", "new"],
        2,
        "config.syntax",
        "line 2",
    ),
    row(
        &["copy", "--config", "unknown.toml", "tree", "new"],
        2,
        "config.key",
        "line 2",
    ),
    row(
        &["copy", "--config", "absent.toml", "tree", "new"],
        2,
        "config.read",
        "absent.toml",
    ),
    row(
        &["copy", "--exclude", "[", "tree", "new"],
        2,
        "filter.syntax",
        "[",
    ),
    row(&["help", "frobnication"], 2, "usage.topic", "frobnication"),
];

fn table_directory() -> Scratch {
    let scratch = Scratch::new();
    write(
        scratch.root(),
        &[("tree/file", "content"), ("tree/inner/file", "content")],
    );
    symlink("tree", scratch.path("link to tree")).unwrap();
    write(
        scratch.root(),
        &[
            ("broken.toml", "color = \"auto\"\n= broken"),
            ("unknown.toml", "\nfrobnicate = 1\n"),
        ],
    );
    scratch
}

#[test]
fn each_mistake_is_told_with_its_code_and_changes_nothing() {
    for row in TABLE {
        let scratch = table_directory();
        untouched(scratch.root(), || {
            let ran = blit()
                .current_dir(scratch.root())
                .args(row.typed)
                .run()
                .exits(row.code)
                .says(row.says);
            assert!(ran.stderr.contains("error: "), "{ran}");
            assert_eq!(ran.stdout, "", "{ran}");
        });
    }
}

#[test]
fn each_mistake_has_its_slug_in_json() {
    for row in TABLE {
        let scratch = table_directory();
        untouched(scratch.root(), || {
            let ran = blit()
                .current_dir(scratch.root())
                .arg("--json")
                .args(row.typed)
                .run()
                .exits(row.code);
            assert!(
                error_codes(&ran).contains(&row.slug.to_owned()),
                "{} is not in {ran}",
                row.slug
            );
        });
    }
}

#[test]
fn a_broken_configuration_file_is_named_with_its_line() {
    let pair = Pair::with(&[("file", "content")]);
    let run = pair.blit("copy");
    write(
        run.home(),
        &[("config/blit/config.toml", "\n\nfrobnicate = 1\n")],
    );
    let _ = run.run().exits(2).says("config.toml").says("line 3");
    assert!(!pair.target.exists());
}

#[test]
fn a_directory_with_entries_is_not_replaced_by_a_file_in_a_copy() {
    let pair = Pair::with(&[("name", "a file"), ("other", "content")])
        .and_target(&[("name/inner", "precious")]);
    let _ = pair.run("copy", &[]).exits(3).says("name");
    assert_eq!(read(pair.target.join("name/inner")), "precious");
    assert_eq!(read(pair.target.join("other")), "content");
    let json = pair.run("copy", &["--json"]).exits(3);
    assert!(
        error_codes(&json).contains(&"entry.conflict".into()),
        "{json}"
    );
}

#[test]
fn a_file_that_never_stops_changing_is_left_as_it_was() {
    let pair = Pair::with(&[("quiet", "content")]).and_target(&[("busy", "old")]);
    let busy = File::create(pair.source.join("busy")).unwrap();
    busy.write_all_at(&vec![1; 64 << 20], 0).unwrap();
    let json = while_written(&busy, || pair.run("copy", &["--json"])).exits(3);
    assert!(
        error_codes(&json).contains(&"data.changed".into()),
        "{json}"
    );
    assert_eq!(read(pair.target.join("busy")), "old");
    assert_eq!(read(pair.target.join("quiet")), "content");
    let _ = while_written(&busy, || pair.run("copy", &[]))
        .exits(3)
        .says("changed")
        .says("busy");
    pair.run("copy", &[]).succeeds();
    blit_conform::assert_same(&pair.source, &pair.target);
}

/// Writes to `file` without pause while `action` runs.
fn while_written<T>(file: &File, action: impl FnOnce() -> T) -> T {
    let (done, has_begun) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut byte = 0_u8;
            while !done.load(Ordering::Relaxed) {
                byte = byte.wrapping_add(1);
                file.write_all_at(&[byte], u64::from(byte) << 12).unwrap();
                has_begun.store(true, Ordering::Relaxed);
            }
        });
        while !has_begun.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let result = action();
        done.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn check_tells_what_differs_by_exit_4_and_the_kind() {
    let pair = Pair::with(&[
        ("same", "content"),
        ("edited", "AAAA"),
        ("missing", "x"),
        ("type/", ""),
    ])
    .and_target(&[("edited", "BBB"), ("extra", "x"), ("type", "a file")]);
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(pair.source.join("same"))
        .arg(&pair.target)
        .status();
    assert!(copied.unwrap().success());
    untouched(pair.scratch.root(), || {
        let ran = pair.run("check", &["-i"]).exits(4);
        for name in ["edited", "missing", "extra", "type"] {
            assert!(ran.stdout.contains(name), "{name} is not in {ran}");
        }
        assert!(!ran.stdout.contains("same"), "{ran}");
    });
}

#[test]
fn a_signal_stops_it_with_its_code_and_leaves_whole_files() {
    for (signal, code) in [
        (rustix::process::Signal::INT, 130),
        (rustix::process::Signal::TERM, 143),
    ] {
        let pair = Pair::new();
        blit_conform::tree::many_small_files(&pair.source, 2_000);
        let mut child = pair.blit("copy").command().spawn().unwrap();
        while !has_a_file(&pair.target) && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (source, target) = (
            blit_conform::Snapshot::of(&pair.source),
            blit_conform::Snapshot::of(&pair.target),
        );
        for path in target.paths() {
            assert_eq!(
                target.content_of(&path),
                source.content_of(&path),
                "{}",
                path.escape_ascii()
            );
        }
        pair.run("copy", &[]).succeeds();
        blit_conform::assert_same(&pair.source, &pair.target);
    }
}

fn has_a_file(root: &Path) -> bool {
    fs::read_dir(root.join("0000")).is_ok_and(|mut entries| entries.next().is_some())
}

#[test]
fn it_works_without_a_home() {
    let pair = Pair::with(&[("file", "content")]);
    let words = [
        "env",
        "-u",
        "HOME",
        "-u",
        "XDG_CONFIG_HOME",
        "-u",
        "XDG_STATE_HOME",
        "-u",
        "XDG_CACHE_HOME",
    ];
    pair.blit("copy").under(words).run().succeeds();
    assert_eq!(read(pair.target.join("file")), "content");
}

#[test]
fn a_single_file_that_is_missing_among_several_sources_stops_before_the_first_change() {
    let pair = Pair::with(&[("file", "content")]);
    let ran = blit()
        .arg("copy")
        .arg(pair.source.join("file"))
        .arg(pair.source.join("absent"))
        .arg(contents(&pair.target));
    let _ = ran.run().exits(5);
    assert!(!pair.target.exists());
}
