//! Compares the source's listing with the target's tree, directory by directory, as both arrive.

mod extras;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use blit_contract::{
    Diff, EndState, Entry, EntryBatch, Error, ErrorKind, Item, ItemOp, ListOptions, Name, RelPath,
    Replace, Result, Side,
};
use blit_wire::{Open, Verb};
use futures_util::StreamExt;

use super::{
    Site,
    actions::{Action, Actions},
    cursor::Cursor,
    delete::DeletionList,
    judge::{self, Verdict, judge},
    links::Link,
    waiting::{Known, Waiting},
};
use crate::{UNCARRIED, lane::broken};
use blit_spool::Spool;

/// How many batches of the listing are looked at ahead, so that the target's directories are read in
/// parallel with the comparison. On two cores more did not help.
const LOOK_AHEAD: usize = 16;

/// What the comparison found and could not do at once.
pub(super) struct Compared {
    /// What to do, in order; empty if it was done on the way.
    pub(super) actions: Actions,
    /// What to delete.
    pub(super) doomed: DeletionList,
    /// What takes the place of whole directories: only after everything else went well.
    pub(super) late: Spool<Action>,
    /// Further names of files.
    pub(super) links: Spool<Link>,
}

impl Compared {
    /// How many things will be done only at the end.
    fn deferred(&self) -> usize {
        self.late.len() + self.links.len()
    }
}

/// Compares listing batches with the target's tree.
pub(super) struct Comparer {
    site: Arc<Site>,
    compared: Compared,
    /// Directories that are being compared, or will be soon.
    open: HashMap<RelPath, Directory>,
    /// Those that the listing has named and not yet entered.
    waiting: Waiting,
    queue: VecDeque<EntryBatch>,
    /// Whether what the source lacks is of interest.
    wants_extras: bool,
    /// Whether only named entries of the root are meant.
    root_is_named: bool,
}

/// A directory that is being compared.
struct Directory {
    entry: Option<Entry>,
    is_fresh: bool,
    /// Its metadata was asked for: it will be finished when that comes.
    is_asked: bool,
    is_touched: bool,
    /// What is in it is not looked at.
    is_left: bool,
    cursor: Option<Cursor>,
    /// The last entry that was listed in it.
    last: Option<Name>,
}

impl From<Known> for Directory {
    fn from(known: Known) -> Self {
        Self {
            entry: known.entry,
            is_fresh: known.is_fresh,
            is_asked: known.is_asked,
            is_touched: false,
            is_left: known.is_left,
            cursor: None,
            last: None,
        }
    }
}

impl Comparer {
    pub(super) async fn new(site: &Arc<Site>, open: Open) -> Result<Self> {
        let root = site.store.stat(&site.session.cx, &RelPath::ROOT).await?;
        let holds_back = open.verb == Verb::Mirror && root.is_some() && !is_empty(site).await?;
        let mut comparer = Self {
            site: Arc::clone(site),
            compared: Compared {
                actions: Actions::new(holds_back),
                doomed: DeletionList::below(root.as_ref()),
                late: Spool::default(),
                links: Spool::default(),
            },
            open: HashMap::new(),
            waiting: Waiting::default(),
            queue: VecDeque::new(),
            wants_extras: matches!(open.verb, Verb::Check | Verb::Mirror),
            root_is_named: open.root.is_none(),
        };
        comparer.open_root(open.root, root).await?;
        Ok(comparer)
    }

