//! Races (bench T7): every operation against a flipper at every level of source, target and staging.
//! Nothing outside of the trees is ever changed, read or opened.

mod canary;
mod flipper;
mod operations;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use blit_conform::{Inject, Ran, Scratch, counted, need_tool, scaled};

use self::canary::{Canary, Escape, leaks};
use self::flipper::{flipping, usurping};
use self::operations::{OPERATIONS, Operation};
use crate::bench::{Pair, write};

/// A level of the tree that is flipped, as seen from the files in `g/p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Leaf,
    Parent,
    GrandParent,
}

const LEVELS: [Level; 3] = [Level::Leaf, Level::Parent, Level::GrandParent];

impl Level {
    const fn path(self) -> &'static str {
        match self {
            Self::Leaf => "g/p/file",
            Self::Parent => "g/p",
            Self::GrandParent => "g",
        }
    }

    /// What of the canary the link leads to.
    const fn of_canary(self) -> &'static str {
        match self {
            Self::Leaf => "file",
            Self::Parent | Self::GrandParent => "",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// In memory, where a run and a flip cost least.
fn planted(operation: &Operation) -> Pair {
    let memory = Path::new("/dev/shm");
    let pair = if memory.is_dir() && blit_conform::is_root() {
        Pair::on(Scratch::below(memory))
    } else {
        Pair::new()
    };
    let files = [
        "file",
        "d/file",
        "g/file",
        "g/p/file",
        "g/p/d/file",
        "g/p/other",
    ];
    for file in files {
        write(&pair.source, &[(file, "of the source")]);
    }
    if operation.is_over_old {
        for file in files {
            write(&pair.target, &[(file, "of the target")]);
        }
        for file in [
            "extra",
            "g/extra",
            "g/p/extra",
            "g/p/d/extra",
            "g/p/only here",
        ] {
            write(&pair.target, &[(file, "extra")]);
        }
    } else {
        fs::create_dir_all(pair.target.join("g/p/d")).unwrap();
        write(&pair.target, &[("g/p/file", "of the target")]);
    }
    pair
}

/// One operation against one flipper; answers with the flips, or with what escaped.
fn race(operation: &Operation, side: Side, level: Level) -> Result<u64, String> {
    let pair = planted(operation);
    let canary = Canary::at(pair.scratch.path("canary"));
    let root = match side {
        Side::Source => &pair.source,
        Side::Target => &pair.target,
    };
    let (place, link) = (root.join(level.path()), pair.scratch.path("link"));
    symlink(canary.root().join(level.of_canary()), &link).unwrap();
    let mut ran = Vec::new();
    let flips = flipping(&place, &link, || {
        ran = operation
            .commands(&pair)
            .iter()
            .map(|it| it.run())
            .collect();
    });
    judge(&canary, &pair, &ran)
        .map_err(|found| format!("{} with {side:?} {level:?}: {found}", operation.name))?;
    Ok(flips)
}

fn judge(canary: &Canary, pair: &Pair, ran: &[Ran]) -> Result<(), String> {
    let mut escapes = canary.harms();
    for tree in [&pair.source, &pair.target, &pair.scratch.path("backup")] {
        // A link to the canary in a tree is only a link.
        escapes.extend(leaks(tree));
    }
    if !escapes.is_empty() {
        let shown: Vec<_> = escapes.iter().map(Escape::to_string).collect();
        return Err(format!("{}\n{ran:?}", shown.join("; ")));
    }
    match ran.iter().find(|it| !matches!(it.code, Some(0..=12))) {
        Some(odd) => Err(format!("no code that is promised: {odd}")),
        None => Ok(()),
    }
}

/// How often each operation is flipped at least; each combination runs at least once.
fn flips_min() -> u64 {
    scaled(5_000, 100_000) as u64
}

fn races(side: Side) {
    let (mut flips, mut runs, mut found) = (0, 0, Vec::new());
    for operation in OPERATIONS {
        let mut own = 0;
        let mut level = 0;
        let levels = &LEVELS[..operation.levels()];
        while level < levels.len() || own < flips_min() {
            match race(operation, side, levels[level % levels.len()]) {
                Ok(more) => own += more,
                Err(escape) => {
                    found.push(escape);
                    break;
                }
            }
            level += 1;
            runs += 1;
        }
        flips += own;
    }
    let operations = OPERATIONS.len();
    counted(&format!(
        "races (T7), {side:?}: {operations} operations, {runs} runs, {flips} flips, seed none: races"
    ));
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(flips >= operations as u64 * flips_min());
}

#[test]
fn a_flipper_at_any_level_of_the_source_leads_no_operation_out_of_it() {
    races(Side::Source);
}

#[test]
fn a_flipper_at_any_level_of_the_target_leads_no_operation_out_of_it() {
    races(Side::Target);
}

/// Unfinished files live for microseconds. A rename that comes late lets the flipper be faster.
const LATE: Duration = Duration::from_millis(3);

#[test]
fn a_flipper_of_unfinished_files_leads_no_operation_out_of_the_target() {
    if !need_tool("strace") {
        return;
    }
    let late_renames = Inject::delay("renameat2", LATE);
    let (mut usurped, mut runs) = (0, 0);
    let writing = OPERATIONS.iter().filter(|it| it.is_over_old);
    let writing: Vec<_> = writing.collect();
    let runs_max = scaled(writing.len(), 100_000);
    let usurped_min = scaled(1, 2_000) as u64;
    while runs < runs_max && (runs < writing.len() || usurped < usurped_min) {
        let operation = writing[runs % writing.len()];
        let pair = planted(operation);
        let canary = Canary::at(pair.scratch.path("canary"));
        let below = ["", "d", "g", "g/p", "g/p/d"];
        let directories: Vec<PathBuf> = below.iter().map(|it| pair.target.join(it)).collect();
        let mut ran = Vec::new();
        let (secret, aside) = (canary.root().join("file"), pair.scratch.path("aside"));
        usurped += usurping(&directories, &secret, &aside, || {
            let late = operation.commands(&pair).into_iter();
            ran = late.map(|it| it.inject(&late_renames).run()).collect();
        });
        let judged = judge(&canary, &pair, &ran);
        assert!(judged.is_ok(), "{}: {judged:?}", operation.name);
        runs += 1;
    }
    assert!(usurped > 0, "no unfinished file was met");
    counted(&format!(
        "races (T7), staging: {runs} runs, {usurped} unfinished files usurped, seed none: races"
    ));
}

/// The root itself: a link there is followed once, because the user named it. What a run does happens
/// in the one tree that it opened.
fn roots(side: Side) {
    let (mut flips, mut runs) = (0, 0);
    let runs_min = scaled(6, 60);
    let least = scaled(2_000, 100_000) as u64;
    while runs < runs_min || flips < least {
        let pair = Pair::with(&[("a", "one"), ("d/b", "one"), ("d/e/c", "one")]).and_target(&[
            // Of other lengths: files that are written in one tick may have one time.
            ("a", "older"),
            ("d/b", "older"),
            ("d/e/c", "older"),
        ]);
        let other = pair.scratch.path("other");
        let content = if side == Side::Source {
            "twofold"
        } else {
            "older"
        };
        for file in ["a", "d/b", "d/e/c"] {
            write(&other, &[(file, content)]);
        }
        let place = match side {
            Side::Source => &pair.source,
            Side::Target => &pair.target,
        };
        let link = pair.scratch.path("link");
        symlink(&other, &link).unwrap();
        let verb = [&["copy"][..], &["mirror", "-y"]][runs % 2];
        flips += flipping(place, &link, || drop(pair.run(verb[0], &verb[1..])));
        // Whichever of the two is at the name now, both trees are looked at.
        let real = if place.is_symlink() { &link } else { place };
        let written = match side {
            Side::Source => vec![&pair.target],
            Side::Target => vec![real, &other],
        };
        for tree in written {
            let found = ["a", "d/b", "d/e/c"].map(|it| fs::read_to_string(tree.join(it)).unwrap());
            let is_whole = found.iter().all(|it| *it == found[0]);
            assert!(
                is_whole,
                "{verb:?}: {} is of two trees: {found:?}",
                tree.display()
            );
        }
        runs += 1;
    }
    counted(&format!(
        "races (T7), root of {side:?}: {runs} runs, {flips} flips, seed none: races"
    ));
}

#[test]
fn a_flipper_of_the_root_of_the_source_mixes_no_two_trees() {
    roots(Side::Source);
}

#[test]
fn a_flipper_of_the_root_of_the_target_mixes_no_two_trees() {
    roots(Side::Target);
}

/// As programs copy that were written in an afternoon: it looks, and then it goes.
fn naive_copy(source: &Path, target: &Path) -> std::io::Result<()> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let (from, to) = (entry?.path(), target.to_owned());
        let Some(name) = from.file_name() else {
            continue;
        };
        let to = to.join(name);
        let kind = fs::symlink_metadata(&from)?.file_type();
        if kind.is_dir() {
            // An error in one directory does not stop the others.
            let _ = naive_copy(&from, &to);
        } else if kind.is_file() {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// Copies naively against a flipper until something escapes.
fn caught(side: Side, level: Level) -> Vec<Escape> {
    for _ in 0..10_000 {
        let pair = planted(&OPERATIONS[1]);
        let canary = Canary::at(pair.scratch.path("canary"));
        let root = match side {
            Side::Source => &pair.source,
            Side::Target => &pair.target,
        };
        let (place, link) = (root.join(level.path()), pair.scratch.path("link"));
        symlink(canary.root().join(level.of_canary()), &link).unwrap();
        flipping(&place, &link, || {
            for _ in 0..50 {
                let _ = naive_copy(&pair.source, &pair.target);
            }
        });
        let found = canary.harms();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

#[test]
fn a_flipper_of_the_source_leads_a_naive_copier_to_the_canary() {
    for level in LEVELS {
        let found = caught(Side::Source, level);
        let is_accessed = |it: &Escape| matches!(it, Escape::Accessed(_));
        assert!(found.iter().any(is_accessed), "{level:?}: {found:?}");
    }
}

#[test]
fn a_flipper_of_the_target_leads_a_naive_copier_to_change_the_canary() {
    for level in LEVELS {
        let found = caught(Side::Target, level);
        let is_changed = |it: &Escape| matches!(it, Escape::Changed(_));
        assert!(found.iter().any(is_changed), "{level:?}: {found:?}");
    }
}
