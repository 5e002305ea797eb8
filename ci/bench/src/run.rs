//! Lets blit and a peer run in turns, A B A B, after one turn that only warms the machine.

use crate::contender::{Contender, Peer};
use crate::figures::Ratio;
use crate::machine::{self, Machine};
use crate::measure::{Sample, measure};
use crate::reflink::ReflinkStore;
use crate::results::{Cost, Duel, Results, Subject, WorkResult};
use crate::tree::Tree;
use crate::verify::{self, Lost};
use crate::work::Work;
use crate::{Goal, contender, memory, shell};
use eyre::Context;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is measured, and how thoroughly.
#[derive(Clone, Debug)]
pub struct Settings<Work, Peer> {
    /// The binary that is measured.
    pub blit: PathBuf,
    /// The command that repeats this measurement.
    pub command: String,
    /// The work is made smaller by this.
    pub divisor: u64,
    /// Where trees are made and copied; it is emptied.
    pub folder: PathBuf,
    /// Turns that count, for each pair of contenders.
    pub pairs: usize,
    /// Peers other than these are left out.
    pub peers: Vec<Peer>,
    /// What the trees are made from.
    pub seed: u64,
    /// What is measured.
    pub works: Vec<Work>,
}

/// Measures everything; `say` hears what is going on, and `save` gets what there is after each work.
///
/// # Errors
/// When blit fails or its result differs from the source. A peer that fails is left out by name.
pub fn run(
    settings: &Settings<Work, Peer>,
    say: &mut dyn FnMut(&str),
    save: &mut dyn FnMut(&Results) -> eyre::Result<()>,
) -> eyre::Result<()> {
    let blit = Contender::Blit(settings.blit.clone());
    let mut results = Results {
        subject: Subject::Local,
        command: settings.command.clone(),
        machine: Machine::this()?,
        seed: settings.seed,
        divisor: settings.divisor,
        binary_bytes: fs::metadata(&settings.blit)?.len(),
        daemon_bytes: 0,
        versions: BTreeMap::from([(blit.name().to_owned(), blit.version()?)]),
        works: Vec::new(),
    };
    for work in &settings.works {
        empty(&settings.folder)?;
        say(&format!(
            "{}: {} (seed {})",
            work.id(),
            work.title(),
            settings.seed
        ));
        results
            .works
            .push(measure_work(*work, settings, &mut results.versions, say)?);
        save(&results)?;
    }
    fs::remove_dir_all(&settings.folder)?;
    Ok(())
}

pub(crate) fn empty(folder: &Path) -> eyre::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).wrap_err("the folder of the last run cannot be removed")?;
    }
    fs::create_dir_all(folder).wrap_err_with(|| folder.display().to_string())
}

fn measure_work(
    work: Work,
    settings: &Settings<Work, Peer>,
    versions: &mut BTreeMap<String, String>,
    say: &mut dyn FnMut(&str),
) -> eyre::Result<WorkResult> {
    let trees = work.sources(settings.seed, settings.divisor);
    let mut result = WorkResult {
        id: work.id().to_owned(),
        date: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
        commit: machine::commit(),
        title: work.title().to_owned(),
        files: trees[0].files.len() as u64,
        size_bytes: trees[0].size_bytes(),
        file_system: String::new(),
        duels: Vec::new(),
        missing: Vec::new(),
    };
    let mut store = None;
    if work.shares_blocks() {
        match ReflinkStore::mount(&settings.folder, result.size_bytes) {
            Ok(mounted) => store = Some(mounted),
            Err(reason) => {
                result.missing.push(format!("not measured: {reason:#}"));
                return Ok(result);
            }
        }
    }
    let folder = store
        .as_ref()
        .map_or(settings.folder.as_path(), ReflinkStore::path);
    result.file_system = machine::file_system(folder)?;
    let place = Place::make(work, folder, &trees)?;
    for (peer, goal) in work.duels() {
        if !settings.peers.contains(&peer) {
            continue;
        }
        match versions_of(peer, versions).and_then(|()| place.duel(peer, goal, settings, say)) {
            Ok(duel) => result.duels.push(duel),
            Err(Void::Blit(error)) => return Err(error),
            Err(Void::Peer(error)) => result.missing.push(format!("{}: {error:#}", peer.name())),
        }
    }
    Ok(result)
}

/// Whose fault it is that there is no result.
pub(crate) enum Void {
    Blit(eyre::Report),
    Peer(eyre::Report),
}

