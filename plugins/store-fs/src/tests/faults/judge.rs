//! What must hold after a fault.

use std::collections::BTreeSet;

use blit_conform::{Difference, Options, Snapshot, What};
use blit_contract::{Error, ErrorKind, LossClass, Phase, RelPath, Side};
use blit_engine::{Report, Stop, Verb};
use rustix::io::Errno;

use super::{
    Case, Clean,
    jobs::{EXTRAS, Ended, Job, Trees},
};
use crate::sys::planned::Fault;

/// How far the run was when the fault happened.
#[derive(Debug)]
pub(super) struct AtFault {
    pub(super) phase: Phase,
    pub(super) extras: usize,
}

/// Judges one end of a run.
pub(super) struct Judge<'a> {
    pub(super) report: Option<&'a Report>,
    errors: Vec<(Side, Option<&'a RelPath>, &'a Error)>,
}

/// Operations that are about a whole tree and name no entry.
const OF_A_TREE: &[&str] = &[
    "list",
    "look at the directories above",
    "make backup directory",
    "make target directory",
    "open",
    "open backup directory",
    "stat",
    "sync",
];

/// Sites whose failure nothing makes good.
const FELT: &[&str] = &[
    "link",
    "make_directory",
    "make_root",
    "make_special",
    "make_symlink",
    "read_at",
    "read_whole",
    "remove_directory",
    "rename_exchange",
    "rename_replace",
    "set_size",
    "sync_directory",
    "sync_file",
    "sync_file_system",
    "write_at",
];

