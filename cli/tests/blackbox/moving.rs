//! Moving targets (bench T9): while writers are at work, whatever is published is a state that the
//! source really had, and what could not be had is named.

mod states;
mod writers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use blit_conform::{Ran, Scratch, assert_same, cases, counted, need_tool, scaled, seed};
use serde_json::Value;

use self::states::{MOTIONS, Motion, PAGE_BYTES, page, state, whole};
use self::writers::{Moving, plant, while_writing};
use crate::bench::Pair;
use crate::json::lines;
use blit_conform::is_unfinished;

/// Files of each motion.
const OF_EACH: u64 = 8;

fn pair() -> Pair {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() && blit_conform::is_root() {
        Pair::on(Scratch::below(memory))
    } else {
        Pair::new()
    }
}

/// What is wrong with a copy of moving files, by name. `old`: what each held before.
fn mixtures(files: &[Moving], target: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let Ok(content) = fs::read(target.join(&file.path)) else {
            continue;
        };
        if let Err(how) = state(file.motion, file.number, &content) {
            found.push(format!("{}: {how}", file.path));
        }
    }
    found
}

/// The entries that a run names as failed, changed or vanished, with why.
fn named(ran: &Ran) -> BTreeMap<String, String> {
    let told = |line: &Value| {
        let path = line["path"].as_str()?.to_owned();
        Some((path, line["code"].as_str()?.to_owned()))
    };
    lines(ran).iter().filter_map(told).collect()
}

/// How many of the files came to which end, over all rounds.
#[derive(Debug, Default)]
struct Seen {
    rounds: usize,
    steps: u64,
    published: usize,
    changed: usize,
    vanished: usize,
}

fn round(verb: &[&str], seed: u64, seen: &mut Seen) {
    let pair = pair();
    let aside = pair.scratch.directory("aside");
    let mut files = plant(&pair.source, &MOTIONS, OF_EACH);
    // Everything is there already, in a state before all others: generation 0.
    for file in &files {
        let path = pair.target.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, whole(file.number, 0, 2)).unwrap();
    }
    let mut ran = None;
    let written = while_writing(&pair.source, &aside, &mut files, seed, || {
        ran = Some(pair.blit(verb[0]).args(&verb[1..]).arg("--json").run());
    });
    let ran = ran.unwrap();
    let found = mixtures(&files, &pair.target);
    assert!(
        found.is_empty(),
        "published what never was: {found:#?}\n{ran}"
    );
    seen.rounds += 1;
    seen.steps += written.steps;
    every_file_came_or_is_named(&files, &pair, &ran, seen);
    let left = fs::read_dir(&pair.target).unwrap();
    for entry in left {
        let name = entry.unwrap().file_name();
        assert!(
            !is_unfinished(name.as_encoded_bytes()),
            "{name:?} is left: {ran}"
        );
    }
    // Now that they rest, one more run makes both the same; by content, because some writers set the
    // times back.
    let flags = ["-c", "-y", "--max-delete", "100%"];
    let _ = pair.run("mirror", &flags).exits(0);
    assert_same(&pair.source, &pair.target);
}

/// A file that was there all the time is published or named; what is named holds what it held.
#[track_caller]
fn every_file_came_or_is_named(files: &[Moving], pair: &Pair, ran: &Ran, seen: &mut Seen) {
    let named = named(ran);
    let mut codes = BTreeSet::new();
    for file in files {
        let content = fs::read(pair.target.join(&file.path)).unwrap_or_default();
        let is_old = content == whole(file.number, 0, 2);
        let above = file
            .path
            .rsplit_once('/')
            .map(|it| it.0)
            .unwrap_or_default();
        let code = named.get(&file.path).or_else(|| named.get(above));
        codes.extend(code.cloned());
        match code.map(String::as_str) {
            None if file.motion == Motion::Vanishes => {}
            None => {
                assert!(!is_old, "{} is neither new nor named: {ran}", file.path);
                seen.published += 1;
            }
            Some("data.changed") => {
                assert!(is_old, "{} was published and named: {ran}", file.path);
                seen.changed += 1;
            }
            Some("data.vanished") => {
                assert_eq!(file.motion, Motion::Vanishes, "{}: {ran}", file.path);
                assert!(!content.is_empty(), "{} was deleted: {ran}", file.path);
                seen.vanished += 1;
            }
            Some(code) => panic!("{} is named {code}: {ran}", file.path),
        }
    }
    let is_complete = codes.iter().all(|code| code == "data.vanished");
    let promised: &[i32] = if is_complete { &[0, 3] } else { &[3] };
    let is_promised = ran.code.is_some_and(|code| promised.contains(&code));
    assert!(is_promised, "{codes:?}: {ran}");
}

fn rounds(verb: &[&str]) {
    let seed = seed();
    let mut seen = Seen::default();
    // On a busy machine the writers may be slower than the run for a while.
    let is_enough = |seen: &Seen| seen.published > 0 && seen.changed > 0;
    while seen.rounds < cases(6, 500) || (!is_enough(&seen) && seen.rounds < 500) {
        let at = seen.rounds as u64;
        round(verb, seed.wrapping_add(at), &mut seen);
    }
    counted(&format!(
        "moving sources (T9), {}: {seen:?}, seed {seed}",
        verb.join(" ")
    ));
    assert!(is_enough(&seen), "{seen:?}");
}

