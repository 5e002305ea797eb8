//! What an administrator does with a daemon that runs: reload, stop, kill, start again.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
};

use blit_conform::Scratch;

use crate::bench::{Daemon, Two, client, there};

fn send(daemon: &Daemon, signal: &str) {
    let id = daemon.id().to_string();
    let sent = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success());
}

/// The program with these words, run to its end.
fn program(scratch: &Scratch, words: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blit-daemon"));
    command.arg("--state-dir").arg(scratch.path("daemon-state"));
    command.args(words).stdin(Stdio::null()).output().unwrap()
}

fn reload(two: &Two) -> (i32, String) {
    let config = two.scratch.path("daemon.toml");
    let ran = program(
        &two.scratch,
        &["reload", "--config", config.to_str().unwrap()],
    );
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    (ran.status.code().unwrap(), text)
}

fn add_to_config(two: &Two, text: &str) {
    let config = two.scratch.path("daemon.toml");
    let before = fs::read_to_string(&config).unwrap();
    fs::write(&config, before + text).unwrap();
}

#[test]
fn a_reload_brings_a_new_module_while_the_daemon_runs() {
    let two = Two::new();
    let folder = two.scratch.directory("new");
    fs::write(folder.join("f"), "").unwrap();
    let _ = two.blit(&["ls", &there("new")]).exits(5);
    add_to_config(
        &two,
        &format!("[[module]]\nname = \"new\"\npath = {folder:?}\n"),
    );
    assert_eq!(reload(&two).0, 0);
    two.blit(&["ls", &there("new")]).succeeds();
}

#[test]
fn a_hangup_reloads_as_well() {
    let two = Two::new();
    let folder = two.scratch.directory("new");
    add_to_config(
        &two,
        &format!("[[module]]\nname = \"new\"\npath = {folder:?}\n"),
    );
    send(&two.daemon, "-HUP");
    // It is done some time after the signal: the log says when.
    let log = two.scratch.path("daemon-state/audit/audit.jsonl");
    while !fs::read_to_string(&log).unwrap().contains("config.reload") {
        std::thread::yield_now();
    }
    two.blit(&["ls", &there("new")]).succeeds();
}

#[test]
fn a_broken_configuration_is_told_with_its_line_and_the_old_one_stays() {
    let two = Two::new();
    add_to_config(&two, "[daemon]\nlisen = [\"x\"]\n");
    let (code, text) = reload(&two);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("daemon.lisen") && text.contains("daemon.toml, line"),
        "{text}"
    );
    two.blit(&["ls", &there("m")]).succeeds();
    // And so with a hangup: it must not end.
    send(&two.daemon, "-HUP");
    two.blit(&["ls", &there("m")]).succeeds();
}

#[test]
fn a_module_whose_directory_is_gone_leaves_the_old_configuration_in_force() {
    let two = Two::new();
    add_to_config(
        &two,
        "[[module]]\nname = \"gone\"\npath = \"/nonexistent/x\"\n",
    );
    let (code, text) = reload(&two);
    assert!(code == 2 && text.contains("gone"), "{text}");
    two.blit(&["ls", &there("m")]).succeeds();
}

#[test]
fn a_peer_that_is_taken_out_of_the_file_is_unknown_after_a_reload() {
    let two = Two::new();
    fs::remove_file(two.scratch.path("daemon-state/peers.toml")).unwrap();
    two.blit(&["ls", &there("m")]).succeeds();
    assert_eq!(reload(&two).0, 0);
    let _ = two
        .blit(&["ls", &there("m")])
        .exits(6)
        .says("not paired here");
}

#[test]
fn two_daemons_do_not_share_a_state_directory() {
    let two = Two::new();
    let module = format!("--module=x={}", two.module().display());
    let ran = program(
        &two.scratch,
        &["--config=/dev/null", "--listen=127.0.0.1:0", &module],
    );
    assert_eq!(ran.status.code(), Some(1));
    let text = String::from_utf8_lossy(&ran.stderr);
    assert!(text.contains("another daemon uses"), "{text}");
    two.blit(&["ls", &there("m")]).succeeds();
}

#[test]
fn after_a_kill_it_starts_again_with_the_same_key_and_peers() {
    let mut two = Two::new();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    for _ in 0..2 {
        two.daemon.kill();
        two.daemon = Two::start(&two.scratch, &listen, &[]);
        assert_eq!(two.daemon.invitation, "", "the peer was forgotten");
        two.blit(&["ls", &there("m")]).succeeds();
    }
}

