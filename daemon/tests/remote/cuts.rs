//! What is left when one of the two is killed, and that running again completes it.

use std::{path::Path, process::Command, time::Duration};

use blit_conform::{assert_same, is_long};

use crate::bench::{Two, contents, there};

/// Files large enough that a transfer can be met in its middle.
fn fill(source: &Path) {
    for number in 0..40_u8 {
        let content = vec![number; 2 << 20];
        std::fs::write(source.join(format!("f{number:02}")), content).unwrap();
    }
}

/// Every file at its final name is whole: one value throughout, and its full length.
fn assert_whole(target: &Path) -> usize {
    let mut found = 0;
    let Ok(entries) = std::fs::read_dir(target) else {
        return 0;
    };
    for entry in entries {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with('f') {
            let content = std::fs::read(entry.path()).unwrap();
            assert_eq!(content.len(), 2 << 20, "{:?}", entry.path());
            assert!(content.iter().all(|byte| *byte == content[0]));
            found += 1;
        }
    }
    found
}

/// Waits until the target's tree shows that the transfer is under way.
fn wait_for_first(target: &Path, child: &mut std::process::Child) {
    while assert_whole(target) == 0 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_client_leaves_whole_files_and_running_again_completes() {
    let two = Two::new();
    let source = two.scratch.directory("source");
    fill(&source);
    let words = [
        "copy".into(),
        "--durability=file".into(),
        contents(&source),
        there("m/").into(),
    ];
    let mut child = two.command(&words).command().spawn().unwrap();
    wait_for_first(&two.module(), &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_whole(&two.module());
    two.blit(&words).succeeds();
    assert_same(&source, &two.module());
}

#[test]
fn a_daemon_that_comes_back_is_met_again_by_the_same_command() {
    let mut two = Two::new();
    let source = two.scratch.directory("source");
    fill(&source);
    let words = [
        "copy".into(),
        "--durability=file".into(),
        contents(&source),
        there("m/").into(),
    ];
    let mut child = two.command(&words).command().spawn().unwrap();
    wait_for_first(&two.module(), &mut child);
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon.kill();
    two.daemon = Two::start(&two.scratch, &listen, &[]);
    assert!(child.wait().unwrap().success());
    assert_same(&source, &two.module());
}

#[test]
fn a_killed_daemon_leaves_whole_files_and_running_again_completes() {
    let mut two = Two::new();
    let source = two.scratch.directory("source");
    fill(&source);
    let words = [
        "copy".into(),
        "--durability=file".into(),
        "--retry-for=0s".into(),
        contents(&source),
        there("m/").into(),
    ];
    let mut child = two.command(&words).command().spawn().unwrap();
    wait_for_first(&two.module(), &mut child);
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon.kill();
    let ended = child.wait().unwrap();
    assert!(matches!(ended.code(), Some(0 | 8)), "{ended}");
    assert_whole(&two.module());
    two.daemon = Two::start(&two.scratch, &listen, &[]);
    two.blit(&words).succeeds();
    assert_same(&source, &two.module());
}

#[test]
fn a_stopped_daemon_lets_its_sessions_end() {
    let two = Two::new();
    let source = two.scratch.directory("source");
    fill(&source);
    let words = ["copy".into(), contents(&source), there("m/").into()];
    let mut child = two.command(&words).command().spawn().unwrap();
    wait_for_first(&two.module(), &mut child);
    let id = two.daemon.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(child.wait().unwrap().success());
    assert_same(&source, &two.module());
}

#[test]
fn a_session_that_outlasts_the_stop_timeout_is_stopped_and_continues_when_it_is_run_again() {
    let mut two = Two::new();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon.kill();
    let wrapper = ["env", "BLIT_DAEMON__STOP_TIMEOUT=0"];
    two.daemon = Two::start(&two.scratch, &listen, &wrapper);
    let source = two.scratch.directory("source");
    fill(&source);
    let words = [
        "copy".into(),
        "--durability=file".into(),
        "--retry-for=0s".into(),
        contents(&source),
        there("m/").into(),
    ];
    let mut child = two.command(&words).command().spawn().unwrap();
    wait_for_first(&two.module(), &mut child);
    let id = two.daemon.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    let ended = child.wait().unwrap();
    // It may have been faster.
    assert!(matches!(ended.code(), Some(0 | 8)), "{ended}");
    assert_whole(&two.module());
    two.daemon.kill();
    two.daemon = Two::start(&two.scratch, &listen, &[]);
    two.blit(&words).succeeds();
    assert_same(&source, &two.module());
}

/// A transfer under way, of which the first file has come.
fn begun(two: &Two, source: &Path) -> std::process::Child {
    let words = [
        "copy".into(),
        "--durability=file".into(),
        "--retry-for=0s".into(),
        contents(source),
        there("m/").into(),
    ];
    let mut child = two.command(&words).command().spawn().unwrap();
    wait_for_first(&two.module(), &mut child);
    child
}

fn signal(signal: &str, process: u32) {
    let id = process.to_string();
    let sent = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success());
}

/// It takes as long as both sides wait for a sign of life: only the long run does.
#[test]
fn a_daemon_that_stops_is_noticed() {
    if !is_long() {
        return;
    }
    let two = Two::new();
    let source = two.scratch.directory("source");
    fill(&source);
    let mut child = begun(&two, &source);
    signal("-STOP", two.daemon.id());
    let ended = child.wait().unwrap();
    signal("-CONT", two.daemon.id());
    // It may have been through.
    assert!(matches!(ended.code(), Some(0 | 8)), "{ended}");
    assert_whole(&two.module());
}

/// The same from the other side: its session ends, and then the daemon can.
#[test]
fn a_client_that_stops_is_let_go() {
    if !is_long() {
        return;
    }
    let mut two = Two::new();
    let source = two.scratch.directory("source");
    fill(&source);
    let mut child = begun(&two, &source);
    signal("-STOP", child.id());
    // It waits until no session runs.
    signal("-TERM", two.daemon.id());
    two.daemon.wait();
    signal("-KILL", child.id());
    child.wait().unwrap();
    assert_whole(&two.module());
}

#[test]
fn two_runs_into_one_target_mix_nothing() {
    let two = Two::new();
    let sources = ["one", "other"].map(|name| two.scratch.directory(name));
    for (source, value) in sources.iter().zip([1_u8, 2]) {
        for number in 0..30 {
            // Of another size, too: each is told from the other.
            let content = vec![value; 100_000 + usize::from(value)];
            std::fs::write(source.join(format!("f{number}")), content).unwrap();
        }
    }
    let runs = sources.each_ref().map(|source| {
        let words = ["copy".into(), contents(source), there("m/").into()];
        two.command(&words).command().spawn().unwrap()
    });
    for mut run in runs {
        let ended = run.wait().unwrap();
        // One may find that what it compared with is another's by now.
        assert!(matches!(ended.code(), Some(0 | 3)), "{ended}");
    }
    for number in 0..30 {
        let content = std::fs::read(two.module().join(format!("f{number}"))).unwrap();
        let value = content[0];
        assert!(content.iter().all(|byte| *byte == value), "f{number}");
        assert_eq!(content.len(), 100_000 + usize::from(value), "f{number}");
    }
}
