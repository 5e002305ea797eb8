//! Listings by chance, of which most break a rule: whether one does is found out here in another way.

use std::collections::BTreeMap;

use blit_conform::{cases, seed};
use blit_contract::{Entry, EntryBatch, ErrorKind, Kind, Name, RelPath};
use blit_engine::{Stop, Verb};
use blit_store_mem::MemStore;
use blit_wire::{Hello, Message, Open, Seal};
use bytes::Bytes;

use crate::{hostile::hears, mangle::Chance};

/// How far the listing of a directory has come.
#[derive(Debug, Clone)]
enum Listed {
    Ended,
    Open(Option<Name>),
}

/// Which directories were named.
type Named = BTreeMap<Vec<Name>, Listed>;

fn name(chance: &mut Chance) -> Name {
    Name::new(chance.of(&["a", "b", "c", "d"]).as_bytes()).unwrap()
}

fn names(path: &RelPath) -> Vec<Name> {
    path.components().into_iter().cloned().collect()
}

/// A batch of a directory that was mostly named before.
fn batch(chance: &mut Chance, named: &Named) -> EntryBatch {
    let directory = match chance.below(8) {
        0 => (0..chance.below(3)).map(|_| name(chance)).collect(),
        _ => {
            let named: Vec<_> = named.keys().collect();
            (*chance.of(&named)).clone()
        }
    };
    let mut batch = EntryBatch::new(directory.into_iter().collect());
    for _ in 0..chance.below(4) {
        let kind = match chance.below(3) {
            0 => Kind::Symlink(Bytes::from_static(b"a")),
            _ => Kind::Directory,
        };
        batch.entries.push(Entry::new(name(chance), kind));
    }
    if chance.below(8) > 0 {
        batch.entries.sort_by(|a, b| a.name.cmp(&b.name));
        batch.entries.dedup_by(|a, b| a.name == b.name);
    }
    batch.last = chance.below(2) == 0;
    batch
}

/// Whether the batch keeps to the rules (S-16).
fn is_right(batch: &EntryBatch, named: &mut Named) -> bool {
    let directory = names(&batch.directory);
    let Some(listed) = named.get(&directory).cloned() else {
        return batch.entries.is_empty();
    };
    let Listed::Open(mut last) = listed else {
        return batch.entries.is_empty();
    };
    for entry in &batch.entries {
        if last.as_ref().is_some_and(|last| *last >= entry.name) {
            return false;
        }
        last = Some(entry.name.clone());
        if entry.is_directory() {
            let child = [&directory[..], std::slice::from_ref(&entry.name)].concat();
            named.insert(child, Listed::Open(None));
        }
    }
    let listed = match batch.last {
        true => Listed::Ended,
        false => Listed::Open(last),
    };
    named.insert(directory, listed);
    true
}

/// What a source says, and whether it keeps to the rules.
fn listing(chance: &mut Chance) -> (Vec<Message>, bool) {
    let mut said = vec![
        Message::Hello(Hello { versions: (1, 1) }),
        Message::Open(Open {
            verb: Verb::Copy,
            dry_run: false,
            root: Some(Entry::new(Name::new(*b"r").unwrap(), Kind::Directory)),
            lanes: 1,
        }),
    ];
    let mut named = Named::from([(Vec::new(), Listed::Open(None))]);
    let (mut right, mut entries) = (true, 0);
    for _ in 0..=chance.below(6) {
        let batch = batch(chance, &named);
        right = right && is_right(&batch, &mut named);
        entries += batch.entries.len() as u64;
        said.push(Message::Listing(batch));
    }
    let lies = chance.below(16) == 0;
    let entries = entries + u64::from(lies);
    said.push(Message::Seal(Seal { entries }));
    (said, right && !lies)
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_taken_if_it_keeps_to_the_rules_and_only_then() {
    let seed = seed();
    let (mut taken, cases) = (0, cases(1_000, 200_000));
    for case in 0..cases as u64 {
        let mut chance = Chance::new(seed, case);
        let (said, right) = listing(&mut chance);
        let told = format!("BLIT_SEED={seed}, case {case}: {said:?}");
        let frames = said.iter().map(Message::to_frame).collect();
        let report = hears(frames, &MemStore::new()).await;
        let Some(Stop::Failed(problem)) = &report.stop else {
            panic!("{told}\n{report:?}");
        };
        // Whoever keeps to the rules hangs up at the end.
        let expected = match right {
            true => ErrorKind::Unreachable,
            false => ErrorKind::Invalid,
        };
        assert_eq!(problem.error.kind(), expected, "{told}\n{report:?}");
        taken += usize::from(right);
    }
    assert!(
        taken > cases / 20 && taken < cases / 2,
        "{taken} of {cases}"
    );
}
