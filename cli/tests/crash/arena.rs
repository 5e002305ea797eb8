//! Where the process is killed: a file system of its own, and on it a source, a target, and
//! something outside.

use std::fs;
use std::path::{Path, PathBuf};

use blit_conform::{
    Blit, Broken, FileSystem, Mounted, Options, Ran, Scratch, Snapshot, What, is_unfinished,
    judge_crash, judge_move, remove_tree,
};

use crate::workload::Workload;

/// A new file system in memory.
pub(crate) struct Arena {
    root: PathBuf,
    // Unmounted and removed in this order.
    _mounted: Mounted,
    _memory: Mounted,
    _scratch: Scratch,
}

impl Arena {
    /// `None` if this machine cannot make or mount it.
    pub(crate) fn new(kind: FileSystem) -> Option<Self> {
        if !kind.is_here() {
            return None;
        }
        let scratch = Scratch::new();
        let memory = Mounted::memory(&scratch.path("memory")).unwrap();
        let image = scratch.path("memory/image");
        kind.make(&image);
        let root = scratch.path("arena");
        let mounted = Mounted::image(kind, &image, &root).unwrap();
        Some(Self {
            root,
            _mounted: mounted,
            _memory: memory,
            _scratch: scratch,
        })
    }

    /// Plants what `workload` finds before it.
    pub(crate) fn plant<'a>(&'a self, workload: &'a Workload) -> Planted<'a> {
        let planted = Planted {
            workload,
            root: &self.root,
            source: self.root.join("source"),
            target: self.root.join("target"),
        };
        workload.plant(&planted.source, &planted.target);
        fs::create_dir(self.root.join("outside")).unwrap();
        fs::write(self.root.join("outside/bird"), "alive").unwrap();
        planted
    }
}

/// Both ends, and what is outside; all are removed at the end.
pub(crate) struct Planted<'a> {
    workload: &'a Workload,
    root: &'a Path,
    source: PathBuf,
    target: PathBuf,
}

impl Planted<'_> {
    pub(crate) fn blit(&self) -> Blit {
        self.workload.blit(&self.source, &self.target)
    }

    /// All of it as it is now.
    pub(crate) fn now(&self) -> Snapshot {
        Snapshot::of(self.root)
    }

    /// What a kill on the way from `old` to `new` has broken.
    pub(crate) fn judge(&self, old: &Snapshot, new: &Snapshot) -> Vec<String> {
        let now = self.now();
        let mut broken = judge_crash(old, new, &now);
        let is_move = self.workload.verb == "move";
        if is_move {
            broken.extend(judge_move((old, new, &now), ("source", "target")));
        }
        let touched = old.differences(&now, Options::untouched());
        let forbidden = touched.into_iter().filter(|it| {
            let is_in = |directory: &[u8]| it.path.starts_with(directory);
            is_in(b"outside") || (is_in(b"source") && !is_move)
        });
        let broken = broken.iter().map(Broken::to_string);
        broken
            .chain(forbidden.map(|it| format!("touched {it}")))
            .collect()
    }

    /// K3: the same command again ends as if nothing had happened.
    pub(crate) fn again(&self, new: &Snapshot) -> Vec<String> {
        let ran = self.blit().run();
        let mut broken = Vec::new();
        if !has_ended_well(self.workload, &ran) {
            broken.push(format!("again: {ran}"));
        }
        let found = new.differences(&self.now(), Options::exact());
        let found = found
            .into_iter()
            .filter(|it| it.path.starts_with(b"target"));
        let found = found.filter(|it| !is_unfinished(&it.path));
        let found = found.filter(|it| !is_known_of(self.workload, it.what, &it.path, new));
        broken.extend(found.map(|it| format!("again: {it}")));
        broken
    }
}

/// A move whose source is gone has nothing to do, and says so.
pub(crate) fn has_ended_well(workload: &Workload, again: &Ran) -> bool {
    again.code == Some(0) || (workload.verb == "move" && again.code == Some(5))
}

/// What a killed move has removed changed the times of its directories at the source, and these are
/// what the second move finds.
pub(crate) fn is_known_of(workload: &Workload, what: What, path: &[u8], new: &Snapshot) -> bool {
    let is_directory = new.content_of(path).as_deref() == Some("Directory");
    workload.verb == "move" && what == What::Time && is_directory
}

impl Drop for Planted<'_> {
    fn drop(&mut self) {
        for name in ["source", "target", "outside"] {
            let removed = remove_tree(&self.root.join(name));
            assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
        }
    }
}
