//! T4: the power fails. Every name holds the old or the new content, and what blit called done by
//! its exit code is there, whatever the disk had not written yet.
//!
//! Configuration and history of blit are on another disk, which does not fail.

use std::path::Path;

use blit_conform::power::{Crash, Recording};
use blit_conform::tree::Random;
use blit_conform::{
    Broken, FileSystem, Options, Promise, Scratch, Snapshot, counted, is_unfinished, judge_move,
    scaled, seed,
};

use crate::arena::{has_ended_well, is_known_of};
use crate::workload::{COPY, COPY_OVER, MIRROR, MOVE, Workload};

/// One test for each workload and file system, with both barriers in the long run.
macro_rules! losses {
    ($(#[test] fn $test:ident() = $workload:ident on $kind:ident by $durability:literal;)*) => {
        $(#[test]
        fn $test() {
            lose_power(&$workload, FileSystem::$kind, $durability);
        })*
    };
}

losses! {
    #[test]
    fn copy_survives_a_power_loss_on_an_ext4_loop_image() = COPY on Ext4 by "batch";
    #[test]
    fn copy_survives_a_power_loss_on_an_xfs_loop_image() = COPY on Xfs by "file";
    #[test]
    fn copy_survives_a_power_loss_on_a_btrfs_loop_image() = COPY on Btrfs by "batch";
    #[test]
    fn copy_over_an_old_tree_survives_a_power_loss_on_an_ext4_loop_image() = COPY_OVER on Ext4 by "file";
    #[test]
    fn copy_over_an_old_tree_survives_a_power_loss_on_an_xfs_loop_image() = COPY_OVER on Xfs by "batch";
    #[test]
    fn copy_over_an_old_tree_survives_a_power_loss_on_a_btrfs_loop_image() = COPY_OVER on Btrfs by "file";
    #[test]
    fn mirror_survives_a_power_loss_on_an_ext4_loop_image() = MIRROR on Ext4 by "batch";
    #[test]
    fn mirror_survives_a_power_loss_on_an_xfs_loop_image() = MIRROR on Xfs by "file";
    #[test]
    fn mirror_survives_a_power_loss_on_a_btrfs_loop_image() = MIRROR on Btrfs by "file";
    #[test]
    fn move_survives_a_power_loss_on_two_ext4_loop_images() = MOVE on Ext4 by "file";
    #[test]
    fn move_survives_a_power_loss_on_two_xfs_loop_images() = MOVE on Xfs by "batch";
    #[test]
    fn move_survives_a_power_loss_on_two_btrfs_loop_images() = MOVE on Btrfs by "batch";
}

/// In the normal run with the barrier `usual`, in the long one with each.
fn lose_power(workload: &Workload, kind: FileSystem, usual: &str) {
    if !kind.is_here() {
        return;
    }
    let durabilities = ["batch", "file"];
    let seed = seed();
    for durability in durabilities {
        if scaled(0, 1) == 1 || durability == usual {
            Bench::new(workload, kind, durability).run(seed);
        }
    }
}

/// A recorded run. What is moved has a disk of its own; other sources are on one that does not fail.
struct Bench<'a> {
    workload: &'a Workload,
    durability: &'static str,
    name: String,
    recording: Recording,
    source: Scratch,
}

impl<'a> Bench<'a> {
    fn new(workload: &'a Workload, kind: FileSystem, durability: &'static str) -> Self {
        let source = Scratch::new();
        let disks = if workload.verb == "move" { 2 } else { 1 };
        let recording = Recording::of(
            &vec![kind; disks],
            |root| workload.plant(&source_of(workload, &source, root), &root.join(TARGET)),
            |root| {
                let blit = workload.blit(&source_of(workload, &source, root), &root.join(TARGET));
                blit.args(["--durability", durability]).run().succeeds();
            },
        );
        Self {
            workload,
            durability,
            name: format!("{} on {} by {durability}", workload.name, kind.name()),
            recording,
            source,
        }
    }

    fn run(&self, seed: u64) {
        let crashes = self.recording.crashes(seed, scaled(4, 210));
        let mut random = Random::new(seed);
        let mut broken = Vec::new();
        for crash in &crashes {
            let again = random.one_in(scaled(2, 5));
            broken.extend(self.judge(crash, again).map(|it| format!("{crash}: {it}")));
        }
        let (name, events) = (&self.name, self.recording.log().events().len());
        let states = crashes.len();
        counted(&format!(
            "power loss (T4), {name}: {states} states of {events} events, seed {seed}"
        ));
        assert!(states >= 4, "{name}: nothing was written");
        let shown = broken.len().min(40);
        assert!(
            broken.is_empty(),
            "seed {seed}, {name}:\n{}",
            broken[..shown].join("\n")
        );
    }

    fn judge(&self, crash: &Crash, again: bool) -> impl Iterator<Item = Broken> {
        let (old, new) = (self.recording.before(), self.recording.claimed());
        let broken = self.recording.judge(crash, |root, now| {
            let mut broken = Vec::new();
            if self.workload.verb == "move" {
                broken = judge_move((old, new, now), (MOVED, TARGET));
            }
            if again {
                broken.extend(self.again(root));
            }
            broken
        });
        broken.into_iter()
    }

    /// K3: after the repair, the same command ends as if nothing had happened.
    fn again(&self, root: &Path) -> Vec<Broken> {
        let source = source_of(self.workload, &self.source, root);
        let blit = self.workload.blit(&source, &root.join(TARGET));
        let ran = blit.args(["--durability", self.durability]).run();
        let mut broken = Vec::new();
        let mut note = |path, detail| {
            broken.push(Broken {
                path,
                promise: Promise::Repeatable,
                detail,
            });
        };
        if !has_ended_well(self.workload, &ran) {
            note(TARGET.into(), ran.to_string());
        }
        let new = self.recording.claimed();
        for it in new.differences(&Snapshot::of(root), Options::exact()) {
            let is_ours = is_unfinished(&it.path) || !it.path.starts_with(TARGET.as_bytes());
            if !is_ours && !is_known_of(self.workload, it.what, &it.path, new) {
                note(it.path, format!("{:?} {}", it.what, it.detail));
            }
        }
        broken
    }
}

fn source_of(workload: &Workload, source: &Scratch, root: &Path) -> std::path::PathBuf {
    if workload.verb == "move" {
        root.join(MOVED)
    } else {
        source.path("source")
    }
}

/// Below the place where the disks are mounted.
const TARGET: &str = "0/target";
const MOVED: &str = "1/source";
