//! Runs that are handed to the daemon and have to do with another machine; and jobs that are asked about from
//! another machine.

use std::{
    fs,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Stdio},
};

use blit_conform::{Blit, Options, Ran, Snapshot, assert_same, tree::nasty_tree};
use blit_control::Identity;
use serde_json::Value;

use crate::{
    bench::{HOST, client, contents, there},
    jobs::{ENDLESS, fill, lines},
    node::Node,
};

/// A rate at which what `fill` makes takes four seconds.
const SLOWLY: &str = "--bwlimit=512K";

/// A machine with a user and a daemon, and another one that both of them know.
struct Stage {
    here: Node,
    there: Node,
}

impl Stage {
    /// The two daemons know each other.
    fn new() -> Self {
        let stage = Self::strangers();
        let address = stage.there.daemon.address.clone();
        stage.here.knows("other", &stage.there, &[&address]);
        stage.there.knows("one", &stage.here, &[]);
        stage
    }

    /// Only the user is paired with the other machine.
    fn strangers() -> Self {
        let (here, there) = (Node::start(""), Node::start(""));
        let host = format!("{HOST}:{}", there.daemon.port());
        let pair = ["pair", &host, &there.daemon.invitation];
        client(&here.scratch).args(pair).run().succeeds();
        Self { here, there }
    }

    fn blit(&self, words: &[&str]) -> Blit {
        client(&self.here.scratch).args(words)
    }

    /// Hands it over; answers what the job is called.
    fn detach(&self, words: &[&str]) -> String {
        let ran = self.blit(words).arg("--detach").run();
        ran.exits(0).stdout.trim().to_owned()
    }

    /// Hands it over and follows it.
    fn follow(&self, words: &[&str]) -> Ran {
        let id = self.detach(words);
        self.blit(&["jobs", "watch", &id]).run()
    }

    fn source(&self) -> std::path::PathBuf {
        self.here.scratch.directory("source")
    }

    fn state_of(&self, id: &str) -> String {
        let listed = self.blit(&["jobs", "list", "--json"]).run().exits(0).stdout;
        let rows = lines(&listed);
        let row = rows.iter().find(|row| row["name"] == id);
        row.unwrap()["value"].as_str().unwrap().to_owned()
    }

    /// Waits until the other machine holds something under its final name.
    fn wait_for_some(&self) {
        while fs::read_dir(self.there.module()).unwrap().count() == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Starts the other machine's daemon once more, where it was.
    fn restart_other(&mut self) {
        self.there.restart("");
    }
}

/// A `blit jobs watch --json` that has begun.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(stage: &Stage, id: &str) -> Self {
        let mut command = stage.blit(&["jobs", "watch", id, "--json"]).command();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits for a line of which this holds.
    fn wait_for(&mut self, is_it: impl Fn(&Value) -> bool) {
        for line in self.lines.by_ref() {
            if is_it(&serde_json::from_str(&line.unwrap()).unwrap()) {
                return;
            }
        }
        panic!("the job ended before that");
    }

    fn end(mut self) -> i32 {
        self.lines.by_ref().for_each(drop);
        self.child.wait().unwrap().code().unwrap()
    }
}

fn moves_data(line: &Value) -> bool {
    line["type"] == "progress" && line["bytes_done"].as_u64() > Some(0)
}

fn is_lost(line: &Value) -> bool {
    line["code"] == "net.unreachable" && line["type"] == "warning"
}

#[test]
fn a_job_brings_a_nasty_tree_to_another_machine_and_the_second_run_does_nothing() {
    let stage = Stage::new();
    let source = stage.source();
    nasty_tree(&source);
    let copy = ["copy", "source/", &there("m/x")];
    let _ = stage.follow(&copy).exits(0).says("Copied");
    assert_same(&source, &stage.there.scratch.path("m/x"));
    let id = stage.detach(&copy);
    let told = stage.blit(&["jobs", "watch", &id, "--json"]).run();
    let told = lines(&told.exits(0).stdout);
    let summary = told.last().unwrap();
    assert_eq!(summary["result"], "nothing");
    // It says how it went there, as a run of one's own does.
    assert!(summary["lanes"]["transport"].is_string(), "{summary}");
    let listed = stage.blit(&["jobs", "list"]).run().exits(0).stdout;
    assert!(listed.contains(&there("m/x")), "{listed}");
}

#[test]
fn a_job_fetches_mirrors_and_moves_from_another_machine() {
    let stage = Stage::new();
    let module = stage.there.module();
    fs::create_dir(module.join("t")).unwrap();
    nasty_tree(&module.join("t"));
    let target = stage.here.scratch.directory("target");
    fs::write(target.join("extra"), "goes").unwrap();
    let mirror = [
        "mirror",
        "--yes",
        "--max-delete=100%",
        &there("m/t/"),
        "target/",
    ];
    stage.follow(&mirror).succeeds();
    assert_same(&module.join("t"), &target);
    fs::create_dir(stage.here.scratch.path("moved")).unwrap();
    let moved = ["move", &there("m/t"), "moved/"];
    stage.follow(&moved).succeeds();
    assert!(!module.join("t").exists(), "it is still there");
    assert_same(&target, &stage.here.scratch.path("moved/t"));
}

