//! What is refused, in which words, and what it leaves untouched.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use blit_conform::golden::Told;
use blit_conform::{Options, Ran, Scratch, Snapshot, need_root, need_tool};

use crate::bench::{HOST, Two, client, there};

#[test]
fn a_machine_that_is_not_paired_gets_nothing_and_the_next_command() {
    let two = Two::strangers();
    let _ = two
        .blit(&["ls", &there("m")])
        .exits(6)
        .says("no paired machine is called \"localhost\"")
        .says("blit pair");
}

#[test]
fn a_peer_that_the_daemon_forgot_is_refused() {
    let mut two = Two::new();
    two.daemon.kill();
    std::fs::remove_file(two.scratch.path("daemon-state/peers.toml")).unwrap();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon = Two::start(&two.scratch, &listen, &[]);
    let _ = two
        .blit(&["ls", &there("m")])
        .exits(6)
        .says("not paired here");
}

#[test]
fn another_key_is_refused_with_both_fingerprints() {
    let mut two = Two::new();
    two.daemon.kill();
    std::fs::remove_dir_all(two.scratch.path("daemon-state")).unwrap();
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon = Two::start(&two.scratch, &listen, &[]);
    let ran = two.blit(&["ls", &there("m")]).exits(6);
    let keys = fingerprints(&ran.stderr);
    assert!(keys.iter().all(|key| key.len() > 8), "{ran}");
    assert_ne!(keys[0], keys[1]);
    let json = two.blit(&["ls", &there("m"), "--json"]);
    let names = [(keys[0], "KNOWN"), (keys[1], "FOUND")];
    golden("auth.key_changed", &ran, &json, &names);
}

/// The two that stand in `expected KEY, got KEY: …`.
fn fingerprints(said: &str) -> [&str; 2] {
    let (_, after) = said.split_once("expected ").unwrap();
    let (known, after) = after.split_once(", got ").unwrap();
    [known, after.split_once(':').unwrap().0]
}

/// Compares what was said with the golden text that stands among those of the command line.
#[track_caller]
pub(crate) fn golden(slug: &str, people: &Ran, programs: &Ran, names: &[(&str, &str)]) {
    let (people, programs) = (Told::by(people, names), Told::by(programs, names));
    let text = blit_conform::golden::text(slug, &people, Some(&programs));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/blackbox/slugs/golden");
    snapbox::Assert::new()
        .normalize_paths(false)
        .action_env(snapbox::assert::DEFAULT_ACTION_ENV)
        .eq(
            text,
            snapbox::Data::read_from(&folder.join(format!("{slug}.txt")), None),
        );
}

#[test]
fn a_machine_that_does_not_answer_is_unreachable() {
    let mut two = Two::new();
    two.daemon.kill();
    let port = format!(":{}", two.daemon.port());
    let typed = ["copy", ".", &there("m/")];
    let ran = two.blit(&typed).exits(8);
    let json = two.command(&typed).arg("--json").run();
    golden("net.unreachable", &ran, &json, &[(&*port, ":PORT")]);
}

#[test]
fn an_unknown_module_is_answered_with_those_that_may_be_seen() {
    let two = Two::new();
    std::fs::write(two.scratch.path("f"), "").unwrap();
    let _ = two
        .blit(&["copy", "f", &there("none/")])
        .exits(5)
        .says("no module is called \"none\"; there are: m, ro");
}

#[test]
fn a_read_only_module_is_refused_without_a_single_mutating_call() {
    if !need_root("strace") || !need_tool("strace") {
        return;
    }
    let mut two = Two::new();
    two.daemon.kill();
    let log = two.scratch.path("calls");
    let calls = "trace=openat,openat2,mkdirat,unlinkat,renameat2,linkat,symlinkat,fchmod,fchown,utimensat,fsetxattr,ftruncate";
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    let wrapper = [
        "strace",
        "-D",
        "-f",
        "-e",
        calls,
        "-o",
        log.to_str().unwrap(),
    ];
    two.daemon = Two::start(&two.scratch, &listen, &wrapper);
    let module = two.scratch.directory("ro");
    std::fs::write(module.join("there"), "old").unwrap();
    std::fs::write(two.scratch.path("there"), "new").unwrap();
    let before = Snapshot::of(&module);
    for verb in ["copy", "mirror", "move"] {
        let _ = two
            .blit(&[verb, "there", &there("ro/")])
            .exits(6)
            .says("read-only");
    }
    let changed = before.differences(&Snapshot::of(&module), Options::untouched());
    assert!(changed.is_empty(), "{changed:#?}");
    let log = std::fs::read_to_string(&log).unwrap();
    let served = log.split("listen(").last().unwrap();
    let mutating = [
        "mkdirat(",
        "unlinkat(",
        "renameat2(",
        "linkat(",
        "symlinkat(",
        "O_CREAT",
        "O_TMPFILE",
    ];
    let found: Vec<&str> = served
        .lines()
        .filter(|line| line.contains("/ro") && mutating.iter().any(|call| line.contains(call)))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_add_only_module_takes_what_is_new_and_keeps_what_is_there() {
    let scratch = Scratch::new();
    let module = scratch.directory("drop");
    std::fs::write(module.join("there"), "old").unwrap();
    let arguments = [
        "--config=/dev/null".into(),
        "--listen=127.0.0.1:0".into(),
        format!("--module=drop={}:add", module.display()).into(),
    ];
    let state = scratch.path("daemon-state");
    let daemon = crate::bench::Daemon::start(&[], &state, &arguments);
    let host = format!("{HOST}:{}", daemon.port());
    client(&scratch)
        .args(["pair", &host, &daemon.invitation])
        .run()
        .succeeds();
    let source = scratch.directory("source");
    std::fs::write(source.join("there"), "newer").unwrap();
    std::fs::write(source.join("new"), "new").unwrap();
    client(&scratch)
        .args(["copy", "source/", &there("drop/")])
        .run()
        .succeeds();
    assert_eq!(
        std::fs::read_to_string(module.join("there")).unwrap(),
        "old"
    );
    assert_eq!(std::fs::read_to_string(module.join("new")).unwrap(), "new");
    let _ = client(&scratch)
        .args(["mirror", "-y", "source/", &there("drop/")])
        .run()
        .exits(6);
}

#[test]
fn garbage_on_the_port_ends_that_socket_and_nothing_else() {
    let two = Two::new();
    for junk in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x16, 3, 1, 255, 255],
        &[0; 100_000],
    ] {
        let mut socket = TcpStream::connect(&two.daemon.address).unwrap();
        // It may hang up in the middle.
        let _ = socket.write_all(junk);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        assert!(
            answer.len() < 64,
            "{} bytes in answer to junk",
            answer.len()
        );
    }
    two.blit(&["ls", &there("m")]).succeeds();
}
