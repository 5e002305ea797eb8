//! What crosses in clear passes inside the kernel, at both ends: `sendfile` out, `splice` in.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use blit_conform::{assert_same, need_root, need_tool};

use crate::bench::{Two, Way, contents, there};

const SIZE: u64 = 12 << 20;

/// All by which bytes could pass through the process, and the two by which they should not have to.
const MOVING: &str = "trace=read,pread64,readv,preadv,preadv2,recvfrom,recvmsg,recvmmsg,\
                      write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg,vmsplice,tee,\
                      process_vm_readv,copy_file_range,sendfile,splice";

fn strace(log: &Path) -> Vec<String> {
    let log = log.to_str().unwrap();
    [
        "strace", "-D", "-f", "-qq", "-e", MOVING, "-s", "0", "-o", log,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// How many bytes each call moved.
fn moved(log: &Path) -> BTreeMap<String, u64> {
    let mut moved = BTreeMap::new();
    for line in std::fs::read_to_string(log).unwrap().lines() {
        let Some((call, result)) = line.rsplit_once(" = ") else {
            continue;
        };
        let (_, call) = call.split_once(' ').unwrap();
        let call = call.trim_start().trim_start_matches("<... ");
        let name = call.split(['(', ' ']).next().unwrap();
        if let Ok(bytes) = result.trim().parse::<u64>() {
            *moved.entry(name.to_owned()).or_default() += bytes;
        }
    }
    moved
}

/// How much passed through the process, and how much by `sendfile` and `splice`.
fn paths(log: &Path) -> (u64, u64, u64) {
    let mut moved = moved(log);
    let mut of = |name| moved.remove(name).unwrap_or_default();
    let (sendfile, splice) = (of("sendfile"), of("splice"));
    (moved.values().sum(), sendfile, splice)
}

/// Copies a file there and back; answers what the logs of both ends say of each way: sent by whom.
fn both_ways(way: Way) -> [[(u64, u64, u64); 2]; 2] {
    let mut daemon_log = None;
    let two = Two::under(way, |scratch| {
        let log = scratch.path("daemon-calls");
        let words = strace(&log);
        daemon_log = Some(log);
        words
    });
    let daemon_log = daemon_log.unwrap();
    let source = two.scratch.directory("source");
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at * at % 251) as u8).collect();
    std::fs::write(source.join("large"), &bytes).unwrap();
    let back = two.scratch.directory("back");
    let transfers: [[OsString; 3]; 2] = [
        ["copy".into(), contents(&source), there("m/").into()],
        ["copy".into(), there("m/").into(), contents(&back)],
    ];
    let mut seen = Vec::new();
    for (number, words) in transfers.iter().enumerate() {
        let client_log = two.scratch.path(format!("client-calls-{number}"));
        std::fs::write(&daemon_log, "").unwrap();
        let ran = two.command_under(words, strace(&client_log)).run();
        let _ = ran.exits(0).says(way.words());
        seen.push([paths(&client_log), paths(&daemon_log)]);
    }
    assert_same(&source, &two.module());
    assert_same(&source, &back);
    [seen[0], seen[1]]
}

fn stays_in_the_kernel(way: Way) {
    if !need_root("strace") || !need_tool("strace") {
        return;
    }
    let [[client, daemon], [puller, source]] = both_ways(way);
    for (sender, receiver) in [(client, daemon), (source, puller)] {
        let all = format!("{way:?}: {sender:?} {receiver:?}");
        // Everything else that is said, files of configuration and libraries among it.
        assert!(sender.0 < SIZE / 4 && receiver.0 < SIZE / 4, "{all}");
        assert_eq!(sender.1, SIZE, "{all}");
        // Into a pipe, and out of it.
        assert_eq!(receiver.2, 2 * SIZE, "{all}");
    }
}

#[test]
fn on_a_trusted_network_payload_passes_only_through_sendfile_and_splice() {
    stays_in_the_kernel(Way::Trusted);
}

#[test]
fn on_one_machine_payload_passes_only_through_sendfile_and_splice() {
    stays_in_the_kernel(Way::Tcp);
}

#[test]
fn between_two_processes_payload_passes_only_through_sendfile_and_splice() {
    stays_in_the_kernel(Way::Unix);
}

#[test]
fn what_is_encrypted_passes_through_both_processes() {
    if !need_root("strace") || !need_tool("strace") {
        return;
    }
    for side in both_ways(Way::Encrypted).as_flattened() {
        let (through, sendfile, splice) = *side;
        assert!(through >= 2 * SIZE, "{side:?}");
        assert_eq!((sendfile, splice), (0, 0));
    }
}
