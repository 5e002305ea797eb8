//! A story: two trees, and what is done to them. After every command the disk must be what the oracle
//! says, judged by the comparer that shares no code with the stores.

use std::fmt;
use std::path::{Path as DiskPath, PathBuf};

use blit_conform::{Difference, Options, Scratch, Snapshot, What};

use crate::command::{Command, Engine, Places, Ran, Verb};
use crate::disk;
use crate::edit::{self, Edit};
use crate::foretold;
use crate::oracle::{Order, Promise, promise};
use crate::tree::{Path, Tree, joined};

/// What a story consists of.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) source: Tree,
    /// `None`: it is not there yet.
    pub(crate) target: Option<Tree>,
    pub(crate) steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    EditSource(Edit),
    EditTarget(Edit),
    Run(Command),
}

/// A promise that was not kept.
#[derive(Clone)]
pub(crate) struct Complaint {
    pub(crate) word: Word,
    pub(crate) detail: String,
}

/// Which promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// What was overwritten or deleted is not where `--backup-dir` says.
    Backup,
    /// Another exit code.
    Exit,
    /// Something changed where nothing may: a dry run, a refusal, nothing to do.
    Idle,
    /// A dry run told of other actions than were then done.
    Foretold,
    /// The same command once more did something.
    SecondRun,
    /// The source is not what it must be.
    Source,
    /// The target is not what it must be.
    Target(What),
}

/// How a story went.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) commands: usize,
    pub(crate) edits: usize,
    /// Dry runs whose actions were compared with those that were then taken.
    pub(crate) dry_runs: usize,
    pub(crate) complaints: Vec<Complaint>,
}

/// Plays the story with that engine, up to the first complaint.
pub(crate) fn play(story: &Story, engine: &dyn Engine) -> Told {
    let mut stage = Stage::new(story, engine);
    let mut told = Told::default();
    for step in &story.steps {
        stage.now += 1;
        let now = stage.now;
        match step {
            Step::EditSource(edit) => {
                let done = edit::apply(edit, &stage.places.source, &mut stage.source, now);
                told.edits += usize::from(done);
            }
            Step::EditTarget(edit) => {
                if let Some(target) = &mut stage.target {
                    let done = edit::apply(edit, &stage.places.target, target, now);
                    told.edits += usize::from(done);
                }
            }
            Step::Run(command) => {
                told.commands += 1;
                match stage.command(command) {
                    Ok(Next::Go) => {}
                    Ok(Next::Stop) => break,
                    Err(complaints) => {
                        told.complaints = complaints;
                        break;
                    }
                }
            }
        }
    }
    told.dry_runs = stage.dry_runs;
    told
}

/// Whether the story can go on.
enum Next {
    Go,
    Stop,
}

struct Stage<'a> {
    engine: &'a dyn Engine,
    scratch: Scratch,
    places: Places,
    source: Tree,
    target: Option<Tree>,
    now: u32,
    /// What the last dry run told, of which command, and when that would have to follow.
    foretold: Option<(Command, u32, Vec<String>)>,
    dry_runs: usize,
}

impl<'a> Stage<'a> {
    fn new(story: &Story, engine: &'a dyn Engine) -> Self {
        let scratch = Scratch::new();
        let places = Places {
            source: scratch.path("source"),
            target: scratch.path("target"),
            backup: scratch.path("backup"),
        };
        disk::build(&places.source, &story.source);
        if let Some(target) = &story.target {
            disk::build(&places.target, target);
        }
        Self {
            engine,
            scratch,
            places,
            source: story.source.clone(),
            target: story.target.clone(),
            now: 0,
            foretold: None,
            dry_runs: 0,
        }
    }

    /// Runs a command and judges what came of it; if all is well, the model becomes what the oracle
    /// said, and the command is run again.
    fn command(&mut self, command: &Command) -> Result<Next, Vec<Complaint>> {
        let (promised, items) = self.run(command)?;
        self.compare_with_dry_run(command, items, &promised)?;
        if promised.is_vague {
            return Ok(Next::Stop);
        }
        let is_repeatable = matches!(command.verb, Verb::Copy | Verb::Mirror);
        self.adopt(promised);
        if is_repeatable && !command.is_read_only() {
            self.now += 1;
            let (again, _) = self.run(command).map_err(|complaints| {
                let detail = |it: &Complaint| format!("{:?} {}", it.word, it.detail);
                let details: Vec<_> = complaints.iter().map(detail).collect();
                vec![Complaint {
                    word: Word::SecondRun,
                    detail: details.join("\n    "),
                }]
            })?;
            if !again.is_target_untouched && again.loose_attributes.is_empty() {
                panic!("the oracle says that a second run does something: {command:?} {again:?}");
            }
            self.adopt(again);
        }
        Ok(Next::Go)
    }

