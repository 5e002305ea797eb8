//! The rules of filters: lines of patterns, and a list of paths.

use blit_contract::{Entry, Kind, Name, RelPath, Select, Selection};
use blit_filter::{Filter, check_pattern};
use blit_wire::{Anchor, PathList, Rules};

use crate::text::is_harmless;

/// Some names to judge, of which patterns that a fuzzer finds may well match one.
const NAMES: [&[u8]; 6] = [b"a", b"b.log", b"cache", b"\xff", b"!x", b"a b"];

/// The first byte chooses where patterns begin, and with its third bit what the lines are: with it they
/// are listed paths, without it patterns, of which those that begin with `+` are to be included.
pub(crate) fn run(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else {
        return;
    };
    let mut rules = Rules {
        anchor: match choice & 3 {
            0 => Anchor::Entry,
            1 => Anchor::Entries,
            _ => Anchor::Root,
        },
        ..Rules::default()
    };
    let lines = text.split(|byte| *byte == b'\n');
    if choice & 4 == 0 {
        for line in lines.filter_map(|line| std::str::from_utf8(line).ok()) {
            match line.strip_prefix('+') {
                Some(included) => rules.include.push(included.to_owned()),
                None => rules.exclude.push(line.to_owned()),
            }
        }
    } else {
        rules.list = Some(lines.filter_map(path).collect());
    }
    if rules.check().is_ok() {
        judge(&rules);
    }
}

fn path(line: &[u8]) -> Option<RelPath> {
    let names = line.split(|byte| *byte == b'/');
    names.map(|name| Name::new(name).ok()).collect()
}

fn judge(rules: &Rules) {
    let filter = match Filter::new(rules) {
        Ok(filter) => filter,
        Err(error) => return is_harmless(&error),
    };
    let patterns = rules.exclude.iter().chain(&rules.include);
    for pattern in patterns {
        assert_eq!(check_pattern(pattern), Ok(()), "{pattern:?} was compiled");
    }
    for (name, kind) in NAMES
        .iter()
        .flat_map(|name| kinds().map(|kind| (*name, kind)))
    {
        let entry = Entry::new(Name::new(name).expect("a name"), kind);
        let beneath = RelPath::ROOT.join(entry.name.clone());
        let first = filter.select(&RelPath::ROOT, &entry);
        assert_eq!(
            first,
            filter.select(&RelPath::ROOT, &entry),
            "it has no memory"
        );
        filter.select(&beneath, &entry);
    }
    if let Some(list) = &rules.list {
        is_sound(list, &filter, rules.anchor);
    }
}

fn kinds() -> [Kind; 2] {
    [Kind::Directory, Kind::File]
}

/// What is listed is taken, wherever the list begins in the tree itself.
fn is_sound(list: &PathList, filter: &Filter, anchor: Anchor) {
    let again: PathList = list.iter().collect();
    assert_eq!(again, *list);
    if anchor != Anchor::Root {
        return;
    }
    for path in list.iter() {
        let Some(parent) = path.parent() else {
            continue;
        };
        let name = path.components().last().copied().cloned();
        let entry = Entry::new(name.expect("it has a parent"), Kind::Directory);
        assert_ne!(filter.select(parent, &entry), Selection::Skip, "{path:?}");
    }
}