impl<'a> Judge<'a> {
    pub(super) fn of(ended: &'a Ended) -> Self {
        let report = match ended {
            Ended::Refused(error) => {
                return Self {
                    report: None,
                    errors: vec![(Side::Target, error.path(), error)],
                };
            }
            Ended::Reported(report) => &**report,
        };
        let stop = match &report.stop {
            Some(Stop::Failed(problem)) => Some(problem),
            _ => None,
        };
        let problems = report.problems.iter().chain(stop);
        let errors = problems.map(|it| (it.side, Some(&it.path), &it.error));
        Self {
            report: Some(report),
            errors: errors.collect(),
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.report.is_some_and(Report::is_clean)
    }

    pub(super) fn shown(&self) -> String {
        let errors = self.errors.iter();
        let errors = errors.map(|(side, path, error)| format!("{side:?} {path:?} {error}"));
        let stop = self.report.and_then(|it| it.stop.as_ref());
        let losses = self.report.map(|it| &it.losses);
        let errors: Vec<_> = errors.collect();
        format!("errors {errors:?} stop {stop:?} losses {losses:?}")
    }

    pub(super) fn all(
        &self,
        job: &Job,
        case: &Case,
        clean: &Clean,
        trees: &Trees,
        source: &Snapshot,
        at_fault: &AtFault,
    ) -> Result<(), String> {
        let now = trees.target_now();
        self.source_is_unharmed(job, clean, trees, source, &now)?;
        if self.is_clean() {
            self.success_is_exact(clean, &now)?;
        } else {
            self.every_name_is_old_or_new(clean, &now)?;
            self.nothing_was_deleted(job, trees, at_fault)?;
            self.the_error_is_told(case)?;
        }
        self.no_partial_is_left(case, &now)?;
        self.the_fault_is_felt(case)?;
        self.no_success_by_another_name()?;
        let must_be_harmless = case.fault == Fault::Short || case.error() == Some(Errno::INTR);
        ensure(self.is_clean() || !must_be_harmless, || {
            "an interruption changed the result".into()
        })
    }

    fn source_is_unharmed(
        &self,
        job: &Job,
        clean: &Clean,
        trees: &Trees,
        source: &Snapshot,
        now: &Snapshot,
    ) -> Result<(), String> {
        let left = Snapshot::of(&trees.source);
        if job.verb != Verb::Move {
            let touched = source.differences(&left, Options::untouched());
            return nothing(&touched).map_err(|it| format!("the source was touched: {it}"));
        }
        for path in source.paths() {
            let was = source.content_of(&path);
            let arrived = now.content_of(&path) == clean.new.content_of(&path);
            ensure(left.content_of(&path) == was || arrived, || {
                format!("{} is nowhere", path.escape_ascii())
            })?;
        }
        ensure(!self.is_clean() || left.paths().is_empty(), || {
            "a clean move left something".into()
        })
    }

    /// Everything but what the target is said not to have kept.
    fn looks_at(&self) -> Options {
        let losses = self.report.map(|it| it.losses.keys()).into_iter().flatten();
        losses.fold(Options::exact(), |options, loss| match loss {
            LossClass::Acl => options.without(What::Acl),
            LossClass::HardLink => options.without(What::HardLinkSplit),
            LossClass::Mode => options.without(What::Mode),
            LossClass::Owner => options.without(What::Owner),
            LossClass::Time => options.without(What::Time),
            LossClass::Xattr => options.without(What::Xattr),
            _ => options,
        })
    }

    /// What the target could not keep was said; all else is as it is without a fault.
    fn success_is_exact(&self, clean: &Clean, now: &Snapshot) -> Result<(), String> {
        let options = self.looks_at();
        let mut found = clean.new.differences(now, options);
        found.retain(|it| !is_partial(&it.path));
        nothing(&found).map_err(|it| format!("success, but {it}"))
    }

    fn every_name_is_old_or_new(&self, clean: &Clean, now: &Snapshot) -> Result<(), String> {
        let snapshots = [&clean.old, &clean.new, now];
        let names: BTreeSet<_> = snapshots.iter().flat_map(|it| it.paths()).collect();
        for path in names.iter().filter(|it| !is_partial(it)) {
            let [old, new, is] = snapshots.map(|it| it.content_of(path));
            // Within a directory that something takes the place of, both the old and nothing may be.
            ensure(is == old || is == new, || {
                format!(
                    "{} holds {is:?}, not {old:?} or {new:?}",
                    path.escape_ascii()
                )
            })?;
        }
        Ok(())
    }

    fn nothing_was_deleted(
        &self,
        job: &Job,
        trees: &Trees,
        at_fault: &AtFault,
    ) -> Result<(), String> {
        let has_begun = matches!(at_fault.phase, Phase::Delete | Phase::Finish);
        if job.verb != Verb::Mirror || has_begun {
            return Ok(());
        }
        let exist = |it: &&&str| trees.target.join(it).exists();
        let extras = EXTRAS.iter().filter(exist).count();
        ensure(extras == at_fault.extras && extras == EXTRAS.len(), || {
            format!("deleted after an error: {extras} extras are left, {at_fault:?}")
        })
    }

    /// The error is there with its number or meaning, and names what it happened to.
    fn the_error_is_told(&self, case: &Case) -> Result<(), String> {
        let Some(errno) = case.error() else {
            return Ok(());
        };
        let kinds = kinds(errno);
        let tells = |error: &Error| {
            error.os() == Some(errno.raw_os_error()) || kinds.contains(&error.kind())
        };
        let told: Vec<_> = self.errors.iter().filter(|it| tells(it.2)).collect();
        ensure(!told.is_empty(), || format!("no error tells of {errno:?}"))?;
        let named = |path: &Option<&RelPath>, error: &Error| {
            path.is_some_and(|it| !it.is_root())
                || error.path().is_some_and(|it| !it.is_root())
                || OF_A_TREE.contains(&error.op())
        };
        // The root itself is an entry too: its error names the root.
        let of_the_root = |error: &Error| error.path().is_some_and(RelPath::is_root);
        let nameless = self
            .errors
            .iter()
            .find(|(_, path, error)| !named(path, error) && !of_the_root(error));
        ensure(nameless.is_none(), || {
            format!("an error names no entry: {nameless:?}")
        })?;
        let bug = self.errors.iter().find(|it| it.2.kind() == ErrorKind::Bug);
        let is_internal = self
            .report
            .is_some_and(|it| matches!(it.stop, Some(Stop::Internal(_))));
        ensure(bug.is_none() && !is_internal, || "an internal error".into())
    }

    /// A disk that fails or is full where it matters passes for no success, although the tree may look
    /// right: what a barrier did not cover is only in memory.
    fn the_fault_is_felt(&self, case: &Case) -> Result<(), String> {
        let disk = [Errno::DQUOT, Errno::IO, Errno::NOSPC, Errno::ROFS];
        let is_hard = case.error().is_some_and(|it| disk.contains(&it));
        let is_felt = !is_hard || !FELT.contains(&case.site.as_str());
        ensure(is_felt || !self.is_clean(), || {
            "a failure passed for success".into()
        })
    }

    /// What could not be removed may stay, and what is left of a tree that was replaced if an error
    /// names it; nothing else.
    fn no_partial_is_left(&self, case: &Case, now: &Snapshot) -> Result<(), String> {
        let partial = now.paths().into_iter().find(|path| is_partial(path));
        let was_removing = ["unlink", "remove_directory"].contains(&case.site.as_str());
        let is_named = |path: &Vec<u8>| {
            let mut errors = self.errors.iter().filter_map(|it| it.2.path());
            errors.any(|it| it.to_string().as_bytes() == path)
        };
        let is_told = partial.as_ref().is_none_or(is_named);
        ensure(is_told || was_removing, || {
            format!("left {}", partial.unwrap_or_default().escape_ascii())
        })
    }

    /// A run in which entries only vanished exits with 0: nothing that is there may be said to have.
    fn no_success_by_another_name(&self) -> Result<(), String> {
        let lies = self
            .report
            .is_some_and(|it| !it.is_clean() && it.only_vanished());
        ensure(!lies, || {
            "exit 0: what failed is said to have vanished".into()
        })
    }

    /// After any fault the same job ends as if nothing had happened.
    /// What the first run said not to have kept is not looked for once more.
    pub(super) fn repairs(
        &self,
        job: &Job,
        clean: &Clean,
        trees: &Trees,
        first: &Self,
    ) -> Result<(), String> {
        ensure(self.is_clean(), || self.shown())?;
        let mut found = clean.new.differences(&trees.target_now(), first.looks_at());
        found.retain(|it| !is_partial(&it.path));
        if job.verb == Verb::Move {
            // What a failed move has removed changed the times of directories, and these are moved; and
            // of the names of one file it has moved those that it could.
            let is_directory =
                |path: &[u8]| clean.new.content_of(path).as_deref() == Some("Directory");
            found.retain(|it| it.what != What::HardLinkSplit);
            found.retain(|it| it.what != What::Time || !is_directory(&it.path));
        }
        nothing(&found)
    }
}

/// Unfinished work of blit, or in it.
fn is_partial(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|name| name.starts_with(b".blit~") && name.len() == 28)
}

/// What an error means.
fn kinds(errno: Errno) -> &'static [ErrorKind] {
    match errno {
        Errno::ACCESS => &[ErrorKind::Denied],
        Errno::PERM => &[
            ErrorKind::Denied,
            ErrorKind::Immutable,
            ErrorKind::Unsupported,
        ],
        Errno::DQUOT | Errno::NOSPC => &[ErrorKind::NoSpace],
        // It is tried again, and what that comes to is told.
        Errno::LOOP | Errno::STALE => &[ErrorKind::Changed, ErrorKind::Conflict],
        Errno::ROFS => &[ErrorKind::ReadOnly],
        _ => &[ErrorKind::Io],
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn nothing(found: &[Difference]) -> Result<(), String> {
    ensure(found.is_empty(), || format!("{found:?}"))
}
