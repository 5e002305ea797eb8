//! File systems that are full, of another kind, or ill.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use blit_conform::{Blit, Ran, need_root};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};

use super::Scene;
use crate::bench::{Pair, write};
use crate::filesystems::{self, Mounted};
use crate::fuse;
use crate::fuse::volume::Manners;

/// A copy from a volume with these manners.
fn from(manners: Manners) -> Option<Scene> {
    let (pair, mounted) = fuse::from(manners)?;
    Some(Scene::mounted(pair, mounted, "copy", &[]))
}

/// A copy of `files` onto a volume with these manners.
fn onto(manners: Manners, files: &[(&str, &str)], flags: &[&str]) -> Option<Scene> {
    let (pair, mounted) = fuse::onto(manners)?;
    write(&pair.source, files);
    Some(Scene::mounted(pair, mounted, "copy", flags))
}

pub(super) fn folding() -> Option<Scene> {
    let manners = Manners {
        folds: true,
        ..Manners::default()
    };
    onto(manners, &[("README", "one"), ("readme", "other")], &[])
}

pub(super) fn full() -> Option<Scene> {
    let (pair, mounted) = filesystems::onto("tmpfs", "size=1m")?;
    fs::write(pair.source.join("large"), vec![1; 4 << 20]).unwrap();
    Some(Scene::mounted(pair, mounted, "copy", &[]))
}

pub(super) fn gone_at_the_target() -> Option<Scene> {
    let manners = Manners {
        no_new_files: true,
        ..Manners::default()
    };
    onto(manners, &[("file", "content")], &[])
}

pub(super) fn link_too_long() -> Option<Scene> {
    if !need_root("to mount") {
        return None;
    }
    let mut pair = Pair::with(&[("file", "content")]);
    symlink("x/".repeat(1_000), pair.source.join("long link")).unwrap();
    let mounted = filesystems::other(&pair.scratch, "xfs")?;
    pair.target = mounted.0.join("target");
    Some(Scene::mounted(pair, mounted, "copy", &[]))
}

pub(super) fn longer_than_it_is() -> Option<Scene> {
    from(Manners {
        lie_bytes: Some(("small", 1)),
        ..Manners::default()
    })
}

pub(super) fn mounted_over() -> Option<Scene> {
    if !need_root("to mount") {
        return None;
    }
    let pair =
        Pair::with(&[("hosts", "new"), ("other", "content")]).and_target(&[("hosts", "beneath")]);
    let above = pair.scratch.path("above");
    fs::write(&above, "mounted").unwrap();
    let bind = ["--bind", above.to_str().unwrap()];
    let mounted = Mounted::over(pair.target.join("hosts"), &bind);
    Some(Scene::mounted(pair, mounted, "copy", &[]))
}

pub(super) fn read_only() -> Option<Scene> {
    let (pair, mounted) = filesystems::onto("tmpfs", "ro")?;
    write(&pair.source, &[("file", "content")]);
    Some(Scene::mounted(pair, mounted, "copy", &[]))
}

pub(super) fn rotten() -> Option<Scene> {
    let manners = Manners {
        rots: true,
        ..Manners::default()
    };
    onto(manners, &[("file", "content")], &["--verify"])
}

/// Longer than nothing may move, after the files beside it have come to their end.
const LONG: Duration = Duration::from_secs(15);

pub(super) fn stalled() -> Option<Scene> {
    let (pair, mounted) = fuse::from(Manners {
        slow_first_read: LONG,
        ..Manners::default()
    })?;
    Some(Scene::mounted(pair, mounted, "copy", &[]))
}

pub(super) fn stopped() -> Option<Scene> {
    if !fuse::can_mount() {
        return None;
    }
    let pair = Pair::new().and_target(&[]);
    let mounted = fuse::volume::Mounted::at(&pair.source, Manners::default());
    write(&pair.source, &[("file", "content")]);
    mounted.behaves(Manners {
        slow_read: Duration::from_millis(500),
        ..Manners::default()
    });
    let reads = mounted.reads();
    let scene = Scene::mounted(pair, mounted, "copy", &[]);
    Some(scene.by(move |blit| {
        interrupt(blit, |child| {
            while reads.so_far() == 0 && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
        })
    }))
}

fn interrupt(blit: &Blit, when: impl Fn(&mut Child)) -> Ran {
    let mut child = blit.command().spawn().unwrap();
    when(&mut child);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    blit.ended(child.wait_with_output().unwrap())
}

pub(super) fn unreadable() -> Option<Scene> {
    from(Manners {
        bad_read: Some(("small", 0)),
        ..Manners::default()
    })
}

pub(super) fn unwritable() -> Option<Scene> {
    let manners = Manners {
        bad_write: Some(0),
        ..Manners::default()
    };
    onto(manners, &[("file", "content")], &[])
}

pub(super) fn vanishing() -> Option<Scene> {
    from(Manners {
        vanishing: Some("small"),
        ..Manners::default()
    })
}

pub(super) fn without_attributes() -> Option<Scene> {
    let scene = onto(Manners::default(), &[("file", "content")], &[])?;
    xattr::set(scene.root().join("source/file"), "user.kept", b"value").unwrap();
    Some(scene)
}

pub(super) fn without_fifos() -> Option<Scene> {
    let scene = onto(Manners::default(), &[("file", "content")], &["--specials"])?;
    fifo(&scene.root().join("source/pipe"));
    Some(scene)
}

fn fifo(at: &Path) {
    mkfifoat(CWD, at, Mode::RUSR).unwrap();
}
