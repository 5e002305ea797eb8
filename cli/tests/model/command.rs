//! What is asked of blit, and who is asked: the binary, or an engine that is wrong on purpose.

use std::path::PathBuf;

use blit_conform::Blit;

use crate::tree::Tree;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Check,
    Copy,
    Mirror,
    Move,
}

/// One command line. Flags that a verb does not have are not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) verb: Verb,
    pub(crate) dry_run: bool,
    pub(crate) checksum: bool,
    pub(crate) update: bool,
    pub(crate) ignore_existing: bool,
    pub(crate) specials: bool,
    pub(crate) backup: bool,
    pub(crate) yes: bool,
    pub(crate) durability: &'static str,
    pub(crate) max_delete: Option<Limit>,
    pub(crate) exclude: Vec<Pattern>,
}

/// How much a mirror may delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Entries(usize),
    All,
}

/// The trees that a command is about.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) backup: PathBuf,
}

/// What an engine answers.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    /// What it says that it does, one line an entry, in order; an engine may be silent.
    pub(crate) items: Option<Vec<String>>,
}

/// Whoever does what a command says.
pub(crate) trait Engine {
    fn run(&self, command: &Command, places: &Places) -> Ran;
}

/// The binary of this build, as a user meets it.
#[derive(Debug)]
pub(crate) struct Binary;

impl Engine for Binary {
    fn run(&self, command: &Command, places: &Places) -> Ran {
        let mut contents = places.source.clone().into_os_string();
        contents.push("/");
        let blit = Blit::at(env!("CARGO_BIN_EXE_blit")).args(command.words());
        let blit = match command.backup {
            true => blit.arg("--backup-dir").arg(&places.backup),
            false => blit,
        };
        match blit.arg("--").arg(contents).arg(&places.target).try_run() {
            Ok(ran) => Ran {
                code: ran.code,
                items: Some(items(&ran.stdout)),
                said: ran.stderr,
            },
            Err(reason) => Ran {
                code: None,
                items: None,
                said: reason,
            },
        }
    }
}

/// What goes away at the source of a move is told besides: it went well at the target.
fn items(stdout: &str) -> Vec<String> {
    let lines = stdout.lines().filter(|line| !line.starts_with("move "));
    let mut items: Vec<String> = lines.map(str::to_owned).collect();
    items.sort();
    items
}

impl Command {
    /// The verb without any flag but the one that lets it go on.
    pub(crate) fn new(verb: Verb) -> Self {
        Self {
            verb,
            dry_run: false,
            checksum: false,
            update: false,
            ignore_existing: false,
            specials: false,
            backup: false,
            yes: matches!(verb, Verb::Mirror | Verb::Move),
            durability: "none",
            max_delete: None,
            exclude: Vec::new(),
        }
    }

    /// Whether it may change anything.
    pub(crate) fn is_read_only(&self) -> bool {
        self.dry_run || self.verb == Verb::Check
    }

    /// Everything but the paths.
    fn words(&self) -> Vec<String> {
        let verb = match self.verb {
            Verb::Check => "check",
            Verb::Copy => "copy",
            Verb::Mirror => "mirror",
            Verb::Move => "move",
        };
        let flags = [
            (self.dry_run, "--dry-run"),
            (self.checksum, "--checksum"),
            (self.update, "--update"),
            (self.ignore_existing, "--ignore-existing"),
            (self.specials, "--specials"),
            (self.yes, "--yes"),
        ];
        let mut words = vec![verb.to_owned(), "--itemize".to_owned()];
        words.extend(
            flags
                .into_iter()
                .filter(|it| it.0)
                .map(|it| it.1.to_owned()),
        );
        if self.verb != Verb::Check {
            words.push(format!("--durability={}", self.durability));
        }
        match self.max_delete {
            None => {}
            Some(Limit::All) => words.push("--max-delete=100%".to_owned()),
            Some(Limit::Entries(entries)) => words.push(format!("--max-delete={entries}")),
        }
        words.extend(
            self.exclude
                .iter()
                .map(|it| format!("--exclude={}", it.text)),
        );
        words
    }

    /// Whether the filters leave out what is at `path` in `tree`, or a directory above it.
    pub(crate) fn leaves_out(&self, tree: &Tree, path: &[Vec<u8>]) -> bool {
        (1..=path.len()).any(|length| {
            let above = &path[..length];
            self.matches(above, tree.is_directory(above))
        })
    }

    /// Whether an entry matches by itself.
    pub(crate) fn matches(&self, path: &[Vec<u8>], is_directory: bool) -> bool {
        self.exclude.iter().any(|it| it.matches(path, is_directory))
    }
}

/// A pattern of `--exclude`, as far as these tests use them: `name`, `name/`, `/name` and `*.ending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) text: &'static str,
}

impl Pattern {
    fn matches(self, path: &[Vec<u8>], is_directory: bool) -> bool {
        let (text, only_directories) = match self.text.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (self.text, false),
        };
        let (text, is_anchored) = match text.strip_prefix('/') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let Some(name) = path.last() else {
            return false;
        };
        let is_named = match text.strip_prefix('*') {
            Some(ending) => name.ends_with(ending.as_bytes()),
            None => name == text.as_bytes(),
        };
        is_named && (is_directory || !only_directories) && (path.len() == 1 || !is_anchored)
    }
}
