//! Runs that are handed to the daemon: followed, stopped, met again after a kill.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    os::unix::{ffi::OsStringExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use blit_conform::{
    Options, Snapshot, assert_same, judge_crash, judge_move, need_root, need_tool, scaled, seed,
    tree::Random,
};
use serde_json::Value;

use crate::{
    bench::{Two, client, contents},
    refusals::golden,
};

/// A daemon, and two trees that only this machine knows.
struct Stage {
    two: Two,
    source: PathBuf,
    target: PathBuf,
}

/// A rate at which what `fill` makes takes two seconds.
const GENTLE: &str = "--bwlimit=1M";

/// A rate at which it never ends.
pub(crate) const ENDLESS: &str = "--bwlimit=1K";

/// 32 files of 64 KiB.
pub(crate) fn fill(folder: &Path) {
    fs::create_dir_all(folder.join("d")).unwrap();
    for number in 0..32_u8 {
        let name = match number % 2 {
            0 => format!("f{number}"),
            _ => format!("d/f{number}"),
        };
        write(&folder.join(name), &vec![number; 64 << 10]);
    }
}

/// Writes a file that is as old in every round.
fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
    file.set_modified(long_ago).unwrap();
}

impl Stage {
    fn new() -> Self {
        let two = Two::strangers();
        let source = two.scratch.directory("source");
        fill(&source);
        Self {
            target: two.scratch.path("target"),
            two,
            source,
        }
    }

    /// Hands over what these words say of the two trees; answers what the job is called.
    fn detach(&self, words: &[&str]) -> String {
        self.detach_to(words, &self.target)
    }

    fn detach_to(&self, words: &[&str], target: &Path) -> String {
        let ran = self
            .two
            .command(words)
            .args([OsString::from("--detach"), contents(&self.source)])
            .args([contents(target)])
            .run();
        ran.exits(0).stdout.trim().to_owned()
    }

    /// The state of each job, by its name.
    fn states(&self) -> BTreeMap<String, String> {
        let listed = self.two.blit(&["jobs", "list", "--json"]).exits(0).stdout;
        let rows = lines(&listed)
            .into_iter()
            .filter(|it| it["type"] == "entry");
        rows.map(|row| {
            assert_eq!(row["kind"], "job");
            (string(&row["name"]), string(&row["value"]))
        })
        .collect()
    }

    fn watch(&self, id: &str) -> Watching {
        Watching::start(self, &["jobs", "watch", id, "--json"])
    }

