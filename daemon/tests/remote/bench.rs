//! A daemon with modules, and a machine that is paired with it.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use blit_conform::{Blit, Ran, Scratch};

use crate::{
    first_steps::into_namespace,
    sshd::{Sshd, can_serve},
};

/// What everybody calls the daemon's machine here.
pub(crate) const HOST: &str = "localhost";

/// A daemon that runs until it is dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: String,
    /// Empty if somebody is paired already.
    pub(crate) invitation: String,
}

impl Daemon {
    /// Starts the program with these arguments, after `wrapper`.
    pub(crate) fn start(wrapper: &[&str], state: &Path, arguments: &[OsString]) -> Self {
        let binary = env!("CARGO_BIN_EXE_blit-daemon");
        let mut command = match wrapper.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command.arg("--state-dir").arg(state).args(arguments);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (mut address, mut invitation) = (String::new(), String::new());
        for line in output.lines() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once("listening on ") {
                address = rest.split(", ").next().unwrap().to_owned();
            }
            if let Some((_, rest)) = line.split_once("blit-join-") {
                invitation = format!("blit-join-{}", rest.trim());
            }
            // The last line that comes by itself.
            if !invitation.is_empty() || line == READY {
                break;
            }
        }
        assert!(
            !address.is_empty(),
            "the daemon did not say where it listens"
        );
        Self {
            child,
            address,
            invitation,
        }
    }

    pub(crate) fn port(&self) -> &str {
        self.address.rsplit_once(':').unwrap().1
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) {
        self.child.wait().unwrap();
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the daemon says last when nobody is invited.
const READY: &str = "ready";

/// Two machines that are paired: this one, and one with a module `m` that can be written and a module
/// `ro` that cannot.
pub(crate) struct Two {
    pub(crate) scratch: Scratch,
    pub(crate) daemon: Daemon,
    way: Way,
    /// After the daemon, which runs in it.
    net: Option<Net>,
    /// The other way to the same files.
    sshd: Option<Sshd>,
}

impl Two {
    pub(crate) fn new() -> Self {
        Self::over(Way::Unix)
    }

    /// Between which data crosses that way.
    pub(crate) fn over(way: Way) -> Self {
        Self::strangers_over(way).paired()
    }

    fn paired(self) -> Self {
        if self.sshd.is_some() {
            return self;
        }
        let host = format!("{HOST}:{}", self.daemon.port());
        self.blit(&["pair", &host, &self.daemon.invitation])
            .succeeds();
        self
    }

    /// The same, not paired yet.
    pub(crate) fn strangers() -> Self {
        Self::strangers_over(Way::Unix)
    }

    pub(crate) fn strangers_over(way: Way) -> Self {
        Self::strangers_under(way, |_| Vec::new())
    }

    /// Between which data crosses that way, with the daemon under the program whose words `wrapper` gives.
    pub(crate) fn under(way: Way, wrapper: impl FnOnce(&Scratch) -> Vec<String>) -> Self {
        Self::strangers_under(way, wrapper).paired()
    }

    fn strangers_under(way: Way, wrapper: impl FnOnce(&Scratch) -> Vec<String>) -> Self {
        let scratch = Scratch::new();
        let net = way.is_far().then(Net::new);
        let (address, inside) = match &net {
            Some(net) => (net.address(), net.inside()),
            None => ("127.0.0.1".to_owned(), Vec::new()),
        };
        let wrapper = [inside, wrapper(&scratch)].concat();
        let wrapper: Vec<&str> = wrapper.iter().map(|word| &**word).collect();
        let daemon = Self::start(&scratch, &format!("{address}:0"), &wrapper);
        if way == Way::Tcp {
            std::fs::remove_file(scratch.path("daemon-state/lanes.sock")).unwrap();
        }
        let sshd = (way == Way::Ssh).then(|| Sshd::start(&scratch));
        Self {
            scratch,
            daemon,
            way,
            net,
            sshd,
        }
    }

    /// A path that begins with a module, as it is named that way.
    pub(crate) fn there(&self, path: &str) -> String {
        match &self.sshd {
            Some(_) => format!("ssh://nas{}/{path}", self.scratch.root().display()),
            None => there(path),
        }
    }

    /// Starts the daemon of these two, perhaps once more.
    pub(crate) fn start(scratch: &Scratch, listen: &str, wrapper: &[&str]) -> Daemon {
        let (writable, readable) = (scratch.directory("m"), scratch.directory("ro"));
        let config = scratch.path("daemon.toml");
        let text = format!(
            "[[module]]\nname = \"m\"\npath = {writable:?}\naccess = \"read-write\"\nowner = \"preserve\"\n\
             security = \"trusted-network\"\nnetworks = [\"10.77.1.0/24\"]\n\
             [[module]]\nname = \"ro\"\npath = {readable:?}\n"
        );
        std::fs::write(&config, text).unwrap();
        let arguments = [
            "--config".into(),
            config.into_os_string(),
            "--name".into(),
            "nas".into(),
            "--listen".into(),
            listen.into(),
        ];
        Daemon::start(wrapper, &scratch.path("daemon-state"), &arguments)
    }

    /// The module that can be written.
    pub(crate) fn module(&self) -> PathBuf {
        self.scratch.path("m")
    }

    /// Runs a command of the client.
    pub(crate) fn blit<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Ran {
        self.command(words).run()
    }

    /// A command of the client that is not run yet.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Blit {
        self.command_under(words, Vec::new())
    }

    /// The same under the program of those words.
    pub(crate) fn command_under<S: AsRef<std::ffi::OsStr>>(
        &self,
        words: &[S],
        wrapper: Vec<String>,
    ) -> Blit {
        let command = match &self.sshd {
            Some(sshd) => sshd.client(&self.scratch).args(words),
            None => client(&self.scratch).args(words),
        };
        let inside = self.net.as_ref().map(Net::inside).unwrap_or_default();
        let command = match [inside, wrapper].concat() {
            wrapper if wrapper.is_empty() => command,
            wrapper => command.under(wrapper),
        };
        let is_transfer = words
            .first()
            .is_some_and(|verb| TRANSFERS.iter().any(|it| verb.as_ref() == *it));
        match self.way {
            Way::Trusted if is_transfer => command.args(["--allow-cleartext"]),
            Way::Grpc => command.env("BLIT_FORCE_GRPC_DATA", "1"),
            _ => command,
        }
    }
}