#[test]
fn a_daemon_that_was_not_made_known_is_refused_with_the_two_commands_that_help() {
    let stage = Stage::strangers();
    fill(&stage.source());
    let copy = ["copy", "source/", &there("m/"), "--detach"];
    let refused = stage.blit(&copy).run().exits(6);
    assert_eq!(fs::read_dir(stage.there.module()).unwrap().count(), 0);
    let said = refused.stderr.split_once("here: ").unwrap().1;
    let (here, there_) = said.split_once("   and on localhost: ").unwrap();
    let words = |line: &str| -> Vec<String> {
        let line = line.lines().next().unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    };
    let joined: Vec<&str> = here.split_whitespace().collect();
    client(&stage.here.scratch)
        .args(&joined[1..])
        .run()
        .succeeds();
    client(&stage.there.scratch)
        .args(words(there_))
        .run()
        .succeeds();
    stage.follow(&copy[..3]).succeeds();
    assert_same(&stage.source(), &stage.there.module());
}

#[test]
fn a_job_goes_on_when_the_other_machine_comes_back() {
    let mut stage = Stage::new();
    let source = stage.source();
    fill(&source);
    let id = stage.detach(&["copy", "source/", &there("m/"), SLOWLY]);
    let mut watching = Watching::start(&stage, &id);
    stage.wait_for_some();
    stage.there.daemon.kill();
    watching.wait_for(is_lost);
    stage.restart_other();
    assert_eq!(watching.end(), 0);
    assert_same(&source, &stage.there.module());
    assert_eq!(stage.state_of(&id), "done");
}

#[test]
fn a_job_that_is_stopped_while_the_other_machine_is_away_is_cancelled() {
    let mut stage = Stage::new();
    fill(&stage.source());
    let id = stage.detach(&["copy", "source/", &there("m/"), ENDLESS]);
    let mut watching = Watching::start(&stage, &id);
    watching.wait_for(moves_data);
    stage.there.daemon.kill();
    watching.wait_for(is_lost);
    stage.blit(&["jobs", "cancel", &id]).run().succeeds();
    assert_eq!(watching.end(), 130);
    assert_eq!(stage.state_of(&id), "cancelled");
}

#[test]
fn a_job_whose_other_machine_stays_away_fails_as_a_run_would() {
    let mut stage = Stage::new();
    fill(&stage.source());
    let words = ["copy", "source/", &there("m/"), ENDLESS, "--retry-for=1s"];
    let id = stage.detach(&words);
    Watching::start(&stage, &id).wait_for(moves_data);
    stage.there.daemon.kill();
    let watched = stage.blit(&["jobs", "watch", &id]).run();
    let _ = watched.exits(8).says("it continues");
    stage.restart_other();
    // What was not there from the beginning is not waited for.
    stage.there.daemon.kill();
    let refused = stage.blit(&words).arg("--detach").run();
    let _ = refused.exits(8).says("does not answer");
}

#[test]
fn the_same_command_goes_on_with_a_job_to_another_machine_whose_daemon_was_killed() {
    let mut stage = Stage::new();
    let source = stage.source();
    fill(&source);
    let copy = ["copy", "source/", &there("m/"), SLOWLY];
    let id = stage.detach(&copy);
    stage.wait_for_some();
    stage.here.restart("");
    assert_eq!(stage.state_of(&id), "interrupted");
    assert_eq!(stage.detach(&copy), id);
    stage.blit(&["jobs", "watch", &id]).run().succeeds();
    assert_same(&source, &stage.there.module());
}

