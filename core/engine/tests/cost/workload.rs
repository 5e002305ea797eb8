//! What is measured: sessions between trees that are made up as they are read.

use std::process::{Command, Output};
use std::str::FromStr;
use std::sync::Arc;

use blit_contract::{
    Diff, DiffKind, EndState, Entry, Kind, Name, NoHistory, PlanCx, Planner, RelPath, Replace,
};
use blit_engine::{AlwaysYes, Job, Options, Report, Source, Target, Top, Verb};
use blit_plan::DefaultPlanner;
use blit_store_mem::SyntheticStore;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::sink::Sink;

/// How many entries a directory of the usual tree holds.
const PER_DIRECTORY: u64 = 100;

/// The size of each file.
const FILE_BYTES: u64 = 64;

const WORKLOAD: &str = "BLIT_WORKLOAD";
const ENTRIES: &str = "BLIT_WORKLOAD_ENTRIES";

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Copies every file to a target that keeps nothing.
    Copied,
    /// Mirrors onto an equal tree.
    Unchanged,
    /// The same, where every file has two names.
    UnchangedPairs,
    /// The same, where half of the entries are directories beside each other.
    UnchangedSiblings,
    /// Plans differences, without a session.
    Planned,
}

const ALL: &[Workload] = &[
    Workload::Copied,
    Workload::Unchanged,
    Workload::UnchangedPairs,
    Workload::UnchangedSiblings,
    Workload::Planned,
];

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = ALL.iter().find(|it| format!("{it:?}") == text);
        found.copied().ok_or_else(|| format!("no workload {text}"))
    }
}

/// Runs this program once more with a workload, under the program that `wrapper` names.
pub(crate) fn apart(workload: Workload, entries: u64, wrapper: &[&str]) -> Output {
    let itself = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(itself);
            command
        }
        [] => Command::new(itself),
    };
    let output = command
        .args(["--exact", "workload::child", "--ignored", "--nocapture"])
        .env(WORKLOAD, format!("{workload:?}"))
        .env(ENTRIES, entries.to_string())
        // A backtrace of debug builds would be measured, too.
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{workload:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
#[ignore = "the other tests run it, in a process of its own"]
fn child() {
    let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let workload: Workload = variable(WORKLOAD).parse().unwrap();
    let entries: u64 = variable(ENTRIES).parse().unwrap();
    // One thread: nothing here waits for a disk, and the same happens each time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(workload.run(entries));
    println!("peak {} KiB", peak_kib());
}

/// The most memory that this process has ever held.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

impl Workload {
    async fn run(self, entries: u64) {
        let usual = SyntheticStore::new(entries, PER_DIRECTORY, FILE_BYTES);
        let (source, verb) = match self {
            Self::Planned => return plan(entries).await,
            Self::Copied => (usual, Verb::Copy),
            Self::Unchanged => (usual, Verb::Mirror),
            Self::UnchangedPairs => (usual.with_pairs(), Verb::Mirror),
            Self::UnchangedSiblings => (
                SyntheticStore::siblings(entries / 2, FILE_BYTES),
                Verb::Mirror,
            ),
        };
        let (target, end) = match verb {
            Verb::Copy => (Sink::empty(), EndState::Copied),
            _ => (Sink::like(source), EndState::Unchanged),
        };
        let report = session(verb, source, target).await;
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(report.ends.get(end), entries, "{:?}", report.ends);
    }
}

async fn session(verb: Verb, source: SyntheticStore, target: Sink) -> Report {
    run(verb, source, |_| target).await
}

/// Runs a session whose target may look at the job.
pub(crate) async fn run(
    verb: Verb,
    source: SyntheticStore,
    target: impl FnOnce(&Job) -> Sink,
) -> Report {
    let (events, mut heard) = mpsc::channel(64);
    let listening = tokio::spawn(async move { while heard.recv().await.is_some() {} });
    let source = Source {
        store: Arc::new(source),
        top: Top::Contents,
    };
    let nowhere = Target {
        store: Arc::new(Sink::empty()),
    };
    let mut job = Job::new(
        source,
        Arc::new(DefaultPlanner::default()),
        blit_transport_mem::pair(),
        nowhere,
        Options::new(verb),
        events,
    );
    job.confirm = Arc::new(AlwaysYes);
    job.target.store = Arc::new(target(&job));
    let report = blit_engine::run(job).await;
    listening.await.unwrap();
    report
}

async fn plan(entries: u64) {
    let planner = DefaultPlanner::default();
    let diffs = stream::iter((0..entries).map(|number| Ok(diff(number))));
    let cx = PlanCx::new(&NoHistory, 4, 0);
    let mut plan = planner.plan(cx, Box::pin(diffs));
    let mut works = 0;
    while let Some(work) = plan.next().await {
        works += u64::from(work.is_ok());
    }
    assert!((1..=entries).contains(&works), "{works} pieces of work");
}

fn diff(number: u64) -> Diff {
    let name = Name::new(format!("{number:012}").into_bytes()).unwrap();
    let mut entry = Entry::new(name.clone(), Kind::File);
    // Small ones, and now and then one that travels alone.
    entry.size = if number.is_multiple_of(100) {
        8 << 20
    } else {
        FILE_BYTES
    };
    entry.allocated = entry.size;
    Diff::new(
        RelPath::ROOT.join(name),
        entry,
        DiffKind::Content,
        Replace::Nothing,
    )
}
