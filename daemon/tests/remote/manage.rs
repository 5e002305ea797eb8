//! The administrator at the daemon's machine, and machines that are let in by their key.

use std::fs;

use blit_conform::Scratch;

use crate::bench::{HOST, Two, client, there};

fn daemon_id(two: &Two) -> String {
    let status = two.blit(&["status"]).exits(0).stdout;
    let key = status.lines().find(|line| line.starts_with("key"));
    key.unwrap().split_whitespace().last().unwrap().to_owned()
}

#[test]
fn the_status_of_this_machines_daemon_is_told() {
    let mut two = Two::new();
    let status = two.blit(&["status"]).exits(0).stdout;
    let module = format!("m → {} (read-write, online)", two.module().display());
    for expected in [
        "nas · blit-daemon",
        &two.daemon.address,
        "1 machines known",
        &module,
    ] {
        assert!(status.contains(expected), "{expected} in {status}");
    }
    two.daemon.kill();
    let _ = two
        .blit(&["status"])
        .exits(8)
        .says("no daemon of this machine");
}

#[test]
fn a_machine_knocks_with_the_daemons_key_waits_and_is_let_in() {
    let two = Two::new();
    let other = Scratch::new();
    let host = format!("{HOST}:{}", two.daemon.port());
    let id = daemon_id(&two);
    let pair = ["pair", &host, "--peer-id", &id];
    let _ = client(&other)
        .args(pair)
        .run()
        .exits(0)
        .says("blit remote accept blit1");
    // Known by it, but without a right yet.
    let _ = client(&other)
        .args(["ls", &there("m")])
        .run()
        .exits(6)
        .says("not paired here");
    let waiting = two.blit(&["remote", "pending"]).exits(0).stdout;
    let key = waiting.split('\t').nth(1).unwrap();
    two.blit(&["remote", "accept", key]).succeeds();
    client(&other).args(["ls", &there("m")]).run().succeeds();
    assert_eq!(two.blit(&["remote", "pending"]).exits(0).stdout, "");
}

#[test]
fn with_another_key_nobody_knocks() {
    let two = Two::new();
    let other = Scratch::new();
    let host = format!("{HOST}:{}", two.daemon.port());
    let wrong = format!("blit1{}", "a".repeat(51) + "q");
    let ran = client(&other)
        .args(["pair", &host, "--peer-id", &wrong])
        .run();
    let _ = ran.exits(6).says("different key");
    assert_eq!(two.blit(&["remote", "pending"]).exits(0).stdout, "");
}

#[test]
fn a_machine_that_is_removed_is_out_at_once() {
    let two = Two::new();
    two.blit(&["ls", &there("m")]).succeeds();
    let known = two.blit(&["remote", "list", "--daemon"]).exits(0).stdout;
    let name = known.split('\t').next().unwrap().to_owned();
    two.blit(&["remote", "rename", "--daemon", &name, "laptop"])
        .succeeds();
    two.blit(&["ls", &there("m")]).succeeds();
    two.blit(&["remote", "remove", "--daemon", "laptop"])
        .succeeds();
    let _ = two
        .blit(&["ls", &there("m")])
        .exits(6)
        .says("not paired here");
}

#[test]
fn the_user_names_the_machines_that_are_reached() {
    let two = Two::new();
    two.blit(&["remote", "rename", HOST, "store"]).succeeds();
    two.blit(&["ls", "store:/m"]).succeeds();
    two.blit(&["remote", "remove", "store"]).succeeds();
    let _ = two.blit(&["ls", "store:/m"]).exits(6);
    let _ = two
        .blit(&["remote", "remove", "store"])
        .exits(5)
        .says("remote list");
}

#[test]
fn the_audit_log_is_verified_and_a_changed_line_is_named() {
    let two = Two::new();
    let log = two.scratch.path("daemon-state/audit/audit.jsonl");
    let log_text = log.to_str().unwrap();
    for words in [&["audit", "verify"][..], &["audit", "verify", log_text]] {
        let said = two.blit(words).exits(0).stdout;
        assert!(said.contains("as they were written"), "{said}");
    }
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("config.load", "config.lost", 1)).unwrap();
    let _ = two
        .blit(&["audit", "verify"])
        .exits(3)
        .says("audit.jsonl, line 2");
}

#[test]
fn another_user_does_not_reach_the_local_socket() {
    use std::os::unix::fs::PermissionsExt;
    let two = Two::new();
    let socket = two.scratch.path("daemon-state/blit.sock");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    if !blit_conform::need_root("to be another user") {
        return;
    }
    // Even where the directories and the mode would let it.
    for folder in [two.scratch.root(), &two.scratch.path("daemon-state")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let ran = client(&two.scratch).as_nobody().args(["status"]).run();
    assert_ne!(ran.code, Some(0), "{ran}");
}
