//! T3: SIGKILL at every system call that changes something. Each name holds the old or the new
//! content, and the same command again ends as if nothing had happened.

use std::collections::BTreeMap;

use blit_conform::tree::Random;
use blit_conform::{FileSystem, Inject, count_syscalls_by_thread, need_tool, scaled, seed};

use crate::arena::{Arena, Planted};
use crate::workload::{BATCH, COPY, COPY_OVER, MIRROR, MOVE, Workload};

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
    "fremovexattr",
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
    "openat2",
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

/// One test for each workload and file system.
macro_rules! sweeps {
    ($($test:ident: $workload:ident on $kind:ident;)*) => {
        $(#[test]
        fn $test() {
            sweep(&$workload, FileSystem::$kind, false);
        })*
    };
}

sweeps! {
    copy_of_a_new_tree_survives_a_kill_at_any_system_call_on_ext4: COPY on Ext4;
    copy_of_a_new_tree_survives_a_kill_at_any_system_call_on_xfs: COPY on Xfs;
    copy_of_a_new_tree_survives_a_kill_at_any_system_call_on_btrfs: COPY on Btrfs;
    copy_over_an_old_tree_survives_a_kill_at_any_system_call_on_ext4: COPY_OVER on Ext4;
    copy_over_an_old_tree_survives_a_kill_at_any_system_call_on_xfs: COPY_OVER on Xfs;
    copy_over_an_old_tree_survives_a_kill_at_any_system_call_on_btrfs: COPY_OVER on Btrfs;
    mirror_survives_a_kill_at_any_system_call_on_ext4: MIRROR on Ext4;
    mirror_survives_a_kill_at_any_system_call_on_xfs: MIRROR on Xfs;
    mirror_survives_a_kill_at_any_system_call_on_btrfs: MIRROR on Btrfs;
    move_survives_a_kill_at_any_system_call_on_ext4: MOVE on Ext4;
    move_survives_a_kill_at_any_system_call_on_xfs: MOVE on Xfs;
    move_survives_a_kill_at_any_system_call_on_btrfs: MOVE on Btrfs;
    copy_of_a_thousand_files_survives_a_kill_at_any_system_call_on_ext4: BATCH on Ext4;
    copy_of_a_thousand_files_survives_a_kill_at_any_system_call_on_xfs: BATCH on Xfs;
    copy_of_a_thousand_files_survives_a_kill_at_any_system_call_on_btrfs: BATCH on Btrfs;
}

#[test]
fn a_run_after_a_kill_survives_a_second_kill_at_any_system_call_on_ext4() {
    sweep(&MIRROR, FileSystem::Ext4, true);
}

#[test]
fn a_run_after_a_kill_survives_a_second_kill_at_any_system_call_on_xfs() {
    sweep(&MIRROR, FileSystem::Xfs, true);
}

#[test]
fn a_run_after_a_kill_survives_a_second_kill_at_any_system_call_on_btrfs() {
    sweep(&MIRROR, FileSystem::Btrfs, true);
}

/// Kills at every point in the long run, at some by seed in the normal one; `twice`, what is killed
/// is a run after another that was killed before.
fn sweep(workload: &Workload, kind: FileSystem, twice: bool) {
    let Some(arena) = Arena::new(kind).filter(|_| need_tool("strace")) else {
        return;
    };
    let seed = seed();
    let mut random = Random::new(seed);
    let planted = arena.plant(workload);
    let counts = count_syscalls_by_thread(&planted.blit().command(), MUTATING);
    let new = planted.now();
    drop(planted);
    let all = points(&counts);
    let mut left = all.clone();
    // A thousand files have a thousand points that are all alike.
    let wanted = if workload.name == BATCH.name {
        scaled(2, 300)
    } else {
        scaled(3, all.len())
    };
    let (mut kills, mut broken) = (0, Vec::new());
    while kills < wanted && !left.is_empty() {
        let (call, nth) = left.swap_remove(random.below(left.len()));
        let mut context = format!("{call} number {nth}");
        let planted = arena.plant(workload);
        if twice {
            let (call, nth) = all[random.below(all.len())];
            let _ = killed(&planted, call, nth);
            context += &format!(", after one at {call} number {nth}");
        }
        let old = planted.now();
        if !killed(&planted, call, nth) {
            continue;
        }
        kills += 1;
        let found = planted
            .judge(&old, &new)
            .into_iter()
            .chain(planted.again(&new));
        broken.extend(found.map(|it| format!("killed at {context}: {it}")));
    }
    let (name, kind) = (workload.name, kind.name());
    eprintln!(
        "{name} on {kind}: {kills} kills, {} points, seed {seed}",
        all.len()
    );
    assert!(
        broken.is_empty(),
        "seed {seed}, {name}:\n{}",
        broken.join("\n")
    );
    assert!(kills >= wanted.min(20), "only {kills} points were met");
}

fn killed(planted: &Planted<'_>, call: &str, nth: usize) -> bool {
    let ran = planted.blit().inject(&Inject::kill(call, nth)).run();
    ran.signal == Some(9)
}

/// Every call by name and number, up to the most that one thread made: `strace` counts for each.
fn points(counts: &BTreeMap<String, usize>) -> Vec<(&'static str, usize)> {
    let made = |call: &str| counts.get(call).copied().unwrap_or(0);
    MUTATING
        .iter()
        .flat_map(|call| (1..=made(call)).map(|nth| (*call, nth)))
        .collect()
}
