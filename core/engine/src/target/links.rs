//! Hard links: which names share a file at the source, and making them share one here.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use blit_contract::{
    DiffKind, EndState, Entry, ErrorKind, Item, ItemOp, Loss, LossClass, MetaOp, RelPath, Replace,
    Result, Time,
};
use blit_wire::Verb;
use serde::{Deserialize, Serialize};

use super::{
    Site,
    actions::{Action, described, perform},
    judge::Verdict,
};
use blit_spool::Spool;

/// How many links are made in one call.
const BATCH: usize = 1_024;

/// A further name of a file: made when the file's first name is committed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Link {
    path: RelPath,
    leader: RelPath,
    entry: Entry,
    replace: Replace,
    /// The target has it so already, and all is well unless its leader turns out to need new content.
    is_there: bool,
}

/// What is known of files with several names. A group is forgotten when all its names were seen.
#[derive(Debug, Default)]
pub(super) struct Links {
    groups: HashMap<Object, Group>,
    /// For files of the target with several names: which file of the source claimed them first. A
    /// claim is forgotten when all the names were seen.
    claims: HashMap<Object, Claim>,
    /// First names that came to a bad end.
    failed: HashSet<RelPath>,
    /// First names whose content was compared, and was another.
    renewed: HashSet<RelPath>,
    /// First names to which something is linked, or may be.
    leaders: HashSet<RelPath>,
    /// For a move: whose names those are that share a file, by the hash of the name's path.
    names: HashMap<u64, Object>,
    hasher: RandomState,
    /// Files of which not all names arrived. Were those that did to go, the file would be two.
    torn: HashSet<Object>,
    /// Files of the target with several names that got a time by one of them.
    timed: HashMap<Object, Time>,
}

/// A file of one side: its file system and inode.
type Object = (u64, u64);

#[derive(Debug)]
struct Group {
    leader: RelPath,
    /// The target's file, if the first name needs no new content.
    kept: Option<Object>,
    /// Whether that is known already; otherwise it is when contents have been compared.
    is_certain: bool,
    has_links: bool,
    unseen: u32,
}

#[derive(Debug)]
struct Claim {
    by: Object,
    unseen: u32,
}

impl Group {
    /// What makes `path` a further name; nothing, if it certainly is one.
    fn link(&self, path: &RelPath, (source, target): (&Entry, Option<&Entry>)) -> Option<Link> {
        let is_there = self.kept.is_some() && target.map(object) == self.kept;
        (!is_there || !self.is_certain).then(|| Link {
            path: path.clone(),
            leader: self.leader.clone(),
            entry: source.clone(),
            replace: replaced(target),
            is_there,
        })
    }
}

/// A directory goes with all that is in it: this is asked for only where that may be.
fn replaced(target: Option<&Entry>) -> Replace {
    match target {
        None => Replace::Nothing,
        Some(target) if target.is_directory() => Replace::Tree(Box::new(target.clone())),
        Some(target) => Replace::Entry(Box::new(target.clone())),
    }
}

impl Links {
    /// Judges anything but a directory. A further name of a file is a link to the first one, unless the
    /// target already has it so; anything else is treated by the verdict that is answered.
    pub(super) fn judge(
        &mut self,
        path: &RelPath,
        (source, target, verdict): (&Entry, Option<&Entry>, Verdict),
    ) -> std::result::Result<Link, Verdict> {
        let key = object(source);
        let has_other_names = source.identity.links > 1 && key.1 != 0;
        // A name that is left alone leads nobody and follows nobody.
        if matches!(verdict, Verdict::Conflict | Verdict::Skip(_)) {
            return Err(verdict);
        }
        if has_other_names && let Some(group) = self.groups.get_mut(&key) {
            if let Some(target) = target {
                count_off(&mut self.claims, target);
            }
            group.unseen = group.unseen.saturating_sub(1);
            let link = group.link(path, (source, target));
            group.has_links |= link.is_some();
            if group.unseen == 0
                && let Some(group) = self.groups.remove(&key)
                && !group.has_links
            {
                // Nobody will ask how it ended.
                self.leaders.remove(&group.leader);
            }
            return link.ok_or(verdict);
        }
        let verdict = match target {
            Some(target) if may_keep_object(verdict) && self.must_part(source, target) => {
                Verdict::Ask(DiffKind::Content, "it shares its content with another file")
            }
            _ => verdict,
        };
        if has_other_names {
            self.leaders.insert(path.clone());
            let kept = target.filter(|_| may_keep_object(verdict)).map(object);
            let group = Group {
                leader: path.clone(),
                kept,
                is_certain: !matches!(verdict, Verdict::Ask(DiffKind::Digest, _)),
                has_links: false,
                unseen: source.identity.links.saturating_sub(1),
            };
            self.groups.insert(key, group);
        }
        Err(verdict)
    }

