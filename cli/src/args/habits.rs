//! What hands that know other tools type: accepted where blit does it anyway, answered with the
//! right words where it does not. One table.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::errors::{Slug, UserError};

/// A flag of another tool.
struct Habit {
    flag: &'static str,
    short: Option<char>,
    /// Whether a value may follow.
    takes_value: bool,
    answer: Answer,
}

/// What is said to a flag of another tool.
#[derive(Clone, Copy)]
enum Answer {
    /// Nothing: it is what blit does anyway.
    Accept,
    /// Blit chooses this itself.
    Chosen,
    /// There is a verb for it; with that verb the flag is accepted.
    Verb(&'static str),
    /// Blit does not go through ssh.
    Shell,
}

/// The verbs that these hands mean.
const VERBS: [&str; 4] = ["copy", "mirror", "move", "check"];

const HABITS: &[Habit] = &[
    accept("archive", Some('a')),
    accept("recursive", Some('r')),
    accept("relative", Some('R')),
    accept("times", Some('t')),
    accept("perms", Some('p')),
    accept("links", None),
    accept("hard-links", Some('H')),
    accept("acls", Some('A')),
    accept("xattrs", Some('X')),
    accept("sparse", Some('S')),
    accept("partial", Some('P')),
    refuse("delete", None, false, Answer::Verb("mirror")),
    refuse("delete-after", None, false, Answer::Verb("mirror")),
    refuse("delete-before", None, false, Answer::Verb("mirror")),
    refuse("delete-during", None, false, Answer::Verb("mirror")),
    refuse("remove-source-files", None, false, Answer::Verb("move")),
    refuse("compress", Some('z'), false, Answer::Chosen),
    refuse("whole-file", Some('W'), false, Answer::Chosen),
    refuse("inplace", None, false, Answer::Chosen),
    refuse("block-size", None, true, Answer::Chosen),
    refuse("transfers", None, true, Answer::Chosen),
    refuse("checkers", None, true, Answer::Chosen),
    refuse("buffer-size", None, true, Answer::Chosen),
    refuse("multi-thread-streams", None, true, Answer::Chosen),
    refuse("rsh", Some('e'), true, Answer::Shell),
];

/// Switches of robocopy, which look like paths.
const SWITCHES: &[(&str, Answer)] = &[
    ("/MIR", Answer::Verb("mirror")),
    ("/PURGE", Answer::Verb("mirror")),
    ("/MOV", Answer::Verb("move")),
    ("/MOVE", Answer::Verb("move")),
    ("/MT", Answer::Chosen),
    ("/J", Answer::Chosen),
];

const fn accept(flag: &'static str, short: Option<char>) -> Habit {
    refuse(flag, short, false, Answer::Accept)
}

const fn refuse(
    flag: &'static str,
    short: Option<char>,
    takes_value: bool,
    answer: Answer,
) -> Habit {
    Habit {
        flag,
        short,
        takes_value,
        answer,
    }
}

/// Adds the flags to the verbs, hidden.
pub(super) fn add_to(command: Command) -> Command {
    VERBS.into_iter().fold(command, |command, verb| {
        command.mut_subcommand(verb, |verb| {
            HABITS
                .iter()
                .fold(verb, |verb, habit| verb.arg(hidden(habit)))
        })
    })
}

fn hidden(habit: &Habit) -> Arg {
    let arg = Arg::new(habit.flag).long(habit.flag).hide(true);
    let arg = match habit.takes_value {
        true => arg.num_args(1).action(ArgAction::Append),
        false => arg.action(ArgAction::Count),
    };
    match habit.short {
        Some(short) => arg.short(short),
        None => arg,
    }
}

/// A bare `--progress` means what it means elsewhere; ours takes a word.
pub(super) fn rewrite(typed: Vec<OsString>) -> Vec<OsString> {
    let mut words = typed.into_iter().peekable();
    let mut rewritten = Vec::with_capacity(words.len());
    while let Some(word) = words.next() {
        if word == "--" {
            rewritten.push(word);
            rewritten.extend(words);
            break;
        }
        let is_bare = word == "--progress" && !words.peek().is_some_and(is_when);
        rewritten.push(if is_bare {
            "--progress=auto".into()
        } else {
            word
        });
    }
    rewritten
}

fn is_when(word: &OsString) -> bool {
    ["auto", "always", "plain", "never"]
        .iter()
        .any(|when| word == when)
}

/// Answers the first habit that blit does not share.
pub(super) fn refuse_habits(verb: &str, matches: &ArgMatches) -> Result<(), UserError> {
    if !VERBS.contains(&verb) {
        return Ok(());
    }
    let was_typed = |habit: &&Habit| {
        matches.value_source(habit.flag) == Some(clap::parser::ValueSource::CommandLine)
    };
    for habit in HABITS.iter().filter(was_typed) {
        answer(habit.answer, &format!("--{}", habit.flag), verb)?;
    }
    Ok(())
}

/// Answers a switch of robocopy among the paths, unless there is such a path.
pub(crate) fn refuse_switches(verb: &str, paths: &[OsString]) -> Result<(), UserError> {
    for path in paths {
        let Some(typed) = path.to_str() else { continue };
        let name = typed.split(':').next().unwrap_or_default();
        let known = SWITCHES
            .iter()
            .find(|(switch, _)| switch.eq_ignore_ascii_case(name));
        if let Some((_, said)) = known
            && !std::path::Path::new(path).exists()
        {
            answer(*said, typed, verb)?;
        }
    }
    Ok(())
}

fn answer(answer: Answer, flag: &str, verb: &str) -> Result<(), UserError> {
    match answer {
        Answer::Accept => Ok(()),
        Answer::Verb(meant) if meant == verb => Ok(()),
        Answer::Chosen => Err(UserError::new(
            Slug::UsageHabit,
            format!("blit chooses this itself; remove {flag}"),
        )
        .unchanged()),
        Answer::Verb(meant) => Err(UserError::new(
            Slug::UsageHabit,
            format!("{flag} is a verb of its own; that is: blit {meant} SRC DST"),
        )
        .unchanged()
        .next(format!("blit {meant} SRC DST"))),
        Answer::Shell => Err(UserError::new(
            Slug::UsageHabit,
            format!("blit does not go through a remote shell; remove {flag}"),
        )
        .unchanged()
        .next("name the machine instead: ssh://[USER@]HOST[:PORT]/PATH")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Parsed, parse};

    fn refusal(line: &str) -> Option<UserError> {
        let words = line.split(' ').map(OsString::from).collect();
        parse(words).err()
    }

    #[test]
    fn what_blit_does_anyway_is_accepted_in_silence() {
        for flags in [
            "-a",
            "-avP",
            "-rtpRHAXS",
            "--archive --times --links",
            "--progress",
            "--partial",
        ] {
            let line = format!("blit copy {flags} a b");
            assert_eq!(refusal(&line), None, "{line}");
        }
    }

    #[test]
    fn a_bare_progress_flag_does_not_eat_the_source() {
        let words = ["blit", "copy", "--progress", "a", "b"].map(OsString::from);
        let Ok(Parsed::Run(cli)) = parse(words.into()) else {
            panic!("not parsed");
        };
        let Some(crate::args::Verb::Copy(copy)) = cli.verb else {
            panic!("not a copy");
        };
        assert_eq!(copy.paths, ["a", "b"]);
    }

    #[test]
    fn every_habit_that_blit_does_not_share_is_answered() {
        for habit in HABITS {
            let value = if habit.takes_value { " 4" } else { "" };
            let line = format!("blit copy --{}{value} a b", habit.flag);
            let expected = match habit.answer {
                Answer::Accept => None,
                _ => Some(Slug::UsageHabit),
            };
            assert_eq!(refusal(&line).map(|error| error.slug), expected, "{line}");
        }
    }

    #[test]
    fn deleting_is_a_verb() {
        let error = refusal("blit copy --delete a b").unwrap();
        assert_eq!(error.next.unwrap(), "blit mirror SRC DST");
        assert_eq!(refusal("blit mirror --delete a b"), None);
        let error = refusal("blit copy -z a b").unwrap();
        assert_eq!(error.message, "blit chooses this itself; remove --compress");
    }

    #[test]
    fn switches_of_robocopy_are_answered() {
        let error = refuse_switches("copy", &["a".into(), "/mir".into()]).unwrap_err();
        assert_eq!(error.next.unwrap(), "blit mirror SRC DST");
        assert!(refuse_switches("copy", &["/MT:8".into()]).is_err());
        assert!(refuse_switches("copy", &["/".into(), "/m".into()]).is_ok());
    }
}