/// Runs what follows with another number of the machine's start: for the daemon it is another machine, at
/// the end of a tunnel. The mounts of other tests are let go first: this namespace would keep them.
const ELSEWHERE: &str = "grep -o ' [^ ]*blit-test-[^ ]*' /proc/self/mounts | xargs -r umount -l 2>/dev/null; \
                         mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";

impl Two {
    /// Runs a command of the client as on another machine.
    pub(crate) fn elsewhere<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Ran {
        let boot = self.scratch.path("boot_id");
        std::fs::write(&boot, "another machine\n").unwrap();
        let boot = boot.to_str().unwrap();
        self.command(words)
            .under(["unshare", "--mount", "sh", "-c", ELSEWHERE, boot])
            .run()
    }
}

/// The verbs that open lanes.
const TRANSFERS: [&str; 4] = ["copy", "mirror", "move", "check"];

/// By which way data crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Between two machines, as it is without any wish.
    Encrypted,
    /// Inside the control connection.
    Grpc,
    /// Inside what ssh gives.
    Ssh,
    /// On one machine, without a Unix socket.
    Tcp,
    /// Between two machines that trust the network.
    Trusted,
    /// On one machine.
    Unix,
}

impl Way {
    /// What the summary says of it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Encrypted => "over tcp, encrypted",
            Self::Grpc => "over grpc, encrypted",
            Self::Ssh => "over ssh, encrypted",
            Self::Tcp => "over tcp, on this machine",
            Self::Trusted => "over tcp, in clear",
            Self::Unix => "over unix, on this machine",
        }
    }

    /// Whether that way can be had here.
    pub(crate) fn is_there(self) -> bool {
        self != Self::Ssh || can_serve()
    }

    fn is_far(self) -> bool {
        matches!(self, Self::Encrypted | Self::Trusted)
    }
}

/// A network of its own with one address, which is no loopback address: for both ends another machine's.
struct Net(String);

impl Net {
    fn new() -> Self {
        let net = Self(format!("blit{}net", std::process::id()));
        ip(&["netns", "add", &net.0]);
        ip(&["-n", &net.0, "link", "set", "lo", "up"]);
        let address = format!("{}/32", net.address());
        ip(&["-n", &net.0, "address", "add", &address, "dev", "lo"]);
        net
    }

    fn address(&self) -> String {
        "10.77.1.1".to_owned()
    }

    fn inside(&self) -> Vec<String> {
        into_namespace(&self.0).into()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "delete", &self.0])
            .status();
    }
}

/// Runs `ip`.
pub(crate) fn ip(words: &[&str]) {
    let done = Command::new("ip").args(words).status().unwrap();
    assert!(done.success(), "ip {words:?}");
}

/// The command line, whose state is in `scratch`.
pub(crate) fn client(scratch: &Scratch) -> Blit {
    let daemon = PathBuf::from(env!("CARGO_BIN_EXE_blit-daemon"));
    let binary = daemon.with_file_name("blit");
    assert!(
        binary.exists(),
        "{} is missing: cargo build --workspace",
        binary.display()
    );
    Blit::at(binary)
        .env("BLIT_STATE", scratch.path("client-state"))
        .env("BLIT_DAEMON_STATE", scratch.path("daemon-state"))
        .current_dir(scratch.root())
}

/// `HOST:/module/path`.
pub(crate) fn there(path: &str) -> String {
    format!("{HOST}:/{path}")
}

/// The path with a `/` at its end: its contents.
pub(crate) fn contents(path: &Path) -> OsString {
    let mut text = path.as_os_str().to_owned();
    text.push("/");
    text
}