#[test]
fn a_mirror_by_a_job_deletes_nothing_elsewhere_that_nobody_confirmed() {
    let stage = Stage::new();
    fill(&stage.source());
    fs::write(stage.there.module().join("extra"), "stays").unwrap();
    let before = Snapshot::of(&stage.there.module());
    let ran = stage.follow(&["mirror", "source/", &there("m/")]);
    let _ = ran.exits(7).says("nobody is here to confirm");
    let changed = before.differences(&Snapshot::of(&stage.there.module()), Options::exact());
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn what_the_other_machine_refuses_a_job_ends_with() {
    let stage = Stage::new();
    fill(&stage.source());
    let ran = stage.follow(&["copy", "source/", &there("ro/")]);
    let _ = ran.exits(6).says("is read-only");
    assert_eq!(
        fs::read_dir(stage.there.scratch.path("ro"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn what_no_job_can_do_elsewhere_is_refused_before_anybody_is_asked() {
    let stage = Stage::new();
    fill(&stage.source());
    for (words, said) in [
        (
            ["copy", "source/", "ssh://nowhere.invalid/x"],
            "--detach cannot be used over ssh",
        ),
        (
            ["copy", &there("m/"), &there("m/x")],
            "--detach cannot be used between two other machines",
        ),
    ] {
        let ran = stage.blit(&words).arg("--detach").run();
        let _ = ran.exits(2).says(said);
    }
}

/// Has `stage.here` let the user of the other machine see its jobs, by these words of its configuration.
fn asker(stage: &mut Stage, head: &str) {
    stage.here.restart(head);
    let state = stage.there.scratch.path("client-state");
    let id = Identity::load_or_create(&state).unwrap().id().to_string();
    let known = ["remote", "--daemon", "add", "asker", &id];
    stage.blit(&known).run().succeeds();
    let id = stage.here.identity().id().to_string();
    let address = stage.here.daemon.address.clone();
    let add = ["remote", "add", "worker", &id, &address];
    client(&stage.there.scratch).args(add).run().succeeds();
}

#[test]
fn a_machine_that_is_let_sees_follows_and_stops_the_jobs_of_another() {
    let mut stage = Stage::new();
    fill(&stage.source());
    asker(&mut stage, "[jobs]\npeers = [\"asker\"]\n");
    let elsewhere = |words: &[&str]| client(&stage.there.scratch).args(words).run();
    let done = stage.detach(&["copy", "source/", "target"]);
    let _ = elsewhere(&["jobs", "watch", "worker", &done])
        .exits(0)
        .says("Copied");
    let id = stage.detach(&["copy", "source/", "slow", ENDLESS]);
    let listed = elsewhere(&["jobs", "list", "worker"]).exits(0).stdout;
    assert!(listed.contains(&format!("{done}\tdone\tcopy ")), "{listed}");
    assert!(
        listed.contains(&format!("{id}\trunning\tcopy ")),
        "{listed}"
    );
    assert_eq!(listed, stage.blit(&["jobs", "list"]).run().exits(0).stdout);
    elsewhere(&["jobs", "cancel", "worker", &id]).succeeds();
    assert_eq!(stage.state_of(&id), "cancelled");
    // The machine alone means the job that began last.
    let _ = elsewhere(&["jobs", "watch", "worker"]).exits(130);
    let _ = elsewhere(&["jobs", "watch", "worker:", "none"])
        .exits(5)
        .says("blit jobs list worker");
    assert_eq!(stage.here.noted(&["asker", "job.cancel", &id]).len(), 1);
}

#[test]
fn a_machine_that_is_not_let_learns_nothing_of_jobs_and_stops_none() {
    let mut stage = Stage::new();
    fill(&stage.source());
    asker(&mut stage, "[jobs]\npeers = [\"somebody\"]\n");
    let id = stage.detach(&["copy", "source/", "slow", ENDLESS]);
    let elsewhere = |words: &[&str]| client(&stage.there.scratch).args(words).run();
    for words in [
        &["jobs", "list", "worker"][..],
        &["jobs", "watch", "worker", &id],
        &["jobs", "cancel", "worker", &id],
    ] {
        let refused = elsewhere(words).exits(6);
        assert!(refused.stdout.is_empty(), "{refused}");
        let _ = refused.says("[jobs]");
    }
    assert_eq!(stage.state_of(&id), "running");
    assert_eq!(stage.here.noted(&["asker", "job.see", "deny"]).len(), 3);
}

#[test]
fn whoever_is_not_let_any_more_hears_nothing_more() {
    let mut stage = Stage::new();
    fill(&stage.source());
    asker(&mut stage, "[jobs]\npeers = [\"asker\"]\n");
    let id = stage.detach(&["copy", "source/", "slow", SLOWLY]);
    let mut command = client(&stage.there.scratch)
        .args(["jobs", "watch", "worker", &id, "--json"])
        .command();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut heard = BufReader::new(child.stdout.take().unwrap()).lines();
    heard.next().unwrap().unwrap();
    let forget = ["remote", "--daemon", "remove", "asker"];
    stage.blit(&forget).run().succeeds();
    let last = heard.map_while(Result::ok).last().unwrap_or_default();
    assert!(!last.contains("\"summary\""), "{last}");
    assert!(!child.wait().unwrap().success());
    stage.blit(&["jobs", "watch", &id]).run().succeeds();
}

#[test]
fn a_source_may_be_named_by_its_whole_path() {
    let stage = Stage::new();
    let source = stage.source();
    fill(&source);
    let ran = stage.blit(&["copy", "--detach"]);
    let id = ran
        .args([contents(&source), there("m/y").into()])
        .run()
        .exits(0);
    let id = id.stdout.trim().to_owned();
    stage.blit(&["jobs", "watch", &id]).run().succeeds();
    assert_same(&source, &stage.there.scratch.path("m/y"));
}
