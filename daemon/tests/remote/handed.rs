//! A socket that the service manager opened, and what the process gave up.

use std::{fs, net::TcpListener, os::fd::AsRawFd, process::Command};

use blit_conform::Scratch;

use crate::bench::{Daemon, HOST, Two, client};

/// Starts a program with an open socket as the service manager does: as number 3, named by the variables.
const HAND_OVER: &str = "exec 3<&\"$0\" && export LISTEN_PID=$$ LISTEN_FDS=1 && exec \"$@\"";

fn started(scratch: &Scratch, socket: &TcpListener) -> Daemon {
    let module = format!("--module=m={}:rw", scratch.directory("m").display());
    let number = socket.as_raw_fd();
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).unwrap();
    // That it would listen on is not tried: it cannot be bound.
    let words = [
        "--config=/dev/null",
        "--name=nas",
        "--listen=203.0.113.1:1",
        &module,
    ];
    let words = words.map(Into::into);
    let wrapper = ["bash", "-c", HAND_OVER, &number.to_string()];
    Daemon::start(&wrapper, &scratch.path("daemon-state"), &words)
}

#[test]
fn a_socket_that_is_handed_over_is_served_and_outlives_the_daemon() {
    let scratch = Scratch::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let mut daemon = started(&scratch, &socket);
    assert_eq!(daemon.port(), port);
    let host = format!("{HOST}:{port}");
    client(&scratch)
        .args(["pair", &host, &daemon.invitation])
        .run()
        .succeeds();
    daemon.kill();
    // Nobody is refused meanwhile: who comes now is served by the next one.
    let scratch_of_client = &scratch;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            client(scratch_of_client)
                .args(["ls", &format!("{HOST}:/m/")])
                .run()
                .succeeds();
        });
        let _next = started(&scratch, &socket);
        waiting.join().unwrap();
    });
}

#[test]
fn the_daemon_has_given_up_calls_for_good() {
    let two = Two::new();
    let status = fs::read_to_string(format!("/proc/{}/status", two.daemon.id())).unwrap();
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let told = two.blit(&["status"]).exits(0).stdout;
    let held = "confined   system calls, files of each module";
    match blit_confine::can_confine() {
        Ok(()) => assert!(told.contains(held), "{told}"),
        Err(why) => assert!(told.contains(&format!("({why})")), "{told}"),
    }
}

/// Follows which threads gave up files, and which opened the file of the module.
#[test]
fn a_file_of_a_module_is_opened_by_threads_that_reach_nothing_else() {
    if blit_confine::can_confine().is_err() {
        return eprintln!("NOT SHOWN: this kernel has no Landlock");
    }
    let two = Two::new();
    fs::write(two.module().join("seen"), "1").unwrap();
    let log = two.scratch.path("trace");
    let mut trace = Command::new("strace")
        .args([
            "-f",
            "-e",
            "trace=openat,openat2,landlock_restrict_self",
            "-o",
        ])
        .arg(&log)
        .args(["-p", &two.daemon.id().to_string()])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It says so once it follows.
    let mut said = std::io::BufReader::new(trace.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut String::new()).unwrap();
    two.blit(&["copy", &crate::bench::there("m/seen"), "back"])
        .succeeds();
    // It writes the rest of its log when it is asked to end.
    let id = trace.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    trace.wait().unwrap();
    let text = fs::read_to_string(log).unwrap();
    let restricted = text.find("landlock_restrict_self").unwrap();
    let opened = text.find("\"seen\"").unwrap();
    assert!(restricted < opened, "{text}");
}
