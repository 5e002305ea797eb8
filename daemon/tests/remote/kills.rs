//! One of the two is killed at a call that changes something: no name ever holds less than a whole file,
//! and the same command again ends in the exact tree.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use blit_conform::{
    Blit, Broken, Ended, Snapshot, Watch, assert_same, counted, judge_crash, judge_move, kill_at,
    need_root, scaled, seed, tree::Random,
};

use crate::bench::{HOST, Two, contents, there};

/// Which side has the source, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// A move from the daemon to here.
    Back,
    Mirror,
    Move,
    Pull,
}

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
            Work::Back => (&["move", "--retry-for=0s"], [far(FROM), here(TO)]),
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
    fn restart(&mut self) {
        let listen = format!("127.0.0.1:{}", self.two.daemon.port());
        self.two.daemon.kill();
        self.two.daemon = Two::start(&self.two.scratch, &listen, &[]);
    }

    /// What does not hold now.
    fn broken(&self, before: &Snapshot, new: &Snapshot) -> Vec<Broken> {
        match self.work {
            Work::Back | Work::Move => judge_move((before, new, &self.now()), (FROM, TO)),
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
            Work::Back | Work::Move => {
                assert!(!source.join("f1").exists(), "{told}: it is there still")
            }
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
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30);
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

/// Kills the daemon, in the long run at every call.
fn kills_of_the_daemon(work: Work) {
    if !need_root("ptrace") {
        return;
    }
    let mut stage = Stage::new(work);
    let new = stage.undisturbed();
    stage.plant();
    let watch = Watch::over(stage.two.daemon.id(), usize::MAX);
    stage.blit().run().succeeds();
    let calls = watch.calls();
    watch.end();
    stage.restart();
    let seed = seed();
    let mut random = Random::new(seed);
    let mut points: Vec<usize> = (1..=calls).collect();
    let times = scaled(3, calls).min(calls);
    let mut killed = 0;
    for _ in 0..times {
        let nth = points.swap_remove(random.below(points.len()));
        stage.plant();
        let before = stage.now();
        let watch = Watch::over(stage.two.daemon.id(), nth);
        let ran = stage.blit().run();
        let told = format!("{work:?}, call {nth} of {calls}, BLIT_SEED={seed}");
        // Runs differ a little in how many calls they make.
        assert!(matches!(ran.code, Some(0 | 8)), "{told}\n{ran}");
        killed += usize::from(watch.has_struck());
        watch.end();
        stage.restart();
        stage.judge(&before, &new, &told);
    }
    counted(&format!(
        "SIGKILL (T3), {work:?} with a daemon: {killed} kills of the daemon at {calls} calls, seed {seed}"
    ));
    assert!(
        killed * 2 > times,
        "it was killed {killed} times of {times}"
    );
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Client,
    Daemon,
}

/// Kills one of the two at moments by chance.
fn kills_at_moments(work: Work, victim: Victim) {
    let mut stage = Stage::new(work);
    let new = stage.undisturbed();
    stage.plant();
    let begun = Instant::now();
    stage.blit().run().succeeds();
    let whole = begun.elapsed();
    let seed = seed();
    let mut random = Random::new(seed);
    let times = scaled(1, 334);
    let mut met = 0;
    for _ in 0..times {
        stage.plant();
        let before = stage.now();
        let blit = stage.blit();
        let mut child = blit.command().spawn().unwrap();
        let moment: Duration = whole * random.below(1_000) as u32 / 1_000;
        std::thread::sleep(moment);
        match victim {
            Victim::Client => child.kill().unwrap(),
            Victim::Daemon => stage.two.daemon.kill(),
        }
        let ended = child.wait().unwrap();
        met += usize::from(!ended.success());
        if victim == Victim::Daemon {
            stage.restart();
        }
        let told = format!("{work:?}, {victim:?} after {moment:?}, BLIT_SEED={seed}");
        // It may have been through, or know that the other is gone.
        assert!(
            matches!(ended.code(), None | Some(0 | 8)),
            "{told}: {ended}"
        );
        stage.judge(&before, &new, &told);
    }
    counted(&format!(
        "SIGKILL at moments (T3), {work:?}: {victim:?} killed in {times} runs, {met} before the end, seed {seed}"
    ));
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
fn a_mirror_survives_a_kill_of_the_daemon_at_any_call() {
    kills_of_the_daemon(Work::Mirror);
}

#[test]
fn a_move_survives_a_kill_of_the_daemon_at_any_call() {
    kills_of_the_daemon(Work::Move);
}

#[test]
fn a_pull_by_move_survives_a_kill_of_the_daemon_at_any_call() {
    kills_of_the_daemon(Work::Back);
}

#[test]
fn a_mirror_survives_a_kill_of_the_client_at_any_moment() {
    kills_at_moments(Work::Mirror, Victim::Client);
}

#[test]
fn a_mirror_survives_a_kill_of_the_daemon_at_any_moment() {
    kills_at_moments(Work::Mirror, Victim::Daemon);
}

#[test]
fn a_move_survives_a_kill_of_the_client_at_any_moment() {
    kills_at_moments(Work::Move, Victim::Client);
}

#[test]
fn a_move_survives_a_kill_of_the_daemon_at_any_moment() {
    kills_at_moments(Work::Move, Victim::Daemon);
}

#[test]
fn a_pull_survives_a_kill_of_the_client_at_any_moment() {
    kills_at_moments(Work::Pull, Victim::Client);
}

#[test]
fn a_pull_survives_a_kill_of_the_daemon_at_any_moment() {
    kills_at_moments(Work::Pull, Victim::Daemon);
}
