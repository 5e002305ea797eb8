//! The bench proves itself: each of these engines is wrong in one way, and random stories catch it,
//! with the right complaint. `conformance/tests/wrong_copies.rs` does the same for the comparer.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;

use blit_conform::tree::set_times;
use blit_conform::{What, counted};
use blit_contract::{RelPath, Store};
use blit_engine::{Job, Options, Source, Target, Top};
use blit_registry::{PluginConfig, Registry};
use blit_store_mem::{Call, MemStore, Operation};
use proptest::strategy::{Strategy, ValueTree};
use tokio::sync::mpsc;

use crate::bench::runner;
use crate::command::{Command, Limit, Places, Verb};
use crate::found::something_fails_in_a_mirror;
use crate::generate::stories;
use crate::liar::{Liar, Lie};
use crate::session::{Fault, InProcess};
use crate::story::{Complaint, Step, Story, Word, play};

/// Every wrong engine, and what must be complained of.
const WRONG: &[(&str, Word, Fault)] = &[
    (
        "asks nobody before it deletes",
        Word::Exit,
        Fault::Hears(|command| command.yes = true),
    ),
    (
        "believes size and time where contents are to be compared",
        Word::Target(What::Content),
        Fault::Hears(|command| command.checksum = false),
    ),
    (
        "copies where it was told to move",
        Word::Source,
        Fault::Hears(|command| {
            if command.verb == Verb::Move {
                command.verb = Verb::Copy;
            }
        }),
    ),
    (
        "cuts times to microseconds",
        Word::Target(What::Time),
        Fault::Target(Lie::Times),
    ),
    (
        "deletes although something failed",
        Word::Target(What::Missing),
        Fault::Then(delete_extras),
    ),
    (
        "deletes more than it may",
        Word::Exit,
        Fault::Hears(|command| command.max_delete = Some(Limit::All)),
    ),
    (
        "does what a dry run only tells",
        Word::Idle,
        Fault::Hears(|command| command.dry_run = false),
    ),
    (
        "drops extended attributes",
        Word::Target(What::Xattr),
        Fault::Target(Lie::Attributes),
    ),
    (
        "drops modes",
        Word::Target(What::Mode),
        Fault::Target(Lie::Modes),
    ),
    (
        "finds no difference",
        Word::Exit,
        Fault::Then(|command, _, code| {
            if command.verb == Verb::Check {
                *code = 0;
            }
        }),
    ),
    (
        "fills holes",
        Word::Target(What::Holes),
        Fault::Then(fill_holes),
    ),
    (
        "follows a symlink",
        Word::Target(What::Type),
        Fault::Target(Lie::FollowsLinks),
    ),
    (
        "forgets directory metadata",
        Word::Target(What::Time),
        Fault::Target(Lie::Directories),
    ),
    (
        "forgets empty directories",
        Word::Target(What::Missing),
        Fault::Then(remove_empty_directories),
    ),
    (
        "forgets fifos that were asked for",
        Word::Target(What::Missing),
        Fault::Hears(|command| command.specials = false),
    ),
    (
        "hears no excludes",
        Word::Target(What::Missing),
        Fault::Hears(|command| {
            if command.verb == Verb::Mirror {
                command.exclude.clear();
            }
        }),
    ),
    (
        "hears no --ignore-existing",
        Word::Target(What::Time),
        Fault::Hears(|command| command.ignore_existing = false),
    ),
    (
        "hears no --update",
        Word::Target(What::Time),
        Fault::Hears(|command| command.update = false),
    ),
    (
        "keeps no backup",
        Word::Backup,
        Fault::Hears(|command| command.backup = false),
    ),
    (
        "leaves its own file behind",
        Word::Target(What::Extra),
        Fault::Then(|command, places, _| {
            if !command.is_read_only() {
                drop(fs::write(places.target.join(".blit~left"), ""));
            }
        }),
    ),
    (
        "never deletes",
        Word::Target(What::Extra),
        Fault::Hears(|command| {
            if command.verb == Verb::Mirror {
                command.verb = Verb::Copy;
            }
        }),
    ),
    (
        "publishes before it verifies",
        Word::Target(What::Content),
        Fault::Target(Lie::Verify),
    ),
    (
        "removes what it did not copy",
        Word::Source,
        Fault::Then(|command, places, _| {
            if command.verb == Verb::Move && !command.dry_run {
                entries(&places.source).iter().for_each(|path| remove(path));
            }
        }),
    ),
    (
        "splits hard links",
        Word::Target(What::HardLinkSplit),
        Fault::Target(Lie::HardLinks),
    ),
    (
        "swallows failures",
        Word::Exit,
        Fault::Then(|_, _, code| {
            if *code == 3 {
                *code = 0;
            }
        }),
    ),
    (
        "touches the source",
        Word::Source,
        Fault::Then(|_, places, _| touch(&places.source)),
    ),
    (
        "writes what is up to date",
        Word::SecondRun,
        Fault::Then(|command, places, _| {
            if !command.is_read_only() {
                touch(&places.target);
            }
        }),
    ),
];

