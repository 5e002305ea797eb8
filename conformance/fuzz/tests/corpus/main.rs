//! Every target with every file of its corpus, and whether any decoder or corpus is missing.

#![expect(
    clippy::unwrap_used,
    reason = "a set-up that fails is a failed test, and counts are said aloud"
)]

mod decoders;
mod sys;

use blit_fuzz::{TARGETS, Target};
use std::fs;
use std::path::{Path, PathBuf};

/// A corpus is for reading, too: it stays small.
const FILES_MAX: usize = 50;
const FILE_BYTES_MAX: u64 = 16 << 10;

/// What a target may hold at once for `bytes` bytes of input: a value of ours is larger than its
/// spelling, but by a factor that does not grow, and there is some of it that is always there.
const fn held_bytes_max(bytes: usize) -> usize {
    (2 << 20) + bytes * 512
}

pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(target: &Target) -> Vec<PathBuf> {
    let folder = folder().join("corpus").join(target.name);
    let Ok(files) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_file_of_every_corpus_is_played_back_within_its_memory() {
    let mut played = 0;
    for target in TARGETS {
        for file in corpus(target) {
            let bytes = fs::read(&file).unwrap();
            let held = sys::most_held(|| (target.run)(&bytes));
            let max = held_bytes_max(bytes.len());
            assert!(held <= max, "{}: {held} bytes", file.display());
            played += 1;
        }
    }
    eprintln!(
        "counted: fuzz: {played} files of {} targets, seed none: played back",
        TARGETS.len()
    );
    assert!(played > TARGETS.len());
}

#[test]
fn every_target_has_a_small_corpus() {
    for target in TARGETS {
        let files = corpus(target);
        let (name, count) = (target.name, files.len());
        assert!((2..=FILES_MAX).contains(&count), "{name}: {count} files");
        for file in files {
            let size = fs::metadata(&file).unwrap().len();
            assert!(size <= FILE_BYTES_MAX, "{}: {size} bytes", file.display());
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    for folder in fs::read_dir(folder().join("corpus")).unwrap() {
        let name = folder.unwrap().file_name();
        let name = name.to_str().unwrap();
        assert!(blit_fuzz::named(name).is_some(), "{name} is no target");
    }
}

#[test]
fn what_a_target_holds_is_counted() {
    let held = sys::most_held(|| drop(vec![1_u8; 3 << 20]));
    assert!((3 << 20..4 << 20).contains(&held), "{held}");
}

/// A message of so many fields of length zero, two bytes each, deep in it.
fn many(tags: &[u8], bytes: usize) -> Vec<u8> {
    let mut message: Vec<u8> = [tags[tags.len() - 1] << 3 | 2, 0].repeat(bytes / 2);
    for tag in tags[..tags.len() - 1].iter().rev() {
        let mut size = message.len();
        let mut head = vec![tag << 3 | 2];
        while size >= 0x80 {
            head.push(size as u8 | 0x80);
            size >>= 7;
        }
        head.push(size as u8);
        head.extend(message);
        message = head;
    }
    message
}

#[test]
fn a_message_of_many_empty_things_is_refused_before_they_are_made() {
    let lists: [(&str, &[u8]); 13] = [
        ("frame", &[1, 3]),
        ("message", &[4, 1, 1]),
        ("message", &[4, 2]),
        ("message", &[7, 1]),
        ("message", &[9, 1]),
        ("reply", &[3, 3]),
        ("reply", &[7, 3]),
        ("request", &[1, 5]),
        ("request", &[1, 10, 2, 1]),
        ("request", &[5, 2]),
        ("request", &[9, 1, 5]),
        ("request", &[10, 1, 5]),
        ("request", &[10, 1, 10, 2, 1]),
    ];
    for (name, tags) in lists {
        let bytes = many(tags, 4 << 20);
        let target = blit_fuzz::named(name).unwrap();
        let held = sys::most_held(|| (target.run)(&bytes));
        assert!(held <= 2 * bytes.len(), "{name} {tags:?}: {held} bytes");
    }
}