#[test]
fn without_a_module_it_says_so_and_stays_on_loopback_until_there_is_one() {
    let scratch = Scratch::new();
    let config = scratch.path("daemon.toml");
    fs::write(&config, "").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_blit-daemon"))
        .arg("--state-dir")
        .arg(scratch.path("daemon-state"))
        .args(["--listen=0.0.0.0:0", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().contains("listening on 127.0.0.1:"));
    assert!(next().contains("exports nothing yet"));
    assert_eq!(next(), "ready");
    // A module alone is not enough: nobody could come.
    let module = scratch.directory("m");
    fs::write(
        &config,
        format!("[[module]]\nname = \"m\"\npath = {module:?}\n"),
    )
    .unwrap();
    let reload = ["reload", "--config", config.to_str().unwrap()];
    assert!(program(&scratch, &reload).status.success());
    client(&scratch).args(["pair"]).run().succeeds();
    let line = next();
    assert!(line.contains("listening on 0.0.0.0:"), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_address_that_may_not_come_is_hung_up_on_before_a_byte() {
    use std::io::Read;
    let two = Two::new();
    two.blit(&["ls", &there("m")]).succeeds();
    add_to_config(&two, "[access]\nallow_from = [\"192.0.2.0/24\"]\n");
    assert_eq!(reload(&two).0, 0);
    let mut socket = std::net::TcpStream::connect(&two.daemon.address).unwrap();
    let mut answer = Vec::new();
    let heard = socket.read_to_end(&mut answer);
    assert!(matches!(heard, Ok(0) | Err(_)) && answer.is_empty());
    let _ = two.blit(&["ls", &there("m")]).exits(8);
}

#[test]
fn ipv4_and_ipv6_reach_the_same_daemon() {
    let scratch = Scratch::new();
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let daemon = Two::start(&scratch, "[::]:0", &[]);
    for address in ["127.0.0.1", "[::1]"] {
        let address = format!("{address}:{}", daemon.port());
        std::net::TcpStream::connect(&address).unwrap();
    }
}

#[test]
fn the_service_manager_is_told() {
    let scratch = Scratch::new();
    let socket = scratch.path("notify");
    let heard = UnixDatagram::bind(&socket).unwrap();
    let variable = format!("NOTIFY_SOCKET={}", socket.display());
    let wrapper = ["env", &variable, "WATCHDOG_USEC=2000000"];
    let daemon = Two::start(&scratch, "127.0.0.1:0", &wrapper);
    let wait_for = |word: &str| {
        let mut buffer = [0; 4096];
        loop {
            let size = heard.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
            if text.contains(word) {
                return text;
            }
        }
    };
    assert!(wait_for("READY=1").contains("STATUS=2 modules"));
    wait_for("WATCHDOG=1");
    send(&daemon, "-HUP");
    assert!(wait_for("RELOADING=1").contains("MONOTONIC_USEC="));
    wait_for("READY=1");
    send(&daemon, "-TERM");
    wait_for("STOPPING=1");
}

#[test]
fn an_optional_module_is_offline_while_its_directory_is_away() {
    let two = Two::new();
    let folder = two.scratch.path("usb");
    let module = format!("[[module]]\nname = \"usb\"\npath = {folder:?}\noptional = true\n");
    add_to_config(&two, &module);
    assert_eq!(reload(&two).0, 0);
    let _ = two
        .blit(&["ls", &there("usb")])
        .exits(5)
        .says("usb is offline");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("f"), "").unwrap();
    two.blit(&["ls", &there("usb")]).succeeds();
    // Another file system in its place is not it.
    let disks = two.scratch.path("daemon-state/disks.toml");
    fs::write(&disks, "usb = \"another\"\n").unwrap();
    assert_eq!(reload(&two).0, 0);
    let _ = two
        .blit(&["ls", &there("usb")])
        .exits(5)
        .says("usb is offline");
}

#[test]
fn what_would_take_the_last_room_is_refused() {
    let two = Two::new();
    let folder = two.scratch.directory("full");
    let module = "access = \"read-write\"\nmin_free = \"100%\"\n";
    add_to_config(
        &two,
        &format!("[[module]]\nname = \"full\"\npath = {folder:?}\n{module}"),
    );
    assert_eq!(reload(&two).0, 0);
    fs::write(two.scratch.path("f"), vec![1; 100_000]).unwrap();
    let _ = two.blit(&["copy", "f", &there("full/")]).exits(9);
    assert!(fs::read_dir(&folder).unwrap().next().is_none());
}

#[test]
fn an_open_daemon_serves_machines_that_it_does_not_know() {
    let mut two = Two::new();
    two.daemon.kill();
    fs::remove_file(two.scratch.path("daemon-state/peers.toml")).unwrap();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    let state = two.scratch.path("daemon-state");
    let config = two.scratch.path("daemon.toml");
    add_to_config(&two, "[access]\nmode = \"open\"\n");
    let arguments = [
        "--config".into(),
        config.into(),
        "--listen".into(),
        listen.into(),
    ];
    two.daemon = Daemon::start(&[], &state, &arguments);
    two.blit(&["ls", &there("m")]).succeeds();
}