/// Only root gives files away.
const WRONG_ABOUT_OWNERS: (&str, Word, Fault) = (
    "drops owners",
    Word::Target(What::Owner),
    Fault::Target(Lie::Owners),
);

#[test]
fn every_wrong_engine_is_caught_by_the_right_complaint() {
    let owners = blit_conform::need_root("owners are changed").then_some(&WRONG_ABOUT_OWNERS);
    let wrong: Vec<_> = WRONG.iter().chain(owners).collect();
    let mut escaped = Vec::new();
    for (name, word, fault) in &wrong {
        let engine = InProcess {
            fault: Some(*fault),
        };
        match stories_to_the_catch(*word, &engine) {
            Some(stories) => eprintln!("{name}: {word:?} in story {stories}"),
            None => escaped.push(*name),
        }
    }
    assert_eq!(
        escaped, [""; 0],
        "these engines are wrong and were not caught"
    );
    counted(&format!(
        "wrong engines that are caught: {}, seed {FIRST_SEED}",
        wrong.len()
    ));
}

#[test]
fn the_right_engine_is_never_complained_of() {
    for nth in 0..STORIES_MAX / 4 {
        let told = play(&story(nth), &InProcess::default());
        assert!(
            told.complaints.is_empty(),
            "story {nth}: {:?}",
            told.complaints
        );
    }
    counted(&format!(
        "stories of the right engine: {}, seed {FIRST_SEED}",
        STORIES_MAX / 4
    ));
}

/// How many stories it takes until the engine is complained of with that word.
fn stories_to_the_catch(word: Word, engine: &InProcess) -> Option<u64> {
    let is_it = |it: &Complaint| it.word == word;
    let told = (0..STORIES_MAX).map(story);
    told.chain([something_fails_in_a_mirror()])
        .zip(0..)
        .filter(|(story, _)| may_tell(story, engine))
        .find(|(story, _)| play(story, engine).complaints.iter().any(is_it))
        .map(|(_, nth)| nth)
}

/// Whether the engine does anything else in the story than a right one.
fn may_tell(story: &Story, engine: &InProcess) -> bool {
    let Some(Fault::Hears(change)) = engine.fault else {
        return true;
    };
    story.steps.iter().any(|step| match step {
        Step::Run(command) => {
            let mut heard = command.clone();
            change(&mut heard);
            heard != *command
        }
        _ => false,
    })
}

fn story(nth: u64) -> Story {
    let mut runner = runner(FIRST_SEED + nth);
    stories().new_tree(&mut runner).unwrap().current()
}

/// As many as the normal run plays with the binary.
const STORIES_MAX: u64 = 100;
const FIRST_SEED: u64 = 4_711;

fn entries(directory: &DiskPath) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory).into_iter().flatten();
    listed.map(|entry| entry.unwrap().path()).collect()
}

