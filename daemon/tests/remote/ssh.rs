//! `ssh://HOST/PATH`, through a real sshd.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use blit_conform::{Blit, Scratch, assert_same, tree::nasty_tree};

use crate::{
    bench::contents,
    refusals::golden,
    sshd::{Sshd, can_serve, write_program},
};

/// This machine, and the same over ssh.
struct Login {
    scratch: Scratch,
    sshd: Sshd,
}

impl Login {
    /// `None`: there is no sshd here.
    fn new() -> Option<Self> {
        can_serve().then(|| {
            let scratch = Scratch::new();
            let sshd = Sshd::start(&scratch);
            Self { scratch, sshd }
        })
    }

    fn blit(&self, words: &[&str]) -> Blit {
        self.sshd.client(&self.scratch).args(words)
    }

    /// That place in scratch, as it is named over ssh.
    fn there(&self, path: &str) -> String {
        format!("ssh://nas{}/{path}", self.scratch.root().display())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.scratch.path(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Waits until nothing that was started through it runs any more.
    fn wait_for_silence(&self) {
        for _ in 0..3_000 {
            if self.sshd.processes().is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("still there: {:?}", self.sshd.processes());
    }
}

/// Files large enough that a transfer can be met in its middle.
fn fill(source: &Path) {
    fs::create_dir_all(source).unwrap();
    for number in 0..60_u8 {
        fs::write(source.join(format!("f{number:02}")), vec![number; 2 << 20]).unwrap();
    }
}

#[test]
fn every_verb_works_with_a_login_and_nothing_else() {
    let Some(login) = Login::new() else { return };
    login.write("t/a/one", "1");
    login.write("t/two", "22");
    let says = |words: &[&str]| login.blit(words).run().exits(0).stdout;
    let at = |path: &str| login.there(path);
    assert_eq!(
        says(&["ls", &at("t")]),
        format!("{0}/a\n{0}/two\n", at("t"))
    );
    assert_eq!(says(&["ls", &at("t/two")]), format!("{}\n", at("t/two")));
    let found = says(&["find", &at("t"), "one"]);
    assert_eq!(found, format!("{}\n", at("t/a/one")));
    assert!(says(&["du", &at("t")]).contains(&at("t")));
    let room = |place: &str| {
        let row = says(&["df", place]);
        row.split('\t').next().unwrap().to_owned()
    };
    assert_eq!(room(&at("t")), room("t"));
    assert!(says(&["doctor", &at("t")]).contains("ok       connection "));
    login.blit(&["check", "t/", &at("t/")]).run().succeeds();
    login.blit(&["rm", "-r", "-y", &at("t/a")]).run().succeeds();
    assert!(!login.path("t/a").exists() && login.path("t/two").exists());
    let _ = login.blit(&["rm", "-r", "-y", "ssh://nas/"]).run().exits(7);
    let _ = login
        .blit(&["ls", &at("none")])
        .run()
        .exits(5)
        .says("path not found");
    let _ = login
        .blit(&["copy", &at("none"), "x"])
        .run()
        .exits(5)
        .says("source not found");
    let _ = login.blit(&["copy", &at("t/two/"), "x"]).run().exits(5);
    // No key of this user was made, no peer is known.
    assert!(!login.path("client-state/identity").exists());
}

#[test]
fn links_mean_the_same_as_on_one_machine() {
    let Some(login) = Login::new() else { return };
    login.write("real/f", "f");
    symlink("real", login.path("link")).unwrap();
    login.write("new", "new");
    // A destination that is a link to a directory is that directory.
    login
        .blit(&["copy", "new", &login.there("link")])
        .run()
        .succeeds();
    assert_eq!(login.read("real/new"), "new");
    assert!(login.path("link").is_symlink());
    // A source that is a link is the link; with a slash, what it leads to.
    login
        .blit(&["copy", &login.there("link"), "got"])
        .run()
        .succeeds();
    assert!(login.path("got").is_symlink());
    login
        .blit(&["copy", &login.there("link/"), "all"])
        .run()
        .succeeds();
    assert_same(&login.path("real"), &login.path("all"));
    let listed = login
        .blit(&["ls", &login.there("link")])
        .run()
        .exits(0)
        .stdout;
    assert!(listed.contains(&login.there("link/f")), "{listed}");
    // A place may lead through one.
    login
        .blit(&["copy", &login.there("link/f"), "through"])
        .run()
        .succeeds();
    assert_eq!(login.read("through"), "f");
    login.blit(&["rm", &login.there("link")]).run().succeeds();
    assert!(!login.path("link").is_symlink() && login.path("real/f").exists());
}

#[test]
fn a_tilde_is_the_home_directory_and_directories_above_a_target_are_made() {
    let Some(login) = Login::new() else { return };
    login.write("home/in/f", "home");
    login.write("g", "g");
    login
        .blit(&["copy", "ssh://nas/~/in/", "got"])
        .run()
        .succeeds();
    assert_eq!(login.read("got/f"), "home");
    login
        .blit(&["copy", "g", "ssh://nas/~/x/y/"])
        .run()
        .succeeds();
    assert_eq!(login.read("home/x/y/g"), "g");
    // A user, an address and a port, as ssh itself takes them.
    let typed = format!("ssh://root@127.0.0.1:{}/~/in/f", login.sshd.port);
    login.blit(&["copy", &typed, "f"]).run().succeeds();
    assert_eq!(login.read("f"), "home");
}

#[test]
fn what_a_login_prints_does_not_disturb() {
    let Some(login) = Login::new() else { return };
    let program = login.path("ssh/noisy");
    let daemon = login.sshd.path("blit-daemon");
    let text =
        format!("#!/bin/sh\necho Welcome >&2\nprintf 'You have mail'\nexec {daemon} \"$@\"\n");
    write_program(&program, &text);
    login.write("f", "f");
    let copy = login.blit(&["copy", "f", &login.there("x/")]);
    copy.env("BLIT_SSH_DAEMON", &program).run().succeeds();
    assert_eq!(login.read("x/f"), "f");
}

#[test]
fn a_connection_that_is_cut_is_made_again_and_the_copy_completes() {
    let Some(login) = Login::new() else { return };
    let source = login.path("source");
    fill(&source);
    let target = login.path("t");
    let mut words = vec!["copy".into(), "--durability=file".into(), contents(&source)];
    words.push(login.there("t/").into());
    let copy = login.blit(&[]).args(&words);
    let mut child = copy.command().spawn().unwrap();
    while !target.join("f00").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    login.sshd.cut();
    assert!(child.wait().unwrap().success());
    assert_same(&source, &target);
    assert!(login.sshd.connections() >= 2);
}

#[test]
fn a_killed_client_leaves_no_process_and_whole_files() {
    let Some(login) = Login::new() else { return };
    let source = login.path("source");
    fill(&source);
    let mut words = vec!["copy".into(), "--durability=file".into(), contents(&source)];
    words.push(login.there("t/").into());
    let copy = login.blit(&[]).args(&words);
    let mut child = copy.command().spawn().unwrap();
    while !login.path("t/f00").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    login.wait_for_silence();
    for entry in fs::read_dir(login.path("t")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with('f') {
            assert_eq!(fs::metadata(&path).unwrap().len(), 2 << 20);
        }
    }
    copy.run().succeeds();
    assert_same(&source, &login.path("t"));
    login.wait_for_silence();
}

#[test]
fn a_killed_daemon_ends_the_copy_and_ssh_with_it() {
    let Some(login) = Login::new() else { return };
    let source = login.path("source");
    fill(&source);
    let mut words = vec!["copy".into(), "--retry-for=0s".into(), contents(&source)];
    words.push(login.there("t/").into());
    let copy = login.blit(&[]).args(&words);
    let mut child = copy.command().spawn().unwrap();
    while !login.path("t").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    for id in login.sshd.processes() {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        if line.contains("--stdio") && !line.starts_with("ssh") {
            let kill = ["-KILL".to_owned(), id.to_string()];
            std::process::Command::new("kill")
                .args(kill)
                .status()
                .unwrap();
        }
    }
    let ended = child.wait().unwrap();
    // It may have been faster.
    assert!(matches!(ended.code(), Some(0 | 8)), "{ended}");
    login.wait_for_silence();
    copy.run().succeeds();
    assert_same(&source, &login.path("t"));
}

#[test]
fn a_machine_without_the_daemon_is_told_with_what_to_do() {
    let Some(login) = Login::new() else { return };
    let typed = login.blit(&["ls", "ssh://nas/"]);
    let typed = typed.env("BLIT_SSH_DAEMON", "no-such-daemon");
    let ran = typed.run().exits(8);
    let (_, cause) = ran.stderr.split_once("cause: ").unwrap();
    let said = cause.lines().next().unwrap();
    assert!(said.contains("not found"), "{ran}");
    let names = [(said, "WHAT THE SHELL SAYS")];
    golden("ssh.daemon", &ran, &typed.arg("--json").run(), &names);
}

#[test]
fn without_ssh_the_message_says_so() {
    let Some(login) = Login::new() else { return };
    let typed = login.blit(&["ls", "ssh://nas/"]);
    let typed = typed.env("BLIT_SSH_PROGRAM", "no-such-ssh");
    let ran = typed.run().exits(8);
    golden("ssh.missing", &ran, &typed.arg("--json").run(), &[]);
}

#[test]
fn a_refused_login_is_told_with_ssh_s_own_words() {
    let Some(login) = Login::new() else { return };
    let typed = login.blit(&["ls", "ssh://root@nas/"]);
    let typed = typed.env("BLIT_SSH_PROGRAM", login.sshd.path("ssh_stranger_config"));
    let ran = typed.run().exits(6);
    golden("ssh.refused", &ran, &typed.arg("--json").run(), &[]);
    // A machine that holds another key than ssh knows is refused as well.
    fs::copy(login.sshd.path("stranger.pub"), login.path("key")).unwrap();
    let key = login.read("key");
    fs::write(
        login.sshd.path("known"),
        format!("[127.0.0.1]:{} {key}", login.sshd.port),
    )
    .unwrap();
    let _ = login
        .blit(&["ls", "ssh://nas/"])
        .run()
        .exits(6)
        .says("Host key verification failed.");
}

#[test]
fn another_version_is_told_with_both() {
    let Some(login) = Login::new() else { return };
    let program = login.path("ssh/newer");
    write_program(
        &program,
        "#!/bin/sh\necho 'blit-daemon --stdio 1 90 99 9.9.9'\ncat >/dev/null\n",
    );
    let typed = login.blit(&["ls", "ssh://nas/"]);
    let typed = typed.env("BLIT_SSH_DAEMON", &program);
    let ran = typed.run().exits(11);
    golden("ssh.version", &ran, &typed.arg("--json").run(), &[]);
    login.wait_for_silence();
}

#[test]
fn a_machine_that_nobody_answers_for_is_unreachable_and_what_it_says_steers_no_terminal() {
    let Some(login) = Login::new() else { return };
    let _ = login
        .blit(&["ls", "ssh://127.0.0.1:1/"])
        .run()
        .exits(8)
        .says("127.0.0.1 cannot be reached over ssh")
        .says("Connection refused");
    let program = login.path("ssh/rude");
    write_program(
        &program,
        "#!/bin/sh\nprintf 'go \\033[2J away\\n' >&2\nexit 3\n",
    );
    let typed = login
        .blit(&["ls", "ssh://nas/"])
        .env("BLIT_SSH_DAEMON", &program);
    let ran = typed.run().exits(8).says("go \\x1B[2J away");
    assert!(!ran.stderr.contains('\x1b'), "{ran}");
}

#[test]
fn a_nasty_tree_is_the_same_whether_a_module_or_a_login_is_read() {
    let Some(login) = Login::new() else { return };
    nasty_tree(&login.scratch.directory("source"));
    login
        .blit(&["copy", &login.there("source/"), "one"])
        .run()
        .succeeds();
    assert_same(&login.path("source"), &login.path("one"));
    let _ = login
        .blit(&["mirror", "-y", &login.there("source/"), "one"])
        .run()
        .exits(0)
        .says("Nothing to do");
}
