//! The engine in this process: right, or wrong in one way.

use std::sync::{Arc, LazyLock};

use blit_bundled as _;
use blit_contract::{Durability, Entry, RelPath, Select, Selection, Store};
use blit_engine::{AlwaysYes, Job, MaxDelete, Options, Report, Source, Stop, Target, Top};
use blit_registry::{PluginConfig, Registry, StoreConfig};
use tokio::sync::mpsc;

use crate::command::{Command, Engine, Limit, Places, Ran, Verb};
use crate::liar::{Liar, Lie};
use crate::tree::Path;

/// The engine, with whatever is wrong about it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct InProcess {
    pub(crate) fault: Option<Fault>,
}

/// Where it is wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It does something else than was asked.
    Hears(fn(&mut Command)),
    /// Its target lies to it.
    Target(Lie),
    /// It does something more afterwards, or answers another exit code.
    Then(fn(&Command, &Places, &mut i32)),
}

impl Engine for InProcess {
    fn run(&self, command: &Command, places: &Places) -> Ran {
        let mut heard = command.clone();
        let mut lie = None;
        match self.fault {
            Some(Fault::Hears(change)) => change(&mut heard),
            Some(Fault::Target(told)) => lie = Some(told),
            Some(Fault::Then(_)) | None => {}
        }
        let report = RUNTIME.block_on(session(&heard, places, lie));
        let mut code = exit_code(&heard, &report);
        if let Some(Fault::Then(more)) = self.fault {
            more(command, places, &mut code);
        }
        Ran {
            code: Some(code),
            said: format!("{:?} {:?}", report.stop, report.problems),
            items: None,
        }
    }
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().worker_threads(2).build().unwrap()
});

async fn session(command: &Command, places: &Places, lie: Option<Lie>) -> Report {
    let registry = Registry::builtin().unwrap();
    let is_writing = !command.is_read_only();
    let source =
        StoreConfig::new(&places.source).with_writable(command.verb == Verb::Move && is_writing);
    let target = StoreConfig::new(&places.target)
        .with_writable(is_writing)
        .with_create_root(true);
    let target = match command.backup {
        true => target.with_backup(&places.backup),
        false => target,
    };
    let source = registry.store("file", &source).unwrap();
    let target = registry.store("file", &target).unwrap();
    let target: Arc<dyn Store> = match lie {
        Some(lie) => Arc::new(Liar::new(target, &places.target, lie)),
        None => target,
    };
    let (events, mut heard) = mpsc::channel(64);
    let listening = tokio::spawn(async move { while heard.recv().await.is_some() {} });
    let mut job = Job::new(
        Source {
            store: source,
            top: Top::Contents,
        },
        registry.planner(None, &PluginConfig::new()).unwrap(),
        blit_transport_mem::pair(),
        Target { store: target },
        options(command),
        events,
    );
    if command.yes {
        job.confirm = Arc::new(AlwaysYes);
    }
    let report = blit_engine::run(job).await;
    listening.await.unwrap();
    report
}

fn options(command: &Command) -> Options {
    let verb = match command.verb {
        Verb::Check => blit_engine::Verb::Check,
        Verb::Copy => blit_engine::Verb::Copy,
        Verb::Mirror => blit_engine::Verb::Mirror,
        Verb::Move => blit_engine::Verb::Move,
    };
    let mut options = Options::new(verb);
    if command.checksum {
        options.compare = blit_engine::Compare::Checksum;
    }
    options.dry_run = command.dry_run;
    options.update = command.update;
    options.ignore_existing = command.ignore_existing;
    options.specials = command.specials;
    options.verify = command.verb == Verb::Move;
    options.backup = command.backup;
    options.max_delete = match command.max_delete {
        None => MaxDelete::Default,
        Some(Limit::All) => MaxDelete::Percent(100),
        Some(Limit::Entries(entries)) => MaxDelete::Entries(entries as u64),
    };
    options.durability = Durability::None;
    if !command.exclude.is_empty() {
        options.select = Some(Arc::new(Chosen(command.clone())));
    }
    options
}

/// The filter of a command.
struct Chosen(Command);

impl Select for Chosen {
    fn select(&self, directory: &RelPath, entry: &Entry) -> Selection {
        let mut path: Path = directory
            .components()
            .into_iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        path.push(entry.name.as_bytes().to_vec());
        match self.0.matches(&path, entry.is_directory()) {
            true => Selection::Skip,
            false => Selection::Take,
        }
    }
}

fn exit_code(command: &Command, report: &Report) -> i32 {
    let is_partial = report.problems_total > 0 || report.deletions_withheld > 0;
    let stays_behind = command.verb == Verb::Move && report.uncarried > 0;
    match &report.stop {
        Some(Stop::Brake { .. } | Stop::Unconfirmed(_)) => 7,
        Some(_) => 1,
        None if is_partial || stays_behind || !report.sealed => 3,
        None if report.differences > 0 => 4,
        None => 0,
    }
}
