//! One of the two is killed at a call that changes something: no name ever holds less than a whole file,
//! and the same command again ends in the exact tree.

use std::path::{Path, PathBuf};

use blit_conform::{
    Blit, Broken, Ended, Snapshot, assert_same, counted, judge_crash, judge_move, kill_at,
    need_root, need_tool, scaled, seed, tree::Random,
};

use crate::bench::{HOST, Two, contents, there};

/// Which side has the source, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Mirror,
    Move,
    Pull,
}

/// The calls by which a daemon changes trees; each thread counts its own.
const CHANGING: &str =
    "mkdirat,openat2,linkat,renameat2,unlinkat,symlinkat,fchmod,utimensat,fsync,syncfs";

/// What the two trees are called.
const FROM: &str = "from";
const TO: &str = "to";

struct Stage {
    two: Two,
    work: Work,
    /// How often it has begun anew.
    round: usize,
}

impl Stage {
    fn new(work: Work) -> Self {
        Self {
            two: Two::new(),
            work,
            round: 0,
        }
    }

    /// Where both trees of this round are: the client reaches them by themselves, and as a module.
    fn root(&self) -> PathBuf {
        self.two.module().join(self.round.to_string())
    }

    /// Fills both for another round.
    fn plant(&mut self) {
        self.round += 1;
        let (source, target) = (self.root().join(FROM), self.root().join(TO));
        std::fs::create_dir_all(source.join("d/e")).unwrap();
        std::fs::create_dir_all(target.join("d")).unwrap();
        for number in 0..6_u8 {
            write(&source.join(format!("f{number}")), &[number; 3_000]);
        }
        write(&source.join("d/e/f"), b"in e");
        write(&source.join("d/large"), &vec![7; 1_500_000]);
        std::os::unix::fs::symlink("f1", source.join("link")).unwrap();
        write(&target.join("f1"), b"old");
        write(&target.join("d/gone"), b"extra");
    }

    fn blit(&self) -> Blit {
        let here = |name: &str| contents(&self.root().join(name));
        let far = |name: &str| there(&format!("m/{}/{name}/", self.round)).into();
        let (words, places): (&[&str], _) = match self.work {
            Work::Mirror => (
                &["mirror", "--yes", "--retry-for=0s"],
                [here(FROM), far(TO)],
            ),
            Work::Move => (&["move", "--retry-for=0s"], [here(FROM), far(TO)]),
            Work::Pull => (&["copy", "--retry-for=0s"], [far(FROM), here(TO)]),
        };
        self.two.command(words).args(places)
    }

    fn now(&self) -> Snapshot {
        Snapshot::of(&self.root())
    }

    /// Starts the daemon once more, where it was.
    fn restart(&mut self, wrapper: &[&str]) {
        let listen = format!("127.0.0.1:{}", self.two.daemon.port());
        self.two.daemon.kill();
        self.two.daemon = Two::start(&self.two.scratch, &listen, wrapper);
    }

    /// What does not hold now.
    fn broken(&self, before: &Snapshot, new: &Snapshot) -> Vec<Broken> {
        match self.work {
            Work::Move => judge_move((before, new, &self.now()), (FROM, TO)),
            Work::Mirror | Work::Pull => judge_crash(before, new, &self.now()),
        }
    }

    /// What must hold now, and after the same command again.
    fn judge(&self, before: &Snapshot, new: &Snapshot, told: &str) {
        let broken = self.broken(before, new);
        assert!(broken.is_empty(), "{told}: {broken:#?}");
        let again = self.blit().run();
        assert_eq!(again.code, Some(0), "{told}\n{again}");
        let broken = self.broken(before, new);
        assert!(broken.is_empty(), "{told}, and again: {broken:#?}");
        let (source, target) = (self.root().join(FROM), self.root().join(TO));
        match self.work {
            Work::Mirror => assert_same(&source, &target),
            Work::Move => assert!(!source.join("f1").exists(), "{told}: it is there still"),
            Work::Pull => assert!(target.join("d/large").exists(), "{told}"),
        }
    }

    /// Both trees after a run that nothing disturbs.
    fn undisturbed(&mut self) -> Snapshot {
        self.plant();
        self.blit().run().succeeds();
        self.now()
    }
}

/// Writes a file that is as old in every round.
fn write(path: &Path, content: &[u8]) {
    std::fs::write(path, content).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
    file.set_modified(long_ago).unwrap();
}