    /// The root is compared like any directory, if all of its contents are meant.
    async fn open_root(&mut self, wanted: Option<Entry>, found: Option<Entry>) -> Result<()> {
        let mut actions = Vec::new();
        let mut is_asked = false;
        let is_fresh = found.is_none();
        self.site
            .session
            .note(|report| report.root_created = is_fresh);
        if let Some(wanted) = &wanted {
            match &found {
                None => {
                    let root = RelPath::ROOT;
                    actions.push(Action::make_directory(root, wanted, Replace::Nothing));
                    is_asked = true;
                }
                Some(found) if !found.is_directory() => {
                    return Err(Error::new(ErrorKind::Conflict, "open target")
                        .because(format!("the target is a {}", found.kind.word())));
                }
                Some(found) => {
                    let options = &self.site.session.options;
                    if let Verdict::Ask(kind, _) = judge::judge_metadata(wanted, found, options) {
                        let diff = Diff::new(RelPath::ROOT, wanted.clone(), kind, known(found));
                        actions.push(Action::Need(diff));
                        is_asked = true;
                    }
                }
            }
        }
        let directory = Directory {
            entry: wanted,
            is_fresh,
            is_asked,
            is_touched: false,
            is_left: false,
            cursor: None,
            last: None,
        };
        self.open.insert(RelPath::ROOT, directory);
        self.compared.actions.take(&self.site, actions).await
    }

    /// Takes a batch of the listing. It may be compared later, when the next ones have come.
    pub(super) async fn take(&mut self, batch: EntryBatch) -> Result<()> {
        self.queue.push_back(batch);
        self.read_ahead()?;
        if self.queue.len() > LOOK_AHEAD
            && let Some(batch) = self.queue.pop_front()
        {
            self.compare(batch).await?;
        }
        Ok(())
    }

    /// Compares what is left, and answers what is still to be done.
    pub(super) async fn finish(mut self) -> Result<Compared> {
        while let Some(batch) = self.queue.pop_front() {
            self.compare(batch).await?;
            self.read_ahead()?;
        }
        Ok(self.compared)
    }

    /// Begins to read those of the target's directories that will be compared soon.
    fn read_ahead(&mut self) -> Result<()> {
        for batch in &self.queue {
            if self.root_is_named && batch.directory.is_root() {
                continue;
            }
            if !self.open.contains_key(&batch.directory)
                && let Some(known) = self.waiting.take(&batch.directory)?
            {
                self.open.insert(batch.directory.clone(), known.into());
            }
            if let Some(directory) = self.open.get_mut(&batch.directory)
                && directory.cursor.is_none()
                && !directory.is_fresh
                && !directory.is_left
            {
                directory.cursor = Some(Cursor::open(&self.site, batch.directory.clone()));
            }
        }
        Ok(())
    }

    async fn compare(&mut self, batch: EntryBatch) -> Result<()> {
        let path = batch.directory.clone();
        let open = self.open.remove(&path);
        let waiting = || Ok(self.waiting.take(&path)?.map(Directory::from));
        let Some(mut directory) = open.map_or_else(waiting, |it| Ok(Some(it)))? else {
            return nothing_in(&batch);
        };
        directory.must_go_on(&batch)?;
        if directory.is_left {
            return self.leave(batch, directory);
        }
        let mut cursor = match directory.cursor.take() {
            Some(cursor) => cursor,
            None if directory.is_fresh || (self.root_is_named && path.is_root()) => Cursor::empty(),
            None => Cursor::open(&self.site, path.clone()),
        };
        let mut actions = Vec::new();
        let mut extras = Vec::new();
        let deferred = self.compared.deferred();
        for source in batch.entries {
            let target = if self.root_is_named && path.is_root() && !directory.is_fresh {
                let at = path.join(source.name.clone());
                self.site.store.stat(&self.site.session.cx, &at).await?
            } else {
                cursor.seek(&source.name, &mut extras).await
            };
            self.entry(&path, source, target, &mut actions).await?;
        }
        if batch.last && self.wants_extras {
            while let Some(entry) = cursor.next().await {
                extras.push(entry);
            }
        }
        for problem in cursor.take_problems() {
            self.site.session.scan_problem(Side::Target, problem).await;
        }
        directory.is_touched |= !actions.is_empty() || self.compared.deferred() != deferred;
        directory.is_touched |= self.extras(&path, extras).await?;
        if batch.last {
            actions.extend(last_touch(&path, &directory));
        } else {
            directory.cursor = Some(cursor);
            self.open.insert(path, directory);
        }
        self.compared.actions.take(&self.site, actions).await
    }

