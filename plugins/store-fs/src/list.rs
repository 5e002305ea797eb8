//! Walks a tree with several threads: directories are taken from a common stack, parents before
//! children, and handed on in batches that wait for the taker.

mod names;
mod pending;

use std::{io, sync::Arc, time::Duration};

use blit_contract::{
    Cx, Entry, EntryBatch, Error, ErrorKind, ListOptions, Name, PartialName, RelPath, Result,
    Selection,
};
use bytes::Bytes;
use tokio::sync::mpsc;

use self::{
    names::SortedNames,
    pending::{Pending, Stack},
};
use crate::{
    delete,
    error::{error, failed, is_missing},
    place::Tree,
    sys::{Directory, Stat, StatKind},
};

/// Entries in one batch.
const BATCH_ENTRIES: usize = 1_024;

/// Batches that wait for the taker.
const BATCHES_AHEAD: usize = 8;

/// Names of one directory that are sorted in memory; more are sorted in runs on disk.
const NAMES_IN_MEMORY: usize = 100_000;

/// Partials of others are left alone so long: their owner may be on another machine.
const PARTIAL_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Walking waits for the disk and for directory locks, so a few more threads than cores pay; on two
/// cores four were as fast as eight.
const THREADS: std::ops::RangeInclusive<usize> = 2..=8;

type Batches = mpsc::Sender<Result<EntryBatch>>;

/// Lists what is below `at`; the batches come out of the answer.
pub(crate) fn list(
    tree: &Arc<Tree>,
    cx: &Cx,
    at: &RelPath,
    options: ListOptions,
) -> mpsc::Receiver<Result<EntryBatch>> {
    let (batches, receiver) = mpsc::channel(BATCHES_AHEAD);
    if tree.handles().is_none() {
        return receiver;
    }
    let threads = if options.recursive {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (cores * 2).clamp(*THREADS.start(), *THREADS.end())
    } else {
        1
    };
    let walk = Arc::new(Walk {
        tree: Arc::clone(tree),
        cx: cx.clone(),
        options,
        batches,
        stack: Stack::new(at.clone()),
        start: at.clone(),
    });
    for _ in 0..threads {
        let walk = Arc::clone(&walk);
        tokio::task::spawn_blocking(move || walk.run());
    }
    receiver
}

struct Walk {
    tree: Arc<Tree>,
    cx: Cx,
    options: ListOptions,
    batches: Batches,
    stack: Stack,
    start: RelPath,
}

/// Nobody takes batches any more.
struct Unwanted;

impl Walk {
    fn run(&self) {
        while let Some(path) = self.stack.pop() {
            let children = self.directory(&path);
            match children {
                Ok(children) => self.stack.done(children),
                Err(Unwanted) => return self.stack.stop(),
            }
        }
    }

    /// Lists one directory; answers the directories to enter.
    fn directory(&self, path: &RelPath) -> Result<Pending, Unwanted> {
        let nothing = Pending::new(path.clone());
        if self.cx.cancel.is_cancelled() {
            return Err(Unwanted);
        }
        let opened = self.tree.directory(path).and_then(|directory| {
            let names = self
                .tree
                .with_room(|| self.sorted_names(path, &directory))?;
            let mount = directory.stat_itself()?;
            Ok((directory, names, mount))
        });
        match opened {
            Ok((directory, names, itself)) => self.entries(path, &directory, names, itself),
            // Only the directory that was asked for must exist; others may go while we walk.
            Err(cause) if *path == self.start => {
                self.send_error(error("list", &cause).at(path))?;
                Ok(nothing)
            }
            Err(cause) if is_missing(&cause) => {
                let mut batch = EntryBatch::new(path.clone());
                batch.problems.push(error("list", &cause).at(path));
                self.send(batch)?;
                Ok(nothing)
            }
            Err(cause) => {
                let mut batch = EntryBatch::new(path.clone());
                batch.problems.push(error("list", &cause).at(path));
                batch.last = true;
                self.send(batch)?;
                Ok(nothing)
            }
        }
    }

    fn sorted_names(&self, path: &RelPath, directory: &Directory) -> io::Result<SortedNames> {
        let in_memory = match self.tree.options.knobs.names_in_memory {
            0 => NAMES_IN_MEMORY,
            names => names,
        };
        let mut names = names::Sorter::new(in_memory);
        directory.for_each_name(&mut |name| {
            if PartialName::recognises(name) {
                self.clean(path, directory, name);
                return Ok(());
            }
            names.push(name)
        })?;
        names.finish()
    }

    /// Looks at every entry in the order of names, and hands them on.
    fn entries(
        &self,
        path: &RelPath,
        directory: &Directory,
        names: SortedNames,
        itself: Stat,
    ) -> Result<Pending, Unwanted> {
        let mut children = Pending::new(path.clone());
        let mut batch = EntryBatch::new(path.clone());
        for name in names {
            match name.and_then(|name| look_twice(directory, name, path, &mut batch)) {
                Ok(Some((entry, stat))) => {
                    self.take(&mut batch, &mut children, entry, stat, itself)
                }
                Ok(None) => {}
                Err(cause) => batch.problems.push(error("list", &cause).at(path)),
            }
            if batch.entries.len() >= BATCH_ENTRIES {
                let next = EntryBatch::new(path.clone());
                self.send(std::mem::replace(&mut batch, next))?;
                if self.cx.cancel.is_cancelled() {
                    return Err(Unwanted);
                }
            }
        }
        batch.last = true;
        self.send(batch)?;
        Ok(children)
    }

