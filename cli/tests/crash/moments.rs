//! T3: SIGKILL at random moments of a run over a larger tree.

use std::process::Stdio;
use std::time::{Duration, Instant};

use blit_conform::tree::Random;
use blit_conform::{FileSystem, counted, scaled, seed};

use crate::arena::{Arena, Planted};
use crate::workload::{LARGE_COPY, LARGE_MIRROR, LARGE_MOVE, Workload};

/// One test for each workload and file system.
macro_rules! moments {
    ($(#[test] fn $test:ident() = $workload:ident on $kind:ident;)*) => {
        $(#[test]
        fn $test() {
            at_random(&$workload, FileSystem::$kind);
        })*
    };
}

moments! {
    #[test]
    fn copy_of_a_larger_tree_survives_a_kill_at_any_moment_on_ext4() = LARGE_COPY on Ext4;
    #[test]
    fn copy_of_a_larger_tree_survives_a_kill_at_any_moment_on_xfs() = LARGE_COPY on Xfs;
    #[test]
    fn copy_of_a_larger_tree_survives_a_kill_at_any_moment_on_btrfs() = LARGE_COPY on Btrfs;
    #[test]
    fn mirror_of_a_larger_tree_survives_a_kill_at_any_moment_on_ext4() = LARGE_MIRROR on Ext4;
    #[test]
    fn mirror_of_a_larger_tree_survives_a_kill_at_any_moment_on_xfs() = LARGE_MIRROR on Xfs;
    #[test]
    fn mirror_of_a_larger_tree_survives_a_kill_at_any_moment_on_btrfs() = LARGE_MIRROR on Btrfs;
    #[test]
    fn move_of_a_larger_tree_survives_a_kill_at_any_moment_on_ext4() = LARGE_MOVE on Ext4;
    #[test]
    fn move_of_a_larger_tree_survives_a_kill_at_any_moment_on_xfs() = LARGE_MOVE on Xfs;
    #[test]
    fn move_of_a_larger_tree_survives_a_kill_at_any_moment_on_btrfs() = LARGE_MOVE on Btrfs;
}

fn at_random(workload: &Workload, kind: FileSystem) {
    let Some(arena) = Arena::new(kind) else {
        return;
    };
    let seed = seed();
    let mut random = Random::new(seed);
    let planted = arena.plant(workload);
    let begin = Instant::now();
    planted.blit().run().succeeds();
    let whole = begin.elapsed();
    let new = planted.now();
    drop(planted);
    let wanted = scaled(2, 223);
    let (mut kills, mut runs, mut broken) = (0, 0, Vec::new());
    // How long a run takes is not known before, so some end before they are killed.
    while kills < wanted && runs < 10 * wanted {
        runs += 1;
        let planted = arena.plant(workload);
        let old = planted.now();
        let moment = whole * random.below(1_000) as u32 / 1_000;
        if !killed_after(&planted, moment) {
            continue;
        }
        kills += 1;
        let found = planted
            .judge(&old, &new)
            .into_iter()
            .chain(planted.again(&new));
        broken.extend(found.map(|it| format!("killed after {moment:?}: {it}")));
    }
    let (name, kind) = (workload.name, kind.name());
    counted(&format!(
        "SIGKILL (T3), {name} on {kind}: {kills} kills at random moments, seed {seed}"
    ));
    assert!(
        broken.is_empty(),
        "seed {seed}, {name}:\n{}",
        broken.join("\n")
    );
    assert!(
        kills == wanted,
        "only {kills} of {runs} runs lived long enough to be killed"
    );
}

/// Whether the run was killed after `moment`; otherwise it had ended before.
fn killed_after(planted: &Planted<'_>, moment: Duration) -> bool {
    use std::os::unix::process::ExitStatusExt;
    // The directory of its configuration must live as long as it does.
    let blit = planted.blit();
    let mut command = blit.command();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap().signal() == Some(9)
}