#[test]
fn a_copy_publishes_only_states_that_a_moving_source_had() {
    rounds(&["copy"]);
}

#[test]
fn a_verified_copy_publishes_only_states_that_a_moving_source_had() {
    rounds(&["copy", "--verify", "-c"]);
}

#[test]
fn a_mirror_publishes_only_states_that_a_moving_source_had_and_keeps_what_vanished() {
    rounds(&["mirror", "-y", "--max-delete", "100%"]);
}

/// What a move has removed was at its target in its last state; a writer's later one is still there.
#[test]
fn a_move_of_a_moving_source_publishes_only_states_that_it_had() {
    let seed = seed();
    let mut moved = 0;
    let rounds = cases(4, 300);
    for round in 0..rounds {
        let pair = pair();
        let aside = pair.scratch.directory("aside");
        // A writer that finds its file gone would fail, so these are the motions that bring it back.
        let motions = [Motion::Replaced, Motion::Rests];
        let mut files = plant(&pair.source, &motions, OF_EACH);
        let mut ran = None;
        let seed = seed.wrapping_add(round as u64);
        while_writing(&pair.source, &aside, &mut files, seed, || {
            ran = Some(pair.run("move", &["-y"]));
        });
        let found = mixtures(&files, &pair.target);
        assert!(found.is_empty(), "{found:#?}\n{ran:?}");
        for file in &files {
            let [left, came] =
                [&pair.source, &pair.target].map(|it| fs::read(it.join(&file.path)).ok());
            assert!(
                left.is_some() || came.is_some(),
                "{} is nowhere: {ran:?}",
                file.path
            );
            // What is gone at the source was removed in the state that is at the target.
            if left.is_none() {
                assert_eq!(
                    came,
                    Some(file.first()),
                    "{}: a state is lost: {ran:?}",
                    file.path
                );
                moved += 1;
            }
        }
    }
    counted(&format!(
        "moving sources (T9), move: {rounds} rounds, {moved} files moved, seed {seed}"
    ));
    assert!(moved > 0);
}

/// Who writes through a map changes no times at each write, so that blends cannot be excluded (F6); but
/// no byte is published that nobody wrote, and no file of another length.
#[test]
fn a_file_written_through_a_map_is_published_in_its_length_with_bytes_that_were_written() {
    if !need_tool("xfs_io") {
        return;
    }
    const BYTES: usize = 64 * PAGE_BYTES;
    let pair = pair();
    let file = pair.source.join("mapped");
    fs::write(&file, vec![b'A'; BYTES]).unwrap();
    let mut writer = Command::new("xfs_io")
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut words = writer.stdin.take().unwrap();
    let typing = std::thread::spawn(move || {
        let _ = writeln!(words, "mmap -rw 0 {BYTES}");
        for byte in (b'B'..=b'Z').cycle().take(scaled(2_000, 200_000)) {
            // Until nobody reads any more.
            if writeln!(words, "mwrite -S {byte:#x} 0 {BYTES}").is_err() {
                return;
            }
        }
        let _ = writeln!(words, "quit");
    });
    let mut runs = 0;
    while writer.try_wait().unwrap().is_none() {
        let ran = pair.run("copy", &[]);
        assert!(matches!(ran.code, Some(0 | 3)), "{ran}");
        runs += 1;
        if let Ok(found) = fs::read(pair.target.join("mapped")) {
            assert_eq!(found.len(), BYTES, "{ran}");
            assert!(found.iter().all(u8::is_ascii_uppercase), "{ran}");
        }
    }
    typing.join().unwrap();
    assert!(writer.wait().unwrap().success());
    counted(&format!(
        "moving sources (T9), written through a map: {runs} runs, seed none: races"
    ));
    assert!(runs > 0);
}

/// Copies as `cp -a` does, until the judge names a mixture; answers with it.
fn naive_mixture(copier: impl Fn(&Path, &Path)) -> Option<String> {
    let seed = seed();
    for round in 0..200 {
        let pair = pair();
        let aside = pair.scratch.directory("aside");
        let mut files = plant(&pair.source, &[Motion::Rewritten], OF_EACH);
        fs::create_dir_all(&pair.target).unwrap();
        while_writing(
            &pair.source,
            &aside,
            &mut files,
            seed.wrapping_add(round),
            || {
                copier(&pair.source, &pair.target);
            },
        );
        if let Some(found) = mixtures(&files, &pair.target).pop() {
            return Some(found);
        }
    }
    None
}

#[test]
fn the_states_of_a_moving_source_convict_cp() {
    let found = naive_mixture(|source, target| {
        // Files that vanish make it fail, and that is all that it says.
        let _ = Command::new("cp")
            .arg("-a")
            .arg(source.join("."))
            .arg(target)
            .stderr(Stdio::null())
            .status();
    });
    let found = found.expect("cp -a publishes mixtures");
    assert!(found.contains("mixed") || found.contains("torn"), "{found}");
    eprintln!("cp -a: {found}");
}

#[test]
fn a_writer_that_pauses_in_a_page_is_convicted_by_the_page() {
    let half = [&page(1, 2, 0, 1)[..2_048], &page(1, 1, 0, 1)[2_048..]].concat();
    let found = state(Motion::Rewritten, 1, &half);
    assert!(found.unwrap_err().contains("torn"));
}
