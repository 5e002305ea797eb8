//! What the README says, as it is written.

use std::process::Command;

use blit_conform::{Scratch, assert_same, need_root, need_tool};

use crate::bench::{Daemon, HOST, Two, client, ip, there};

#[test]
fn one_pasted_line_pairs_two_machines_and_serves_once() {
    let two = Two::strangers();
    let host = format!("{HOST}:{}", two.daemon.port());
    let paired = two.blit(&["pair", &host, &two.daemon.invitation]).exits(0);
    assert!(paired.stderr.contains("Paired with localhost"), "{paired}");
    let listed = two.blit(&["list", HOST]).exits(0);
    assert!(
        listed.stdout.contains("localhost:/m/\tread-write"),
        "{listed}"
    );
    assert!(
        listed.stdout.contains("localhost:/ro/\tread-only"),
        "{listed}"
    );
    let other = Scratch::new();
    let again = client(&other)
        .args(["pair", &host, &two.daemon.invitation])
        .run();
    let _ = again.exits(6).says("does not let this machine in");
}

#[test]
fn a_second_machine_is_invited_by_the_command_line() {
    let two = Two::new();
    let invited = two.blit(&["pair"]).exits(0);
    let invitation = invited.stdout.trim().rsplit(' ').next().unwrap().to_owned();
    let other = Scratch::new();
    let host = format!("{HOST}:{}", two.daemon.port());
    client(&other)
        .args(["pair", &host, &invitation])
        .run()
        .succeeds();
    client(&other).args(["ls", &there("m")]).run().succeeds();
}

#[test]
fn the_quick_start_works_between_two_namespaces() {
    if !need_root("network namespaces") || !need_tool("ip") || !need_tool("nsenter") {
        return;
    }
    let net = Namespaces::new();
    let scratch = Scratch::new();
    let photos = scratch.directory("photos");
    let pictures = scratch.directory("pictures");
    std::fs::write(pictures.join("a.jpg"), "a picture").unwrap();
    let arguments = [
        "--config=/dev/null".into(),
        "--name=nas".into(),
        "--listen=10.77.0.1:9031".into(),
        format!("--module=photos={}:rw", photos.display()).into(),
    ];
    let state = scratch.path("daemon-state");
    let daemon = Daemon::start(
        &net.inside("nas").each_ref().map(String::as_str),
        &state,
        &arguments,
    );
    let inside = net.inside("pc");
    let run = |words: &[&str]| client(&scratch).under(inside.clone()).args(words).run();
    run(&["pair", "10.77.0.1", &daemon.invitation]).succeeds();
    run(&["copy", "pictures/", "10.77.0.1:/photos/"]).succeeds();
    assert_same(&pictures, &photos);
    run(&["copy", "10.77.0.1:/photos/", "back/"]).succeeds();
    assert_same(&pictures, &scratch.path("back"));
}

/// Two network namespaces with a cable between them.
pub(crate) struct Namespaces {
    names: [String; 2],
}

impl Namespaces {
    pub(crate) fn new() -> Self {
        let id = std::process::id();
        let names = [format!("blit{id}nas"), format!("blit{id}pc")];
        let net = Self { names };
        let (nas, pc) = (&net.names[0], &net.names[1]);
        for name in [nas, pc] {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        ip(&[
            "-n", nas, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", pc,
        ]);
        for (name, address) in [(nas, "10.77.0.1/24"), (pc, "10.77.0.2/24")] {
            ip(&["-n", name, "address", "add", address, "dev", "cable"]);
            ip(&["-n", name, "link", "set", "cable", "up"]);
        }
        net
    }

    pub(crate) fn name(&self, which: &str) -> &str {
        let mut names = self.names.iter();
        names.find(|name| name.ends_with(which)).unwrap()
    }

    /// The words that run a program in one of them.
    pub(crate) fn inside(&self, which: &str) -> [String; 2] {
        into_namespace(self.name(which))
    }
}

/// The words that run a program in a network namespace. Unlike `ip netns exec` they make no mount
/// namespace, which would keep images of other tests mounted.
pub(crate) fn into_namespace(name: &str) -> [String; 2] {
    ["nsenter".to_owned(), format!("--net=/run/netns/{name}")]
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}
