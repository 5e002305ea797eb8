//! The trees while a command is worked out, entry by entry.

use std::collections::{BTreeMap, BTreeSet};

use super::{Promise, are_same, is_left_out};
use crate::command::{Command, Verb};
use crate::tree::{Id, Node, Path, Tree};

/// What a rule says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A directory is in its place and stays.
    Conflict,
    /// A new object takes the place of what is there.
    New,
    /// What is there stays, and gets the metadata.
    Stays,
    /// It is left alone by a flag.
    Skipped,
}

pub(super) struct Working<'a> {
    command: &'a Command,
    source: &'a Tree,
    before: Option<&'a Tree>,
    now: u32,
    after: Tree,
    /// Directories beneath which nothing is done.
    left_alone: BTreeSet<Path>,
    conflicts: bool,
    uncarried: bool,
    listed: usize,
    /// Files and links that take the place of whole directories, and what is then at the name.
    late: Vec<(Path, Node, Option<Id>)>,
    /// The first name of each object of the source, and what it became at the target.
    leaders: BTreeMap<Id, Leader>,
    /// Which object of the source an object of the target stands for.
    claims: BTreeMap<Id, Id>,
    settled: Vec<Path>,
    /// Objects of the source of which a name did not arrive.
    torn: BTreeSet<Id>,
    loose_attributes: BTreeSet<Path>,
}

#[derive(Debug, Clone, Copy)]
enum Leader {
    Done(Id),
    /// It comes late: only if nothing goes wrong.
    Late,
}

impl<'a> Working<'a> {
    pub(super) fn new(
        command: &'a Command,
        source: &'a Tree,
        before: Option<&'a Tree>,
        now: u32,
    ) -> Self {
        let root = source.get(&[]).unwrap();
        let fresh = Tree::new(Node {
            changed: now,
            ..root.clone()
        });
        let mut working = Self {
            command,
            source,
            before,
            now,
            after: before.cloned().unwrap_or(fresh),
            left_alone: BTreeSet::new(),
            conflicts: false,
            uncarried: false,
            listed: 0,
            late: Vec::new(),
            leaders: BTreeMap::new(),
            claims: BTreeMap::new(),
            settled: Vec::new(),
            torn: BTreeSet::new(),
            loose_attributes: BTreeSet::new(),
        };
        working.give_metadata(&[], root);
        working
    }

    pub(super) fn is_source_empty(&self) -> bool {
        self.listed == 0
    }

    /// The exit code, but for deletions.
    pub(super) fn trouble(&self) -> i32 {
        let stays_behind = self.command.verb == Verb::Move && self.uncarried;
        if self.conflicts || stays_behind { 3 } else { 0 }
    }

    /// Works out one entry that takes part.
    pub(super) fn entry(&mut self, path: &[Vec<u8>]) {
        let node = self.source.get(path).unwrap();
        self.listed += 1;
        // The source leaves it out, and names it, whatever the target would say.
        if is_left_out(self.command, node) {
            self.uncarried = true;
            return;
        }
        if (0..path.len()).any(|length| self.left_alone.contains(&path[..length])) {
            return;
        }
        let fate = self.fate(path, node);
        match fate {
            Fate::Conflict => {
                self.conflicts = true;
                if !node.is_directory() {
                    self.torn.extend(self.source.id(path));
                }
            }
            Fate::Skipped if node.is_directory() => {
                self.left_alone.insert(path.to_vec());
            }
            Fate::Skipped => {}
            _ if node.is_directory() => {
                if fate == Fate::New {
                    self.put(path, node);
                } else {
                    self.give_metadata(path, node);
                }
                self.settled.push(path.to_vec());
            }
            _ => {
                self.file(path, node, fate);
                self.settled.push(path.to_vec());
            }
        }
    }

    fn fate(&self, path: &[Vec<u8>], node: &Node) -> Fate {
        let Some(found) = self.before.and_then(|tree| tree.get(path)) else {
            return Fate::New;
        };
        let both_directories = node.is_directory() && found.is_directory();
        if self.command.ignore_existing && !both_directories {
            return Fate::Skipped;
        }
        if self.command.update && node.file().is_some() && found.meta.time > node.meta.time {
            return Fate::Skipped;
        }
        if let (Some(wanted), Some(there)) = (node.file(), found.file()) {
            let by_content = self.command.checksum || self.command.verb == Verb::Move;
            let is_same = match by_content {
                true => wanted == there,
                false => wanted.size == there.size && node.meta.time == found.meta.time,
            };
            return if is_same { Fate::Stays } else { Fate::New };
        }
        if both_directories || (!node.is_directory() && node.body == found.body) {
            return Fate::Stays;
        }
        if found.is_directory() && !self.may_go_whole(path) {
            return Fate::Conflict;
        }
        Fate::New
    }

