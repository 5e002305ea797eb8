//! The bench that runs the binary proves itself, with shells in the part of blit.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use blit_conform::{Blit, Inject, Scratch, count_syscalls, is_root, need_tool};

fn shell(script: &str) -> Blit {
    Blit::at("/bin/sh").args(["-c", script])
}

fn panics(action: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(action)).is_err()
}

#[test]
fn codes_signals_and_both_outputs_are_kept() {
    let ran = shell("echo out; echo err >&2; exit 7")
        .run()
        .exits(7)
        .says("err");
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(shell("kill -9 $$").run().signal, Some(9));
}

#[test]
fn another_code_or_a_missing_word_is_caught() {
    assert!(panics(|| drop(shell("exit 3").run().exits(0))));
    assert!(panics(|| drop(shell("echo this >&2").run().says("that"))));
}

#[test]
fn escape_bytes_panics_and_backtraces_are_caught() {
    for words in [
        "printf '\\033[0m'",
        "printf '\\033' >&2",
        "echo \"thread 'main' panicked at src\" >&2",
    ] {
        assert!(panics(|| drop(shell(words).run())), "{words}");
    }
}

#[test]
fn nothing_of_the_environment_gets_in_but_the_path() {
    let ran = shell("env").env("GIVEN", "1").run().exits(0);
    let mut names: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|it| it.split('=').next())
        .collect();
    names.retain(|it| !it.starts_with("XDG_") && !["PWD", "SHLVL", "_", "OLDPWD"].contains(it));
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "HOME", "LC_ALL", "PATH", "TERM"]);
}

#[test]
fn nobody_has_no_privileges() {
    if is_root() {
        assert_eq!(
            shell("id -u; id -G").as_nobody().run().exits(0).stdout,
            "65534\n65534\n"
        );
    }
}

#[test]
fn a_terminal_is_one() {
    if need_tool("script") {
        let ran = shell("test -t 0 && test -t 1 && test -t 2 && read word && echo got $word")
            .at_a_terminal("this\n");
        assert!(ran.stdout.contains("got this"), "{ran}");
    }
}

#[test]
fn system_calls_are_counted_with_their_failures() {
    if !need_tool("strace") {
        return;
    }
    let mut command = Command::new("/bin/sh");
    command.args([
        "-c",
        "cd /absent 2>/dev/null; cd /absent 2>/dev/null; cd /; true",
    ]);
    let chdir = count_syscalls(&command)["chdir"];
    assert_eq!((chdir.made, chdir.failed), (3, 2));
}

#[test]
fn strace_kills_at_the_call_that_is_meant() {
    if !need_tool("strace") {
        return;
    }
    let scratch = Scratch::new();
    let script = format!("cd {}; mkdir one; mkdir two", scratch.root().display());
    // Every `mkdir` is a process of its own, so that the first call in each is killed.
    let _ = shell(&script).inject(&Inject::kill("mkdir", 1)).run();
    assert_eq!(
        fs::read_dir(scratch.root()).map(Iterator::count).ok(),
        Some(0)
    );
    let _ = shell(&script).inject(&Inject::kill("mkdir", 2)).run();
    assert_eq!(
        fs::read_dir(scratch.root()).map(Iterator::count).ok(),
        Some(2)
    );
}

#[test]
fn strace_lets_the_call_fail_that_is_meant() {
    if !need_tool("strace") {
        return;
    }
    let scratch = Scratch::new();
    let script = format!("mkdir {}/one", scratch.root().display());
    let _ = shell(&script)
        .inject(&Inject::fail("mkdir", "ENOSPC", "1"))
        .run()
        .exits(1)
        .says("No space left");
}