    fn take(
        &self,
        batch: &mut EntryBatch,
        children: &mut Pending,
        entry: Entry,
        stat: Stat,
        parent: Stat,
    ) {
        let select = self.options.select.as_ref();
        let selection = select.map_or(Selection::Take, |select| {
            select.select(&batch.directory, &entry)
        });
        if selection == Selection::Skip {
            return;
        }
        let is_other_mount = (stat.mount, stat.device) != (parent.mount, parent.device);
        let enters = self.options.recursive
            && selection == Selection::Take
            && entry.is_directory()
            && !(self.options.one_file_system && is_other_mount);
        if enters {
            children.push(entry.name.as_bytes());
        }
        batch.entries.push(entry);
    }

    fn send(&self, batch: EntryBatch) -> Result<(), Unwanted> {
        self.batches.blocking_send(Ok(batch)).map_err(|_| Unwanted)
    }

    fn send_error(&self, error: Error) -> Result<(), Unwanted> {
        self.batches.blocking_send(Err(error)).map_err(|_| Unwanted)
    }

    /// Removes a partial that somebody left behind long ago.
    fn clean(&self, path: &RelPath, directory: &Directory, name: &[u8]) {
        let Ok(name) = Name::new(name) else { return };
        if !self.tree.options.writable {
            return;
        }
        let Ok(stat) = directory.stat(&name) else {
            return;
        };
        if !is_abandoned(&stat) && !self.tree.options.knobs.partials_are_old {
            return;
        }
        let failed = failed("remove what was abandoned");
        let removed = match stat.kind {
            // What was replaced, and is gone in part: its successor has had the name since.
            StatKind::Directory => {
                let entry = stat.entry(name.clone(), Bytes::new());
                delete::tree(&self.tree, &self.cx, &path.join(name.clone()), &entry)
            }
            StatKind::File if !directory.is_unlocked(&name) => return,
            _ => directory.unlink(&name).map_err(failed),
        };
        match removed {
            Ok(()) => tracing::info!(%name, "removed an abandoned partial"),
            Err(cause) => tracing::warn!(%name, %cause, "cannot remove an abandoned partial"),
        }
    }
}

/// Whether a partial is so old that nobody is at work on it.
fn is_abandoned(partial: &Stat) -> bool {
    let changed = u64::try_from(partial.changed.secs).unwrap_or(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.is_ok_and(|now| now.as_secs() > changed.saturating_add(PARTIAL_AGE_MAX.as_secs()))
}

/// Looks at an entry whose name was just read. If it is gone, it is looked for once more, and then its
/// absence is told: a listing that missed something must not pass for complete.
fn look_twice(
    directory: &Directory,
    name: Name,
    path: &RelPath,
    batch: &mut EntryBatch,
) -> io::Result<Option<(Entry, Stat)>> {
    if let Some(found) = look(directory, name.clone())? {
        return Ok(Some(found));
    }
    let found = look(directory, name.clone())?;
    if found.is_none() {
        let vanished = Error::new(ErrorKind::Vanished, "list").at(&path.join(name));
        batch.problems.push(vanished);
    }
    Ok(found)
}

/// Looks at one entry; `None` if it is not there.
fn look(directory: &Directory, name: Name) -> io::Result<Option<(Entry, Stat)>> {
    let found = directory.stat(&name).and_then(|stat| {
        let target = match stat.kind {
            StatKind::Symlink => Bytes::from(directory.read_link(&name)?),
            _ => Bytes::new(),
        };
        Ok((stat, target))
    });
    match found {
        Ok((stat, target)) => Ok(Some((stat.entry(name, target), stat))),
        Err(cause) if is_missing(&cause) => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Looks at the entry at `path`.
pub(crate) fn stat(tree: &Tree, path: &RelPath) -> Result<Option<Entry>> {
    let failed = failed("stat");
    if path.is_root() {
        let Some(handles) = tree.handles() else {
            return Ok(None);
        };
        let stat = handles.root().stat_itself().map_err(failed)?;
        return Ok(Some(stat.entry(root_name(), Bytes::new())));
    }
    match tree.place(path) {
        Ok(place) => {
            let found = look(&place.directory, place.name);
            Ok(found
                .map_err(|cause| failed(cause).at(path))?
                .map(|(entry, _)| entry))
        }
        Err(cause) if is_missing(&cause) => Ok(None),
        Err(cause) => Err(failed(cause).at(path)),
    }
}

/// The root of a tree has no name in it; an entry must have one.
fn root_name() -> Name {
    match Name::new(*b"root") {
        Ok(name) => name,
        Err(_) => unreachable!("four letters are a name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_is_abandoned_after_a_day_and_not_before() {
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        let aged = |seconds: u64| {
            let mut partial = Stat::default();
            partial.changed.secs = i64::try_from(now.as_secs() - seconds).unwrap();
            is_abandoned(&partial)
        };
        assert!(!aged(0));
        assert!(!aged(24 * 60 * 60 - 100));
        assert!(aged(24 * 60 * 60 + 100));
        let mut from_the_future = Stat::default();
        from_the_future.changed.secs = i64::MAX;
        assert!(!is_abandoned(&from_the_future));
    }
}
