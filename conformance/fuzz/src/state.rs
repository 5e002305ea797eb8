//! What a daemon has written down, and what an administrator brings from another machine.

use blit_control::{Snapshot, verify_audit};
use std::fs;

use crate::{control::with_file, text::is_harmless};

/// Of a log that is believed, no line can be taken out of the middle, and none be written twice.
///
/// With the lowest bit of the first byte, the lines are given their places and digests: a number, a space
/// and the other fields of a line are enough then.
pub(crate) fn audit(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else {
        return;
    };
    let chained = std::str::from_utf8(text).ok().map(chained);
    let log = match chained {
        Some(chained) if choice & 1 == 1 => chained.into_bytes(),
        _ => text.to_owned(),
    };
    with_file("audit.jsonl", &log, |_, file| {
        let verified = match verify_audit(file) {
            Ok(verified) => verified,
            Err(flaw) => return is_harmless(&flaw),
        };
        let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(verified.lines, lines.len() as u64);
        for at in 1..lines.len().saturating_sub(1).min(8) {
            let without = [&lines[..at], &lines[at + 1..]].concat().concat();
            let twice = [&lines[..=at], &lines[at..]].concat().concat();
            for changed in [without, twice] {
                fs::write(file, changed).expect("our own file");
                assert!(verify_audit(file).is_err(), "line {at} of {}", lines.len());
            }
        }
    });
}

/// As the log itself does it: each line holds the digest of the one before, and ends with its own.
fn chained(text: &str) -> String {
    let (mut log, mut before) = (String::new(), String::new());
    for line in text.lines() {
        let (number, fields) = line.split_once(' ').unwrap_or((line, ""));
        let open = format!("{{\"seq\":{number},\"prev\":\"{before}\"{fields}");
        before = blake3::hash(format!("{open}}}").as_bytes()).to_string();
        log += &format!("{open},\"sum\":\"{before}\"}}\n");
    }
    log
}

/// What can be read can be written, and reads as the same again; nothing of it steers a terminal.
///
/// With the lowest bit of the first byte, the rest is given the first line that belongs to it.
pub(crate) fn snapshot(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else {
        return;
    };
    let file = match choice & 1 {
        0 => body.to_owned(),
        _ => {
            let head = format!("blit-state 1 {} {}\n", body.len(), blake3::hash(body));
            [head.as_bytes(), body].concat()
        }
    };
    let read = match Snapshot::from_bytes(&file) {
        Ok(read) => read,
        Err(error) => return is_harmless(&error),
    };
    let written = read
        .to_bytes(None)
        .expect("the newest form has room for all");
    let again = Snapshot::from_bytes(&written);
    assert_eq!(again.expect("what we write can be read"), read);
    let nowhere = std::path::Path::new("/nonexistent");
    let shown = read.differences(nowhere).expect("nobody is known there");
    shown.iter().for_each(is_harmless);
}
