//! What a measurement found: the shape of `docs/bench/local.json`.

use crate::figures::{Ratio, Spread};
use crate::goal::{Goal, Reached};
use crate::machine::Machine;
use crate::measure::Sample;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where the trees were that were carried: what a page is about.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub enum Subject {
    /// On one machine.
    #[default]
    Local,
    /// On two, as far as the programs know.
    Remote,
}

/// One measurement of everything that was asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Results {
    /// What it is about.
    #[serde(default)]
    pub subject: Subject,
    /// The command that measured last.
    pub command: String,
    /// Where it ran.
    pub machine: Machine,
    /// What made the trees.
    pub seed: u64,
    /// The work was divided by this; anything but 1 says nothing about speed.
    pub divisor: u64,
    /// How large the measured binary is.
    #[serde(default)]
    pub binary_bytes: u64,
    /// The same of the daemon, where one took part.
    #[serde(default)]
    pub daemon_bytes: u64,
    /// The contenders, and what they say about their version.
    pub versions: BTreeMap<String, String>,
    /// What was measured, in order.
    pub works: Vec<WorkResult>,
}

impl Results {
    /// Takes over what an earlier run on the same machine measured and this one did not.
    pub fn keep(&mut self, earlier: Self) {
        let is_like = (earlier.seed, earlier.divisor) == (self.seed, self.divisor)
            && (earlier.subject, &earlier.machine) == (self.subject, &self.machine);
        if !is_like {
            return;
        }
        for (name, version) in earlier.versions {
            self.versions.entry(name).or_insert(version);
        }
        for work in earlier.works {
            if self.works.iter().all(|mine| mine.id != work.id) {
                self.works.push(work);
            }
        }
        self.works.sort_by(|a, b| a.id.cmp(&b.id));
    }
}

/// One kind of work.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WorkResult {
    /// `L1`.
    pub id: String,
    /// When it was measured, RFC 3339 in UTC.
    pub date: String,
    /// The commit of the sources that were measured.
    pub commit: String,
    /// What it is, in words.
    pub title: String,
    /// How many files its source has.
    pub files: u64,
    /// How long they are together.
    pub size_bytes: u64,
    /// The kind of file system that it ran on.
    pub file_system: String,
    /// blit against each peer.
    pub duels: Vec<Duel>,
    /// Why a peer, or the whole work, is missing.
    pub missing: Vec<String>,
}

/// blit and one peer, in turns.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Duel {
    /// The peer.
    pub peer: String,
    /// What blit's runs cost.
    pub blit: Cost,
    /// What the peer's runs cost.
    pub other: Cost,
    /// The peer's time through blit's.
    pub ratio: Ratio,
    /// What blit has to reach.
    pub goal: Option<Goal>,
    /// Whether it did.
    pub reached: Option<Reached>,
}

impl Duel {
    /// Judges what blit's runs and the peer's cost; the source holds `size_bytes`.
    pub(crate) fn of(
        peer: &str,
        goal: Option<Goal>,
        ratio: Ratio,
        (blit, other): (Cost, Cost),
        size_bytes: u64,
    ) -> Self {
        Self {
            peer: peer.to_owned(),
            reached: goal.map(|goal| goal.judge(&ratio, &blit, &other, size_bytes)),
            blit,
            other,
            ratio,
            goal,
        }
    }

    /// As it is told while others still run.
    pub(crate) fn line(&self) -> String {
        format!(
            "  {:<16} {:8.3} s, blit {:8.3} s, ratio {:.2}{}",
            self.peer,
            self.other.wall_s.median,
            self.blit.wall_s.median,
            self.ratio.pairs.median,
            if self.ratio.is_stable {
                ""
            } else {
                " (unstable)"
            }
        )
    }
}

/// What the runs of one contender cost, and what its copy lacks.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Cost {
    /// Wall time.
    pub wall_s: Spread,
    /// CPU seconds of all its processes.
    pub cpu_s: Spread,
    /// The largest process of any run.
    pub peak_bytes: u64,
    /// The metadata that its copies do not have.
    pub lost: BTreeSet<String>,
    /// What the other side cost, and the wire, where there were two sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far: Option<FarCost>,
}

/// What the runs cost at the other side and between both.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct FarCost {
    /// CPU seconds of the server's processes, from its start to its end.
    pub cpu_s: Spread,
    /// The largest of them in any run.
    pub peak_bytes: u64,
    /// What the network interface counted, both ways and with every header.
    pub wire_bytes: Spread,
    /// What the program itself says that it sent and got; zero where it was not asked.
    pub told_bytes: Spread,
}

impl Cost {
    pub(crate) fn of<'a>(samples: &[Sample], lost: impl Iterator<Item = &'a &'static str>) -> Self {
        let each = |of: fn(&Sample) -> f64| -> Vec<f64> { samples.iter().map(of).collect() };
        Self {
            wall_s: Spread::of(&each(|it| it.wall_s)),
            cpu_s: Spread::of(&each(|it| it.cpu_s)),
            peak_bytes: samples.iter().map(|it| it.peak_bytes).max().unwrap_or(0),
            lost: lost.map(|it| (*it).to_owned()).collect(),
            far: None,
        }
    }
}
