//! What a small file costs in system calls.

use std::process::Command;
use std::time::Duration;

use blit_conform::tree::many_small_files;
use blit_conform::{Inject, SyscallCounts, assert_same, count_syscalls, need_tool};

use crate::bench::{Pair, contents};

const FILES: u64 = 10_000;

/// Each staged file holds a descriptor until it has its name, and that waits for the disk.
#[test]
fn a_disk_that_syncs_slowly_under_strace_does_not_use_up_the_descriptors() {
    if !need_tool("strace") || !need_tool("prlimit") {
        return;
    }
    let pair = Pair::new();
    many_small_files(&pair.source, 4_000);
    let slow = Inject::delay("syncfs,fsync,fdatasync", Duration::from_millis(50));
    let ran = pair
        .blit("copy")
        .under(["prlimit", "--nofile=512:512"])
        .inject(&slow);
    ran.run().succeeds();
    assert_same(&pair.source, &pair.target);
}

/// Calls that a whole run may make in vain: searching libraries, probing the file system.
const FAILED_MAX: u64 = 100;

#[test]
fn a_small_file_costs_at_most_twelve_system_calls_and_none_fails() {
    if !need_tool("strace") {
        return;
    }
    let pair = Pair::new();
    many_small_files(&pair.source, FILES as usize);
    let ours = count_syscalls(&pair.blit("copy").command());
    assert_same(&pair.source, &pair.target);
    let mut cp = Command::new("cp");
    cp.arg("-a")
        .arg(contents(&pair.source))
        .arg(pair.scratch.path("by cp"));
    let theirs = count_syscalls(&cp);

    eprintln!(
        "system calls for each of {FILES} small files: blit {}, cp -a {}",
        per_file(&ours),
        per_file(&theirs)
    );
    for (name, calls) in ours.iter().filter(|(_, calls)| calls.made > FILES / 100) {
        let cp = theirs.get(name).map_or(0, |it| it.made);
        eprintln!(
            "{name:>20} {:>8} {:>8} failed {}",
            calls.made, cp, calls.failed
        );
    }
    // Builds for debugging ask before each close whether the descriptor is open.
    let asked = if cfg!(debug_assertions) {
        ours.get("fcntl").map_or(0, |it| it.made)
    } else {
        0
    };
    assert!(
        total(&ours) - asked <= 12 * FILES,
        "{} for each file",
        per_file(&ours)
    );
    let failed: u64 = ours.values().map(|it| it.failed).sum();
    // A thread that waits for its turn fails in a way that costs nothing and means nothing.
    let waiting = ours.get("futex").map_or(0, |it| it.failed);
    assert!(
        failed - waiting <= FAILED_MAX,
        "{failed} system calls failed"
    );
    let syncs: u64 = ["fsync", "fdatasync", "sync_file_range"]
        .iter()
        .filter_map(|it| ours.get(*it))
        .map(|it| it.made)
        .sum();
    assert!(syncs <= FILES / 100, "{syncs} files were synced one by one");
}

#[test]
fn an_unchanged_file_costs_no_writing_system_call() {
    if !need_tool("strace") {
        return;
    }
    let pair = Pair::new();
    many_small_files(&pair.source, FILES as usize);
    pair.run("copy", &[]).succeeds();
    let again = count_syscalls(&pair.blit("copy").command());
    eprintln!(
        "system calls for each of {FILES} unchanged files: {}",
        per_file(&again)
    );
    for name in [
        "write",
        "linkat",
        "renameat2",
        "unlinkat",
        "mkdirat",
        "utimensat",
    ] {
        let made = again.get(name).map_or(0, |it| it.made);
        // Threads that wake each other write too.
        assert!(made < FILES / 20, "{made} × {name} though nothing changed");
    }
}

fn total(counts: &SyscallCounts) -> u64 {
    counts.values().map(|it| it.made).sum()
}

fn per_file(counts: &SyscallCounts) -> f64 {
    total(counts) as f64 / FILES as f64
}
