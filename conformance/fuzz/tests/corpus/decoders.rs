//! Whether every place that takes bytes apart is in the list, and tried.

use crate::folder;
use blit_fuzz::TARGETS;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What shows that a file takes bytes from elsewhere apart.
const MARKS: &[&str] = &[
    "::decode(bytes)",
    "GitignoreBuilder",
    "TryFrom<&[u8]>",
    "fn next_message",
    "from_be_bytes",
    "from_le_bytes",
    "impl FromStr for",
    "include_proto!",
    "postcard::from_bytes",
    ".read_until(",
    "pub fn parse(&self, text: &OsStr)",
    "pub fn read(record: &Record)",
    "postcard::take_from_bytes",
    "serde_json::from_",
    "toml::from_",
    "toml_edit::",
];

/// Where bytes from elsewhere arrive.
const FOLDERS: &[&str] = &["cli/src", "core", "daemon/src", "plugins", "transports"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    decoder: Vec<Decoder>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decoder {
    file: String,
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    why_not: String,
}

fn listed() -> Vec<Decoder> {
    let text = fs::read_to_string(folder().join("decoders.toml")).unwrap();
    toml::from_str::<List>(&text).unwrap().decoder
}

/// Every file with a mark outside of its tests, and the first mark.
fn found() -> BTreeMap<String, &'static str> {
    let root = folder().join("../..");
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        search(&root, folder, &mut found);
    }
    found
}

fn search(root: &Path, folder: &str, found: &mut BTreeMap<String, &'static str>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        let is_test = matches!(&*name, "tests" | "tests.rs");
        if entry.file_type().unwrap().is_dir() {
            if !is_test {
                search(root, &path, found);
            }
        } else if name.ends_with(".rs") && !is_test {
            let text = fs::read_to_string(entry.path()).unwrap();
            if let Some(mark) = mark_in(&text) {
                found.insert(path, mark);
            }
        }
    }
}

fn mark_in(text: &str) -> Option<&'static str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next()?;
    MARKS.iter().find(|mark| code.contains(**mark)).copied()
}

#[test]
fn every_decoder_is_listed_with_the_targets_that_try_it() {
    let found = found();
    let listed = listed();
    for (file, mark) in &found {
        let is_listed = listed.iter().any(|decoder| decoder.file == *file);
        assert!(is_listed, "{file} has `{mark}` and is not in decoders.toml");
    }
    for decoder in &listed {
        let file = &decoder.file;
        assert!(found.contains_key(file), "{file} takes nothing apart");
        let is_tried = !decoder.targets.is_empty();
        assert!(
            is_tried == decoder.why_not.is_empty(),
            "{file}: targets, or why not"
        );
        for target in &decoder.targets {
            let is_known = blit_fuzz::named(target).is_some();
            assert!(is_known, "{file}: {target} is no target");
        }
    }
}

#[test]
fn every_target_tries_a_decoder() {
    let listed = listed();
    for target in TARGETS {
        let tries = |decoder: &Decoder| {
            let mut names = decoder.targets.iter();
            names.any(|name| name == target.name)
        };
        assert!(listed.iter().any(tries), "{} tries nothing", target.name);
    }
}

#[test]
fn a_decoder_that_is_only_in_tests_is_none() {
    assert_eq!(mark_in("fn a() { toml::from_str(b) }"), Some("toml::from_"));
    let tests = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { toml::from_str(b) } }";
    assert_eq!(mark_in(tests), None);
}