    /// What is in a directory that is left alone is left alone, too.
    fn leave(&mut self, batch: EntryBatch, directory: Directory) -> Result<()> {
        for entry in batch.entries.iter().filter(|entry| entry.is_directory()) {
            self.waiting
                .push(&batch.directory, &entry.name, Known::left())?;
        }
        if !batch.last {
            self.open.insert(batch.directory, directory);
        }
        Ok(())
    }

    /// Compares one entry.
    async fn entry(
        &mut self,
        directory: &RelPath,
        source: Entry,
        target: Option<Entry>,
        actions: &mut Vec<Action>,
    ) -> Result<()> {
        let options = &self.site.session.options;
        if !judge::can_be_made(&source, options) {
            if options.specials {
                let path = directory.join(source.name.clone());
                let item = Item::new(ItemOp::Skip, path, 0, UNCARRIED[1]);
                self.site.session.note(|report| report.uncarried += 1);
                self.site.session.end(EndState::Skipped, item).await;
            }
            return Ok(());
        }
        let path = directory.join(source.name.clone());
        if self.is_left_alone(directory, &source) {
            // With all that the target has at its name, whatever that is.
            let item = Item::new(ItemOp::Skip, path, source.size, "outside the limits");
            self.site.session.end(EndState::Skipped, item).await;
            return self.leave_directory(directory, &source);
        }
        let verdict = match &target {
            None => Verdict::Replace("new"),
            Some(target) => {
                self.compared.doomed.match_one();
                judge(&source, target, options)
            }
        };
        if options.verb == Verb::Move {
            self.site.links.lock().follow(&path, &source);
        }
        if source.is_directory() {
            return self.directory(path, source, target, verdict, actions).await;
        }
        if let (Verdict::Replace(_), Some(found)) = (verdict, &target)
            && found.is_directory()
            && !self.may_go_whole(directory, &path, found).await?
        {
            return self
                .refuse(&path, "what is in its place holds what must stay")
                .await;
        }
        let judged = (&source, target.as_ref(), verdict);
        let judged = self.site.links.lock().judge(&path, judged);
        let verdict = match judged {
            Ok(link) => return self.compared.links.push(link),
            Err(verdict) => verdict,
        };
        self.other(path, source, target, verdict, actions).await
    }

