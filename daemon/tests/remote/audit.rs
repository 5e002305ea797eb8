//! What is written down, and what is refused while it cannot be.

use std::{fs, path::Path, process::Command};

use crate::bench::{HOST, Two, client, there};

fn lines(two: &Two) -> Vec<String> {
    let log = two.scratch.path("daemon-state/audit/audit.jsonl");
    let text = fs::read_to_string(log).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn is_there(lines: &[String], words: &[&str]) -> bool {
    lines
        .iter()
        .any(|line| words.iter().all(|word| line.contains(word)))
}

#[test]
fn keys_pairings_sessions_and_denials_are_written_down_as_a_chain() {
    let two = Two::new();
    fs::write(two.scratch.path("f"), "12345").unwrap();
    two.blit(&["copy", "f", &there("m/sub/")]).succeeds();
    let _ = two.blit(&["copy", "f", &there("ro/")]).exits(6);
    let _ = two.blit(&["ls", &there("hidden")]).exits(5);
    let lines = lines(&two);
    for words in [
        &["key.create"][..],
        &["config.load", "m, ro"],
        &["peer.join", "blit1"],
        &["session.write", "\"object\":\"m/sub\"", "allow"],
        &["session.end", "\"bytes\":5", "\"result\":\"ok\""],
        &["deny", "\"object\":\"ro\"", "read-only"],
        &["deny", "\"object\":\"hidden\""],
    ] {
        assert!(is_there(&lines, words), "{words:?} in {lines:#?}");
    }
    let folder = two.scratch.path("daemon-state/audit");
    let verified = blit_control::verify_audit(&folder).unwrap();
    assert_eq!(verified.lines, lines.len() as u64);
}

#[test]
fn a_stranger_is_written_down_and_gets_nothing() {
    let mut two = Two::new();
    two.daemon.kill();
    fs::remove_file(two.scratch.path("daemon-state/peers.toml")).unwrap();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon = Two::start(&two.scratch, &listen, &[]);
    let _ = two.blit(&["ls", &there("m")]).exits(6);
    let lines = lines(&two);
    assert!(
        is_there(&lines, &["stranger", "deny", "connect"]),
        "{lines:#?}"
    );
}

#[test]
fn while_the_log_cannot_be_written_nothing_is_changed_and_reading_goes_on() {
    let mut two = Two::new();
    fs::write(two.scratch.path("f"), "1").unwrap();
    fs::write(two.module().join("there"), "1").unwrap();
    two.daemon.kill();
    let log = two.scratch.path("daemon-state/audit/audit.jsonl");
    fs::rename(&log, log.with_extension("away")).unwrap();
    fs::create_dir(&log).unwrap();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon = Two::start(&two.scratch, &listen, &[]);
    let _ = two
        .blit(&["copy", "f", &there("m/")])
        .exits(6)
        .says("audit log");
    let _ = two
        .blit(&["move", &there("m/there"), "."])
        .exits(6)
        .says("audit log");
    assert!(!two.module().join("f").exists());
    let told = two.blit(&["status"]).exits(0).stdout;
    assert!(told.contains("READ_ONLY(audit): "), "{told}");
    two.blit(&["copy", &there("m/there"), "back"]).succeeds();
    // It heals without a restart.
    fs::remove_dir(&log).unwrap();
    two.blit(&["copy", "f", &there("m/")]).succeeds();
    assert!(two.module().join("f").exists());
    let told = two.blit(&["status"]).exits(0).stdout;
    assert!(!told.contains("READ_ONLY"), "{told}");
}

#[test]
fn a_daemon_that_stops_signs_what_it_has_written() {
    let mut two = Two::new();
    let id = two.daemon.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(sent.success());
    two.daemon.wait();
    let log = two.scratch.path("daemon-state/audit");
    let told = two.blit(&["audit".as_ref(), "verify".as_ref(), log.as_os_str()]);
    let told = told.exits(0).stdout;
    let key = two.blit(&["identity", "show", "--daemon"]).exits(0).stdout;
    assert!(told.contains(&format!("signed by {key}")), "{told}");
    assert!(told.contains("all of them are signed"), "{told}");
}

#[test]
fn a_module_that_says_so_is_changed_without_the_log() {
    let scratch = blit_conform::Scratch::new();
    let module = scratch.directory("free");
    let config = scratch.path("daemon.toml");
    let text = format!(
        "[[module]]\nname = \"free\"\npath = {module:?}\naccess = \"read-write\"\naudit = \"when-possible\"\n"
    );
    fs::write(&config, text).unwrap();
    fs::create_dir_all(scratch.path("daemon-state/audit/audit.jsonl")).unwrap();
    restrict(&scratch.path("daemon-state"));
    let arguments = [
        "--config".into(),
        config.into(),
        "--listen=127.0.0.1:0".into(),
    ];
    let state = scratch.path("daemon-state");
    let daemon = crate::bench::Daemon::start(&[], &state, &arguments);
    let host = format!("{HOST}:{}", daemon.port());
    client(&scratch)
        .args(["pair", &host, &daemon.invitation])
        .run()
        .succeeds();
    fs::write(scratch.path("f"), "1").unwrap();
    client(&scratch)
        .args(["copy", "f", &there("free/")])
        .run()
        .succeeds();
    assert!(module.join("f").exists());
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}
