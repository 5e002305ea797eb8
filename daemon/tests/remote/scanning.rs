//! Daemons that are found on the local network, in networks of the tests' own.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use blit_conform::{Ran, Scratch, need_root, need_tool};

use crate::{
    bench::{Daemon, client, ip},
    first_steps::Namespaces,
};

/// Two machines on one network, where multicast has a way.
struct Lan {
    net: Namespaces,
    scratch: Scratch,
}

impl Lan {
    /// `None` where there can be none.
    fn new() -> Option<Self> {
        if !need_root("network namespaces") || !need_tool("ip") || !need_tool("nsenter") {
            return None;
        }
        let (net, scratch) = (Namespaces::new(), Scratch::new());
        for which in ["nas", "pc"] {
            let name = net.name(which);
            ip(&["-n", name, "route", "add", "224.0.0.0/4", "dev", "cable"]);
        }
        let _ = scratch.directory("marker-of-path");
        Some(Self { net, scratch })
    }

    /// A daemon on the one, with a module or without.
    fn daemon(&self, name: &str, listen: &str, more: &[&str]) -> Daemon {
        let mut arguments: Vec<_> = ["--config=/dev/null", "--name", name, "--listen", listen]
            .map(Into::into)
            .into();
        arguments.extend(more.iter().map(Into::into));
        let state = self.scratch.path(format!("{name}-state"));
        Daemon::start(
            &self.net.inside("nas").each_ref().map(String::as_str),
            &state,
            &arguments,
        )
    }

    fn module(&self) -> String {
        let path = self.scratch.path("marker-of-path");
        format!("--module=marker-of-module={}:rw", path.display())
    }

    /// The other runs a command.
    fn pc(&self, words: &[&str]) -> Ran {
        client(&self.scratch)
            .under(self.net.inside("pc"))
            .args(words)
            .run()
    }

    /// Scans until somebody is found: a daemon first asks whether its name is free.
    fn scan_until_found(&self, name: &str) -> String {
        for _ in 0..20 {
            let found = self.pc(&["scan"]).exits(0).stdout;
            if found
                .lines()
                .any(|line| line.starts_with(&format!("{name}\t")))
            {
                return found;
            }
        }
        panic!("{name} was never found");
    }
}

#[test]
fn a_daemon_is_found_once_it_shares_something_and_tells_nothing_of_what_it_shares() {
    let Some(lan) = Lan::new() else { return };
    let module = lan.module();
    let _without = lan.daemon("nothing", "10.77.0.1:9033", &[]);
    let _unwilling = lan.daemon("unwilling", "10.77.0.1:9032", &["--no-mdns", &module]);
    let mut nas = lan.daemon("nas", "10.77.0.1:9031", &[&module]);
    let found = lan.scan_until_found("nas");
    assert_eq!(found.lines().count(), 1, "{found}");
    assert!(found.contains("\t10.77.0.1:9031\tnot paired"), "{found}");
    assert!(!found.contains("marker"), "{found}");
    // No name server knows it.
    lan.pc(&["pair", "nas", &nas.invitation]).succeeds();
    let json = lan.pc(&["scan", "--json"]).exits(0).stdout;
    assert!(
        json.contains("\"kind\":\"neighbour\"") && json.contains("paired as nas"),
        "{json}"
    );
    let shown = lan.pc(&["remote", "show", "nas"]).exits(0).stdout;
    assert!(
        shown.contains("nas is paired") && shown.contains("announced  nas"),
        "{shown}"
    );
    let doctor = lan.pc(&["doctor", "nas:"]).exits(0).stdout;
    assert!(doctor.contains("ok       mDNS"), "{doctor}");
    let _ = lan
        .pc(&["remote", "show", "nobody"])
        .exits(5)
        .says("blit scan");
    // It moves, as machines do whose addresses are lent to them.
    nas.kill();
    let name = lan.net.name("nas").to_owned();
    ip(&[
        "-n",
        &name,
        "address",
        "add",
        "10.77.0.3/24",
        "dev",
        "cable",
    ]);
    let _moved = lan.daemon("nas", "10.77.0.3:9031", &[&module]);
    lan.scan_until_found("nas");
    // On a busy machine its answer may take longer than anybody waits for it.
    let mut tries = (0..5).map(|_| lan.pc(&["ls", "nas:/marker-of-module"]));
    assert!(tries.any(|ran| ran.code == Some(0)), "it was not found");
}

