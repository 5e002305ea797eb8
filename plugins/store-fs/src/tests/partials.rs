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
