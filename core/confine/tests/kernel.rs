//! What was given up cannot be had: each is tried, in a process or on threads of its own.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests: a set-up that fails is a failed test"
)]

use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use blit_confine::{Domain, Reach, can_confine, forbid_calls};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// Says where a kernel lacks it: then nothing is shown, and that must be seen.
fn domain(reach: &Reach) -> Option<Domain> {
    match can_confine() {
        Ok(()) => Some(Domain::new(reach).unwrap()),
        Err(why) => {
            eprintln!("NOT SHOWN: {why}");
            None
        }
    }
}

struct Trees {
    folder: tempfile::TempDir,
}

impl Trees {
    fn new() -> Self {
        let trees = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for tree in ["read", "write", "other"] {
            fs::create_dir(trees.at(tree)).unwrap();
            fs::write(trees.at(tree).join("f"), tree).unwrap();
        }
        trees
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn reach(&self) -> Reach {
        Reach {
            read: vec![self.at("read")],
            write: vec![self.at("write")],
        }
    }
}

fn denied<T: std::fmt::Debug>(tried: io::Result<T>) {
    let kind = tried.unwrap_err().kind();
    assert_eq!(kind, io::ErrorKind::PermissionDenied);
}

/// As between two file systems.
fn crosses(tried: io::Result<()>) {
    assert_eq!(tried.unwrap_err().kind(), io::ErrorKind::CrossesDevices);
}

#[tokio::test]
async fn a_domain_reaches_what_it_is_for_and_nothing_else() {
    let trees = Trees::new();
    let Some(domain) = domain(&trees.reach()) else {
        return;
    };
    let (read, write, other) = (trees.at("read"), trees.at("write"), trees.at("other"));
    symlink(&other, write.join("way")).unwrap();
    let held = fs::File::open(&other).unwrap();
    let tried = domain.run(async move {
        assert_eq!(fs::read_to_string(read.join("f")).unwrap(), "read");
        assert_eq!(fs::read_dir(&read).unwrap().count(), 1);
        fs::write(write.join("new"), "1").unwrap();
        fs::create_dir(write.join("d")).unwrap();
        fs::rename(write.join("new"), write.join("d/new")).unwrap();
        fs::remove_file(write.join("d/new")).unwrap();

        denied(fs::write(read.join("f"), "2"));
        denied(fs::File::options().write(true).open(read.join("f")));
        denied(fs::write(read.join("new"), "2"));
        denied(fs::remove_file(read.join("f")));
        denied(fs::create_dir(read.join("d")));
        denied(fs::rename(write.join("f"), read.join("g")));

        denied(fs::read(other.join("f")));
        denied(fs::read_dir(&other));
        denied(fs::read(write.join("way/f")));
        denied(fs::read(write.join("../other/f")));
        denied(fs::write(other.join("new"), "2"));
        crosses(fs::hard_link(other.join("f"), write.join("g")));
        denied(fs::read("/etc/passwd"));
        denied(rustix_open(&held, "f"));
    });
    tried.await.unwrap();
    // Whoever made it is as free as before.
    fs::read(trees.at("other/f")).unwrap();
}

/// By a directory that was open before.
fn rustix_open(directory: &fs::File, name: &str) -> io::Result<rustix::fd::OwnedFd> {
    use rustix::fs::{Mode, OFlags, openat};
    Ok(openat(directory, name, OFlags::RDONLY, Mode::empty())?)
}

#[tokio::test]
async fn whatever_a_domain_starts_is_confined_as_well() {
    let trees = Trees::new();
    let Some(domain) = domain(&trees.reach()) else {
        return;
    };
    let other = trees.at("other/f");
    let tried = domain.run(async move {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let path = other.clone();
            tasks.spawn_blocking(move || fs::read(path));
            let path = other.clone();
            tasks.spawn(async move {
                let nested = tokio::task::spawn_blocking(move || fs::read(path));
                nested.await.unwrap()
            });
        }
        while let Some(read) = tasks.join_next().await {
            denied(read.unwrap());
        }
        denied(std::thread::spawn(move || fs::read(other)).join().unwrap());
    });
    tried.await.unwrap();
}

#[tokio::test]
async fn work_that_panics_is_told_and_the_domain_goes_on() {
    let trees = Trees::new();
    let Some(domain) = domain(&trees.reach()) else {
        return;
    };
    let lost = domain.run(async { Vec::<u8>::new()[0] }).await;
    assert!(lost.is_err());
    assert_eq!(domain.run(async { 5 }).await.unwrap(), 5);
}

#[tokio::test]
async fn a_domain_may_be_dropped_from_within() {
    let trees = Trees::new();
    let Some(domain) = domain(&trees.reach()) else {
        return;
    };
    let domain = Arc::new(domain);
    let (told, gone) = oneshot::channel::<()>();
    let (begun, begins) = oneshot::channel();
    // Dropped in this order, wherever the work ends.
    let held = (Arc::clone(&domain), told);
    let waiting = tokio::spawn(async move {
        let work = async move {
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(held);
        };
        domain.run(work).await
    });
    begins.await.unwrap();
    waiting.abort();
    // It came to the second: it was not stuck in the first.
    gone.await.unwrap_err();
}

/// Names the process that gives up calls, and the one call that it then tries.
const TRY: &str = "BLIT_CONFINE_TRY";

/// What is tried, and answers the number of its error.
fn tried(call: &str) -> Option<Errno> {
    use rustix::{fd::AsFd, fs, mount, process, thread};
    let here = fs::open(".", fs::OFlags::PATH, fs::Mode::empty()).unwrap();
    let outcome = match call {
        "execve" => {
            let cause = Command::new("/bin/true").status().unwrap_err();
            Err(Errno::from_io_error(&cause).unwrap())
        }
        "chroot" => process::chroot("."),
        "mount" => mount::mount_bind("/nonexistent", "/nonexistent"),
        "move_mount" => {
            let flags = mount::MoveMountFlags::empty();
            mount::move_mount(here.as_fd(), "", here.as_fd(), "", flags)
        }
        "pidfd_getfd" => {
            let own = process::pidfd_open(process::getpid(), process::PidfdFlags::empty());
            let flags = process::PidfdGetfdFlags::empty();
            process::pidfd_getfd(own.unwrap(), 0, flags).map(drop)
        }
        "setns" => thread::move_into_link_name_space(here.as_fd(), None),
        _ => return None,
    };
    Some(outcome.unwrap_err())
}

const TRIED: [&str; 6] = [
    "chroot",
    "execve",
    "mount",
    "move_mount",
    "pidfd_getfd",
    "setns",
];

#[test]
fn calls_that_were_given_up_are_refused() {
    if let Ok(call) = env::var(TRY) {
        forbid_calls().unwrap();
        assert_eq!(tried(&call), Some(Errno::PERM), "{call}");
        // On threads that come later as well.
        let later = std::thread::spawn(move || tried(&call));
        assert_eq!(later.join().unwrap(), Some(Errno::PERM));
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.contains(line), "{line}: {status}");
        }
        return;
    }
    for call in TRIED {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", "calls_that_were_given_up_are_refused"]);
        let ran = again.env(TRY, call).output().unwrap();
        let text = String::from_utf8_lossy(&ran.stdout);
        assert!(
            ran.status.success() && text.contains("1 passed"),
            "{call}: {text}"
        );
    }
}

#[test]
fn without_giving_up_anything_those_calls_are_not_refused_like_that() {
    assert!(Command::new("/bin/true").status().unwrap().success());
    assert!(Path::new("/proc/self/status").exists());
}