    /// Whether `target`, which has several names, already stands for another file of the source. To
    /// write its metadata would change the other one's, too.
    fn must_part(&mut self, source: &Entry, target: &Entry) -> bool {
        if target.identity.links < 2 || target.identity.inode == 0 {
            return false;
        }
        let claim = self.claims.entry(object(target)).or_insert(Claim {
            by: object(source),
            unseen: target.identity.links,
        });
        let must_part = claim.by != object(source);
        count_off(&mut self.claims, target);
        must_part
    }

    /// Notes that the content of the entry, which was compared, is another.
    pub(super) fn renew(&mut self, path: &RelPath) {
        if self.leaders.contains(path) {
            self.renewed.insert(path.clone());
        }
    }

    /// Notes that what was `old` got a time.
    pub(super) fn time(&mut self, old: &Entry, time: Time) {
        if old.identity.links > 1 {
            self.timed.insert(object(old), time);
        }
    }

    /// What was scanned as `entry`, with the time that it got by another of its names.
    pub(super) fn as_timed(&self, entry: &Entry) -> Entry {
        let mut now = entry.clone();
        if let Some(time) = self.timed.get(&object(entry)) {
            now.modified = *time;
        }
        now
    }

    /// Notes that the entry came to a bad end: nothing may be linked to it.
    pub(super) fn fail(&mut self, path: &RelPath) {
        if self.leaders.contains(path) {
            self.failed.insert(path.clone());
        }
        if let Some(object) = self.names.get(&self.hasher.hash_one(path)) {
            self.torn.insert(*object);
        }
    }

    /// Notes an entry that is to be moved.
    pub(super) fn follow(&mut self, path: &RelPath, source: &Entry) {
        if source.identity.links > 1 && source.is_file() {
            let key = self.hasher.hash_one(path);
            self.names.insert(key, object(source));
        }
    }

    /// Whether the entry is a name of a file of which another name did not arrive.
    pub(super) fn is_torn(&self, source: &Entry) -> bool {
        source.is_file() && self.torn.contains(&object(source))
    }
}

fn object(entry: &Entry) -> Object {
    (entry.identity.device, entry.identity.inode)
}

/// Whether the target's file may stay the same file.
fn may_keep_object(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Same | Verdict::Ask(DiffKind::Attributes | DiffKind::Digest, _)
    )
}

/// Makes the links, now that the files' first names are committed.
pub(super) async fn make(site: &Site, links: &Spool<Link>) -> Result<()> {
    for at in 0..links.blocks() {
        for batch in links.block(at)?.chunks(BATCH) {
            make_batch(site, batch).await?;
        }
    }
    site.needs.drain().await;
    Ok(())
}

