//! What runs on this machine measured: read before a run, added to after it, never sent anywhere.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use blit_config::Paths;
use blit_contract::{
    Descriptor, Diff, History, Method, NoHistory, Outcome, PlanCx, Planner, Result, Sample,
    WorkItem,
};
use blit_plan::{MeasuredHistory, Record};
use futures_core::stream::BoxStream;
use parking_lot::Mutex;

/// Between which stores, and over what, sessions run in this version.
const ROUTE: (&str, &str, &str) = ("store-fs", "store-fs", "transport-mem");

/// How many records the file keeps.
const RECORDS_MAX: usize = 2_000;

/// When the file is longer than this it is cut to [`RECORDS_MAX`].
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The name of the file, in the directory of what must not be lost.
const FILE: &str = "history.jsonl";

/// The measurements of earlier runs, and those of this one.
pub struct Memory {
    /// Where they are kept; `None` if they are not.
    file: Option<PathBuf>,
    samples: Arc<Mutex<BTreeMap<Method, Sample>>>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Memory {
    /// Of this user, if it is wanted.
    pub fn new(is_on: bool) -> Self {
        Self::at(file().filter(|_| is_on))
    }

    /// In the directory `state`, which need not exist.
    pub fn kept_in(state: &Path) -> Self {
        Self::at(Some(state.join(FILE)))
    }

    fn at(file: Option<PathBuf>) -> Self {
        Self {
            file,
            samples: Arc::default(),
        }
    }

    /// What earlier runs measured.
    pub fn history(&self) -> Arc<dyn History> {
        match &self.file {
            Some(file) => Arc::new(MeasuredHistory::of(&records(file), ROUTE)),
            None => Arc::new(NoHistory),
        }
    }

    /// The same planner, whose measurements are kept for the end of the run.
    pub fn listen_to(&self, planner: Arc<dyn Planner>) -> Arc<dyn Planner> {
        match self.file {
            Some(_) => Arc::new(Listening {
                planner,
                samples: Arc::clone(&self.samples),
            }),
            None => planner,
        }
    }

    /// Adds the measurements of this run to the file. A full or read-only disk is no reason to fail.
    pub fn save(&self, now: jiff::Timestamp) {
        let samples = std::mem::take(&mut *self.samples.lock());
        let Some(file) = self.file.as_ref().filter(|_| !samples.is_empty()) else {
            return;
        };
        let records = samples
            .into_values()
            .map(|sample| Record::new(now.as_second(), ROUTE, sample));
        let lines: String = records
            .map(|record| blit_plan::encode(&record) + "\n")
            .collect();
        if let Err(error) = append(file, &lines) {
            tracing::debug!(%error, "the measurements of this run are not kept");
        }
    }
}

/// What was measured of one way to move bytes on one route.
#[derive(Debug, Clone)]
pub struct Rate {
    /// How the bytes were moved.
    pub method: Method,
    /// Between which stores, and over what.
    pub route: String,
    /// How many files.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
    seconds: f64,
}

impl Rate {
    /// The mean over all that was measured.
    pub fn bytes_per_second(&self) -> f64 {
        match self.seconds > 0.0 {
            true => self.bytes as f64 / self.seconds,
            false => 0.0,
        }
    }
}

/// What the file of this user says, by method and route.
pub fn rates() -> Vec<Rate> {
    sums_of(file().map(|file| records(&file)).unwrap_or_default())
}

fn sums_of(records: Vec<Record>) -> Vec<Rate> {
    let mut rates: BTreeMap<(Method, String), Rate> = BTreeMap::new();
    for record in records {
        let route = format!(
            "{} to {} over {}",
            record.source, record.target, record.transport
        );
        let sample = record.sample;
        let rate = rates.entry((sample.method, route.clone())).or_insert(Rate {
            method: sample.method,
            route,
            files: 0,
            bytes: 0,
            seconds: 0.0,
        });
        rate.files += sample.files;
        rate.bytes += sample.bytes;
        rate.seconds += sample.took.as_secs_f64();
    }
    rates.into_values().collect()
}

/// Forgets everything.
///
/// # Errors
/// If the file cannot be removed.
pub fn clear() -> std::io::Result<()> {
    match file().map(std::fs::remove_file) {
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn file() -> Option<PathBuf> {
    Some(Paths::of_this_user()?.state.join(FILE))
}

fn records(file: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    blit_plan::decode(&text).0
}

/// One write of whole lines: runs at the same time do not mix them.
fn append(file: &Path, lines: &str) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut open = std::fs::File::options()
        .append(true)
        .create(true)
        .open(file)?;
    open.write_all(lines.as_bytes())?;
    if open.metadata()?.len() > FILE_BYTES_MAX {
        let partial = file.with_extension("new");
        std::fs::write(&partial, blit_plan::compact(&records(file), RECORDS_MAX))?;
        std::fs::rename(&partial, file)?;
    }
    Ok(())
}

/// A planner whose measurements are kept, summed up by method.
#[derive(Debug)]
struct Listening {
    planner: Arc<dyn Planner>,
    samples: Arc<Mutex<BTreeMap<Method, Sample>>>,
}

#[deny(clippy::missing_trait_methods)]
impl Planner for Listening {
    fn descriptor(&self) -> &Descriptor {
        self.planner.descriptor()
    }

    fn plan<'a>(
        &'a self,
        cx: PlanCx<'a>,
        diffs: BoxStream<'a, Result<Diff>>,
    ) -> BoxStream<'a, Result<WorkItem>> {
        self.planner.plan(cx, diffs)
    }

    fn observe(&self, outcome: &Outcome) {
        if let Some(sample) = &outcome.sample {
            let mut samples = self.samples.lock();
            let sum = samples
                .entry(sample.method)
                .or_insert_with(|| Sample::new(sample.method, 0, 0, std::time::Duration::ZERO));
            sum.files += sample.files;
            sum.bytes += sample.bytes;
            sum.took += sample.took;
        }
        self.planner.observe(outcome);
    }
}

#[cfg(test)]
mod tests;