/// All that is below `root`, parents first.
fn walk(root: &DiskPath) -> Vec<PathBuf> {
    let mut found = entries(root);
    let mut at = 0;
    while at < found.len() {
        if found[at].is_dir() && !found[at].is_symlink() {
            found.extend(entries(&found[at]));
        }
        at += 1;
    }
    found
}

fn remove(path: &DiskPath) {
    blit_conform::remove_tree(path).unwrap();
}

fn delete_extras(command: &Command, places: &Places, code: &mut i32) {
    if command.verb != Verb::Mirror || *code != 3 || command.dry_run {
        return;
    }
    for path in entries(&places.target) {
        let twin = places.source.join(path.file_name().unwrap());
        if twin.symlink_metadata().is_err() {
            remove(&path);
        }
    }
}

fn remove_empty_directories(command: &Command, places: &Places, _: &mut i32) {
    if command.is_read_only() {
        return;
    }
    for path in walk(&places.target).into_iter().rev() {
        if path.is_dir() && !path.is_symlink() {
            drop(fs::remove_dir(path));
        }
    }
}

fn fill_holes(command: &Command, places: &Places, _: &mut i32) {
    if command.is_read_only() {
        return;
    }
    for path in walk(&places.target) {
        let found = path.symlink_metadata().unwrap();
        if found.is_file() && found.blocks() * 512 < found.len() {
            let content = fs::read(&path).unwrap();
            fs::write(&path, content).unwrap();
            set_times(&path, (found.mtime(), found.mtime_nsec()));
        }
    }
}

/// Does to everything what changes nothing but the time of the change.
fn touch(root: &DiskPath) {
    for path in walk(root) {
        let found = path.symlink_metadata().unwrap();
        if !found.is_symlink() {
            let mode = fs::Permissions::from_mode(found.mode() & 0o7777);
            fs::set_permissions(&path, mode).unwrap();
        }
    }
}

/// Whether everything was durable before it had a name: between the last byte of a file and its
/// name there is a barrier, and one more after the last name.
fn is_durable(calls: &[Call]) -> bool {
    let mut unsafe_yet: Vec<&RelPath> = Vec::new();
    for call in calls {
        match call.operation {
            Operation::Stage | Operation::Write | Operation::Finish => unsafe_yet.push(&call.path),
            Operation::Sync => unsafe_yet.clear(),
            Operation::Publish if unsafe_yet.contains(&&call.path) => return false,
            _ => {}
        }
    }
    let last = |operation| calls.iter().rposition(|call| call.operation == operation);
    last(Operation::Publish) < last(Operation::Sync)
}

#[test]
fn an_engine_that_skips_the_barrier_is_caught_by_its_record() {
    assert!(is_durable(&calls_of_a_copy(None)));
    assert!(!is_durable(&calls_of_a_copy(Some(Lie::Sync))));
}

fn calls_of_a_copy(lie: Option<Lie>) -> Vec<Call> {
    let source = MemStore::new();
    for name in ["a", "b/c", "b/d"] {
        source.add_file(name, vec![7; 3_000]).unwrap();
    }
    source.add_file("large", vec![7; 3 << 20]).unwrap();
    let recorded = MemStore::new().with_record();
    let target: Arc<dyn Store> = match lie {
        None => Arc::new(recorded.clone()),
        Some(lie) => Arc::new(Liar::new(
            Arc::new(recorded.clone()),
            DiskPath::new("nowhere"),
            lie,
        )),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime.block_on(async {
        let (events, mut heard) = mpsc::channel(64);
        tokio::spawn(async move { while heard.recv().await.is_some() {} });
        let registry = Registry::builtin().unwrap();
        blit_engine::run(Job::new(
            Source {
                store: Arc::new(source),
                top: Top::Contents,
            },
            registry.planner(None, &PluginConfig::new()).unwrap(),
            blit_transport_mem::pair(),
            Target { store: target },
            Options::new(blit_engine::Verb::Copy),
            events,
        ))
        .await
    });
    assert!(report.is_clean(), "{report:?}");
    recorded.calls()
}
