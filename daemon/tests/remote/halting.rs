//! A daemon whose key or peers cannot be believed.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::bench::{Two, there};

/// A daemon that may not come so far as to listen.
struct Started {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Started {
    fn again(two: &Two) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blit-daemon"));
        command
            .arg("--state-dir")
            .arg(two.scratch.path("daemon-state"));
        command.arg("--config").arg(two.scratch.path("daemon.toml"));
        command.args(["--listen", &two.daemon.address]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads what it says until one line holds that.
    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(
                self.lines.read_line(&mut line).unwrap(),
                0,
                "{words:?} was never said"
            );
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn health(two: &Two) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blit-daemon"));
    command
        .args(["healthcheck", "--config"])
        .arg(two.scratch.path("daemon.toml"));
    command
        .arg("--state-dir")
        .arg(two.scratch.path("daemon-state"));
    let output = command.output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Breaks that file, and looks at what the daemon does until it is whole again.
fn halts_over(file: &str) {
    let mut two = Two::new();
    two.daemon.kill();
    let broken = two.scratch.path("daemon-state").join(file);
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, "neither a key nor a peer").unwrap();
    let mut daemon = Started::again(&two);
    daemon.wait_for("SAFE_HALT");
    let status = two.blit(&["status"]).exits(0).stdout;
    assert!(
        status.contains("trouble    SAFE_HALT: nobody is served"),
        "{status}"
    );
    assert!(status.contains(file_name(file)), "{status}");
    let (code, told) = health(&two);
    assert_eq!(code, Some(1));
    assert!(told.contains("SAFE_HALT"), "{told}");
    // Nobody listens, and nothing took the place of what is broken.
    two.blit(&["ls", &there("m")]).exits(8);
    let _ = two.blit(&["pair"]).says("SAFE_HALT");
    assert_eq!(fs::read(&broken).unwrap(), b"neither a key nor a peer");
    fs::write(&broken, whole).unwrap();
    daemon.wait_for("ready");
    two.blit(&["ls", &there("m")]).succeeds();
    assert_eq!(health(&two).0, Some(0));
}

fn file_name(file: &str) -> &str {
    Path::new(file).file_name().unwrap().to_str().unwrap()
}

#[test]
fn peers_that_cannot_be_read_halt_the_daemon_until_they_can() {
    halts_over("peers.toml");
}

#[test]
fn a_key_that_cannot_be_read_is_never_replaced_by_a_new_one() {
    halts_over("identity/node.key");
}