    /// Waits until the job has brought something.
    fn wait_for_some(&self) {
        while fs::read_dir(&self.target).map_or(0, Iterator::count) < 2 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Starts the daemon once more, where it was.
    fn restart(&mut self, wrapper: &[&str]) {
        let listen = format!("127.0.0.1:{}", self.two.daemon.port());
        self.two.daemon.kill();
        self.two.daemon = Two::start(&self.two.scratch, &listen, wrapper);
    }

    fn send(&self, signal: &str) {
        let id = self.two.daemon.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

fn assert_unchanged(before: &Snapshot, folder: &Path) {
    let changed = before.differences(&Snapshot::of(folder), Options::exact());
    assert!(changed.is_empty(), "{changed:#?}");
}

pub(crate) fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A `blit jobs watch` that has begun.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(stage: &Stage, words: &[&str]) -> Self {
        let mut command = stage.two.command(words).command();
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Option<Value> {
        let line = self.lines.next()?.unwrap();
        Some(serde_json::from_str(&line).unwrap())
    }

    /// Waits until it says that data moves.
    fn wait_for_data(&mut self) {
        while let Some(line) = self.next() {
            if line["type"] == "progress" && line["bytes_done"].as_u64() > Some(0) {
                return;
            }
        }
        panic!("the job ended before data moved");
    }

    /// All that is left, and the exit code.
    fn end(mut self) -> (Vec<Value>, i32) {
        let left = std::iter::from_fn(|| self.next()).collect();
        (left, self.child.wait().unwrap().code().unwrap())
    }
}

#[test]
fn a_run_is_handed_over_followed_to_its_end_and_remembered() {
    let stage = Stage::new();
    let id = stage.detach(&["copy"]);
    let told = stage.two.blit(&["jobs", "watch", &id]).exits(0);
    let _ = told.says("Copied 33 entries, 2.00 MiB in");
    assert_same(&stage.source, &stage.target);
    let listed = stage.two.blit(&["jobs", "list"]).exits(0).stdout;
    assert!(
        listed.starts_with(&format!("{id}\tdone\tcopy ")),
        "{listed}"
    );
    // The one that began last.
    let again = stage.detach(&["copy"]);
    let (told, code) = Watching::start(&stage, &["jobs", "watch", "--json"]).end();
    assert_eq!(code, 0);
    assert!(
        told.iter().all(|line| line["job"] == again.as_str()),
        "{told:?}"
    );
    assert_eq!(told.last().unwrap()["result"], "nothing");
}

/// A line without what is of the moment.
fn plain(line: &Value) -> Value {
    let mut line = line.clone();
    let fields = line.as_object_mut().unwrap();
    for name in ["t", "seq", "job", "seconds", "rate"] {
        fields.remove(name);
    }
    line
}

#[test]
fn a_job_tells_the_same_lines_as_a_run_with_json() {
    let stage = Stage::new();
    fs::write(stage.source.join("odd"), "x").unwrap();
    let ran = stage
        .two
        .command(&["copy", "--json"])
        .args([contents(&stage.source), contents(&stage.target)])
        .run();
    let run = lines(&ran.exits(0).stdout);
    fs::remove_dir_all(&stage.target).unwrap();
    let id = stage.detach(&["copy"]);
    let (job, code) = stage.watch(&id).end();
    assert_eq!(code, 0);
    let one = |lines: &[Value], kind: &str| {
        let mut found = lines.iter().rev().filter(|line| line["type"] == kind);
        plain(found.next().unwrap())
    };
    for kind in ["start", "plan", "summary"] {
        assert_eq!(one(&job, kind), one(&run, kind), "{kind}");
    }
    let seqs: Vec<_> = job
        .iter()
        .map(|line| line["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
}

#[test]
fn two_watch_one_from_the_middle_on_and_one_who_goes_away_is_not_missed() {
    let stage = Stage::new();
    let id = stage.detach(&["copy", GENTLE]);
    let mut early = stage.watch(&id);
    early.wait_for_data();
    let mut gone = stage.watch(&id);
    gone.wait_for_data();
    gone.child.kill().unwrap();
    gone.child.wait().unwrap();
    let late = stage.watch(&id);
    let ((early, code), (late, late_code)) = (early.end(), late.end());
    assert_eq!((code, late_code), (0, 0));
    assert_eq!(late[0]["type"], "start");
    assert_eq!(early.last(), late.last());
    assert_eq!(late.last().unwrap()["type"], "summary");
    assert_same(&stage.source, &stage.target);
}

#[test]
fn a_job_that_is_stopped_leaves_whole_files_and_the_same_command_completes() {
    let stage = Stage::new();
    fs::create_dir(&stage.target).unwrap();
    fs::write(stage.target.join("f30"), "old").unwrap();
    let id = stage.detach(&["copy", GENTLE]);
    let mut watching = stage.watch(&id);
    watching.wait_for_data();
    stage.wait_for_some();
    let before = Snapshot::of(&stage.source);
    let stopped = stage.two.blit(&["jobs", "cancel", &id]).exits(0);
    assert_eq!(stopped.stdout.trim(), id);
    let (told, code) = watching.end();
    assert_eq!(code, 130);
    assert_eq!(told.last().unwrap()["code"], "run.stopped");
    assert_eq!(stage.states()[&id], "cancelled");
    for entry in fs::read_dir(&stage.target)
        .unwrap()
        .chain(fs::read_dir(stage.target.join("d")).unwrap())
    {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = fs::read(&path).unwrap();
            let is_whole = content.len() == 64 << 10 || content == b"old";
            assert!(is_whole, "{}: {} bytes", path.display(), content.len());
        }
    }
    assert_unchanged(&before, &stage.source);
    let again = stage.detach(&["copy"]);
    assert_ne!(again, id, "what its user gave up is not gone on with");
    stage.two.blit(&["jobs", "watch", &again]).succeeds();
    assert_same(&stage.source, &stage.target);
    // What has ended cannot be stopped any more, and stays what it is.
    stage.two.blit(&["jobs", "cancel", &again]).succeeds();
    assert_eq!(stage.states()[&again], "done");
}

#[test]
fn a_job_of_a_killed_daemon_is_listed_as_resumable_and_the_same_command_goes_on_with_it() {
    let mut stage = Stage::new();
    let id = stage.detach(&["copy", GENTLE]);
    let mut watching = stage.watch(&id);
    watching.wait_for_data();
    stage.restart(&[]);
    assert_eq!(watching.end().1, 8);
    assert_eq!(stage.states()[&id], "interrupted");
    let listed = stage.two.blit(&["jobs", "list"]).exits(0).stdout;
    assert!(listed.contains("\tinterrupted (resumable)\t"), "{listed}");
    let words = ["jobs", "watch", &id];
    let people = stage.two.blit(&words);
    let programs = stage.two.blit(&[&words[..], &["--json"]].concat());
    golden("job.interrupted", &people, &programs, &[(&*id, "JOB")]);
    assert_eq!(stage.detach(&["copy", GENTLE]), id);
    let (told, code) = stage.watch(&id).end();
    assert_eq!((code, &told[0]["type"]), (0, &Value::from("start")));
    assert_same(&stage.source, &stage.target);
    assert_eq!(stage.states(), [(id, "done".to_owned())].into());
}

/// The calls by which trees are changed; each thread counts its own.
const CHANGING: &str = "mkdirat,openat2,linkat,renameat2,unlinkat,fchmod,utimensat,fsync,syncfs";

#[test]
fn a_job_survives_a_kill_of_its_daemon_at_a_call_that_changes_something() {
    if !need_root("strace") || !need_tool("strace") {
        return;
    }
    let seed = seed();
    let mut random = Random::new(seed);
    for round in 0..scaled(2, 100) {
        let (verb, is_move) = match round % 2 {
            0 => (&["mirror", "--yes"][..], false),
            _ => (&["move"][..], true),
        };
        let mut stage = Stage::new();
        let root = stage.two.scratch.directory("trees");
        (stage.source, stage.target) = (root.join("from"), root.join("to"));
        fs::create_dir_all(&stage.target).unwrap();
        let new = {
            fill(&stage.source);
            let id = stage.detach(verb);
            stage.two.blit(&["jobs", "watch", &id]).succeeds();
            Snapshot::of(&root)
        };
        fs::remove_dir_all(&root).unwrap();
        fs::create_dir_all(&stage.target).unwrap();
        fs::write(stage.target.join("f2"), "old").unwrap();
        fs::write(stage.target.join("extra"), "goes").unwrap();
        fill(&stage.source);
        let before = Snapshot::of(&root);
        let nth = 1 + random.below(8);
        let inject = format!("inject={CHANGING}:signal=SIGKILL:when={nth}");
        stage.restart(&["strace", "-D", "-f", "-o", "/dev/null", "-e", &inject]);
        // It may be killed before it can answer.
        let ran = stage
            .two
            .command(verb)
            .args([OsString::from("--detach"), contents(&stage.source)])
            .args([contents(&stage.target)])
            .run();
        if let Some(0) = ran.code {
            let ended = stage.two.blit(&["jobs", "watch", ran.stdout.trim()]);
            assert!(matches!(ended.code, Some(0 | 8)), "{ended}");
        }
        stage.restart(&[]);
        let told = format!("{verb:?}, call {nth} of a thread, BLIT_SEED={seed}");
        let broken = || {
            let now = Snapshot::of(&root);
            match is_move {
                true => judge_move((&before, &new, &now), ("from", "to")),
                false => judge_crash(&before, &new, &now),
            }
        };
        let found = broken();
        assert!(found.is_empty(), "{told}: {found:#?}");
        let id = stage.detach(verb);
        stage.two.blit(&["jobs", "watch", &id]).succeeds();
        let found = broken();
        assert!(found.is_empty(), "{told}, and again: {found:#?}");
        assert_eq!(stage.states()[&id], "done", "{told}");
    }
}

#[test]
fn a_daemon_that_is_to_end_waits_for_its_jobs_and_takes_no_more() {
    let mut stage = Stage::new();
    let id = stage.detach(&["copy", GENTLE]);
    let mut watching = stage.watch(&id);
    watching.wait_for_data();
    stage.send("-TERM");
    let other = stage.two.scratch.path("other");
    // It is told some time after the signal: until then jobs are taken.
    let refused = loop {
        let ran = stage
            .two
            .command(&["copy", "--detach"])
            .args([contents(&stage.source), contents(&other)])
            .run();
        if ran.code != Some(0) {
            break ran;
        }
    };
    let _ = refused.exits(8).says("about to end");
    let (told, code) = watching.end();
    assert_eq!(
        (code, &told.last().unwrap()["type"]),
        (0, &Value::from("summary"))
    );
    stage.two.daemon.wait();
    assert_same(&stage.source, &stage.target);
    stage.restart(&[]);
    assert_eq!(stage.states()[&id], "done");
}

#[test]
fn a_job_that_outlasts_the_stop_timeout_is_interrupted_and_goes_on_when_it_is_run_again() {
    let mut stage = Stage::new();
    stage.restart(&["env", "BLIT_DAEMON__STOP_TIMEOUT=0"]);
    let id = stage.detach(&["copy", GENTLE]);
    let mut watching = stage.watch(&id);
    watching.wait_for_data();
    stage.send("-TERM");
    stage.two.daemon.wait();
    assert!(matches!(watching.end().1, 8 | 130));
    stage.restart(&[]);
    assert_eq!(stage.states()[&id], "interrupted");
    assert_eq!(stage.detach(&["copy", GENTLE]), id);
    stage.two.blit(&["jobs", "watch", &id]).succeeds();
    assert_same(&stage.source, &stage.target);
}

#[test]
fn an_unknown_job_is_told_as_such() {
    let stage = Stage::new();
    let id = "01JD0000000000000000000000";
    for words in [["jobs", "watch", id], ["jobs", "cancel", id]] {
        let people = stage.two.blit(&words);
        let programs = stage.two.blit(&[&words[..], &["--json"]].concat());
        golden("job.unknown", &people, &programs, &[]);
    }
    let _ = stage
        .two
        .blit(&["jobs", "watch"])
        .exits(5)
        .says("there is no job");
    let _ = stage.two.blit(&["jobs", "watch", "../identity"]).exits(5);
    assert_eq!(stage.two.blit(&["jobs", "list"]).exits(0).stdout, "");
}

#[test]
fn as_many_jobs_run_as_may_and_one_more_is_refused() {
    let stage = Stage::new();
    let target = |number: usize| stage.two.scratch.path(format!("targets/{number}"));
    let ids: Vec<String> = (0..blit_jobs::RUNNING_MAX)
        .map(|number| stage.detach_to(&["copy", ENDLESS], &target(number)))
        .collect();
    let one_more = |words: &[&str]| {
        let places = [contents(&stage.source), contents(&target(99))];
        stage.two.command(words).args(places).run()
    };
    let people = one_more(&["copy", "--detach"]);
    let programs = one_more(&["copy", "--detach", "--json"]);
    golden("job.limit", &people, &programs, &[]);
    assert!(!target(99).exists());
    stage.two.blit(&["jobs", "cancel", &ids[0]]).succeeds();
    let id = stage.detach_to(&["copy"], &target(99));
    stage.two.blit(&["jobs", "watch", &id]).succeeds();
    assert_same(&stage.source, &target(99));
}

#[test]
fn what_nobody_can_confirm_stops_a_job_before_it_changes_anything() {
    let stage = Stage::new();
    fs::create_dir(&stage.target).unwrap();
    fs::write(stage.target.join("extra"), "").unwrap();
    let before = Snapshot::of(&stage.target);
    let id = stage.detach(&["mirror"]);
    let _ = stage
        .two
        .blit(&["jobs", "watch", &id])
        .exits(7)
        .says("nobody is here to confirm");
    assert_unchanged(&before, &stage.target);
    let listed = stage.two.blit(&["jobs", "list"]).exits(0).stdout;
    assert!(listed.contains("\tfailed (exit 7)\t"), "{listed}");
    let id = stage.detach(&["mirror", "--yes"]);
    stage.two.blit(&["jobs", "watch", &id]).succeeds();
    assert_same(&stage.source, &stage.target);
    // And the brake holds whoever runs it.
    let empty = stage.two.scratch.directory("empty");
    let ran = stage
        .two
        .command(&["mirror", "--yes", "--detach"])
        .args([contents(&empty), contents(&stage.target)])
        .run();
    let id = ran.exits(0).stdout.trim().to_owned();
    let _ = stage
        .two
        .blit(&["jobs", "watch", &id])
        .exits(7)
        .says("is empty; is it mounted?");
    assert_same(&stage.source, &stage.target);
}

#[test]
fn names_that_are_no_text_filters_and_several_sources_are_what_they_are_in_a_run() {
    let stage = Stage::new();
    let odd = stage
        .two
        .scratch
        .root()
        .join(OsString::from_vec(b"od\xffd".to_vec()));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("kept"), "kept").unwrap();
    fs::write(odd.join("left.tmp"), "left").unwrap();
    // Relative to where it is typed.
    let ran = stage
        .two
        .command(&["copy", "--detach", "--exclude=*.tmp", "source/f0"])
        .args([odd.file_name().unwrap(), "target/".as_ref()])
        .run();
    let id = ran.exits(0).stdout.trim().to_owned();
    stage.two.blit(&["jobs", "watch", &id]).succeeds();
    let there = stage.target.join(odd.file_name().unwrap());
    assert_eq!(fs::read(there.join("kept")).unwrap(), b"kept");
    assert!(!there.join("left.tmp").exists());
    assert_eq!(fs::read(stage.target.join("f0")).unwrap().len(), 64 << 10);
    let listed = stage.two.blit(&["jobs", "list"]).exits(0).stdout;
    assert!(listed.contains("od\\xFFd"), "{listed}");
}

#[test]
fn a_job_moves_and_what_it_has_moved_is_gone_from_the_source() {
    let stage = Stage::new();
    let kept = stage.two.scratch.directory("kept");
    fill(&kept);
    let id = stage.detach(&["move"]);
    stage.two.blit(&["jobs", "watch", &id]).succeeds();
    for name in ["f0", "d/f1"] {
        assert!(!stage.source.join(name).exists(), "{name}");
        assert_eq!(
            fs::read(stage.target.join(name)).unwrap(),
            fs::read(kept.join(name)).unwrap()
        );
    }
}

#[test]
fn a_job_that_cannot_read_its_source_says_so_and_has_failed() {
    let stage = Stage::new();
    let gone = stage.two.scratch.directory("gone");
    let hand_over = || {
        let places = [contents(&gone), contents(&stage.target)];
        stage.two.command(&["copy", "--detach"]).args(places).run()
    };
    let id = hand_over().exits(0).stdout.trim().to_owned();
    let _ = stage.two.blit(&["jobs", "watch", &id]).exits(0);
    fs::remove_dir(&gone).unwrap();
    let _ = hand_over().exits(5).says("source not found");
}

#[test]
fn what_no_job_can_do_is_refused_before_anything_is_done() {
    let mut stage = Stage::new();
    let places = [contents(&stage.source), contents(&stage.target)];
    for (flag, said) in [
        ("--dry-run", "cannot be used with"),
        ("--itemize", "cannot be used with"),
        (
            "--backup-dir=old",
            "--backup-dir cannot be used with --detach",
        ),
    ] {
        let ran = stage.two.command(&["copy", "--detach", flag]).args(&places);
        let _ = ran.run().exits(2).says(said);
    }
    stage.two.daemon.kill();
    let ran = stage.two.command(&["copy", "--detach"]).args(&places).run();
    let _ = ran.exits(8).says("no daemon of this machine");
    let _ = stage.two.blit(&["jobs", "list"]).exits(8);
    assert!(!stage.target.exists());
}

#[test]
fn another_user_hands_nothing_over_sees_nothing_and_stops_nothing() {
    let stage = Stage::new();
    let id = stage.detach(&["copy", ENDLESS]);
    if !need_root("to be another user") {
        return;
    }
    // Even where the directories and the mode would let it.
    let scratch = &stage.two.scratch;
    for folder in [scratch.root(), &scratch.path("daemon-state")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let socket = scratch.path("daemon-state/blit.sock");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let other = scratch.path("other");
    for words in [
        vec!["jobs".into(), "list".into()],
        vec!["jobs".into(), "watch".into(), OsString::from(&id)],
        vec!["jobs".into(), "cancel".into(), OsString::from(&id)],
        vec![
            "copy".into(),
            "--detach".into(),
            contents(&stage.source),
            contents(&other),
        ],
    ] {
        let ran = client(scratch).as_nobody().args(&words).run();
        let _ = ran.exits(8);
    }
    assert_eq!(stage.states(), [(id, "running".to_owned())].into());
    assert!(!other.exists());
}

#[test]
fn the_record_of_a_job_is_its_owners_alone_and_holds_no_secret() {
    let stage = Stage::new();
    let ran = stage
        .two
        .command(&["copy", "--detach"])
        .args([contents(&stage.source), contents(&stage.target)])
        .env("CANARY", "a-secret-of-the-environment")
        .run();
    let id = ran.exits(0).stdout.trim().to_owned();
    stage.two.blit(&["jobs", "watch", &id]).succeeds();
    let state = stage.two.scratch.path("daemon-state");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state.join("jobs")), 0o700);
    let record = state.join(format!("jobs/{id}.job"));
    assert_eq!(mode(&record), 0o600);
    let record = fs::read(record).unwrap();
    let key = fs::read_to_string(state.join("identity/node.key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    for canary in ["a-secret-of-the-environment", "CANARY", secret] {
        let found = record
            .windows(canary.len())
            .any(|it| it == canary.as_bytes());
        assert!(!found, "{canary}");
    }
    // Nor do they leave a job half-written: there is nothing else.
    assert_eq!(fs::read_dir(state.join("jobs")).unwrap().count(), 1);
}

#[test]
fn what_is_older_than_the_history_keeps_is_forgotten() {
    let mut stage = Stage::new();
    let id = stage.detach(&["copy"]);
    stage.two.blit(&["jobs", "watch", &id]).succeeds();
    stage.restart(&["env", "BLIT_HISTORY__KEEP=1s"]);
    while !stage.states().is_empty() {
        // It is looked for when the daemon starts, and once a minute.
        stage.restart(&["env", "BLIT_HISTORY__KEEP=1s"]);
    }
    let _ = stage.two.blit(&["jobs", "watch", &id]).exits(5);
}
