//! Unfinished files that need a name.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use blit_contract::{PartialName, Replace, Store, WriteOptions};

use super::{Bench, POLICY, file_entry, rel};
use crate::config::Knobs;

#[tokio::test]
async fn a_partial_with_a_name_is_hidden_and_shut() {
    let bench = Bench::with_knobs(Knobs {
        named_partials: true,
        ..Knobs::default()
    });
    let long = "n".repeat(255);
    let options = WriteOptions::new(POLICY, file_entry(&long), Replace::Nothing);
    let path = rel(&long);
    let writer = bench.store.open_write(&bench.cx, &path, options);
    let writer = writer.await.unwrap();
    writer.write_at(0, "content".into()).await.unwrap();
    let names: Vec<_> = fs::read_dir(&bench.root).unwrap().collect();
    let [Ok(partial)] = &names[..] else {
        panic!("{names:?}");
    };
    assert!(PartialName::recognises(
        partial.file_name().as_encoded_bytes()
    ));
    let mode = partial.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert!(bench.paths().await.is_empty());
    let theirs = fs::File::open(partial.path()).unwrap();
    assert!(theirs.try_lock().is_err(), "its owner holds it locked");
    drop(writer);
    assert_eq!(bench.hidden(), 0);
}

#[tokio::test]
async fn an_abandoned_directory_goes_with_all_that_is_in_it_and_nothing_else_does() {
    for is_old in [false, true] {
        let bench = Bench::with_knobs(Knobs {
            partials_are_old: is_old,
            ..Knobs::default()
        });
        let own = PartialName::new(7).name().to_string();
        let elsewhere = bench.root.join("elsewhere");
        for directory in [
            &bench.root.join(&own).join("inner/deeper"),
            &bench.root.join(".blit~notes"),
            &elsewhere,
        ] {
            fs::create_dir_all(directory).unwrap();
            fs::write(directory.join("file"), "content").unwrap();
        }
        std::os::unix::fs::symlink(&elsewhere, bench.root.join(&own).join("link")).unwrap();
        let stays = [
            ".blit~notes",
            ".blit~notes/file",
            "elsewhere",
            "elsewhere/file",
        ];
        assert_eq!(bench.paths().await, stays);
        assert_eq!(bench.root.join(own).exists(), !is_old);
    }
}
