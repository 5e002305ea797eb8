//! Everything at once for a while: clients that push, pull and mirror, that are killed, and a daemon that is
//! killed under them. In the end every tree is what it should be, and nothing is left.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use blit_conform::{
    Blit, Scratch, assert_same, counted, is_long, is_unfinished, seed, tree::Random,
};

use crate::bench::{Daemon, Two, client, contents, there};

/// How many work at the same time.
const WORKERS: u64 = 3;

/// The short form: how many rounds each goes.
const ROUNDS: usize = 4;

/// The long form: for how long.
const LONG: Duration = Duration::from_secs(600);

/// How many files a tree has.
const FILES: usize = 24;

/// One of them: a tree of its own here, one there, and one that comes back.
struct Worker<'a> {
    scratch: &'a Scratch,
    name: String,
    random: Random,
}

impl<'a> Worker<'a> {
    fn new(scratch: &'a Scratch, number: u64, seed: u64) -> Self {
        let name = format!("w{number}");
        let worker = Self {
            scratch,
            name,
            random: Random::new(seed.wrapping_add(number)),
        };
        for folder in [worker.source(), worker.back()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        (0..FILES).for_each(|file| worker.write(file, 4_000 + 977 * file));
        worker
    }

    fn source(&self) -> PathBuf {
        self.scratch.path(format!("{}-source", self.name))
    }

    fn back(&self) -> PathBuf {
        self.scratch.path(format!("{}-back", self.name))
    }

    fn there(&self) -> PathBuf {
        self.scratch.path("m").join(&self.name)
    }

    fn write(&self, file: usize, size: usize) {
        let path = self.source().join(format!("d{}", file % 3));
        std::fs::create_dir_all(&path).unwrap();
        let content: Vec<u8> = (0..size).map(|at| (at * 7 + size) as u8).collect();
        std::fs::write(path.join(format!("f{file}")), content).unwrap();
    }

    /// Something is another, something goes, something comes.
    fn edit(&mut self) {
        for _ in 0..4 {
            let (file, size) = (self.random.below(FILES), self.random.below(600_000));
            match self.random.below(4) {
                // It may have gone before.
                0 => drop(std::fs::remove_file(
                    self.source().join(format!("d{}/f{file}", file % 3)),
                )),
                _ => self.write(file, size),
            }
        }
    }

    fn command(&self, words: &[&str], places: [OsString; 2]) -> Blit {
        client(self.scratch)
            .args(words)
            .arg("--retry-for=60s")
            .args(places)
    }

    fn mirrors(&self) -> Blit {
        let far = there(&format!("m/{}/", self.name)).into();
        self.command(&["mirror", "--yes"], [contents(&self.source()), far])
    }

    fn fetches(&self) -> Blit {
        let far = there(&format!("m/{}/", self.name)).into();
        self.command(&["mirror", "--yes"], [far, contents(&self.back())])
    }

    /// One round. A third of the clients are killed at some moment.
    fn round(&mut self, counts: &Counts) {
        self.edit();
        let work = match self.random.below(3) {
            0 => self.fetches(),
            _ => self.mirrors(),
        };
        counts.runs.fetch_add(1, Ordering::Relaxed);
        if self.random.below(3) == 0 {
            counts.kills.fetch_add(1, Ordering::Relaxed);
            return killed(&work, Duration::from_millis(self.random.below(300) as u64));
        }
        let ran = work.run();
        // There may be nothing to fetch yet, a mirror of nothing is refused, and there may be no daemon.
        let is_typed = matches!(ran.code, Some(0 | 3 | 5 | 7 | 8));
        assert!(is_typed, "{}: {ran}", self.name);
    }

    /// Nobody disturbs it any more: everything is what it should be, on both ways.
    fn ends(&self) {
        self.mirrors().run().succeeds();
        assert_same(&self.source(), &self.there());
        self.fetches().run().succeeds();
        assert_same(&self.source(), &self.back());
    }
}

/// Lets it run for so long, and no longer.
fn killed(work: &Blit, moment: Duration) {
    let mut child = work.command().spawn().unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// How many files there are that no run has finished.
fn unfinished(folder: &Path) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        found += usize::from(is_unfinished(name.as_encoded_bytes()));
        if entry.file_type().unwrap().is_dir() {
            found += unfinished(&entry.path());
        }
    }
    found
}

#[derive(Default)]
struct Counts {
    runs: AtomicUsize,
    kills: AtomicUsize,
    rounds: AtomicUsize,
}

#[test]
fn whoever_is_killed_under_whatever_load_all_trees_are_exact_in_the_end() {
    let seed = seed();
    let Two {
        scratch, daemon, ..
    } = &mut Two::new();
    let scratch = &*scratch;
    let (over, counts, begun) = (AtomicBool::new(false), Counts::default(), Instant::now());
    let mut restarts = 0;
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..WORKERS)
            .map(|number| {
                let (over, counts) = (&over, &counts);
                let mut worker = Worker::new(scratch, number, seed);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        worker.round(counts);
                        counts.rounds.fetch_add(1, Ordering::Relaxed);
                    }
                    worker
                })
            })
            .collect();
        let mut random = Random::new(seed ^ 0xdead);
        loop {
            std::thread::sleep(pause(&mut random));
            let is_enough = match is_long() {
                true => begun.elapsed() >= LONG,
                false => counts.rounds.load(Ordering::Relaxed) >= ROUNDS * WORKERS as usize,
            };
            // Whoever has failed ends it as well: what it says is told below.
            if is_enough || working.iter().any(|worker| worker.is_finished()) {
                break;
            }
            again(scratch, daemon);
            restarts += 1;
        }
        over.store(true, Ordering::Relaxed);
        for worker in working {
            worker.join().unwrap().ends();
        }
    });
    let left = unfinished(scratch.root());
    let (runs, kills) = (counts.runs.into_inner(), counts.kills.into_inner());
    counted(&format!(
        "soak: {runs} runs, {kills} clients and {restarts} daemons killed, {left} files left, seed {seed}"
    ));
    // What a thread is about to name when it is killed stays behind under a hidden name.
    let threads = std::thread::available_parallelism().unwrap().get() * 4;
    let sessions = kills + restarts * WORKERS as usize;
    assert!(left <= sessions * threads, "{left} files are left");
    assert!(kills > 0 || runs < 8, "nobody was killed in {runs} runs");
    let spooled = std::fs::read_dir(scratch.path("daemon-state/spool")).unwrap();
    assert_eq!(spooled.count(), 0, "lists that nobody needs any more");
    blit_control::verify_audit(&scratch.path("daemon-state/audit")).unwrap();
}

/// How long a daemon lives.
fn pause(random: &mut Random) -> Duration {
    let secs = if is_long() { 20 } else { 1 };
    Duration::from_millis(500 + random.below(1_000 * secs) as u64)
}

/// Kills the daemon, and starts it where it was.
fn again(scratch: &Scratch, daemon: &mut Daemon) {
    let listen = format!("127.0.0.1:{}", daemon.port());
    daemon.kill();
    *daemon = Two::start(scratch, &listen, &[]);
}
