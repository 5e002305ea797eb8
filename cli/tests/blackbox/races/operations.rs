//! The operations that are raced against.

use std::ffi::OsString;
use std::path::Path;

use blit_conform::Blit;

use crate::bench::{Pair, blit, contents};

/// One command line over a source and a target.
pub(super) struct Operation {
    pub(super) name: &'static str,
    verb: &'static str,
    flags: &'static [&'static str],
    on: On,
    /// Whether something old is at the target.
    pub(super) is_over_old: bool,
}

/// What the command is given.
enum On {
    /// `SOURCE/ TARGET`.
    Both,
    /// `SOURCE/g TARGET/`: a directory by its name.
    Directory,
    /// `SOURCE/g/p/file TARGET/g/p/`: a file by its name.
    File,
    /// This path in the source, and the same in the target.
    Each(&'static str),
}

const fn operation(
    name: &'static str,
    verb: &'static str,
    flags: &'static [&'static str],
    on: On,
    is_over_old: bool,
) -> Operation {
    Operation {
        name,
        verb,
        flags,
        on,
        is_over_old,
    }
}

const YES: &[&str] = &["-y", "--max-delete", "100%"];
const BACKUP: &[&str] = &["-y", "--max-delete", "100%", "--backup-dir", "backup"];

pub(super) const OPERATIONS: &[Operation] = &[
    operation("copy", "copy", &[], On::Both, false),
    operation("copy over old", "copy", &[], On::Both, true),
    operation("verified copy", "copy", &["--verify"], On::Both, true),
    operation("copy by content", "copy", &["-c"], On::Both, true),
    operation("update", "copy", &["-u"], On::Both, true),
    operation(
        "copy of new",
        "copy",
        &["--ignore-existing"],
        On::Both,
        true,
    ),
    operation(
        "safe copy",
        "copy",
        &["--durability", "file"],
        On::Both,
        true,
    ),
    operation(
        "full copy",
        "copy",
        &["--specials", "--preserve", "all"],
        On::Both,
        false,
    ),
    operation(
        "copy with backup",
        "copy",
        &["--backup-dir", "backup"],
        On::Both,
        true,
    ),
    operation("copy of a directory", "copy", &[], On::Directory, true),
    operation("copy of a file", "copy", &[], On::File, true),
    operation("mirror", "mirror", YES, On::Both, true),
    operation("mirror with backup", "mirror", BACKUP, On::Both, true),
    operation("dry mirror", "mirror", &["-n"], On::Both, true),
    operation("move", "move", &["-y"], On::Both, true),
    operation("move of a directory", "move", &["-y"], On::Directory, false),
    operation("check", "check", &["-c"], On::Both, true),
    operation("rm -r", "rm", &["-r", "-y"], On::Each("g"), true),
    operation("rm of a file", "rm", &["-y"], On::Each("g/p/file"), true),
    operation("find", "find", &[], On::Each(""), true),
    operation("du", "du", &["-r"], On::Each("g"), true),
];

impl Operation {
    /// How many levels, from the leaf up, lie beneath what the command names. What is above is a part of
    /// the path that the user typed, and links in it are followed as everywhere.
    pub(super) fn levels(&self) -> usize {
        match self.on {
            On::Both | On::Directory => 3,
            On::File => 1,
            On::Each(path) if path.ends_with("file") => 1,
            // A directory that is to be listed may be named by a link; one that is to go may not.
            On::Each("g") if self.verb != "rm" => 2,
            On::Each(_) => 3,
        }
    }

    /// The command lines, ready to run: one, or one on each side.
    pub(super) fn commands(&self, pair: &Pair) -> Vec<Blit> {
        let (source, target) = (pair.source.as_path(), pair.target.as_path());
        let slashed = |path: &Path| contents(path);
        let plain = |path: &Path| OsString::from(path);
        let words: Vec<Vec<OsString>> = match self.on {
            On::Both => vec![vec![slashed(source), plain(target)]],
            On::Directory => vec![vec![plain(&source.join("g")), slashed(target)]],
            On::File => vec![vec![
                plain(&source.join("g/p/file")),
                slashed(&target.join("g/p")),
            ]],
            On::Each(path) => vec![
                vec![plain(&source.join(path))],
                vec![plain(&target.join(path))],
            ],
        };
        let command = |words| {
            let flags = self.flags.iter().map(|flag| match *flag {
                "backup" => pair.scratch.path("backup").into(),
                flag => OsString::from(flag),
            });
            blit().arg(self.verb).args(words).args(flags)
        };
        words.into_iter().map(command).collect()
    }
}
