use blit_contract::{Kind, Name, Time};

use super::*;

fn rules(exclude: &[&str], include: &[&str]) -> Rules {
    let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect();
    Rules {
        exclude: lines(exclude),
        include: lines(include),
        ..Rules::default()
    }
}

fn filter(exclude: &[&str], include: &[&str]) -> Filter {
    Filter::new(&rules(exclude, include)).unwrap()
}

fn anchored(exclude: &[&str], anchor: Anchor) -> Filter {
    let rules = rules(exclude, &[]);
    Filter::new(&Rules { anchor, ..rules }).unwrap()
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
    let at_root = filter(&["/backup"], &[]);
    assert!(!takes(&at_root, "backup/"));
    assert!(takes(&at_root, "a/backup/"));
    let named = anchored(&["/backup"], Anchor::Entry);
    assert!(
        takes(&named, "backup/"),
        "the entry that the user named is meant"
    );
    assert!(!takes(&named, "photos/backup/"));
    assert!(takes(&named, "photos/a/backup/"));
}

#[test]
fn of_several_sources_the_names_themselves_are_matched() {
    let several = anchored(&["node_modules", "*.tmp"], Anchor::Entries);
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
fn names_that_are_not_utf_8_can_be_matched() {
    let filter = filter(&["*.raw"], &[]);
    assert_eq!(selection(&filter, b"a\xff.raw"), Selection::Skip);
    assert_eq!(selection(&filter, b"a\xff.jpg"), Selection::Take);
}

#[test]
fn what_is_no_pattern_is_refused() {
    for bad in ["a[b", "{a,b", "x\0y"] {
        assert!(check_pattern(bad).is_err(), "{bad:?}");
        assert!(Filter::new(&rules(&[bad], &[])).is_err(), "{bad:?}");
    }
}

#[test]
fn patterns_that_would_take_too_much_are_refused_and_not_compiled() {
    let deep = format!("{}{}", "{a,".repeat(1_000), "}".repeat(1_000));
    assert!(Filter::new(&rules(&[&deep], &[])).is_err());
    // Each class of characters alone has thousands of ranges.
    let wide = "[!a]".repeat(1_000);
    let many = vec![&*wide; 400];
    assert!(Filter::new(&rules(&many, &[])).is_err());
}

#[test]
fn sizes_and_ages_are_asked_of_files_only() {
    let with = |bounds: Bounds| {
        Filter::new(&Rules {
            bounds,
            ..Rules::default()
        })
        .unwrap()
    };
    let large = with(Bounds {
        size_min: Some(1_001),
        ..Bounds::default()
    });
    assert!(!takes(&large, "a"));
    assert!(takes(&large, "a/"));
    let young = with(Bounds {
        modified_min: Some(Time::new(1_000_000_000, 0)),
        ..Bounds::default()
    });
    assert!(!takes(&young, "a"), "not after that moment");
    let old = with(Bounds {
        modified_max: Some(Time::new(1_000_000_000, 1)),
        size_max: Some(1_000),
        ..Bounds::default()
    });
    assert!(takes(&old, "a"));
}

#[test]
fn exactly_the_listed_paths_are_taken() {
    let path = |names: &[&[u8]]| -> RelPath {
        let names = names.iter();
        names.map(|&name| Name::try_from(name).unwrap()).collect()
    };
    let list = [path(&[b"a", b"b"]), path(&[b"c"]), path(&[b"d\xff"])];
    let rules = Rules {
        list: Some(list.into_iter().collect()),
        ..Rules::default()
    };
    let filter = Filter::new(&rules).unwrap();
    assert_eq!(selection(&filter, b"a/"), Selection::Take);
    assert_eq!(selection(&filter, b"a"), Selection::Skip, "no directory");
    assert_eq!(selection(&filter, b"a/b"), Selection::TakeOnly);
    assert_eq!(
        selection(&filter, b"c/"),
        Selection::TakeOnly,
        "listed, so not entered"
    );
    assert_eq!(selection(&filter, b"d\xff/"), Selection::TakeOnly);
    assert_eq!(selection(&filter, b"a/x"), Selection::Skip);
}

#[test]
fn without_rules_nothing_is_asked() {
    assert!(Filter::compile(&Rules::default()).unwrap().is_none());
    assert!(Filter::compile(&rules(&["x"], &[])).unwrap().is_some());
}
