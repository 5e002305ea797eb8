//! A source that ends in `/` means its contents; otherwise the thing itself. Nothing else matters.

use std::fs;

use blit_conform::{Scratch, Snapshot};

use crate::bench::{blit, read, untouched, write};

/// One row of the table: what is typed in a directory with `photos/` and `a.jpg`, what is at the
/// target before, and which paths are there afterwards.
struct Row {
    typed: &'static [&'static str],
    before: &'static [(&'static str, &'static str)],
    after: &'static [&'static str],
}

const fn row(
    typed: &'static [&'static str],
    before: &'static [(&'static str, &'static str)],
    after: &'static [&'static str],
) -> Row {
    Row {
        typed,
        before,
        after,
    }
}

const DIRECTORY: &[(&str, &str)] = &[("backup/", "")];
const OTHER: &[(&str, &str)] = &[("backup/other", "stays")];

/// What `photos` holds.
const PHOTOS: &[(&str, &str)] = &[("photos/1.jpg", "one"), ("photos/2026/2.jpg", "two")];

const TABLE: &[Row] = &[
    // The thing itself.
    row(
        &["photos", "backup"],
        &[],
        &["backup/photos/1.jpg", "backup/photos/2026/2.jpg"],
    ),
    row(
        &["photos", "backup"],
        DIRECTORY,
        &["backup/photos/1.jpg", "backup/photos/2026/2.jpg"],
    ),
    row(
        &["photos", "backup"],
        OTHER,
        &[
            "backup/other",
            "backup/photos/1.jpg",
            "backup/photos/2026/2.jpg",
        ],
    ),
    row(
        &["photos", "backup/"],
        &[],
        &["backup/photos/1.jpg", "backup/photos/2026/2.jpg"],
    ),
    row(
        &["./photos", "backup/"],
        DIRECTORY,
        &["backup/photos/1.jpg", "backup/photos/2026/2.jpg"],
    ),
    row(
        &["photos", "backup/photos"],
        &[],
        &[
            "backup/photos/photos/1.jpg",
            "backup/photos/photos/2026/2.jpg",
        ],
    ),
    // Its contents.
    row(
        &["photos/", "backup"],
        &[],
        &["backup/1.jpg", "backup/2026/2.jpg"],
    ),
    row(
        &["photos/", "backup"],
        DIRECTORY,
        &["backup/1.jpg", "backup/2026/2.jpg"],
    ),
    row(
        &["photos/", "backup"],
        OTHER,
        &["backup/1.jpg", "backup/2026/2.jpg", "backup/other"],
    ),
    row(
        &["photos/", "backup/p2026"],
        &[],
        &["backup/p2026/1.jpg", "backup/p2026/2026/2.jpg"],
    ),
    row(
        &["photos/", "backup/p2026/"],
        DIRECTORY,
        &["backup/p2026/1.jpg", "backup/p2026/2026/2.jpg"],
    ),
    row(
        &["photos/.", "backup"],
        &[],
        &["backup/1.jpg", "backup/2026/2.jpg"],
    ),
    row(
        &["photos//", "backup"],
        &[],
        &["backup/1.jpg", "backup/2026/2.jpg"],
    ),
    // A file.
    row(&["a.jpg", "backup/"], &[], &["backup/a.jpg"]),
    row(&["a.jpg", "backup/"], DIRECTORY, &["backup/a.jpg"]),
    row(&["a.jpg", "backup"], &[], &["backup"]),
    row(&["a.jpg", "backup"], DIRECTORY, &["backup/a.jpg"]),
    row(&["a.jpg", "backup/b.jpg"], &[], &["backup/b.jpg"]),
    row(
        &["a.jpg", "backup/b.jpg"],
        &[("backup/b.jpg", "old")],
        &["backup/b.jpg"],
    ),
    row(
        &["a.jpg", "backup/b.jpg"],
        &[("backup/b.jpg/", "")],
        &["backup/b.jpg/a.jpg"],
    ),
    // Several sources always go inside.
    row(
        &["a.jpg", "c.jpg", "backup"],
        &[],
        &["backup/a.jpg", "backup/c.jpg"],
    ),
    row(
        &["a.jpg", "photos", "backup"],
        &[],
        &[
            "backup/a.jpg",
            "backup/photos/1.jpg",
            "backup/photos/2026/2.jpg",
        ],
    ),
    row(
        &["a.jpg", "photos/", "backup"],
        OTHER,
        &[
            "backup/1.jpg",
            "backup/2026/2.jpg",
            "backup/a.jpg",
            "backup/other",
        ],
    ),
];

/// The files below `backup`, or `backup` itself.
fn files(scratch: &Scratch) -> Vec<String> {
    if scratch.path("backup").is_file() {
        return vec!["backup".into()];
    }
    let paths = Snapshot::of(&scratch.path("backup")).paths().into_iter();
    let mut files: Vec<_> = paths
        .map(|it| format!("backup/{}", String::from_utf8(it).unwrap()))
        .collect();
    files.retain(|it| scratch.path(it).is_file());
    files.sort();
    files
}