    /// Whether something may take the place of the directory at `path`: only `mirror` deletes, and
    /// nothing that a filter leaves out.
    fn may_go_whole(&self, path: &[Vec<u8>]) -> bool {
        let Some(before) = self.before else {
            return true;
        };
        let deletes = matches!(self.command.verb, Verb::Check | Verb::Mirror);
        let mut whole = before.below(path);
        whole.push(path.to_vec());
        deletes && !whole.iter().any(|at| self.command.leaves_out(before, at))
    }

    /// Everything but directories: with its other names, if it has any.
    fn file(&mut self, path: &[Vec<u8>], node: &Node, fate: Fate) {
        let object = self.source.id(path).unwrap();
        let is_late = self.before.is_some_and(|tree| tree.is_directory(path));
        match self.leaders.get(&object) {
            Some(Leader::Done(leader)) if is_late => {
                self.late.push((path.to_vec(), node.clone(), Some(*leader)));
            }
            Some(Leader::Done(leader)) => self.after.link(path.to_vec(), *leader),
            // Whether it waits for its leader or becomes a file is the same once all is well.
            Some(Leader::Late) => self.late.push((path.to_vec(), node.clone(), None)),
            None if is_late => {
                self.leaders.insert(object, Leader::Late);
                self.late.push((path.to_vec(), node.clone(), None));
            }
            None => {
                let id = self.first_name(path, node, fate, object);
                self.leaders.insert(object, Leader::Done(id));
            }
        }
    }

    fn first_name(&mut self, path: &[Vec<u8>], node: &Node, fate: Fate, object: Id) -> Id {
        let there = self.before.and_then(|tree| tree.id(path));
        let may_stay = fate == Fate::Stays || self.is_compared(path, node);
        if let (true, Some(there)) = (may_stay, there) {
            let is_ours = *self.claims.entry(there).or_insert(object) == object;
            if is_ours && fate == Fate::Stays {
                self.give_metadata(path, node);
                return there;
            }
        }
        self.put(path, node)
    }

    /// Whether only the content tells that a file is another one: until then, the file of the target
    /// is its own, and any other file of the source must part from it.
    fn is_compared(&self, path: &[Vec<u8>], node: &Node) -> bool {
        let by_content = self.command.checksum || self.command.verb == Verb::Move;
        let found = self.before.and_then(|tree| tree.get(path));
        let sizes = (
            node.file().map(|it| it.size),
            found.and_then(|it| it.file()).map(|it| it.size),
        );
        by_content && sizes.0.is_some() && sizes.0 == sizes.1
    }

    fn put(&mut self, path: &[Vec<u8>], node: &Node) -> Id {
        let changed = self.now;
        let node = Node {
            changed,
            ..node.clone()
        };
        self.after.put(path.to_vec(), node)
    }

    fn give_metadata(&mut self, path: &[Vec<u8>], wanted: &Node) {
        let is_symlink = wanted.is_symlink();
        let now = self.now;
        let Some(there) = self.after.at_mut(path) else {
            return;
        };
        let mut meta = wanted.meta.clone();
        if is_symlink {
            meta.mode = there.meta.mode;
        }
        let visible = (meta.mode, meta.owner, meta.time)
            != (there.meta.mode, there.meta.owner, there.meta.time);
        let looks = visible || self.command.checksum || wanted.changed > there.changed;
        if meta.attributes != there.meta.attributes && !looks {
            self.loose_attributes.insert(path.to_vec());
        }
        if meta != there.meta {
            there.meta = meta;
            there.changed = now;
        }
    }

    /// How many entries a mirror would delete: what the source lacks, and what goes with directories
    /// that something takes the place of.
    pub(super) fn doomed(&self) -> usize {
        let Some(before) = self.before else {
            return 0;
        };
        let replaced = self
            .late
            .iter()
            .map(|(path, _, _)| before.below(path).len());
        self.extras(before).len() + replaced.sum::<usize>()
    }

    /// What the source lacks, but for what a filter protects and the directories above that.
    fn extras(&self, before: &Tree) -> Vec<Path> {
        let mut gone: Vec<Path> = Vec::new();
        // Children first, so that a directory sees what stays in it.
        for path in before.paths().collect::<Vec<_>>().into_iter().rev() {
            if !self.is_extra(path) || self.command.leaves_out(before, path) {
                continue;
            }
            if before.below(path).iter().all(|child| gone.contains(child)) {
                gone.push(path.clone());
            }
        }
        gone
    }

    /// Whether it is below a directory that both sides have, at a name that the source has not.
    fn is_extra(&self, path: &[Vec<u8>]) -> bool {
        for length in 0..path.len() {
            let (above, next) = (&path[..length], &path[..=length]);
            let is_listed = |at: &[Vec<u8>]| {
                self.source.get(at).is_some() && !self.command.leaves_out(self.source, at)
            };
            if !self.source.is_directory(above) || !(length == 0 || is_listed(above)) {
                return false;
            }
            if !is_listed(next) {
                return true;
            }
        }
        false
    }