    /// What a dry run tells is what the real run does next, if nothing happens in between (C7).
    fn compare_with_dry_run(
        &mut self,
        command: &Command,
        items: Option<Vec<String>>,
        promised: &Promise,
    ) -> Result<(), Vec<Complaint>> {
        if command.dry_run {
            let really = Command {
                dry_run: false,
                ..command.clone()
            };
            self.foretold = items.map(|items| (really, self.now + 1, items));
            return Ok(());
        }
        let foretold = self.foretold.take();
        let (Some((really, now, told)), Some(done)) = (foretold, items) else {
            return Ok(());
        };
        // A refusal stops before anything is told.
        let is_comparable = (&really, now) == (command, self.now) && !promised.exits.contains(&7);
        if !is_comparable || !promised.loose_attributes.is_empty() {
            return Ok(());
        }
        self.dry_runs += 1;
        // New metadata of a file with several names may be told of one of them, or of all.
        let is_told_once = promised.has_links;
        let without = |mut items: Vec<String>| {
            items.retain(|item| !is_told_once || !item.starts_with("metadata "));
            items
        };
        let (told, done) = (without(told), without(done));
        if told == done {
            return Ok(());
        }
        let (source, before) = (&self.source, self.target.as_ref());
        let answers = Order::ALL.map(|order| promise(command, source, before, order, self.now));
        let answers: Vec<Tree> = answers.into_iter().filter_map(|it| it.target).collect();
        if foretold::agree((&told, &done), source, before, &answers) {
            return Ok(());
        }
        Err(vec![Complaint {
            word: Word::Foretold,
            detail: format!("{command:?}\n  told {told:#?}\n  done {done:#?}"),
        }])
    }

    fn run(&self, command: &Command) -> Result<(Promise, Option<Vec<String>>), Vec<Complaint>> {
        drop(disk::remove(&self.places.backup));
        let before = Before::of(&self.places);
        let ran = self.engine.run(command, &self.places);
        let mut first = None;
        // Which name of a file is met first is left open where both answers are right.
        for order in Order::ALL {
            let promised = promise(command, &self.source, self.target.as_ref(), order, self.now);
            let complaints = self.judge(command, &promised, &ran, &before);
            if complaints.is_empty() {
                return Ok((promised, ran.items));
            }
            first.get_or_insert(complaints);
        }
        let mut complaints = first.unwrap();
        complaints[0].detail += &format!(
            "\n  after {command:?}\n  code {:?}: {}\n  source was{:?}\n  target was{:?}",
            ran.code, ran.said, self.source, self.target
        );
        Err(complaints)
    }

    fn judge(
        &self,
        command: &Command,
        promised: &Promise,
        ran: &Ran,
        before: &Before,
    ) -> Vec<Complaint> {
        let mut found = Vec::new();
        if ran.code.is_none_or(|code| !promised.exits.contains(&code)) {
            found.push(Complaint {
                word: Word::Exit,
                detail: format!("{:?}, not {:?}", ran.code, promised.exits),
            });
        }
        if promised.is_vague {
            return found;
        }
        found.extend(self.judge_target(promised, before));
        found.extend(self.judge_source(command, promised, before));
        found.extend(self.judge_backup(promised));
        found
    }

    fn judge_target(&self, promised: &Promise, before: &Before) -> Vec<Complaint> {
        let target = &self.places.target;
        if promised.is_target_untouched {
            return match (&before.target, target.symlink_metadata().is_ok()) {
                (None, false) => Vec::new(),
                (None, true) => vec![Complaint {
                    word: Word::Idle,
                    detail: "the target was made".into(),
                }],
                (Some(before), _) => {
                    let found = before.differences(&Snapshot::of(target), Options::untouched());
                    found.iter().map(Complaint::of_idle).collect()
                }
            };
        }
        let wanted = promised.target.as_ref().unwrap();
        let found = self.differences(wanted, target, |it| {
            let paths = match it.what {
                What::Time => &promised.loose_times,
                What::Xattr => &promised.loose_attributes,
                _ => return true,
            };
            !paths.iter().any(|path| joined(path) == it.path)
        });
        found.iter().map(Complaint::at_target).collect()
    }

