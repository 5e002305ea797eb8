//! T3: SIGKILL at every system call that changes something. Each name holds the old or the new
//! content, and the same command again ends as if nothing had happened.

use blit_conform::tree::Random;
use blit_conform::{Ended, FileSystem, counted, kill_at, scaled, seed};

use crate::arena::Arena;
use crate::workload::{BATCH, COPY, COPY_OVER, MIRROR, MOVE, Workload};

/// One test for each workload and file system.
macro_rules! sweeps {
    ($(#[test] fn $test:ident() = $workload:ident on $kind:ident;)*) => {
        $(#[test]
        fn $test() {
            sweep(&$workload, FileSystem::$kind, false);
        })*
    };
}

sweeps! {
    #[test]
    fn copy_of_a_new_tree_survives_a_kill_at_any_system_call_on_ext4() = COPY on Ext4;
    #[test]
    fn copy_of_a_new_tree_survives_a_kill_at_any_system_call_on_xfs() = COPY on Xfs;
    #[test]
    fn copy_of_a_new_tree_survives_a_kill_at_any_system_call_on_btrfs() = COPY on Btrfs;
    #[test]
    fn copy_over_an_old_tree_survives_a_kill_at_any_system_call_on_ext4() = COPY_OVER on Ext4;
    #[test]
    fn copy_over_an_old_tree_survives_a_kill_at_any_system_call_on_xfs() = COPY_OVER on Xfs;
    #[test]
    fn copy_over_an_old_tree_survives_a_kill_at_any_system_call_on_btrfs() = COPY_OVER on Btrfs;
    #[test]
    fn mirror_survives_a_kill_at_any_system_call_on_ext4() = MIRROR on Ext4;
    #[test]
    fn mirror_survives_a_kill_at_any_system_call_on_xfs() = MIRROR on Xfs;
    #[test]
    fn mirror_survives_a_kill_at_any_system_call_on_btrfs() = MIRROR on Btrfs;
    #[test]
    fn move_survives_a_kill_at_any_system_call_on_ext4() = MOVE on Ext4;
    #[test]
    fn move_survives_a_kill_at_any_system_call_on_xfs() = MOVE on Xfs;
    #[test]
    fn move_survives_a_kill_at_any_system_call_on_btrfs() = MOVE on Btrfs;
    #[test]
    fn copy_of_a_thousand_files_survives_a_kill_at_any_system_call_on_ext4() = BATCH on Ext4;
    #[test]
    fn copy_of_a_thousand_files_survives_a_kill_at_any_system_call_on_xfs() = BATCH on Xfs;
    #[test]
    fn copy_of_a_thousand_files_survives_a_kill_at_any_system_call_on_btrfs() = BATCH on Btrfs;
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
    let Some(arena) = Arena::new(kind) else {
        return;
    };
    let seed = seed();
    let mut random = Random::new(seed);
    let planted = arena.plant(workload);
    let Ended::Itself { code: 0, calls } = kill_at(planted.blit(), usize::MAX) else {
        panic!("{} does not end well", workload.name);
    };
    let new = planted.now();
    drop(planted);
    let mut points: Vec<usize> = (1..=calls).collect();
    // A thousand files have thousands of points that are all alike.
    let wanted = if workload.name == BATCH.name {
        scaled(1, 100)
    } else {
        scaled(3, calls)
    };
    let (mut kills, mut broken) = (0, Vec::new());
    while kills < wanted && !points.is_empty() {
        let nth = points.swap_remove(random.below(points.len()));
        let planted = arena.plant(workload);
        let first = 1 + random.below(calls);
        let mut context = format!("killed at call {nth}");
        if twice && kill_at(planted.blit(), first) == Ended::Killed {
            context += &format!(", and before at {first}");
        }
        let old = planted.now();
        // Runs differ a little in how many calls they make.
        if kill_at(planted.blit(), nth) != Ended::Killed {
            continue;
        }
        kills += 1;
        let found = planted.judge(&old, &new).into_iter();
        let found = found.chain(planted.again(&new));
        broken.extend(found.map(|it| format!("{context}: {it}")));
    }
    let (name, kind) = (workload.name, kind.name());
    counted(&format!(
        "SIGKILL (T3), {name} on {kind}: {kills} kills at {calls} calls, seed {seed}"
    ));
    assert!(
        broken.is_empty(),
        "seed {seed}, {name}:\n{}",
        broken.join("\n")
    );
    // After a first kill there may be little left to do.
    assert!(
        twice || kills >= wanted * 9 / 10,
        "only {kills} of {calls} points were met"
    );
    assert!(kills > 0, "no point was met");
}
