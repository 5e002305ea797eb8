//! SIGKILL at every system call that changes something: each name holds the old or the new content,
//! and the same command again ends as if nothing had happened.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use blit_conform::tree::set_times;
use blit_conform::{Blit, Inject, Options, Snapshot, What, count_syscalls, need_tool, scaled};

use crate::bench::{Pair, write};

/// The calls at which the process is killed; those that a run does not make are left out.
const MUTATING: &[&str] = &[
    "copy_file_range",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fdatasync",
    "fsetxattr",
    "fsync",
    "ftruncate",
    "ioctl",
    "link",
    "linkat",
    "lsetxattr",
    "mkdir",
    "mkdirat",
    "mknodat",
    "pwrite64",
    "pwritev",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "setxattr",
    "symlinkat",
    "sync_file_range",
    "syncfs",
    "unlink",
    "unlinkat",
    "utimensat",
    "write",
    "writev",
];

/// A small run: its verb and flags, and what is there before it.
struct Workload {
    verb: &'static str,
    flags: &'static [&'static str],
    plant: fn(&Pair),
}

#[test]
fn copy_of_a_new_tree_survives_a_kill_at_any_system_call() {
    sweep(&Workload {
        verb: "copy",
        flags: &[],
        plant: plant_source,
    });
}

#[test]
fn copy_over_an_old_tree_survives_a_kill_at_any_system_call() {
    sweep(&Workload {
        verb: "copy",
        flags: &[],
        plant: |pair| {
            plant_source(pair);
            plant_old(&pair.target);
        },
    });
}

#[test]
fn mirror_with_deletions_and_other_types_survives_a_kill_at_any_system_call() {
    sweep(&Workload {
        verb: "mirror",
        flags: &["-y", "--max-delete", "100%"],
        plant: |pair| {
            plant_source(pair);
            plant_old(&pair.target);
            plant_others(&pair.target);
        },
    });
}

#[test]
fn move_survives_a_kill_at_any_system_call() {
    sweep(&Workload {
        verb: "move",
        flags: &["-y"],
        plant: plant_source,
    });
}

#[test]
fn move_over_an_old_tree_survives_a_kill_at_any_system_call() {
    sweep(&Workload {
        verb: "move",
        flags: &["-y"],
        plant: |pair| {
            plant_source(pair);
            plant_old(&pair.target);
        },
    });
}

fn plant_source(pair: &Pair) {
    let source = &pair.source;
    write(
        source,
        &[
            ("a", "new a"),
            ("d/b", "new b"),
            ("d/e/c", "new c"),
            ("empty/", ""),
            ("nothing", ""),
        ],
    );
    write(
        source,
        &[
            ("was a directory", "now a file"),
            ("was a file/inner", "now below a directory"),
            ("was a link", "x"),
        ],
    );
    fs::write(source.join("large"), vec![b'n'; 3 << 20]).unwrap();
    fs::hard_link(source.join("a"), source.join("d/link of a")).unwrap();
    symlink("a", source.join("symlink")).unwrap();
}

fn plant_old(target: &Path) {
    fs::create_dir_all(target).unwrap();
    write(
        target,
        &[
            ("a", "old a, longer than the new"),
            ("d/b", "old"),
            ("extra", "old"),
            ("d/extra", "old"),
        ],
    );
    fs::write(target.join("large"), vec![b'o'; 2 << 20]).unwrap();
    fs::hard_link(target.join("d/b"), target.join("symlink")).unwrap();
}

fn plant_others(target: &Path) {
    write(
        target,
        &[
            ("was a directory/deep/inner", "old"),
            ("was a directory/other", "old"),
            ("was a file", "old"),
        ],
    );
    write(target, &[("extra directory/deep/inner", "old")]);
    symlink("a", target.join("was a link")).unwrap();
}

fn sweep(workload: &Workload) {
    if !need_tool("strace") {
        return;
    }
    let before = planted(workload);
    let (source, old) = (Snapshot::of(&before.source), Snapshot::of(&before.target));
    let counts = count_syscalls(&command(workload, &before).command());
    let expected = Snapshot::of(&before.target);
    let points = points(&counts);
    let step = points.len().div_ceil(scaled(40, usize::MAX)).max(1);
    let mut killed = 0;
    for (call, nth) in points.iter().step_by(step) {
        let pair = planted(workload);
        let ran = command(workload, &pair)
            .inject(&Inject::kill(call, *nth))
            .run();
        if ran.signal != Some(9) {
            continue;
        }
        killed += 1;
        let context = format!("{} killed at {call} number {nth}", workload.verb);
        whole(&old, &expected, &Snapshot::of(&pair.target), &context);
        if workload.verb == "move" {
            one_copy_at_least(&source, &pair, &expected, &context);
        }
        again(workload, &pair, &expected, &context);
    }
    eprintln!(
        "{}: {killed} kills at {} points",
        workload.verb,
        points.len().div_ceil(step)
    );
    assert!(
        killed >= 10,
        "only {killed} of {} points were met",
        points.len()
    );
}