async fn make_batch(site: &Site, batch: &[Link]) -> Result<()> {
    let mut wanted = Vec::with_capacity(batch.len());
    for link in batch {
        match fate(site, link) {
            Fate::Make => wanted.push(link),
            Fate::Leave => {
                site.settle(&link.path, &link.entry)?;
                let item = Item::new(ItemOp::Metadata, link.path.clone(), link.entry.size, "");
                site.session.end(EndState::Unchanged, item).await;
            }
            Fate::Withhold => site.session.note(|report| report.deletions_withheld += 1),
            Fate::Fail => {
                let error = blit_contract::Error::new(ErrorKind::Changed, "link")
                    .at(&link.path)
                    .because(format!("{} could not be copied", link.leader));
                site.problem(&link.path, error, 0).await;
            }
        }
    }
    if site.session.options.is_read_only() {
        for link in wanted {
            end_linked(site, link).await;
        }
        return Ok(());
    }
    let operations = wanted.iter().map(|link| MetaOp::Link {
        path: link.path.clone(),
        leader: link.leader.clone(),
        replace: link.replace.clone(),
    });
    let operations = operations.collect();
    let applied = site
        .store
        .apply(&site.session.cx, site.policy, operations)
        .await?;
    for (link, applied) in wanted.into_iter().zip(applied) {
        match applied {
            Ok(_) => {
                site.session.note(|report| report.changed_anything = true);
                site.settle(&link.path, &link.entry)?;
                end_linked(site, link).await;
            }
            // A store without links, or a file with as many names as it can have: copied instead.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                site.session.lose(&[Loss::new(LossClass::HardLink)]);
                let entry = link.entry.clone();
                let alone = Action::make(link.path.clone(), entry, link.replace.clone());
                alone.count(site);
                perform(site, vec![alone]).await?;
            }
            Err(error) => site.problem(&link.path, error, 0).await,
        }
    }
    Ok(())
}

/// What becomes of a link, now that its leader is done.
enum Fate {
    Fail,
    Leave,
    Make,
    /// A directory would have to go for it, and something went wrong before.
    Withhold,
}

fn fate(site: &Site, link: &Link) -> Fate {
    let is_read_only = site.session.options.is_read_only();
    let replaces_tree = matches!(link.replace, Replace::Tree(_));
    if replaces_tree && !is_read_only && !site.session.is_clean() {
        return Fate::Withhold;
    }
    let links = site.links.lock();
    if links.failed.contains(&link.leader) {
        Fate::Fail
    } else if link.is_there && !links.renewed.contains(&link.leader) {
        Fate::Leave
    } else {
        Fate::Make
    }
}

async fn end_linked(site: &Site, link: &Link) {
    let op = if site.session.options.verb == Verb::Check {
        described(site, &link.replace, &link.entry.kind).0
    } else {
        ItemOp::Create
    };
    let item = Item::new(op, link.path.clone(), 0, "hard link");
    site.session.end(EndState::Linked, item).await;
}

/// Notes that one more name of the target's file was seen; after the last its claim is of no use.
fn count_off(claims: &mut HashMap<Object, Claim>, target: &Entry) {
    if let Some(claim) = claims.get_mut(&object(target)) {
        claim.unseen = claim.unseen.saturating_sub(1);
        if claim.unseen == 0 {
            claims.remove(&object(target));
        }
    }
}

#[cfg(test)]
mod tests {
    use blit_contract::{Kind, Name};

    use super::*;

    fn file(inode: u64, links: u32) -> Entry {
        let mut entry = Entry::new(Name::new(*b"x").unwrap(), Kind::File);
        (entry.identity.inode, entry.identity.links) = (inode, links);
        entry
    }

    fn path(name: &str) -> RelPath {
        RelPath::ROOT.join(Name::new(name.as_bytes()).unwrap())
    }

    #[test]
    fn a_file_of_the_target_stands_for_one_file_of_the_source() {
        let mut links = Links::default();
        let target = file(9, 3);
        assert!(!links.must_part(&file(1, 2), &target));
        assert!(!links.must_part(&file(1, 2), &target));
        assert!(links.must_part(&file(2, 1), &target));
    }

    #[test]
    fn what_needs_no_link_is_forgotten_when_all_its_names_were_seen() {
        let mut links = Links::default();
        let (source, target) = (file(1, 2), file(9, 2));
        for name in ["a", "b"] {
            let judged = (&source, Some(&target), Verdict::Same);
            assert!(links.judge(&path(name), judged).is_err());
        }
        assert!(links.groups.is_empty() && links.claims.is_empty() && links.leaders.is_empty());
    }

    #[test]
    fn a_first_name_is_remembered_while_something_is_linked_to_it() {
        let mut links = Links::default();
        let source = file(1, 2);
        let judged = |links: &mut Links, name| {
            links.judge(&path(name), (&source, None, Verdict::Replace("new")))
        };
        assert!(judged(&mut links, "a").is_err());
        let link = judged(&mut links, "b").unwrap();
        assert_eq!(link.leader, path("a"));
        links.fail(&path("a"));
        assert!(links.failed.contains(&link.leader));
    }
}
