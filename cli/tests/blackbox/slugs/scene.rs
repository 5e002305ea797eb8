//! A situation, and what the binary says in it.

use std::any::Any;
use std::path::{Path, PathBuf};

use blit_cli::Slug;
use blit_conform::golden::{self, Told};
use blit_conform::{Blit, Ran, Scratch};

use crate::bench::{Pair, blit, write};

/// A command line, and the world in which it meets what it shall meet.
pub(super) struct Scene {
    root: PathBuf,
    blit: Blit,
    act: Box<dyn Fn(&Blit) -> Ran>,
    /// Words that differ from run to run, and what stands for them.
    names: Vec<(PathBuf, &'static str)>,
    /// What is taken down afterwards, in this order.
    _world: Box<dyn Any>,
}

impl Scene {
    /// Words that are typed beside a small tree.
    pub(super) fn typed(words: &[&str]) -> Self {
        let scratch = Scratch::new();
        write(
            scratch.root(),
            &[("tree/file", "content"), ("tree/inner/file", "content")],
        );
        let run = blit().current_dir(scratch.root()).args(words);
        Self::of(run, scratch.root().to_owned(), scratch)
    }

    /// The same, with one more file.
    pub(super) fn and(self, name: &str, content: &str) -> Self {
        write(&self.root, &[(name, content)]);
        self
    }

    /// A verb with the contents of a source and a target.
    pub(super) fn pair(pair: Pair, verb: &str, flags: &[&str]) -> Self {
        let run = pair.blit(verb).args(flags);
        Self::of(run, pair.scratch.root().to_owned(), pair)
    }

    /// The same, with something that is mounted and goes before the directory that it is mounted on.
    pub(super) fn mounted<M: 'static>(pair: Pair, mounted: M, verb: &str, flags: &[&str]) -> Self {
        let run = pair.blit(verb).args(flags);
        Self::of(run, pair.scratch.root().to_owned(), (mounted, pair))
    }

    fn of<W: 'static>(blit: Blit, root: PathBuf, world: W) -> Self {
        Self {
            root,
            blit,
            act: Box::new(Blit::run),
            names: Vec::new(),
            _world: Box::new(world),
        }
    }

    /// Where the world is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The same by a user without privileges.
    pub(super) fn by_nobody(mut self) -> Self {
        self.blit = self.blit.as_nobody();
        self
    }

    /// The same below another program.
    pub(super) fn under(mut self, wrapper: &[&str]) -> Self {
        self.blit = self.blit.under(wrapper);
        self
    }

    /// The same, run in another way than alone with pipes.
    pub(super) fn by(mut self, act: impl Fn(&Blit) -> Ran + 'static) -> Self {
        self.act = Box::new(act);
        self
    }

    /// The same, where these words are a matter of chance.
    pub(super) fn named(mut self, words: &str, name: &'static str) -> Self {
        self.names.push((words.into(), name));
        self
    }

    /// The same at a terminal where somebody types.
    pub(super) fn at_a_terminal(mut self, typed: &'static str) -> Self {
        self.blit = self.blit.env("NO_COLOR", "1").env("TERM", "dumb");
        self.act = Box::new(move |blit| blit.at_a_terminal(typed));
        self
    }

    fn run(self, more: &[&str]) -> Told {
        let Self {
            root,
            blit,
            act,
            mut names,
            _world,
        } = self;
        let blit = blit.args(more);
        let ran = act(&blit);
        names.extend([(root, "/S"), (blit.home().to_owned(), "/H")]);
        Told::by(&ran, &names)
    }
}

/// Provokes `slug` twice, for people and for programs, and compares what is said.
#[track_caller]
pub(super) fn meet(slug: Slug, scene: fn() -> Option<Scene>) {
    // What is missing here was said aloud.
    let Some(people) = scene().map(|it| it.run(&[])) else {
        return;
    };
    let programs = scene().map(|again| again.run(&["--json"]));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blackbox/slugs/golden");
    let golden = golden::text(slug.name(), &people, programs.as_ref());
    let file = folder.join(format!("{}.txt", slug.name()));
    snapbox::Assert::new()
        .normalize_paths(false)
        .action_env(snapbox::assert::DEFAULT_ACTION_ENV)
        .eq(golden, snapbox::Data::read_from(&file, None));
}
