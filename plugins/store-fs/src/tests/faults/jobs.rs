//! Small jobs that pass every site: what there is before, and what is done.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, lchown, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use blit_conform::{Scratch, Snapshot, is_root, tree::set_times};
use blit_contract::Durability;
use blit_engine::{
    AlwaysYes, Compare, Job as Session, MaxDelete, Options, Progress, Report, Source, Target, Top,
    Verb,
};
use rustix::io::Errno;
use tokio::sync::mpsc;

use crate::{
    FsOptions, FsStore,
    config::Knobs,
    sys::{
        planned::{Plan, follow},
        relearn_kernel,
    },
};

/// One job.
pub(super) struct Job {
    pub(super) name: &'static str,
    pub(super) verb: Verb,
    /// Whether something old is at the target.
    pub(super) is_over_old: bool,
    pub(super) change: fn(&mut Options),
    pub(super) named_partials: bool,
    /// What this kernel or file system cannot do, always.
    pub(super) lacks: &'static [(&'static str, Errno)],
}

const PLAIN: Job = Job {
    name: "",
    verb: Verb::Copy,
    is_over_old: false,
    change: |_| (),
    named_partials: false,
    lacks: &[],
};

pub(super) const JOBS: &[Job] = &[
    Job {
        name: "copy",
        ..PLAIN
    },
    Job {
        name: "mirror",
        verb: Verb::Mirror,
        is_over_old: true,
        ..PLAIN
    },
    Job {
        name: "move",
        verb: Verb::Move,
        is_over_old: true,
        ..PLAIN
    },
    Job {
        name: "verified copy, a barrier for each file",
        is_over_old: true,
        change: |options| {
            options.verify = true;
            options.compare = Compare::Checksum;
            options.durability = Durability::File;
        },
        ..PLAIN
    },
    Job {
        name: "mirror with backup",
        verb: Verb::Mirror,
        is_over_old: true,
        change: |options| options.backup = true,
        ..PLAIN
    },
    Job {
        name: "mirror on an old kernel",
        verb: Verb::Mirror,
        is_over_old: true,
        named_partials: true,
        lacks: &[
            ("open_beneath", Errno::NOSYS),
            ("rename_keep", Errno::INVAL),
            ("sync_file_system", Errno::NOSYS),
        ],
        ..PLAIN
    },
    Job {
        name: "copy where files are linked by their path",
        lacks: &[("link_unnamed", Errno::NOENT)],
        ..PLAIN
    },
];

/// The trees of one run.
pub(super) struct Trees {
    scratch: Scratch,
    pub(super) source: PathBuf,
    pub(super) target: PathBuf,
}

impl Trees {
    /// In memory if that can be: there are thousands of runs.
    pub(super) fn planted(job: &Job) -> Self {
        let memory = Path::new("/dev/shm");
        let scratch = match rustix::fs::access(memory, rustix::fs::Access::WRITE_OK) {
            Ok(()) => Scratch::below(memory),
            Err(_) => Scratch::new(),
        };
        let source = scratch.directory("source");
        let target = scratch.path("above/target");
        plant_source(&source);
        if job.is_over_old {
            fs::create_dir_all(&target).unwrap();
            plant_target(job, &target);
        }
        Self {
            scratch,
            source,
            target,
        }
    }

    /// The target once more as it was; its source is untouched.
    pub(super) fn replant_target(&self, job: &Job) {
        for name in ["above", "backup"] {
            let path = self.scratch.path(name);
            if path.exists() {
                blit_conform::remove_tree(&path).unwrap();
            }
        }
        if job.is_over_old {
            fs::create_dir_all(&self.target).unwrap();
            plant_target(job, &self.target);
        }
    }

    pub(super) fn backup(&self) -> PathBuf {
        self.scratch.path("backup")
    }

    /// The target as it is now, empty if there is none.
    pub(super) fn target_now(&self) -> Snapshot {
        if self.target.exists() {
            Snapshot::of(&self.target)
        } else {
            Snapshot::of(&self.scratch.directory("nothing"))
        }
    }

    fn stores(&self, job: &Job, options: &Options) -> blit_contract::Result<(FsStore, FsStore)> {
        let mut source = FsOptions::source();
        source.writable = options.verb == Verb::Move;
        let mut target = FsOptions::target();
        target.backup = options.backup.then(|| self.backup());
        target.knobs = Knobs {
            named_partials: job.named_partials,
            ..Knobs::default()
        };
        let source = FsStore::open(&self.source, source)?;
        Ok((source, FsStore::open(&self.target, target)?))
    }
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// A root could not even be opened.
    Refused(blit_contract::Error),
    Reported(Box<Report>),
}