fn versions_of(peer: Peer, versions: &mut BTreeMap<String, String>) -> Result<(), Void> {
    peer.install().map_err(Void::Peer)?;
    let contender = Contender::Peer(peer);
    let version = contender.version().map_err(Void::Peer)?;
    versions.insert(contender.name().to_owned(), version);
    Ok(())
}

/// Where a work is done: its sources, and room for the targets.
struct Place {
    work: Work,
    folder: PathBuf,
    sources: Vec<PathBuf>,
    size_bytes: u64,
}

/// One contender in one duel.
struct Lane {
    contender: Contender,
    target: PathBuf,
    samples: Vec<Sample>,
    lost: Lost,
}

impl Place {
    fn make(work: Work, folder: &Path, trees: &[Tree]) -> eyre::Result<Self> {
        let mut sources = Vec::new();
        for (index, tree) in trees.iter().enumerate() {
            let source = folder.join(format!("source-{index}"));
            tree.write(&source).wrap_err("the source cannot be made")?;
            sources.push(source);
        }
        let size_bytes = trees.iter().map(Tree::size_bytes).max().unwrap_or(0);
        Ok(Self {
            work,
            folder: folder.to_owned(),
            sources,
            size_bytes,
        })
    }

    fn duel(
        &self,
        peer: Peer,
        goal: Option<Goal>,
        settings: &Settings<Work, Peer>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Duel, Void> {
        let path = || settings.blit.clone();
        let ours = match self.work.verifies() {
            true => Contender::Verifying(path()),
            false => Contender::Blit(path()),
        };
        let theirs = match peer {
            Peer::Unverified => Contender::Blit(path()),
            peer => Contender::Peer(peer),
        };
        let mut blit = self.lane(ours, "target-a").map_err(Void::Blit)?;
        let mut other = self.lane(theirs, "target-b").map_err(Void::Peer)?;
        for turn in 0..=settings.pairs {
            self.turn(&mut blit, turn).map_err(Void::Blit)?;
            self.turn(&mut other, turn).map_err(Void::Peer)?;
        }
        let walls = |lane: &Lane| lane.samples.iter().map(|it| it.wall_s).collect::<Vec<_>>();
        let ratio = Ratio::of(&walls(&other), &walls(&blit));
        let costs = (blit.finish(), other.finish());
        let duel = Duel::of(peer.name(), goal, ratio, costs, self.size_bytes);
        say(&duel.line());
        Ok(duel)
    }

    /// A target of its own for each; an update begins with a true copy of the first state.
    fn lane(&self, contender: Contender, target: &str) -> eyre::Result<Lane> {
        let target = self.folder.join(target);
        remove(&target)?;
        if self.work.action() == contender::Action::Mirror {
            shell::output(
                Command::new("cp")
                    .arg("-a")
                    .arg(&self.sources[0])
                    .arg(&target),
            )?;
        }
        Ok(Lane {
            contender,
            target,
            samples: Vec::new(),
            lost: Lost::new(),
        })
    }

    /// One run. An update goes to the second state in even turns and back in odd ones, so that
    /// every turn has as much to change.
    fn turn(&self, lane: &mut Lane, turn: usize) -> eyre::Result<()> {
        let source = &self.sources[(turn + 1) % self.sources.len()];
        if self.work.action() == contender::Action::Copy {
            remove(&lane.target)?;
        }
        let command = lane
            .contender
            .command(self.work.action(), source, &lane.target)?;
        shell::output(Command::new("sync").arg("-f").arg(&self.folder))?;
        memory::touch(self.size_bytes)?;
        let sample = measure(&command)?;
        let is_warm_up = turn == 0;
        if is_warm_up {
            lane.lost = verify::judge(source, &lane.target)?;
        } else {
            verify::by_rsync(source, &lane.target)?;
            lane.samples.push(sample);
        }
        let is_blit = !matches!(lane.contender, Contender::Peer(_));
        eyre::ensure!(
            !is_blit || lane.lost.is_empty(),
            "blit lost {:?}",
            lane.lost
        );
        Ok(())
    }
}

impl Lane {
    fn finish(self) -> Cost {
        Cost::of(&self.samples, self.lost.keys())
    }
}

pub(crate) fn remove(target: &Path) -> eyre::Result<()> {
    if target.exists() {
        fs::remove_dir_all(target).wrap_err_with(|| target.display().to_string())?;
    }
    Ok(())
}