    /// What `check` says.
    pub(super) fn checked(mut self, unchanged: Promise) -> Promise {
        let Some(before) = self.before else {
            return Promise {
                exits: vec![4],
                ..unchanged
            };
        };
        let is_type_wrong = self.conflicts || !self.late.is_empty();
        for path in self.extras(before) {
            self.after.remove(&path);
        }
        let exits = match (
            is_type_wrong || !are_same(&self.after, before),
            &self.loose_attributes,
        ) {
            (true, loose) if is_type_wrong || loose.is_empty() => vec![4],
            (true, _) => vec![0, 4],
            (false, _) => vec![0],
        };
        Promise { exits, ..unchanged }
    }

    /// Does what was worked out.
    pub(super) fn finish(mut self, mut promise: Promise) -> Promise {
        let mut loose_times = BTreeSet::new();
        let mut is_vague = false;
        if self.conflicts {
            is_vague = self.leaders.values().any(|it| matches!(it, Leader::Late));
        } else {
            self.replace_directories();
            if let (Verb::Mirror, Some(before)) = (self.command.verb, self.before) {
                for path in self.extras(before) {
                    self.after.remove(&path);
                    loose_times.insert(path[..path.len() - 1].to_vec());
                }
            }
        }
        self.touch_relinked();
        // A directory that both sides have gets the source's time whatever was done in it.
        loose_times.retain(|path| !self.source.is_directory(path));
        loose_times.retain(|path| self.after.get(path).is_some());
        promise.is_target_untouched = self.before.is_some_and(|before| {
            are_same(&self.after, before) && self.loose_attributes.is_empty()
        });
        promise.kept = self.kept();
        if self.command.verb == Verb::Move {
            (promise.source, promise.loose_source_times) = self.moved_away();
        }
        promise.loose_times = loose_times;
        promise.loose_attributes = std::mem::take(&mut self.loose_attributes);
        promise.target = Some(self.after);
        promise.is_vague = is_vague;
        promise
    }

    fn replace_directories(&mut self) {
        for (path, node, leader) in std::mem::take(&mut self.late) {
            let object = self.source.id(&path).unwrap();
            let known = leader.or(match self.leaders.get(&object) {
                Some(Leader::Done(id)) => Some(*id),
                _ => None,
            });
            match known {
                Some(id) => self.after.link(path, id),
                None => {
                    let id = self.put(&path, &node);
                    self.leaders.insert(object, Leader::Done(id));
                }
            }
        }
    }

    /// An object whose number of names changed has changed.
    fn touch_relinked(&mut self) {
        let Some(before) = self.before else { return };
        let paths: Vec<Path> = self.after.paths().cloned().collect();
        for path in paths {
            let id = self.after.id(&path).unwrap();
            let had = before.id(&path).map(|id| before.links(id));
            if had != Some(self.after.links(id)) {
                self.after.node_mut(id).changed = self.now;
            }
        }
    }

    /// The old files, links and specials that lose their names.
    fn kept(&self) -> BTreeMap<Path, Node> {
        let Some(before) = self.before.filter(|_| self.command.backup) else {
            return BTreeMap::new();
        };
        let is_gone = |path: &&Path| self.after.id(path) != before.id(path);
        before
            .paths()
            .filter(|path| !before.is_directory(path))
            .filter(is_gone)
            .map(|path| (path.clone(), before.get(path).unwrap().clone()))
            .collect()
    }

    /// The source without what is now safe at the target, and where times are of the day.
    fn moved_away(&self) -> (Tree, BTreeSet<Path>) {
        let mut left = self.source.clone();
        let mut touched = BTreeSet::new();
        let (directories, others): (Vec<_>, Vec<_>) = self
            .settled
            .iter()
            .filter(|path| {
                self.source
                    .id(path)
                    .is_none_or(|id| !self.torn.contains(&id))
            })
            .partition(|path| self.source.is_directory(path));
        let mut directories = directories;
        directories.sort_by_key(|path| std::cmp::Reverse(path.len()));
        for path in others.into_iter().chain(directories) {
            if left.below(path).is_empty() {
                left.remove(path);
                touched.insert(path[..path.len() - 1].to_vec());
            }
        }
        touched.retain(|path| left.get(path).is_some());
        for path in left.paths().cloned().collect::<Vec<_>>() {
            let id = left.id(&path).unwrap();
            let had = self.source.id(&path).map(|id| self.source.links(id));
            if had != Some(left.links(id)) || touched.contains(&path) {
                left.node_mut(id).changed = self.now;
            }
        }
        (left, touched)
    }
}
