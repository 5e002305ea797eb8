//! The generated pages that are committed are those that would be written.

#![expect(clippy::unwrap_used, reason = "a set-up that fails is a failed test")]

use blit_docs::{Page, pages, stale, write};
use std::fs;
use std::path::Path;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_generated_page_is_up_to_date() {
    let found = stale(&root(), &pages(&root()).unwrap()).unwrap();
    assert!(found.is_empty(), "run `cargo xtask docs`: {found:#?}");
}

#[test]
fn there_is_a_manual_page_for_each_verb_that_help_shows() {
    let pages = pages(&root()).unwrap();
    let names: Vec<_> = pages.iter().map(|it| it.path.as_str()).collect();
    for name in [
        "blit",
        "blit-copy",
        "blit-mirror",
        "blit-move",
        "blit-check",
    ] {
        let path = format!("docs/man/{name}.1");
        assert!(names.contains(&path.as_str()), "{path} is not in {names:?}");
    }
}

#[test]
fn a_manual_page_says_what_the_help_says() {
    let pages = pages(&root()).unwrap();
    let mirror = pages.iter().find(|it| it.path.ends_with("/blit-mirror.1"));
    let text = &mirror.unwrap().text;
    assert!(text.contains("max\\-delete"), "{text}");
    assert!(text.contains(".TH blit-mirror 1"), "{text}");
    assert!(!text.contains('\u{1b}'), "no escape bytes");
}

/// Two pages, written to a folder of their own.
fn written() -> (tempfile::TempDir, Vec<Page>) {
    let folder = tempfile::tempdir().unwrap();
    let page = |path: &str| Page {
        path: path.to_owned(),
        text: "as it should be\n".to_owned(),
    };
    let pages = vec![page("docs/man/blit.1"), page("docs/promises.md")];
    write(folder.path(), &pages).unwrap();
    assert_eq!(stale(folder.path(), &pages).unwrap(), Vec::<String>::new());
    (folder, pages)
}

#[test]
fn a_page_that_was_edited_by_hand_is_found() {
    let (folder, pages) = written();
    fs::write(folder.path().join("docs/promises.md"), "nicer\n").unwrap();
    let found = stale(folder.path(), &pages).unwrap();
    assert_eq!(found, ["docs/promises.md is out of date"]);
}

#[test]
fn a_page_that_was_never_written_is_found() {
    let (folder, pages) = written();
    fs::remove_file(folder.path().join("docs/man/blit.1")).unwrap();
    let found = stale(folder.path(), &pages).unwrap();
    assert_eq!(found, ["docs/man/blit.1 is missing"]);
}

#[test]
fn a_page_of_a_verb_that_went_is_found_and_removed() {
    let (folder, pages) = written();
    let old = folder.path().join("docs/man/blit-old.1");
    fs::write(&old, "").unwrap();
    let found = stale(folder.path(), &pages).unwrap();
    assert_eq!(found, ["docs/man/blit-old.1 is not generated any more"]);
    write(folder.path(), &pages).unwrap();
    assert!(!old.exists());
}
