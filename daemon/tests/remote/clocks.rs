//! The clocks of both machines jump by years, back and forth, whenever somebody looks at them. They never
//! say that it is before this program was made: then a daemon serves nobody.

use std::{fs, path::PathBuf, process::Command};

use blit_conform::{Blit, Options, Scratch, Snapshot, assert_same, need_tool};

use crate::bench::{Two, contents, there};

/// What the programs get in place of the clock of the machine.
const JUMPS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static const long years[] = {0, 10, 3, 95, 40, 1};
static unsigned long calls;
int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int outcome = real(clock, now);
    if (outcome == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += 31556952 * years[__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 6];
    return outcome;
}
"#;

/// The library that does it.
fn library(scratch: &Scratch) -> PathBuf {
    let (source, library) = (scratch.path("jumps.c"), scratch.path("jumps.so"));
    fs::write(&source, JUMPS).unwrap();
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(made.unwrap().success());
    library
}

#[test]
fn clocks_that_jump_by_years_change_nothing_of_what_is_copied_and_deleted() {
    if !need_tool("cc") {
        return;
    }
    let mut two = Two::new();
    let library = library(&two.scratch);
    let preload = format!("LD_PRELOAD={}", library.display());
    assert!(is_another_year(&preload), "the clock does not jump");
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon.kill();
    two.daemon = Two::start(&two.scratch, &listen, &["env", &preload]);
    let source = two.scratch.directory("source");
    for number in 0..30_u8 {
        fs::write(source.join(format!("f{number}")), vec![number; 5_000]).unwrap();
    }
    fs::write(source.join("large"), vec![7; 3 << 20]).unwrap();
    fs::write(two.module().join("extra"), "goes").unwrap();
    let runs = |blit: Blit| blit.env("LD_PRELOAD", &library).run().succeeds();
    let push = || {
        let words = ["mirror", "--yes", "--retry-for=0s"];
        let places = [contents(&source), there("m/").into()];
        two.command(&words).args(places)
    };
    let back = two.scratch.directory("back");
    let pull = || {
        let words = ["mirror", "--yes", "--retry-for=0s"];
        let places = [there("m/").into(), contents(&back)];
        two.command(&words).args(places)
    };
    for (run, target) in [(&push as &dyn Fn() -> Blit, &two.module()), (&pull, &back)] {
        runs(run());
        assert_same(&source, target);
        // What is compared is what was: nothing is copied again.
        let before = Snapshot::of(target);
        runs(run());
        let changed = before.differences(&Snapshot::of(target), Options::untouched());
        assert!(changed.is_empty(), "{changed:#?}");
    }
}

/// Whether a program that looks at the clock sees another year.
fn is_another_year(preload: &str) -> bool {
    let year = |words: &[&str]| {
        let shown = Command::new("env")
            .args(words)
            .args(["date", "+%Y"])
            .output();
        shown.unwrap().stdout
    };
    year(&[preload]) != year(&[])
}
