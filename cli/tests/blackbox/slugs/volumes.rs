//! File systems that are full, of another kind, or ill.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use std::sync::Mutex;
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
    // Quietly: whether the plan is told before the first write fails is chance.
    Some(Scene::mounted(pair, mounted, "copy", &["-q"]))
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
    let (pair, mounted) = one_file(Manners {
        slow_first_read: LONG,
        ..Manners::default()
    })?;
    let scene = Scene::mounted(pair, mounted, "copy", &[]);
    // Several parts wait for each other then; which of them spoke last is chance.
    let parts = [
        "the source to be read",
        "the source's listing",
        "the target to take the listing",
        "the target to write",
        "the target's disk",
    ];
    Some(
        parts
            .into_iter()
            .fold(scene, |scene, part| scene.named(part, "SOMEBODY")),
    )
}

pub(super) fn stopped() -> Option<Scene> {
    let (pair, mounted) = one_file(Manners {
        slow_read: Duration::from_millis(500),
        ..Manners::default()
    })?;
    let reads = mounted.reads();
    let scene = Scene::mounted(pair, mounted, "copy", &[]);
    Some(
        scene.by(move |blit| interrupted(blit, |said| said.contains("plan") && reads.so_far() > 0)),
    )
}

/// A volume with one file, which behaves like this once that is written.
fn one_file(manners: Manners) -> Option<(Pair, fuse::volume::Mounted)> {
    if !fuse::can_mount() {
        return None;
    }
    let pair = Pair::new().and_target(&[]);
    let mounted = fuse::volume::Mounted::at(&pair.source, Manners::default());
    write(&pair.source, &[("file", "content")]);
    mounted.behaves(manners);
    Some((pair, mounted))
}

/// Runs it, and interrupts it as soon as what it has said, and whatever else, is as wanted.
fn interrupted(blit: &Blit, is_time: impl Fn(&str) -> bool) -> Ran {
    let mut child = blit.command().spawn().unwrap();
    let id = Pid::from_child(&child);
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (heard, said) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let out = scope.spawn(|| listen(stdout, &heard));
        let err = scope.spawn(|| listen(stderr, &said));
        let text = || {
            let both = [&*heard.lock().unwrap(), &*said.lock().unwrap()].map(|it| it.clone());
            String::from_utf8(both.concat()).unwrap_or_default()
        };
        let has_ended = || out.is_finished() && err.is_finished();
        while !is_time(&text()) && !has_ended() {
            std::thread::yield_now();
        }
        let _ = kill_process(id, Signal::INT);
    });
    blit.ended(Output {
        status: child.wait().unwrap(),
        stdout: heard.into_inner().unwrap(),
        stderr: said.into_inner().unwrap(),
    })
}

fn listen(mut from: impl Read, into: &Mutex<Vec<u8>>) {
    let mut some = [0; 4_096];
    while let Ok(read @ 1..) = from.read(&mut some) {
        into.lock().unwrap().extend_from_slice(&some[..read]);
    }
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
