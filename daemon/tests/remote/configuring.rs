//! The configuration file, changed by commands.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use crate::bench::{Two, there};

fn program(two: &Two, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blit-daemon"));
    command
        .arg("--state-dir")
        .arg(two.scratch.path("daemon-state"));
    command.arg("--config").arg(two.scratch.path("daemon.toml"));
    command.args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_module_is_added_to_the_file_and_to_the_daemon_that_runs_and_removed_again() {
    let two = Two::new();
    let config = two.scratch.path("daemon.toml");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();
    let before = format!("# Ours.\n{}", fs::read_to_string(&config).unwrap());
    fs::write(&config, &before).unwrap();
    let folder = two.scratch.directory("new");
    let place = format!("new={}:rw", folder.display());
    let ran = program(&two, &["module", "add", &place, "--comment", "the new one"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    two.blit(&["ls", &there("new")]).succeeds();
    let after = fs::read_to_string(&config).unwrap();
    assert!(
        after.starts_with(&before) && after.contains("the new one"),
        "{after}"
    );
    let mode = fs::metadata(&config).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let listed = text(&program(&two, &["module", "list"]).stdout);
    assert!(listed.contains("read-write\t*\tthe new one"), "{listed}");

    let ran = program(&two, &["module", "remove", "new"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
    let _ = two.blit(&["ls", &there("new")]).exits(5);
    assert_eq!(
        program(&two, &["module", "remove", "new"]).status.code(),
        Some(5)
    );
}

#[test]
fn a_module_that_cannot_be_served_is_not_written() {
    let two = Two::new();
    let config = two.scratch.path("daemon.toml");
    let before = fs::read_to_string(&config).unwrap();
    for place in ["gone=/nonexistent/x", "m=/srv", "2=/srv", "nothing"] {
        let ran = program(&two, &["module", "add", place]);
        let told = text(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{place}: {told}");
        assert_eq!(fs::read_to_string(&config).unwrap(), before);
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let two = Two::new();
    let config = two.scratch.path("bad.toml");
    let wrong = "[daemon]\nlisen = 1\n[[module]]\nname = \"a\"\npath = \"/nonexistent/a\"\n\
                 [log]\nlevel = \"loud\"\n";
    fs::write(&config, wrong).unwrap();
    let ran = program(&two, &["check-config", config.to_str().unwrap()]);
    let told = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{told}");
    for words in [
        "bad.toml, line 2",
        "did you mean \"daemon.listen\"",
        "bad.toml, line 7",
        "module a",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let ran = program(&two, &["check-config"]);
    assert!(text(&ran.stdout).contains("2 modules"), "{ran:?}");
}

#[test]
fn whether_it_is_healthy_is_an_exit_code() {
    let mut two = Two::new();
    let ran = program(&two, &["healthcheck"]);
    assert_eq!(text(&ran.stdout), "healthy\n");
    two.daemon.kill();
    let ran = program(&two, &["healthcheck"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        text(&ran.stderr).contains("unhealthy: no daemon"),
        "{ran:?}"
    );
}