fn planted(workload: &Workload) -> Pair {
    let pair = Pair::new();
    (workload.plant)(&pair);
    // The same times in every planting, so that the results can be compared.
    age(&pair.source, 1_400_000_000);
    age(&pair.target, 1_300_000_000);
    pair
}

fn age(root: &Path, seconds: i64) {
    for path in Snapshot::of(root).paths() {
        let path = root.join(String::from_utf8(path).unwrap());
        set_times(&path, (seconds, 123_456_789));
    }
    if root.exists() {
        set_times(root, (seconds, 987_654_321));
    }
}

fn command(workload: &Workload, pair: &Pair) -> Blit {
    pair.blit(workload.verb).args(workload.flags)
}

/// Every call by name and number. `strace` counts for each thread, so that a number which no single
/// thread reaches does not kill.
fn points(counts: &blit_conform::SyscallCounts) -> Vec<(&'static str, usize)> {
    let made = |call: &str| counts.get(call).map_or(0, |it| it.made as usize);
    MUTATING
        .iter()
        .flat_map(|call| (1..=made(call)).map(|nth| (*call, nth)))
        .collect()
}

/// K1 and K2: every name holds what it held or what it shall hold, and what is more is our own.
#[track_caller]
fn whole(old: &Snapshot, new: &Snapshot, now: &Snapshot, context: &str) {
    let names = |it: &Snapshot| it.paths().into_iter().filter(|path| !is_ours(path));
    let all: BTreeSet<Vec<u8>> = names(old).chain(names(new)).chain(names(now)).collect();
    for path in all {
        let content = [old, new, now].map(|it| it.content_of(&path));
        let shown = path.escape_ascii();
        assert!(
            content[2] == content[0] || content[2] == content[1],
            "{context}: {shown} holds neither the old nor the new: {:?}",
            content[2]
        );
        // A link cannot have its metadata before it has its name.
        let is_file = content[2]
            .as_deref()
            .is_some_and(|it| it.starts_with("File"));
        let is_new_file = is_file && content[2] == content[1] && content[2] != content[0];
        if is_new_file {
            assert_eq!(
                now.metadata_of(&path),
                new.metadata_of(&path),
                "{context}: {shown} is not complete"
            );
        }
    }
}

/// Whether it is, or lies below, unfinished work of blit.
pub(crate) fn is_ours(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|name| name.starts_with(b".blit~") && name.len() == 28)
}

/// K5: whatever has left the source is complete at the target.
#[track_caller]
fn one_copy_at_least(source: &Snapshot, pair: &Pair, expected: &Snapshot, context: &str) {
    let (left, arrived) = (Snapshot::of(&pair.source), Snapshot::of(&pair.target));
    for path in source.paths() {
        let was = source.content_of(&path);
        let stays = left.content_of(&path) == was;
        let came = arrived.content_of(&path) == expected.content_of(&path);
        assert!(
            stays || came,
            "{context}: {} is nowhere",
            path.escape_ascii()
        );
    }
}

/// K3: the same command again ends in the same tree.
#[track_caller]
fn again(workload: &Workload, pair: &Pair, expected: &Snapshot, context: &str) {
    let ran = command(workload, pair).run();
    let gone = workload.verb == "move" && ran.code == Some(5);
    assert!(ran.code == Some(0) || gone, "{context}, then again: {ran}");
    let mut found = expected.differences(&Snapshot::of(&pair.target), Options::exact());
    found.retain(|it| !is_ours(&it.path));
    // What a killed move has removed changed the times of its directories at the source, and these
    // are what the second move finds.
    let is_directory = |path: &[u8]| expected.content_of(path).as_deref() == Some("Directory");
    found.retain(|it| workload.verb != "move" || it.what != What::Time || !is_directory(&it.path));
    assert!(found.is_empty(), "{context}, then again: {found:#?}");
}