/// Sends every file of a folder to everybody on the network, again and again, until it is dropped.
struct Sender(Child);

impl Sender {
    fn new(lan: &Lan, folder: &Path) -> Self {
        let send = "while :; do for it in \"$0\"/*; do cat \"$it\" > /dev/udp/224.0.0.251/5353; done; \
                    sleep 0.1; done";
        let inside = lan.net.inside("nas");
        let mut command = Command::new(&inside[0]);
        command
            .args(&inside[1..])
            .args(["bash", "-c", send])
            .arg(folder);
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What somebody who calls himself `name` announces.
fn announced(name: &[u8], text: &[&[u8]]) -> Vec<u8> {
    const SERVICE: [&[u8]; 3] = [b"_blit", b"_tcp", b"local"];
    let labels = |labels: &[&[u8]]| -> Vec<u8> {
        let labels = labels.iter().map(|it| [&[it.len() as u8], *it].concat());
        [labels.collect::<Vec<_>>().concat(), vec![0]].concat()
    };
    let record = |name: &[u8], kind: u16, data: &[u8]| {
        let mut record = [name, &kind.to_be_bytes(), &[0, 1], &[0, 0, 0, 120]].concat();
        record.extend((data.len() as u16).to_be_bytes());
        record.extend(data);
        record
    };
    let [a, b, c] = SERVICE;
    let (instance, host) = (labels(&[name, a, b, c]), labels(&[b"evil", c]));
    let text: Vec<u8> = text
        .iter()
        .flat_map(|it| [&[it.len() as u8], *it].concat())
        .collect();
    let port = [&[0, 0, 0, 0, 0x23, 0x47], &*host].concat();
    let records = [
        record(&labels(&SERVICE), 12, &instance),
        record(&instance, 33, &port),
        record(&instance, 16, &text),
        record(&host, 1, &[10, 77, 0, 1]),
    ];
    let head = [0, 0, 0x84, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    [&head[..], &records.concat()].concat()
}

#[test]
fn a_hostile_neighbour_neither_ends_a_scan_nor_reaches_the_terminal_nor_takes_a_name() {
    let Some(lan) = Lan::new() else { return };
    let nas = lan.daemon("nas", "10.77.0.1:9031", &[&lan.module()]);
    lan.pc(&["pair", "10.77.0.1", &nas.invitation]).succeeds();
    let good: [&[u8]; 3] = [b"txtvers=1", b"proto=1-1", b"id=AAAAAAAA"];
    let with_id = |id: &[u8]| announced(b"bad", &[good[0], good[1], id]);
    let packets = [
        ("good", announced(b"good", &good)),
        ("same-name", announced(b"nas", &good)),
        ("terminal", announced(b"a\x1b[2J", &good)),
        ("id", with_id(b"id=A\x1b[2JAA")),
        ("no-text", announced(b"silent", &[])),
        // A name that leads to itself.
        (
            "loop",
            [
                &[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0][..],
                &[0xc0, 12, 0, 12, 0, 1],
            ]
            .concat(),
        ),
        ("cut", announced(b"cut", &good)[..40].to_vec()),
        ("long", announced(b"long", &vec![&[b'x'; 255][..]; 200])),
        ("junk", vec![0xff; 1_000]),
    ];
    let folder = lan.scratch.directory("packets");
    for (name, packet) in packets {
        std::fs::write(folder.join(name), packet).unwrap();
    }
    let sender = Sender::new(&lan, &folder);
    // What is well-formed is heard, so the rest has been heard, too.
    let found = lan.scan_until_found("good");
    drop(sender);
    assert!(!found.contains('\x1b'), "{found:?}");
    for row in found.lines() {
        let is_fake = row.starts_with("good\tAAAAAAAA\t") || row.starts_with("nas\tAAAAAAAA\t");
        // The real one may have to call itself something else, and is known by its key all the same.
        let is_real = row.starts_with("nas") && row.ends_with("\tpaired as 10.77.0.1");
        assert!(
            (is_fake && row.ends_with("\tnot paired")) || is_real,
            "{row:?}"
        );
    }
    // Whoever calls himself so is not dialled in its place.
    let _ = lan.pc(&["ls", "nas:/marker-of-module"]).exits(6);
    lan.pc(&["ls", "10.77.0.1:/marker-of-module"]).succeeds();
}