fn play(row: &Row, flags: &[&str]) -> Scratch {
    let scratch = Scratch::new();
    write(scratch.root(), PHOTOS);
    write(
        scratch.root(),
        &[("a.jpg", "content of a"), ("c.jpg", "content of c")],
    );
    write(scratch.root(), row.before);
    let ran = blit()
        .current_dir(scratch.root())
        .arg("copy")
        .args(row.typed)
        .args(flags)
        .run();
    assert_eq!(
        ran.code,
        Some(0),
        "{:?} over {:?}: {ran}",
        row.typed,
        row.before
    );
    scratch
}

#[test]
fn a_copy_lands_where_the_table_says() {
    for row in TABLE {
        let scratch = play(row, &[]);
        assert_eq!(
            files(&scratch),
            row.after,
            "{:?} over {:?}",
            row.typed,
            row.before
        );
        assert!(
            !files(&scratch)
                .iter()
                .any(|it| it.ends_with(".jpg") && read(scratch.path(it)).is_empty())
        );
    }
}

#[test]
fn a_second_copy_lands_in_the_same_place() {
    for row in TABLE {
        let scratch = play(row, &[]);
        // The one exception of the table: a file has become the directory's content.
        blit()
            .current_dir(scratch.root())
            .arg("copy")
            .args(row.typed)
            .run()
            .succeeds();
        assert_eq!(
            files(&scratch),
            row.after,
            "{:?} over {:?}",
            row.typed,
            row.before
        );
    }
}

#[test]
fn a_dry_run_of_any_row_changes_nothing() {
    for row in TABLE {
        let scratch = Scratch::new();
        write(scratch.root(), PHOTOS);
        write(
            scratch.root(),
            &[("a.jpg", "content of a"), ("c.jpg", "content of c")],
        );
        write(scratch.root(), row.before);
        untouched(scratch.root(), || {
            blit()
                .current_dir(scratch.root())
                .arg("copy")
                .args(row.typed)
                .arg("-n")
                .run()
                .succeeds();
        });
    }
}

#[test]
fn a_root_has_no_name_so_its_contents_are_meant() {
    for root in [".", "./", "../photos/.", "2026/.."] {
        let scratch = Scratch::new();
        write(scratch.root(), PHOTOS);
        blit()
            .current_dir(&scratch.path("photos"))
            .args(["copy", root, "../backup"])
            .run()
            .succeeds();
        assert_eq!(
            files(&scratch),
            ["backup/1.jpg", "backup/2026/2.jpg"],
            "{root}"
        );
    }
}

#[test]
fn a_mirror_of_the_thing_itself_deletes_only_below_its_name() {
    let scratch = Scratch::new();
    write(scratch.root(), PHOTOS);
    write(
        scratch.root(),
        &[("backup/beside", "stays"), ("backup/photos/extra", "goes")],
    );
    blit()
        .current_dir(scratch.root())
        .args(["mirror", "-y", "photos", "backup"])
        .run()
        .succeeds();
    assert_eq!(
        files(&scratch),
        [
            "backup/beside",
            "backup/photos/1.jpg",
            "backup/photos/2026/2.jpg"
        ]
    );
}

#[test]
fn a_mirror_of_contents_deletes_below_the_target() {
    let scratch = Scratch::new();
    write(scratch.root(), PHOTOS);
    write(
        scratch.root(),
        &[("backup/beside", "goes"), ("backup/photos/extra", "goes")],
    );
    blit()
        .current_dir(scratch.root())
        .args(["mirror", "-y", "photos/", "backup"])
        .run()
        .succeeds();
    assert_eq!(files(&scratch), ["backup/1.jpg", "backup/2026/2.jpg"]);
}

#[test]
fn a_file_cannot_go_into_a_file() {
    let scratch = Scratch::new();
    write(scratch.root(), &[("a.jpg", "new"), ("b.jpg", "old")]);
    untouched(scratch.root(), || {
        let ran = blit()
            .current_dir(scratch.root())
            .args(["copy", "a.jpg", "b.jpg/"])
            .run();
        assert_ne!(ran.code, Some(0), "{ran}");
    });
}

#[test]
fn the_resolved_target_is_told_and_a_likely_slip_is_hinted_at() {
    let scratch = Scratch::new();
    write(scratch.root(), PHOTOS);
    fs::create_dir(scratch.path("backup")).unwrap();
    write(
        scratch.root(),
        &[("backup/1.jpg", "one"), ("backup/2026/2.jpg", "two")],
    );
    let ran = blit()
        .current_dir(scratch.root())
        .args(["copy", "photos", "backup"])
        .run()
        .exits(0);
    assert!(ran.stderr.contains("backup/photos"), "{ran}");
    assert!(ran.stderr.contains("did you mean \"photos/\"?"), "{ran}");
}
