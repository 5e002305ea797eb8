//! Lets blit and a peer run in turns, each with its own other side.

use crate::figures::{Ratio, Spread};
use crate::machine::{self, Machine};
use crate::measure::{Sample, measure};
use crate::random::Random;
use crate::remote::net::{self, Slower};
use crate::remote::peer::{Contender, Peer, Run};
use crate::remote::server::Server;
use crate::remote::tools::Tools;
use crate::remote::work::{self, Work};
use crate::results::{Cost, Duel, FarCost, Results, Subject, WorkResult};
use crate::run::{Settings, Void, empty, remove};
use crate::verify::{self, Lost};
use crate::{Goal, memory, shell};
use eyre::{Context, OptionExt, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Where the source is, below the folder of its side.
const SOURCE: &str = "source";

/// Measures everything; `say` hears what is going on, and `save` gets what there is after each work.
///
/// # Errors
/// When blit fails or its result differs from the source. A peer that fails is left out by name.
pub fn run(
    settings: &Settings<Work, Peer>,
    say: &mut dyn FnMut(&str),
    save: &mut dyn FnMut(&Results) -> eyre::Result<()>,
) -> eyre::Result<()> {
    let version = shell::output(Command::new(&settings.blit).arg("--version"))?;
    let daemon = settings.blit.with_file_name("blit-daemon");
    let mut results = Results {
        subject: Subject::Remote,
        command: settings.command.clone(),
        machine: Machine::this()?,
        seed: settings.seed,
        divisor: settings.divisor,
        binary_bytes: fs::metadata(&settings.blit)?.len(),
        daemon_bytes: fs::metadata(&daemon)
            .wrap_err_with(|| daemon.display().to_string())?
            .len(),
        versions: BTreeMap::from([("blit".to_owned(), version.trim().to_owned())]),
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
        let place = Place::make(*work, settings)?;
        results
            .works
            .push(place.measure(settings, &mut results.versions, say)?);
        save(&results)?;
    }
    fs::remove_dir_all(&settings.folder)?;
    Ok(())
}

/// Where a work is done: its source, and room for the targets.
struct Place {
    work: Work,
    tools: Tools,
    files: u64,
    size_bytes: u64,
}

/// One contender in one duel.
struct Lane {
    contender: Contender,
    target: &'static str,
    near: Vec<Sample>,
    far: Vec<Sample>,
    wire_bytes: Vec<f64>,
    told_bytes: Vec<f64>,
    lost: Lost,
}

impl Place {
    fn make(work: Work, settings: &Settings<Work, Peer>) -> eyre::Result<Self> {
        let tools = Tools::make(&settings.folder, &settings.blit)?;
        let tree = work.source(settings.seed, settings.divisor);
        let place = Self {
            work,
            tools,
            files: tree.files.len() as u64,
            size_bytes: tree.size_bytes(),
        };
        let source = place.run_into("").source_path();
        tree.write(&source).wrap_err("the source cannot be made")?;
        Ok(place)
    }

    fn run_into<'a>(&'a self, target: &'a str) -> Run<'a> {
        Run {
            tools: &self.tools,
            work: self.work,
            source: SOURCE,
            target,
            size_bytes: self.size_bytes,
        }
    }

    fn measure(
        &self,
        settings: &Settings<Work, Peer>,
        versions: &mut BTreeMap<String, String>,
        say: &mut dyn FnMut(&str),
    ) -> eyre::Result<WorkResult> {
        let mut result = WorkResult {
            id: self.work.id().to_owned(),
            date: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
            commit: machine::commit(),
            title: self.work.title().to_owned(),
            files: self.files,
            size_bytes: self.size_bytes,
            file_system: machine::file_system(&settings.folder)?,
            duels: Vec::new(),
            missing: Vec::new(),
        };
        let _link = self.work.link_bits_s().map(Slower::to).transpose()?;
        for (peer, goal) in self.work.duels() {
            if !settings.peers.contains(&peer) {
                continue;
            }
            let version = peer.version().map_err(Void::Peer);
            match version.and_then(|version| {
                versions.insert(peer.name().to_owned(), version);
                self.duel(peer, goal, settings)
            }) {
                Ok(duel) => {
                    say(&duel.line());
                    result.duels.push(duel);
                }
                Err(Void::Blit(error)) => return Err(error),
                Err(Void::Peer(error)) => {
                    result.missing.push(format!("{}: {error:#}", peer.name()));
                }
            }
        }
        Ok(result)
    }

    fn duel(
        &self,
        peer: Peer,
        goal: Option<Goal>,
        settings: &Settings<Work, Peer>,
    ) -> Result<Duel, Void> {
        if peer == Peer::Scp {
            self.tools.make_ssh().map_err(Void::Peer)?;
        }
        let mut random = Random::new(settings.seed);
        let mut blit = self.lane(Contender::Blit, "target-a").map_err(Void::Blit)?;
        let mut other = self
            .lane(Contender::Peer(peer), "target-b")
            .map_err(Void::Peer)?;
        for turn in 0..=settings.pairs {
            if self.work.is_update() {
                let source = self.run_into("").source_path();
                work::change(&source, &mut random).map_err(|error| Void::Blit(error.into()))?;
            }
            self.turn(&mut blit, turn).map_err(Void::Blit)?;
            self.turn(&mut other, turn).map_err(Void::Peer)?;
        }
        let walls = |lane: &Lane| lane.near.iter().map(|it| it.wall_s).collect::<Vec<_>>();
        let ratio = Ratio::of(&walls(&other), &walls(&blit));
        let costs = (blit.cost(), other.cost());
        // What needs so much room is not kept for the next peer.
        for target in ["target-a", "target-b"] {
            remove(&self.run_into(target).target_path()).map_err(Void::Blit)?;
        }
        Ok(Duel::of(peer.name(), goal, ratio, costs, self.size_bytes))
    }

    /// A target of its own for each; an update begins with a true copy.
    fn lane(&self, contender: Contender, target: &'static str) -> eyre::Result<Lane> {
        let run = self.run_into(target);
        remove(&run.target_path())?;
        if self.work.is_update() {
            let mut copy = Command::new("cp");
            copy.arg("-a").args([run.source_path(), run.target_path()]);
            shell::output(&mut copy)?;
        }
        Ok(Lane {
            contender,
            target,
            near: Vec::new(),
            far: Vec::new(),
            wire_bytes: Vec::new(),
            told_bytes: Vec::new(),
            lost: Lost::new(),
        })
    }

    /// One run, with a server that was started for it.
    fn turn(&self, lane: &mut Lane, turn: usize) -> eyre::Result<()> {
        let run = self.run_into(lane.target);
        if !self.work.is_update() {
            remove(&run.target_path())?;
        }
        shell::output(Command::new("sync").arg("-f").arg(self.tools.here()))?;
        memory::touch(self.size_bytes)?;
        let server = Server::start(&run.server(lane.contender)?, lane.contender.port())?;
        let before_bytes = net::carried_bytes()?;
        let near = measure(&run.client(lane.contender)?).wrap_err_with(|| said(&run))?;
        let wire_bytes = net::carried_bytes()? - before_bytes;
        let far = server.stop()?;
        self.judge(lane, &run, turn)?;
        let is_warm_up = turn == 0;
        if !is_warm_up {
            lane.near.push(near);
            lane.far.push(far);
            lane.wire_bytes.push(wire_bytes as f64);
        }
        Ok(())
    }

    /// Looks at what a run left, and at what blit said of it.
    fn judge(&self, lane: &mut Lane, run: &Run<'_>, turn: usize) -> eyre::Result<()> {
        let (source, target) = (run.source_path(), run.target_path());
        match lane.contender {
            Contender::Peer(peer) if !peer.copies() => return Ok(()),
            _ if turn == 0 => lane.lost = verify::judge(&source, &target)?,
            _ => {
                verify::by_rsync(&source, &target)?;
            }
        }
        if let Contender::Peer(_) = lane.contender {
            return Ok(());
        }
        ensure!(lane.lost.is_empty(), "blit lost {:?}", lane.lost);
        let said = said(run);
        self.tools.check_way(&said, self.work.is_in_clear())?;
        if self.work.is_update() && turn > 0 {
            let told = told_bytes(&said).ok_or_eyre("blit did not say what crossed")?;
            lane.told_bytes.push(told as f64);
        }
        Ok(())
    }
}

/// What blit said in its last run.
fn said(run: &Run<'_>) -> String {
    fs::read_to_string(run.said()).unwrap_or_default()
}

/// What blit counted, from its summary in JSON.
fn told_bytes(said: &str) -> Option<u64> {
    let summary: serde_json::Value = serde_json::from_str(said.lines().last()?).ok()?;
    summary.get("bytes")?.get("on_wire")?.as_u64()
}

impl Lane {
    fn cost(&self) -> Cost {
        let far_s: Vec<f64> = self.far.iter().map(|it| it.cpu_s).collect();
        let far = FarCost {
            cpu_s: Spread::of(&far_s),
            peak_bytes: self.far.iter().map(|it| it.peak_bytes).max().unwrap_or(0),
            wire_bytes: Spread::of(&self.wire_bytes),
            told_bytes: Spread::of(&self.told_bytes),
        };
        Cost {
            far: Some(far),
            ..Cost::of(&self.near, self.lost.keys())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blit_counted_is_read_from_its_last_line() {
        let said = "{\"event\":\"start\"}\n{\"event\":\"summary\",\"bytes\":{\"copied\":5,\"on_wire\":42}}\n";
        assert_eq!(told_bytes(said), Some(42));
        assert_eq!(told_bytes("Copied 1 file\n"), None);
    }
}
