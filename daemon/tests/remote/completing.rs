//! What a shell is told while a place on another machine is typed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use crate::bench::Two;

/// Completes a line as bash does, which has cut its last words at colons.
const BASH: &str = r#"
source <(blit completions bash)
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
COMP_LINE="$1" COMP_POINT=${#1}
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_blit_complete blit
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
"#;

/// What bash is told when `line` ends where the cursor is.
fn completed(two: &Two, line: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let blit = PathBuf::from(env!("CARGO_BIN_EXE_blit-daemon"));
    let mut path = blit.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", BASH, "bash", line])
        .args(cut(line))
        .env_clear()
        .env("PATH", path)
        .env("HOME", two.scratch.root())
        .env("XDG_CACHE_HOME", two.scratch.path("cache"))
        .env("BLIT_STATE", two.scratch.path("client-state"))
        .envs(variables.iter().copied())
        .current_dir(two.scratch.directory("empty"));
    let output = bash.output().unwrap();
    let (told, complaint) = (output.stdout, output.stderr);
    assert!(
        complaint.is_empty(),
        "{}",
        String::from_utf8_lossy(&complaint)
    );
    let told = String::from_utf8(told).unwrap();
    told.lines().map(str::to_owned).collect()
}

/// The words of a line for bash: colons and equal signs are words of their own, but for what is quoted.
fn cut(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut is_quoted, mut is_border) = (false, false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' if !is_quoted => words.push(String::new()),
            ':' | '=' if !is_quoted && !is_border => words.push(character.into()),
            _ => {
                if is_border && character != ':' {
                    words.push(String::new());
                }
                let last = words.last_mut().unwrap();
                last.push(character);
                if character == '\\' {
                    last.extend(characters.next());
                }
                is_quoted ^= character == '"';
            }
        }
        is_border = !is_quoted && matches!(character, ':' | '=');
    }
    words
}

/// The same, once the machine has answered in time: on a busy one that may take some presses of the key.
fn completed_at_last(two: &Two, line: &str) -> Vec<String> {
    let mut presses = (0..8).map(|_| {
        // Who was silent once is not asked again for a while.
        drop(fs::remove_dir_all(two.scratch.path("cache")));
        completed(two, line, &[])
    });
    presses
        .find(|answer| !answer.is_empty())
        .unwrap_or_default()
}

fn filled() -> Two {
    let two = Two::new();
    for folder in ["2025", "2026", "a b"] {
        fs::create_dir_all(two.module().join(folder).join("deep")).unwrap();
    }
    fs::write(two.module().join("2026/it's.jpg"), "").unwrap();
    fs::write(two.module().join("2026/b\u{1b}[2J"), "").unwrap();
    two
}

#[test]
fn machines_modules_and_folders_of_a_paired_machine_are_completed() {
    let two = filled();
    for (line, expected) in [
        ("blit ls loc", &["localhost:"][..]),
        ("blit list loc", &["localhost"]),
        ("blit ls localhost:", &["/m/", "/ro/"]),
        ("blit ls localhost:r", &["ro/"]),
        ("blit ls localhost:/m/2", &["/m/2025/", "/m/2026/"]),
        ("blit copy x localhost:/m/a", &["/m/a\\ b/"]),
        (
            "blit copy localhost:/m/a\\ b/ localhost:/m/a\\ b/",
            &["/m/a\\ b/deep/"],
        ),
        ("blit ls \"localhost:/m/a b/", &["localhost:/m/a b/deep/"]),
        // What would clear the screen is not offered.
        (
            "blit ls localhost:/m/2026/",
            &["/m/2026/deep/", "/m/2026/it\\'s.jpg"],
        ),
        ("blit --color=al", &["always"]),
    ] {
        assert_eq!(completed_at_last(&two, line), expected, "{line}");
    }
    for line in ["blit ls localhost:/nothing/", "blit ls localhost:/m/../"] {
        assert!(completed(&two, line, &[]).is_empty(), "{line}");
    }
    let unwanted = [("BLIT_COMPLETION_REMOTE", "false")];
    assert!(completed(&two, "blit ls localhost:", &unwanted).is_empty());
}

#[test]
fn what_was_answered_is_kept_for_a_while_and_no_longer() {
    let mut two = filled();
    let ask = |two: &Two| completed(two, "blit ls localhost:/m/2", &[]);
    let answer = completed_at_last(&two, "blit ls localhost:/m/2");
    assert_eq!(answer.len(), 2);
    two.daemon.kill();
    assert_eq!(ask(&two), answer);
    for kept in fs::read_dir(two.scratch.path("cache/blit/completion")).unwrap() {
        make_old(&kept.unwrap().path());
    }
    assert!(ask(&two).is_empty());
}

fn make_old(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    let before = SystemTime::now() - Duration::from_secs(30);
    file.set_modified(before).unwrap();
}
