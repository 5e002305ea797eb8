//! What shells are told, and the scripts that make them ask.
//!
//! Upstream still calls this engine unstable; it is pinned, and used nowhere but here.

use std::{ffi::OsStr, io};

use clap::{Arg, Command, ValueEnum, ValueHint};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter},
    env::Shells,
};

use crate::Completer;

/// Says that this is a question of a shell, and of which.
const VARIABLE: &str = "BLIT_COMPLETE";

/// The name of the program that is asked.
const PROGRAM: &str = "blit";

/// What bash is to do: upstream's own takes a place such as `nas:/photos` for three words.
const BASH: &str = include_str!("shell/blit.bash");

/// What zsh is to do: upstream's own ends a directory of another machine with a blank.
const ZSH: &str = include_str!("shell/blit.zsh");

/// The shells that can be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "they are called as they are")]
pub enum Shell {
    Bash,
    Elvish,
    Fish,
    Nushell,
    Powershell,
    Zsh,
}

/// The script that makes `shell` ask, or knows the words of `command` by itself.
///
/// # Errors
/// None that a buffer gives.
pub fn script(shell: Shell, mut command: Command) -> io::Result<Vec<u8>> {
    let mut script = Vec::new();
    match shell {
        Shell::Bash => script.extend_from_slice(BASH.as_bytes()),
        Shell::Elvish => register("elvish", &mut script)?,
        Shell::Fish => register("fish", &mut script)?,
        // It cannot ask, and gets a fixed list.
        Shell::Nushell => clap_complete::generate(
            clap_complete_nushell::Nushell,
            &mut command,
            PROGRAM,
            &mut script,
        ),
        Shell::Powershell => register("powershell", &mut script)?,
        Shell::Zsh => script.extend_from_slice(ZSH.as_bytes()),
    }
    Ok(script)
}

fn register(shell: &str, script: &mut Vec<u8>) -> io::Result<()> {
    let shells = Shells::builtins();
    shells.completer(shell).map_or(Ok(()), |shell| {
        shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, script)
    })
}

/// Answers a question of the shell about `command`, if this is one, and then does not return. `completer`
/// is asked for when a machine or a place may be meant; without one only what is here is known.
pub fn answer(command: fn() -> Command, completer: fn() -> Option<Completer>) {
    // Silence on failure: an error in the middle of a line being typed helps nobody.
    if std::env::var_os(VARIABLE).is_some() {
        let asked = move || with_places(command(), completer);
        CompleteEnv::with_factory(asked).var(VARIABLE).complete();
    }
}

/// The same command line, which knows what can stand where a place or a machine is meant.
fn with_places(command: Command, completer: fn() -> Option<Completer>) -> Command {
    command
        .mut_args(|arg| with_place(arg, completer))
        .mut_subcommands(|verb| with_places(verb, completer))
}

fn with_place(arg: Arg, completer: fn() -> Option<Completer>) -> Arg {
    let names = arg.get_value_names().unwrap_or_default();
    let is_machine = matches!(names, [name] if name == "HOST");
    let may_be_machine = matches!(names, [name] if name.starts_with("HOST"));
    let is_place = match arg.get_value_hint() {
        ValueHint::AnyPath => true,
        ValueHint::DirPath => may_be_machine,
        _ => false,
    };
    if is_place {
        arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
            // What is here, then what is on other machines.
            let here = PathCompleter::any().complete(typed).into_iter();
            let there = completer().map(|it| it.places(typed)).unwrap_or_default();
            here.chain(candidates(there)).collect()
        }))
    } else if is_machine {
        arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
            let found = completer().map(|it| it.machines(typed)).unwrap_or_default();
            candidates(found).collect()
        }))
    } else {
        arg
    }
}

fn candidates(found: Vec<String>) -> impl Iterator<Item = CompletionCandidate> {
    found.into_iter().map(CompletionCandidate::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let path = Arg::new("path")
            .value_name("PATH")
            .value_hint(ValueHint::AnyPath);
        let place = Arg::new("place")
            .value_name("HOST|PATH")
            .value_hint(ValueHint::DirPath);
        let folder = Arg::new("folder")
            .value_name("DIR")
            .value_hint(ValueHint::DirPath);
        let host = Arg::new("host").value_name("HOST");
        Command::new("blit")
            .subcommand(Command::new("ls").arg(path).arg(folder))
            .subcommand(Command::new("doctor").arg(place))
            .subcommand(Command::new("list").arg(host))
    }

    #[test]
    fn other_machines_are_looked_at_only_where_one_may_be_meant() {
        let command = with_places(command(), || None);
        let asks = |verb: &str, arg: &str| {
            let verb = command.find_subcommand(verb).unwrap();
            let arg = verb.get_arguments().find(|it| it.get_id() == arg).unwrap();
            arg.get::<ArgValueCompleter>().is_some()
        };
        assert!(asks("ls", "path") && asks("doctor", "place") && asks("list", "host"));
        assert!(!asks("ls", "folder"));
    }

    #[test]
    fn every_shell_has_a_script_that_asks_this_program() {
        for shell in Shell::value_variants() {
            let script = script(*shell, command()).unwrap();
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("blit"), "{shell:?}");
            assert_eq!(
                script.contains(VARIABLE),
                *shell != Shell::Nushell,
                "{shell:?}"
            );
        }
    }
}