/// No run takes a hundredth of this; each has its own threads, so that nothing else follows its plan.
const HANG: Duration = Duration::from_secs(30);

/// Runs `job` over `trees` as `plan` says.
pub(super) fn run(job: &Job, trees: &Trees, progress: &Arc<Progress>, plan: &Arc<Plan>) -> Ended {
    relearn_kernel();
    let mine = Arc::clone(plan);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || follow(&mine))
        .build()
        .unwrap();
    let mut options = Options::new(job.verb);
    options.max_delete = MaxDelete::Percent(100);
    options.specials = true;
    (job.change)(&mut options);
    follow(plan);
    let (source, target) = match trees.stores(job, &options) {
        Ok(stores) => stores,
        Err(error) => return Ended::Refused(error),
    };
    let (events, mut heard) = mpsc::channel(64);
    let mut session = Session::new(
        Source {
            store: Arc::new(source),
            top: Top::Contents,
        },
        Arc::new(blit_plan::DefaultPlanner::default()),
        blit_transport_mem::pair(),
        Target {
            store: Arc::new(target),
        },
        options,
        events,
    );
    session.confirm = Arc::new(AlwaysYes);
    session.progress = Arc::clone(progress);
    let listening = runtime.spawn(async move { while heard.recv().await.is_some() {} });
    let running =
        runtime.spawn(async move { tokio::time::timeout(HANG, blit_engine::run(session)).await });
    let report = runtime.block_on(running).unwrap();
    let report = report.unwrap_or_else(|_| panic!("{} hangs", job.name));
    listening.abort();
    // Waits for the threads: whatever they still hold is let go before anybody looks.
    drop(runtime);
    Ended::Reported(Box::new(report))
}

/// What goes in a mirror, and nowhere else.
pub(super) const EXTRAS: [&str; 4] = ["extra", "d/extra", "d/e/extra", "gone/x"];

fn plant_source(root: &Path) {
    write(root, "a", b"new a");
    write(root, "d/b", b"new b");
    write(root, "d/e/c", b"the same");
    write(root, "swap", b"a file where a directory was");
    write(root, "turn/inner", b"a directory where a file was");
    // Longer than what is packed, so that it is read in ranges.
    write(root, "large", &[7; (1 << 20) + 4_097]);
    fs::create_dir(root.join("empty")).unwrap();
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(6 << 20).unwrap();
    std::os::unix::fs::FileExt::write_at(&sparse, &[9; 8_192], 3 << 20).unwrap();
    symlink("a", root.join("symlink")).unwrap();
    fs::hard_link(root.join("a"), root.join("d/link of a")).unwrap();
    attribute(&root.join("d/b"), "user.kept");
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), fifo, mode, 0).unwrap();
    for (name, mode) in [("a", 0o666), ("fifo", 0o604), ("empty", 0o750)] {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    if is_root() {
        lchown(root.join("a"), Some(1_234), Some(1_234)).unwrap();
        lchown(root.join("symlink"), Some(1_234), Some(1_234)).unwrap();
    }
    age(root, 1_400_000_000);
}

fn plant_target(job: &Job, root: &Path) {
    if job.verb == Verb::Mirror {
        // Only a mirror removes a directory for a file.
        write(root, "swap/inner", b"old");
    }
    write(root, "a", b"the old a");
    write(root, "d/b", b"old");
    write(root, "d/e/c", b"the same");
    write(root, "turn", b"old");
    symlink("elsewhere", root.join("symlink")).unwrap();
    for extra in EXTRAS {
        write(root, extra, b"old");
    }
    attribute(&root.join("d/e/c"), "user.extra");
    age(root, 1_300_000_000);
    set_times(&root.join("d/e/c"), (1_400_000_000, 123_456_789));
}

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn attribute(path: &Path, name: &str) {
    match rustix::fs::setxattr(path, name, b"value", rustix::fs::XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP) => blit_conform::skip("no user attributes in memory here"),
        other => other.unwrap(),
    }
}

/// The same times in every planting, so that the results can be compared.
fn age(root: &Path, seconds: i64) {
    for path in Snapshot::of(root).paths() {
        set_times(&root.join(text(&path)), (seconds, 123_456_789));
    }
    set_times(root, (seconds, 987_654_321));
}

pub(super) fn text(path: &[u8]) -> &str {
    std::str::from_utf8(path).unwrap()
}