    async fn directory(
        &mut self,
        path: RelPath,
        source: Entry,
        target: Option<Entry>,
        verdict: Verdict,
        actions: &mut Vec<Action>,
    ) -> Result<()> {
        let is_there = target.as_ref().is_some_and(Entry::is_directory);
        let mut is_asked = true;
        match verdict {
            Verdict::Replace(_) => {
                let replace = target.as_ref().map_or(Replace::Nothing, known);
                actions.push(Action::make_directory(path.clone(), &source, replace));
            }
            Verdict::Ask(kind, _) => {
                let replace = target.as_ref().map_or(Replace::Nothing, known);
                actions.push(Action::Need(Diff::new(
                    path.clone(),
                    source.clone(),
                    kind,
                    replace,
                )));
            }
            Verdict::Same => {
                is_asked = false;
                let item = Item::new(ItemOp::Metadata, path.clone(), 0, "");
                self.site.session.end(EndState::Unchanged, item).await;
            }
            Verdict::Skip(reason) => {
                let item = Item::new(ItemOp::Skip, path.clone(), 0, reason);
                self.site.session.end(EndState::Skipped, item).await;
                return self.leave_directory(path.parent().unwrap_or(&RelPath::ROOT), &source);
            }
            Verdict::Conflict => {
                return self.leave_directory(path.parent().unwrap_or(&RelPath::ROOT), &source);
            }
        }
        self.site.settle(&path, &source)?;
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Ok(());
        };
        let known = Known {
            // What was asked for comes again with the answer.
            entry: (!is_asked).then_some(source),
            is_fresh: !is_there,
            is_asked,
            is_left: false,
        };
        self.waiting.push(parent, name, known)
    }

    /// Nothing is done about what the source lists in it.
    fn leave_directory(&mut self, parent: &RelPath, entry: &Entry) -> Result<()> {
        match entry.is_directory() {
            true => self.waiting.push(parent, &entry.name, Known::left()),
            false => Ok(()),
        }
    }

    async fn other(
        &mut self,
        path: RelPath,
        source: Entry,
        target: Option<Entry>,
        verdict: Verdict,
        actions: &mut Vec<Action>,
    ) -> Result<()> {
        match verdict {
            Verdict::Same => {
                self.site.settle(&path, &source)?;
                let item = Item::new(ItemOp::Metadata, path, source.size, "");
                self.site.session.end(EndState::Unchanged, item).await;
            }
            Verdict::Skip(reason) => {
                let item = Item::new(ItemOp::Skip, path, source.size, reason);
                self.site.session.end(EndState::Skipped, item).await;
            }
            Verdict::Conflict => {
                let why = "a directory is in its place, and only mirror removes directories";
                self.refuse(&path, why).await?;
            }
            Verdict::Ask(kind, _) => {
                let replace = target.as_ref().map_or(Replace::Nothing, known);
                actions.push(Action::Need(Diff::new(path, source, kind, replace)));
            }
            Verdict::Replace(_) => match target {
                Some(target) if target.is_directory() => {
                    let action = Action::make(path, source, Replace::Tree(Box::new(target)));
                    self.compared.late.push(action)?;
                }
                Some(target) => actions.push(Action::make(path, source, known(&target))),
                None => actions.push(Action::make(path, source, Replace::Nothing)),
            },
        }
        Ok(())
    }

    /// Brings an entry to a bad end because of what is in its place.
    async fn refuse(&self, path: &RelPath, why: &str) -> Result<()> {
        let error = Error::new(ErrorKind::Conflict, "replace").at(path);
        self.site.problem(path, error.because(why), 0).await;
        Ok(())
    }

    /// Whether the source lists an entry only so that the target knows that it is there.
    fn is_left_alone(&self, directory: &RelPath, source: &Entry) -> bool {
        self.wants_extras && self.is_protected(directory, source)
    }

    fn is_protected(&self, directory: &RelPath, entry: &Entry) -> bool {
        let select = self.site.session.options.select.as_ref();
        select
            .is_some_and(|select| select.select(directory, entry) == blit_contract::Selection::Skip)
    }
}

impl Directory {
    /// What is listed in a directory comes in the order of names, each of them once: only then it is found,
    /// and nothing is taken for extra that the source has.
    fn must_go_on(&mut self, batch: &EntryBatch) -> Result<()> {
        let names = batch.entries.iter().map(|entry| &entry.name);
        let mut last = self.last.as_ref();
        for name in names {
            if last.is_some_and(|last| last >= name) {
                let what = match last == Some(name) {
                    true => "an entry twice",
                    false => "entries out of their order",
                };
                return Err(broken(what).at(&batch.directory.join(name.clone())));
            }
            last = Some(name);
        }
        self.last = last.filter(|_| !batch.last).cloned();
        Ok(())
    }
}

/// The listing named no such directory, or has said that it was at its end.
fn nothing_in(batch: &EntryBatch) -> Result<()> {
    match batch.entries.is_empty() {
        true => Ok(()),
        false => Err(broken("entries of a directory that is not open").at(&batch.directory)),
    }
}

/// A directory in which something changes gets its times back at the end.
fn last_touch(path: &RelPath, directory: &Directory) -> Option<Action> {
    let entry = directory.entry.as_ref()?;
    (directory.is_touched && !directory.is_asked).then(|| Action::Finish {
        path: path.clone(),
        entry: entry.clone(),
    })
}

fn known(entry: &Entry) -> Replace {
    Replace::Entry(Box::new(entry.clone()))
}

async fn is_empty(site: &Site) -> Result<bool> {
    let (store, root) = (&site.store, RelPath::ROOT);
    let mut listing = store.list(&site.session.cx, &root, ListOptions::flat());
    match listing.next().await {
        Some(batch) => {
            let batch = batch?;
            Ok(batch.entries.is_empty() && batch.last)
        }
        None => Ok(true),
    }
}
