//! Runs a session between two trees in memory.

use std::sync::Arc;

use blit_contract::{
    DeletionPlan, Descriptor, Diff, DiffKind, Event, Item, Name, Outcome as PlanOutcome, PlanCx,
    Planner, RelPath, Result, Store, Work, WorkItem,
};
use blit_engine::{
    AlwaysYes, Answer, Confirm, Doomed, Job, Options, Report, Source, Target, Top, TopName, Verb,
};
use blit_store_mem::MemStore;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// A session about to run.
pub(crate) struct Run {
    source: Arc<dyn Store>,
    target: MemStore,
    top: Top,
    pub(crate) options: Options,
    confirm: Arc<dyn Confirm>,
}

/// How it went.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    pub(crate) items: Vec<Item>,
}

impl Run {
    pub(crate) fn new(verb: Verb, source: &MemStore, target: &MemStore) -> Self {
        Self::of(verb, Arc::new(source.clone()), target)
    }

    pub(crate) fn of(verb: Verb, source: Arc<dyn Store>, target: &MemStore) -> Self {
        let mut options = Options::new(verb);
        options.items = true;
        Self {
            source,
            target: target.clone(),
            top: Top::Contents,
            options,
            confirm: Arc::new(AlwaysYes),
        }
    }

    pub(crate) fn named(mut self, names: &[(&str, &str)]) -> Self {
        let name = |text: &str| Name::new(text.as_bytes()).unwrap();
        let names = names.iter().map(|(source, target)| TopName {
            source: name(source),
            target: name(target),
        });
        self.top = Top::Names(names.collect());
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    pub(crate) fn asking(mut self, confirm: Arc<dyn Confirm>) -> Self {
        self.confirm = confirm;
        self
    }

    pub(crate) async fn run(self) -> Outcome {
        let (events, mut heard) = mpsc::channel(64);
        let source = Source {
            store: self.source,
            top: self.top,
        };
        let target = Target {
            store: Arc::new(self.target),
        };
        let mut job = Job::new(
            source,
            Arc::new(OneByOne),
            blit_transport_mem::pair(),
            target,
            self.options,
            events,
        );
        job.confirm = self.confirm;
        let listening = tokio::spawn(async move {
            let mut items = Vec::new();
            while let Some(event) = heard.recv().await {
                if let Event::Item(item) = event {
                    items.push(item);
                }
            }
            items
        });
        let report = blit_engine::run(job).await;
        let items = listening.await.unwrap();
        Outcome { report, items }
    }
}

/// A planner without any art: every difference is a piece of work of its own, and files of more than
/// 64 MiB come in four parts. The session must be right with any planner.
#[derive(Debug)]
pub(crate) struct OneByOne;

const ONE_BY_ONE: Descriptor = Descriptor::new("planner-one-by-one", "0", &[]);

impl Planner for OneByOne {
    fn descriptor(&self) -> &Descriptor {
        &ONE_BY_ONE
    }

    fn plan<'a>(
        &'a self,
        _cx: PlanCx<'a>,
        diffs: BoxStream<'a, Result<Diff>>,
    ) -> BoxStream<'a, Result<WorkItem>> {
        let works = diffs.flat_map(|diff| stream::iter(works(diff)));
        Box::pin(works.map(|work| Ok(WorkItem::new(0, work?, "one by one"))))
    }

    fn observe(&self, _outcome: &PlanOutcome) {}
}

fn works(diff: Result<Diff>) -> Vec<Result<Work>> {
    let diff = match diff {
        Ok(diff) => diff,
        Err(error) => return vec![Err(error)],
    };
    let size = diff.entry.size;
    match diff.kind {
        DiffKind::Attributes => vec![Ok(Work::Attributes(vec![diff]))],
        DiffKind::Digest => vec![Ok(Work::Digests(vec![diff]))],
        _ if size <= 1 << 20 => vec![Ok(Work::Pack(vec![diff]))],
        _ if size <= 64 << 20 || diff.attempt > 0 => vec![Ok(Work::Whole(diff))],
        _ => {
            let diff = Arc::new(diff);
            // A peer may have named any size.
            let cut = |part: u64| (u128::from(size) * u128::from(part) / 4) as u64;
            let range = |part: u64| Work::Range {
                diff: Arc::clone(&diff),
                start: cut(part),
                end: cut(part + 1),
                part: part as u32,
                parts: 4,
            };
            (0..4).map(|part| Ok(range(part))).collect()
        }
    }
}

/// Says the given answer, and keeps what it was asked.
pub(crate) struct Asked {
    answer: Answer,
    pub(crate) heard: Mutex<Vec<(DeletionPlan, Vec<String>)>>,
}

impl Asked {
    pub(crate) fn saying(answer: Answer) -> Arc<Self> {
        Arc::new(Self {
            answer,
            heard: Mutex::default(),
        })
    }
}

#[async_trait::async_trait]
impl Confirm for Asked {
    async fn confirm(&self, plan: DeletionPlan, doomed: &dyn Doomed) -> Answer {
        let mut names = Vec::new();
        doomed
            .for_each(&mut |path, _| names.push(path.to_string()))
            .unwrap();
        self.heard.lock().push((plan, names));
        self.answer
    }
}

/// A tree with these files, whose content is their own path.
pub(crate) fn tree(paths: &[&str]) -> MemStore {
    let store = MemStore::new();
    for path in paths {
        store.add_file(path, path.as_bytes().to_vec()).unwrap();
    }
    store
}

pub(crate) fn path(text: &str) -> RelPath {
    text.split('/')
        .map(|name| Name::new(name.as_bytes()).unwrap())
        .collect()
}

/// The paths of the items, in order.
pub(crate) fn paths(items: &[Item]) -> Vec<String> {
    let mut paths: Vec<_> = items.iter().map(|item| item.path.to_string()).collect();
    paths.sort();
    paths
}
