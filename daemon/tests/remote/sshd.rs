//! A real sshd on loopback, and ssh that knows it.

use std::{
    fs,
    net::{Shutdown, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use blit_conform::{Blit, Scratch, need_root, need_tool};

use crate::bench::client;

/// The daemon that these tests are about.
const DAEMON: &str = env!("CARGO_BIN_EXE_blit-daemon");

/// Whether there can be one: it changes its user, and is not everywhere.
pub(crate) fn can_serve() -> bool {
    need_root("sshd") && need_tool("sshd") && need_tool("ssh-keygen")
}

/// Serves until it is dropped: one sshd for each connection, which holds the socket itself.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    folder: PathBuf,
    connections: Connections,
}

type Connections = Arc<Mutex<Vec<(TcpStream, Child)>>>;

impl Sshd {
    /// One that lets in whoever has the key that is beside it in `scratch`.
    pub(crate) fn start(scratch: &Scratch) -> Self {
        let folder = scratch.directory("ssh");
        // Where its unprivileged half is locked in.
        fs::create_dir_all("/run/sshd").unwrap();
        for name in ["host", "user", "stranger"] {
            let file = folder.join(name);
            let words = ["-q", "-t", "ed25519", "-N", "", "-f"];
            let made = Command::new("ssh-keygen").args(words).arg(file).status();
            assert!(made.unwrap().success());
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sshd = Self {
            port: listener.local_addr().unwrap().port(),
            folder,
            connections: Connections::default(),
        };
        sshd.configure(scratch);
        let (config, log) = (sshd.path("sshd_config"), sshd.path("log"));
        let connections = Arc::clone(&sshd.connections);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let socket = socket.unwrap();
                let child = Command::new(sshd_path())
                    .args(["-i", "-E", &log, "-f", &config])
                    .stdin(OwnedFd::from(socket.try_clone().unwrap()))
                    .stdout(OwnedFd::from(socket.try_clone().unwrap()))
                    .stderr(Stdio::null())
                    .spawn();
                connections.lock().unwrap().push((socket, child.unwrap()));
            }
        });
        sshd
    }

    fn configure(&self, scratch: &Scratch) {
        let of = |name: &str| self.path(name);
        let key = fs::read_to_string(of("host.pub")).unwrap();
        fs::write(of("known"), format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
        fs::copy(of("user.pub"), of("authorized")).unwrap();
        // Where `~` is for whoever comes in.
        let home = scratch.directory("home");
        let text = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             SetEnv HOME={}\n",
            of("host"),
            of("authorized"),
            home.display(),
        );
        fs::write(of("sshd_config"), text).unwrap();
        for (name, key) in [("config", "user"), ("stranger_config", "stranger")] {
            let text = format!(
                "Host nas stranger\n HostName 127.0.0.1\n Port {}\n\
                 Host *\n IdentityFile {}\n IdentitiesOnly yes\n UserKnownHostsFile {}\n \
                 GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking yes\n",
                self.port,
                of(key),
                of("known"),
            );
            fs::write(of(name), text).unwrap();
            let text = format!("#!/bin/sh\nexec ssh -F {} \"$@\"\n", of(name));
            write_program(&self.folder.join(format!("ssh_{name}")), &text);
        }
        // A name of its own, by which its processes are found.
        std::os::unix::fs::symlink(DAEMON, of("blit-daemon")).unwrap();
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// The command line with a way to it.
    pub(crate) fn client(&self, scratch: &Scratch) -> Blit {
        client(scratch)
            .env("BLIT_SSH_PROGRAM", self.path("ssh_config"))
            .env("BLIT_SSH_DAEMON", self.path("blit-daemon"))
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        for (socket, _) in &*self.connections.lock().unwrap() {
            // It may be over already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// The processes that were started through it, and those of ssh that lead to it.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let folder = self.folder.to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap();
        let numbers =
            processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        numbers
            .filter(|id: &u32| {
                let line = fs::read_to_string(format!("/proc/{id}/cmdline"));
                line.is_ok_and(|line| {
                    let words: Vec<&str> = line.split('\0').collect();
                    let is_ours = |word: &&str| word.starts_with(folder);
                    words.iter().any(is_ours) && (words[0] == "ssh" || words[0].starts_with(folder))
                })
            })
            .collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut();
        for (_, child) in &mut *self.connections.lock().unwrap() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// sshd wants to be called by its whole path.
fn sshd_path() -> &'static Path {
    let paths = ["/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"].map(Path::new);
    paths.into_iter().find(|path| path.is_file()).unwrap()
}

/// Writes a script.
pub(crate) fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
