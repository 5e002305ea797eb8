//! Swaps a name for a link to the canary and back, as fast as the kernel can.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use blit_conform::is_unfinished;

/// Runs `action` while `flip` is called without pause; answers with how often that did something.
fn while_calling(flip: impl Fn() -> u64 + Sync, action: impl FnOnce()) -> u64 {
    let (done, flips) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                flips.fetch_add(flip(), Ordering::Relaxed);
            }
        });
        action();
        done.store(true, Ordering::Relaxed);
    });
    flips.into_inner()
}

/// Swaps `place` and `link` while `action` runs. The first swap comes before it begins.
pub(super) fn flipping(place: &Path, link: &Path, action: impl FnOnce()) -> u64 {
    let flip = || renameat_with(CWD, place, CWD, link, RenameFlags::EXCHANGE).is_ok();
    assert!(flip(), "{} cannot be swapped", place.display());
    1 + while_calling(|| u64::from(flip()), action)
}

/// Puts a link to `secret` in the place of every unfinished file in `directories` while `action` runs.
pub(super) fn usurping(
    directories: &[PathBuf],
    secret: &Path,
    aside: &Path,
    action: impl FnOnce(),
) -> u64 {
    let usurp = || {
        let mut usurped = 0;
        for directory in directories {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if !is_unfinished(name.as_encoded_bytes()) {
                    continue;
                }
                let _ = symlink(secret, aside);
                usurped += u64::from(std::fs::rename(aside, entry.path()).is_ok());
            }
        }
        usurped
    };
    while_calling(usurp, action)
}
