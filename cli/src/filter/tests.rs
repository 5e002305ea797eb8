use std::ffi::OsString;

use blit_contract::{Kind, Name};

use super::*;

fn patterns(exclude: &[&str], include: &[&str]) -> Patterns {
    Patterns {
        exclude: exclude.iter().map(OsString::from).collect(),
        exclude_from: Vec::new(),
        include: include.iter().map(OsString::from).collect(),
    }
}

fn filter(exclude: &[&str], include: &[&str]) -> Filter {
    Filter::new(&patterns(exclude, include), &Limits::default()).unwrap()
}

/// What becomes of a path; one that ends in `/` is a directory.
fn selection(filter: &Filter, path: &[u8]) -> Selection {
    let is_directory = path.ends_with(b"/");
    let mut names: Vec<Name> = path
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .map(|part| Name::try_from(part).unwrap())
        .collect();
    let name = names.pop().unwrap();
    let kind = if is_directory {
        Kind::Directory
    } else {
        Kind::File
    };
    let mut entry = Entry::new(name, kind);
    entry.size = 1_000;
    entry.modified = Time::new(1_000_000_000, 0);
    filter.select(&names.into_iter().collect(), &entry)
}

fn takes(filter: &Filter, path: &str) -> bool {
    selection(filter, path.as_bytes()) != Selection::Skip
}

#[test]
fn a_bare_name_excludes_the_directory_everywhere() {
    let filter = filter(&["dir"], &[]);
    assert!(!takes(&filter, "dir/"));
    assert!(!takes(&filter, "a/b/dir/"));
    assert!(takes(&filter, "a/dirt"));
}

#[test]
fn a_leading_slash_anchors_a_pattern_at_the_source() {
    let anchored = filter(&["/backup"], &[]);
    assert!(!takes(&anchored, "backup/"));
    assert!(takes(&anchored, "a/backup/"));
    let named = filter(&["/backup"], &[]).anchored_at(Anchor::Entry);
    assert!(
        takes(&named, "backup/"),
        "the entry that the user named is meant"
    );
    assert!(!takes(&named, "photos/backup/"));
    assert!(takes(&named, "photos/a/backup/"));
}

#[test]
fn of_several_sources_the_names_themselves_are_matched() {
    let several = filter(&["node_modules", "*.tmp"], &[]).anchored_at(Anchor::Entries);
    assert!(!takes(&several, "node_modules/"));
    assert!(!takes(&several, "a.tmp"));
    assert!(takes(&several, "a.txt"));
    assert!(!takes(&several, "src/node_modules/"));
}

#[test]
fn excludes_win_over_includes() {
    let filter = filter(&["secret.*"], &["*.jpg", "docs/"]);
    assert!(takes(&filter, "a/b.jpg"));
    assert!(!takes(&filter, "a/secret.jpg"));
    assert!(!takes(&filter, "a/b.png"));
    assert!(
        takes(&filter, "any/"),
        "directories are entered to look for files"
    );
    assert!(takes(&filter, "docs/deep/readme.txt"));
}

#[test]
fn the_last_pattern_that_matches_decides() {
    let filter = filter(&["*.log", "!keep.log"], &[]);
    assert!(!takes(&filter, "a.log"));
    assert!(takes(&filter, "keep.log"));
}

#[test]
fn a_typed_hash_is_no_comment() {
    assert!(!takes(&filter(&["#x#"], &[]), "#x#"));
}

#[test]
fn names_that_are_not_utf_8_can_be_matched() {
    let filter = filter(&["*.raw"], &[]);
    assert_eq!(selection(&filter, b"a\xff.raw"), Selection::Skip);
    assert_eq!(selection(&filter, b"a\xff.jpg"), Selection::Take);
}

#[test]
fn a_broken_pattern_is_a_usage_error_that_names_it() {
    let error = Filter::new(&patterns(&["a[b"], &[]), &Limits::default()).unwrap_err();
    assert_eq!(error.slug, Slug::FilterSyntax);
    assert!(error.message.contains("a[b"), "{}", error.message);
}

#[test]
fn sizes_and_ages_are_asked_of_files_only() {
    let with = |limits: Limits| Filter::new(&Patterns::default(), &limits).unwrap();
    let small = with(Limits {
        min_size: Some("1001".parse().unwrap()),
        ..Limits::default()
    });
    assert!(!takes(&small, "a"));
    assert!(takes(&small, "a/"));
    let old = with(Limits {
        newer_than: Some("2020-01-01".parse().unwrap()),
        ..Limits::default()
    });
    assert!(!takes(&old, "a"), "it is from 2001");
    let young = with(Limits {
        older_than: Some("1d".parse().unwrap()),
        max_size: Some("1000".parse().unwrap()),
        ..Limits::default()
    });
    assert!(takes(&young, "a"));
}

#[test]
fn exactly_the_listed_paths_are_taken() {
    for text in [&b"./a/b\nc\n\nd\xff/\n"[..], b"a/b\0c\0d\xff\0"] {
        let filter = Filter::default().with_list(PathList::parse(text).unwrap().into());
        assert_eq!(selection(&filter, b"a/"), Selection::Take);
        assert_eq!(selection(&filter, b"a/b"), Selection::TakeOnly);
        assert_eq!(
            selection(&filter, b"c/"),
            Selection::TakeOnly,
            "listed, so not entered"
        );
        assert_eq!(selection(&filter, b"d\xff/"), Selection::TakeOnly);
        assert_eq!(selection(&filter, b"a/x"), Selection::Skip);
    }
}

#[test]
fn a_list_never_leads_out_of_the_source() {
    for bad in ["/etc/passwd", "../x", "a/../../x"] {
        let error = PathList::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(error.slug, Slug::FilterSyntax, "{bad}");
    }
}
