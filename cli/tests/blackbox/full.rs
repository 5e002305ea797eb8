//! File systems that become full after every 64 KiB (bench T5c): no name holds a part, nothing is deleted,
//! what was begun is freed, and with room again the same command completes.

use std::fs;
use std::path::{Path, PathBuf};

use blit_conform::{Snapshot, assert_same, counted, need_root, scaled};
use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, fstatvfs, openat};
use rustix::io::Errno;

use crate::bench::{Pair, read};
use crate::filesystems::Mounted;
use blit_conform::is_unfinished;

const STEP_BYTES: u64 = 64 << 10;

/// Small files that take far more room than their bytes, so that nobody can foresee that they do not
/// fit; some replace old ones.
fn files() -> usize {
    scaled(600, 3_300)
}

/// A target on a mount, with a ballast beside it that leaves as much room as is wanted.
struct Tight {
    // Unmounted before the place is removed.
    mounted: Mounted,
    pair: Pair,
}

impl Tight {
    fn on(pair: Pair, mounted: Mounted) -> Self {
        let mut pair = pair;
        pair.target = mounted.0.join("target");
        for at in 0..files() {
            let name = format!("d{:02}/f{at:04}", at % 50);
            crate::bench::write(&pair.source, &[(&name, &format!("new {at}"))]);
        }
        Self { mounted, pair }
    }

    fn ballast(&self) -> PathBuf {
        self.mounted.0.join("ballast")
    }

    fn free_bytes(&self) -> u64 {
        let root = openat(CWD, &self.mounted.0, OFlags::PATH, Mode::empty()).unwrap();
        let room = fstatvfs(&root).unwrap();
        // Root may take what is reserved.
        room.f_bfree * room.f_frsize
    }

    /// The old tree again, and so much room beside it.
    fn leave(&self, room_bytes: u64) {
        let _ = fs::remove_file(self.ballast());
        if self.pair.target.exists() {
            blit_conform::remove_tree(&self.pair.target).unwrap();
        }
        for at in (0..files()).step_by(40) {
            let name = format!("d{:02}/f{at:04}", at % 50);
            crate::bench::write(&self.pair.target, &[(&name, "the old one")]);
        }
        crate::bench::write(&self.pair.target, &[("bird", "alive")]);
        let ballast = fs::File::create(self.ballast()).unwrap();
        let mut too_much = self.free_bytes().saturating_sub(room_bytes);
        // Some file systems keep a little of what they call free.
        let take = |bytes| fallocate(&ballast, FallocateFlags::empty(), 0, bytes);
        while too_much > 0 && take(too_much) == Err(Errno::NOSPC) {
            too_much = too_much.saturating_sub(STEP_BYTES);
        }
    }

    /// One run with so much room, and one with enough; answers whether the first was full.
    fn run(&self, room_bytes: u64) -> bool {
        self.leave(room_bytes);
        let pair = &self.pair;
        let before = Snapshot::of(&pair.target);
        let ran = pair.run("mirror", &["-y", "--max-delete", "100%"]);
        if ran.code == Some(0) {
            assert_same(&pair.source, &pair.target);
            return false;
        }
        assert_eq!(ran.code, Some(9), "{room_bytes} bytes: {ran}");
        assert_eq!(read(pair.target.join("bird")), "alive", "{ran}");
        let (new, now) = (Snapshot::of(&pair.source), Snapshot::of(&pair.target));
        for path in now.paths() {
            let shown = path.escape_ascii();
            assert!(!is_unfinished(&path), "{shown} is left: {ran}");
            let is = now.content_of(&path);
            let is_old = is == before.content_of(&path);
            assert!(
                is_old || is == new.content_of(&path),
                "{shown} holds {is:?}: {ran}"
            );
        }
        let is_there = |path: &Path| {
            now.content_of(path.as_os_str().as_encoded_bytes())
                .is_some()
        };
        let mut old = before.paths().into_iter();
        assert!(
            old.all(|it| is_there(Path::new(std::str::from_utf8(&it).unwrap()))),
            "{ran}"
        );
        fs::remove_file(self.ballast()).unwrap();
        pair.run("mirror", &["-y", "--max-delete", "100%"])
            .succeeds();
        assert_same(&pair.source, &pair.target);
        true
    }

    /// How many steps a run takes that has room.
    fn needed_steps(&self) -> usize {
        self.leave(u64::MAX);
        let before = self.free_bytes();
        let _ = self.pair.run("mirror", &["-y", "--max-delete", "100%"]);
        let needed = before.saturating_sub(self.free_bytes());
        needed.div_ceil(STEP_BYTES) as usize
    }

    fn steps(&self, normal: usize) {
        let needed = self.needed_steps();
        let count = scaled(normal, 200).min(needed);
        let mut full = 0;
        for at in 0..count {
            let step = at * needed / count;
            full += usize::from(self.run(step as u64 * STEP_BYTES));
        }
        counted(&format!(
            "full disks (T5c): {count} sizes, {full} of them full, seed none: counted through"
        ));
        assert!(full * 2 > count, "only {full} of {count} were full");
    }
}

fn on_image(kind: &str) {
    if !need_root("to mount") {
        return;
    }
    let pair = Pair::new();
    let Some(mounted) = Mounted::image(&pair.scratch, kind) else {
        return;
    };
    Tight::on(pair, mounted).steps(5);
}

#[test]
fn a_mount_in_memory_that_is_full_after_every_64_kib_holds_only_whole_files() {
    if !need_root("to mount") {
        return;
    }
    let pair = Pair::new();
    let point = pair.scratch.path("mounted");
    let mounted = Mounted::new(point, &["-t", "tmpfs", "-o", "size=64m", "none"]);
    Tight::on(pair, mounted).steps(20);
}

#[test]
fn an_ext4_on_a_loop_image_that_is_full_after_every_64_kib_holds_only_whole_files() {
    on_image("ext4");
}

#[test]
fn an_xfs_on_a_loop_image_that_is_full_after_every_64_kib_holds_only_whole_files() {
    on_image("xfs");
}