/// Kills the client, in the long run at every call.
fn kills_of_the_client(work: Work) {
    let mut stage = Stage::new(work);
    let new = stage.undisturbed();
    stage.plant();
    let Ended::Itself { code: 0, calls } = kill_at(stage.blit(), usize::MAX) else {
        panic!("{work:?} does not end well");
    };
    let seed = seed();
    let mut random = Random::new(seed);
    let mut points: Vec<usize> = (1..=calls).collect();
    // Whoever only reads makes few.
    let kills = scaled(3, calls).min(calls);
    for _ in 0..kills {
        let nth = points.swap_remove(random.below(points.len()));
        stage.plant();
        let before = stage.now();
        // Runs differ a little in how many calls they make.
        let _ = kill_at(stage.blit(), nth);
        let told = format!("{work:?}, call {nth} of {calls}, BLIT_SEED={seed}");
        stage.judge(&before, &new, &told);
    }
    counted(&format!(
        "SIGKILL (T3), {work:?} with a daemon: {kills} kills of the client at {calls} calls, seed {seed}"
    ));
}

/// Kills the daemon at calls by chance.
fn kills_of_the_daemon(work: Work) {
    if !need_root("strace") || !need_tool("strace") {
        return;
    }
    let mut stage = Stage::new(work);
    let new = stage.undisturbed();
    let seed = seed();
    let mut random = Random::new(seed);
    let mut killed = 0;
    let times = scaled(4, 200);
    for round in 0..times {
        stage.plant();
        let before = stage.now();
        // Every thread that changes something makes a first call; how many follow is up to the threads.
        let nth = match round {
            0 => 1,
            _ => 1 + random.below(12),
        };
        let inject = format!("inject={CHANGING}:signal=SIGKILL:when={nth}");
        stage.restart(&["strace", "-D", "-f", "-o", "/dev/null", "-e", &inject]);
        let ran = stage.blit().run();
        // It may have needed fewer calls.
        assert!(matches!(ran.code, Some(0 | 8)), "{ran}");
        killed += usize::from(ran.code == Some(8));
        stage.restart(&[]);
        let told = format!("{work:?}, call {nth} of a thread, BLIT_SEED={seed}");
        stage.judge(&before, &new, &told);
    }
    counted(&format!(
        "SIGKILL (T3), {work:?} with a daemon: {killed} kills of the daemon in {times} runs, seed {seed}"
    ));
    assert!(killed > 0, "the daemon was never killed in {times} runs");
}

/// Whoever is killed while it is paired keeps its key, and is paired by the next invitation at the latest.
#[test]
fn a_pairing_survives_a_kill_at_any_call() {
    let two = Two::new();
    let key = two.scratch.path("client-state/identity/node.key");
    let kept = std::fs::read(&key).unwrap();
    let host = format!("{HOST}:{}", two.daemon.port());
    let invited = |calls| {
        let line = two.blit(&["pair"]).exits(0).stdout;
        let invitation = line.trim().rsplit(' ').next().unwrap();
        // As one that was never paired.
        let _ = std::fs::remove_file(two.scratch.path("client-state/peers.toml"));
        let words = ["pair", &host, invitation];
        kill_at(two.command(&words), calls)
    };
    let Ended::Itself { code: 0, calls } = invited(usize::MAX) else {
        panic!("pairing does not end well");
    };
    // What nobody used stays open for a while, and so many may.
    for nth in 1..=scaled(4, 12).min(calls) {
        invited(nth);
        assert_eq!(std::fs::read(&key).unwrap(), kept, "at call {nth}");
    }
    assert!(matches!(invited(usize::MAX), Ended::Itself { code: 0, .. }));
    assert_eq!(std::fs::read(&key).unwrap(), kept);
    two.blit(&["ls", &there("m")]).succeeds();
}

#[test]
fn a_mirror_survives_a_kill_of_the_client_at_any_call() {
    kills_of_the_client(Work::Mirror);
}

#[test]
fn a_pull_survives_a_kill_of_the_client_at_any_call() {
    kills_of_the_client(Work::Pull);
}

#[test]
fn a_move_survives_a_kill_of_the_client_at_any_call() {
    kills_of_the_client(Work::Move);
}

#[test]
fn a_mirror_survives_a_kill_of_the_daemon_at_a_call_that_changes_something() {
    kills_of_the_daemon(Work::Mirror);
}

#[test]
fn a_move_survives_a_kill_of_the_daemon_at_a_call_that_changes_something() {
    kills_of_the_daemon(Work::Move);
}