    fn judge_source(
        &self,
        command: &Command,
        promised: &Promise,
        before: &Before,
    ) -> Vec<Complaint> {
        let source = &self.places.source;
        if command.verb != Verb::Move || command.dry_run {
            let found = before
                .source
                .differences(&Snapshot::of(source), Options::untouched());
            return complaints(Word::Source, &found);
        }
        let found = self.differences(&promised.source, source, |it| {
            let loose = &promised.loose_source_times;
            it.what != What::Time || !loose.iter().any(|path| joined(path) == it.path)
        });
        complaints(Word::Source, &found)
    }

    fn judge_backup(&self, promised: &Promise) -> Vec<Complaint> {
        let expected = self.scratch.path("expected backup");
        std::fs::create_dir(&expected).unwrap();
        for (path, node) in &promised.kept {
            let place = disk::at(&expected, path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            disk::make(&place, node);
        }
        let (wanted, found) = (Snapshot::of(&expected), Snapshot::of(&self.places.backup));
        drop(disk::remove(&expected));
        let directory = Some("Directory".to_owned());
        let mut paths = [wanted.paths(), found.paths()].concat();
        paths.sort();
        paths.dedup();
        paths.retain(|path| {
            let (wanted, found) = (wanted.content_of(path), found.content_of(path));
            // Directories are made as they are needed.
            wanted != found && !(wanted.is_none() && found == directory)
        });
        paths
            .iter()
            .map(|path| Complaint {
                word: Word::Backup,
                detail: format!(
                    "/{}: {:?}, not {:?}",
                    path.escape_ascii(),
                    found.content_of(path),
                    wanted.content_of(path)
                ),
            })
            .collect()
    }

    /// Builds what is wanted beside it, and compares.
    fn differences(
        &self,
        wanted: &Tree,
        found: &DiskPath,
        counts: impl Fn(&Difference) -> bool,
    ) -> Vec<Difference> {
        let expected: PathBuf = self.scratch.path("expected");
        disk::build(&expected, wanted);
        let mut differences =
            Snapshot::of(&expected).differences(&Snapshot::of(found), Options::exact());
        drop(disk::remove(&expected));
        differences.retain(counts);
        differences
    }

    /// The model becomes what was promised, and what was left open is read from the disk.
    fn adopt(&mut self, promised: Promise) {
        self.source = promised.source;
        self.target = promised.target;
        for path in &promised.loose_source_times {
            adopt_time(&mut self.source, &self.places.source, path);
        }
        let Some(target) = &mut self.target else {
            return;
        };
        for path in &promised.loose_times {
            adopt_time(target, &self.places.target, path);
        }
        for path in &promised.loose_attributes {
            if let Some(node) = target.at_mut(path) {
                let found = disk::attributes(&disk::at(&self.places.target, path));
                if found != node.meta.attributes {
                    node.meta.attributes = found;
                }
            }
        }
    }
}

fn adopt_time(tree: &mut Tree, root: &DiskPath, path: &Path) {
    if let Some(node) = tree.at_mut(path) {
        node.meta.time = disk::time(&disk::at(root, path));
    }
}

/// The trees before a command.
struct Before {
    source: Snapshot,
    target: Option<Snapshot>,
}

impl Before {
    fn of(places: &Places) -> Self {
        let is_there = places.target.symlink_metadata().is_ok();
        Self {
            source: Snapshot::of(&places.source),
            target: is_there.then(|| Snapshot::of(&places.target)),
        }
    }
}

fn complaints(word: Word, found: &[Difference]) -> Vec<Complaint> {
    let complaint = |it: &Difference| Complaint {
        word,
        detail: it.to_string(),
    };
    found.iter().map(complaint).collect()
}

impl Complaint {
    /// Of what was touched where nothing might be: it is told as what it is, if it is more than that.
    fn of_idle(it: &Difference) -> Self {
        match it.what {
            What::Identity => Self {
                word: Word::Idle,
                detail: it.to_string(),
            },
            _ => Self::at_target(it),
        }
    }

    fn at_target(it: &Difference) -> Self {
        Self {
            word: Word::Target(it.what),
            detail: it.to_string(),
        }
    }
}

impl fmt::Debug for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  {:?}: {}", self.word, self.detail)
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source{:?}\ntarget{:?}\nsteps", self.source, self.target)?;
        for step in &self.steps {
            write!(f, "\n  {step:?}")?;
        }
        Ok(())
    }
}
