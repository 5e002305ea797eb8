//! Trees, edits and commands from a seed, in a form that shrinks.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::command::{Command, Limit, Pattern, Verb};
use crate::edit::{Act, DEPTH_MAX, Edit, stamp};
use crate::story::{Step, Story};
use crate::tree::{Body, Content, Id, Meta, Node, Path, Tree};

/// A story of a few steps in small trees whose names often meet.
pub(crate) fn stories() -> impl Strategy<Value = Story> {
    let target = prop_oneof![
        1 => Just(Begin::Nothing),
        2 => trees(common_names(), small_sizes(), SMALL_HOLES, 0..10).prop_map(Begin::Other),
        3 => Just(Begin::Same),
    ];
    (
        trees(common_names(), small_sizes(), SMALL_HOLES, 0..14),
        target,
        vec(steps(), 2..16),
    )
        .prop_map(|(source, target, steps)| Story {
            target: match target {
                Begin::Nothing => None,
                Begin::Other(other) => Some(other),
                Begin::Same => Some(source.clone()),
            },
            source,
            steps: after_dry_runs(steps),
        })
}

/// What the target is at first.
#[derive(Debug, Clone)]
enum Begin {
    Nothing,
    Other(Tree),
    /// As after a copy some time ago.
    Same,
}

/// Two trees with nasty names and sizes, which often have names in common.
pub(crate) fn two_trees() -> impl Strategy<Value = (Tree, Tree, &'static str)> {
    let names = || prop_oneof![3 => nasty_names(), 2 => common_names()];
    (
        trees(names(), nasty_sizes(), NASTY_HOLES, 0..40),
        trees(names(), nasty_sizes(), NASTY_HOLES, 0..25),
        prop_oneof![18 => Just("none"), 1 => Just("batch"), 1 => Just("file")],
    )
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => edits(SOURCE_ACTS).prop_map(Step::EditSource),
        3 => edits(TARGET_ACTS).prop_map(Step::EditTarget),
        5 => commands().prop_map(Step::Run),
    ]
}

/// What a dry run tells is then done.
fn after_dry_runs(steps: Vec<Step>) -> Vec<Step> {
    let doubled = steps.into_iter().flat_map(|step| {
        let really = match &step {
            Step::Run(command) if command.dry_run => Some(Step::Run(Command {
                dry_run: false,
                ..command.clone()
            })),
            _ => None,
        };
        [Some(step), really].into_iter().flatten()
    });
    doubled.collect()
}

/// Nobody but the quick comparison misses attributes that were changed at the target alone
/// (docs/adr/0004), so that is not among these.
const TARGET_ACTS: &[Act] = &[
    Act::Chmod,
    Act::Grow,
    Act::Link,
    Act::Make,
    Act::Make,
    Act::Remove,
    Act::Rename,
    Act::Retype,
    Act::Rewrite,
    Act::Shrink,
    Act::Split,
    Act::Stealth,
    Act::Stealth,
    Act::Touch,
];

const SOURCE_ACTS: &[Act] = &[
    Act::Attribute,
    Act::Chmod,
    Act::Grow,
    Act::Link,
    Act::Link,
    Act::Make,
    Act::Remove,
    Act::Rename,
    Act::Retype,
    Act::Rewrite,
    Act::Shrink,
    Act::Split,
    Act::Stealth,
    Act::Stealth,
    Act::Touch,
];

fn edits(acts: &'static [Act]) -> impl Strategy<Value = Edit> {
    (
        select(acts),
        any::<Index>(),
        any::<Index>(),
        common_names(),
        nodes(small_sizes(), SMALL_HOLES),
        any::<bool>(),
    )
        .prop_map(|(act, which, directory, name, node, is_natural)| Edit {
            act,
            which,
            directory,
            name,
            node,
            is_natural,
        })
}

fn commands() -> impl Strategy<Value = Command> {
    let verb = prop_oneof![
        4 => Just(Verb::Copy),
        5 => Just(Verb::Mirror),
        2 => Just(Verb::Move),
        2 => Just(Verb::Check),
    ];
    let limit = prop_oneof![
        5 => Just(None),
        2 => Just(Some(Limit::All)),
        2 => (0_usize..5).prop_map(|entries| Some(Limit::Entries(entries))),
    ];
    // Barriers cost most of the time on a busy disk, and tell nothing about trees.
    let durability = prop_oneof![8 => Just("none"), 1 => Just("batch"), 1 => Just("file")];
    let often = || prop::bool::weighted(0.25);
    let exclude = prop_oneof![
        3 => Just(Vec::new()),
        2 => vec(select(PATTERNS).prop_map(|text| Pattern { text }), 1..3),
    ];
    (
        verb,
        [often(), often(), often(), often(), often(), often()],
        prop::bool::weighted(0.8),
        durability,
        limit,
        exclude,
    )
        .prop_map(|(verb, flags, yes, durability, max_delete, exclude)| {
            let [dry_run, checksum, update, ignore_existing, specials, backup] = flags;
            let is = |verbs: &[Verb]| verbs.contains(&verb);
            let adds = is(&[Verb::Copy, Verb::Move]);
            let writes = !is(&[Verb::Check]);
            Command {
                verb,
                dry_run: dry_run && writes,
                checksum,
                update: update && adds,
                ignore_existing: ignore_existing && adds,
                specials: specials && writes,
                backup: backup && is(&[Verb::Copy, Verb::Mirror]),
                yes: is(&[Verb::Move]) || (yes && is(&[Verb::Mirror])),
                durability,
                max_delete: max_delete.filter(|_| is(&[Verb::Mirror])),
                exclude,
            }
        })
}

const PATTERNS: &[&str] = &["*.log", "cache", "cache/", "/a", "b", "d/"];

/// Few names, so that they meet: in both trees, before and after, and in patterns.
fn common_names() -> impl Strategy<Value = Vec<u8>> {
    let names: &[&[u8]] = &[
        b"a",
        b"b",
        b"c",
        b"d",
        b"e.log",
        b"f.log",
        b"cache",
        b"-rf",
        b"\xff\xfe",
        b"*",
    ];
    select(names).prop_map(<[u8]>::to_vec)
}

/// Chapter 6.1 of the reliability chapter, and any bytes.
fn nasty_names() -> impl Strategy<Value = Vec<u8>> {
    let listed: Vec<Vec<u8>> = [
        &[b'n'; 255][..],
        &[0xff; 255],
        b"\xff\xfe",
        b"two\nlines",
        b"\r\t\x08\x07",
        b"\x1b[2J",
        b"\x1b]52;c;aGk=\x07",
        b"\x9b",
        "\u{202e}txt".as_bytes(),
        "zero\u{200b}width".as_bytes(),
        b"--delete",
        b" ",
        b" leading",
        b"trailing ",
        b"back\\slash",
        b"C:x",
        b"\"quote'",
        b"$(id)",
        b"?",
        b"%s",
        b"...",
        b".hidden",
        b".blit~notes",
        b".blit~aaaaaaaaaaaaaaaaaaaaaa",
        "\u{e9}".as_bytes(),
        "e\u{301}".as_bytes(),
        b"README",
        b"readme",
        b"CON",
        b"dot.",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    let any_bytes = vec(any::<u8>(), 1..20).prop_map(|mut name| {
        for byte in &mut name {
            if matches!(*byte, 0 | b'/') {
                *byte = b'_';
            }
        }
        match &*name {
            b"." | b".." => b"dots".to_vec(),
            _ => name,
        }
    });
    let long = "\u{1f980}".repeat(63).into_bytes();
    prop_oneof![
        6 => select(listed),
        3 => any_bytes,
        1 => Just(long),
    ]
}

/// One entry on its way into a tree.
#[derive(Debug, Clone)]
struct Plant {
    directory: Index,
    name: Vec<u8>,
    node: Node,
    /// Becomes another name of a file that is there, if there is one.
    link: Option<Index>,
}

fn trees(
    names: impl Strategy<Value = Vec<u8>>,
    sizes: impl Strategy<Value = u64> + Clone,
    holes: &'static [u64],
    entries: std::ops::Range<usize>,
) -> impl Strategy<Value = Tree> {
    let plant = (
        any::<Index>(),
        names,
        nodes(sizes, holes),
        prop::option::weighted(0.15, any::<Index>()),
    )
        .prop_map(|(directory, name, node, link)| Plant {
            directory,
            name,
            node,
            link,
        });
    (metas(), vec(plant, entries)).prop_map(|(meta, plants)| grow(meta, &plants))
}

fn grow(meta: Meta, plants: &[Plant]) -> Tree {
    let mut root = Node {
        body: Body::Directory,
        meta,
        changed: 0,
    };
    root.meta.mode |= 0o700;
    let mut tree = Tree::new(root);
    for plant in plants {
        let directories: Vec<Path> = [Path::new()]
            .into_iter()
            .chain(tree.paths().cloned())
            .filter(|path| tree.is_directory(path) && path.len() < DEPTH_MAX)
            .collect();
        let mut at = plant.directory.get(&directories).clone();
        at.push(plant.name.clone());
        if tree.get(&at).is_some() {
            continue;
        }
        let is_linkable = |path: &&Path| tree.get(path).is_some_and(|node| node.file().is_some());
        let files: Vec<Path> = tree.paths().filter(is_linkable).cloned().collect();
        match &plant.link {
            Some(link) if !files.is_empty() => {
                let id = tree.id(&files[link.index(files.len())]).unwrap();
                tree.link(at, id);
            }
            _ => {
                tree.put(at, plant.node.clone());
            }
        }
    }
    stamp_all(&mut tree);
    tree
}

/// No two entries share a time: equal times shall mean that one was copied.
fn stamp_all(tree: &mut Tree) {
    let paths: Vec<Path> = tree.paths().cloned().chain([Path::new()]).collect();
    let ids: BTreeSet<Id> = paths.iter().filter_map(|path| tree.id(path)).collect();
    for (nth, id) in (0..).zip(ids) {
        let node = tree.node_mut(id);
        let (seconds, spice) = node.meta.time;
        node.meta.time = stamp(seconds, u32::try_from(spice).unwrap(), nth);
    }
}

fn nodes(
    sizes: impl Strategy<Value = u64> + Clone,
    holes: &'static [u64],
) -> impl Strategy<Value = Node> {
    let links: &[&[u8]] = &[
        b"a",
        b"../b",
        b"/",
        b"nowhere",
        b".",
        b"\xff to nothing",
        b"../../../..",
    ];
    let body = prop_oneof![
        3 => Just(Body::Directory),
        8 => contents(sizes, holes).prop_map(Body::File),
        2 => select(links).prop_map(|to| Body::Symlink(to.to_vec())),
        1 => Just(Body::Fifo),
    ];
    (body, metas()).prop_map(|(body, meta)| fit(body, meta))
}

/// Only what such an entry can have.
fn fit(body: Body, mut meta: Meta) -> Node {
    match body {
        Body::Directory => meta.mode |= 0o700,
        Body::Symlink(_) => {
            meta.mode = 0o777;
            meta.attributes.clear();
        }
        Body::Fifo => meta.attributes.clear(),
        Body::File(_) => {}
    }
    if !blit_conform::is_root() {
        meta.owner = 0;
        meta.mode = meta.mode & 0o777 | 0o600;
    }
    Node {
        body,
        meta,
        changed: 0,
    }
}

fn metas() -> impl Strategy<Value = Meta> {
    let modes = select(vec![
        0o644_u32, 0o600, 0o755, 0o444, 0o000, 0o640, 0o700, 0o777,
    ]);
    let owners = prop_oneof![4 => Just(0_u32), 1 => Just(1_234)];
    // The ends of what ext4 keeps are for the nasty cases of the conform crate.
    let seconds = select(vec![
        1_500_000_000_i64,
        1_600_000_000,
        0,
        -1,
        -1_000_000_000,
        1 << 31,
        4_000_000_000,
    ]);
    let attribute = (
        select(vec!["user.a", "user.b", "user.long name"]),
        vec(any::<u8>(), 0..40),
    );
    let attributes = prop_oneof![3 => Just(Vec::new()), 1 => vec(attribute, 1..3)];
    (modes, owners, seconds, 0_i64..90_000, attributes).prop_map(
        |(mode, owner, seconds, spice, attributes)| Meta {
            mode,
            owner,
            time: (seconds, spice),
            attributes: match keeps_attributes() {
                true => attributes
                    .into_iter()
                    .map(|(name, value)| (name.as_bytes().to_vec(), value))
                    .collect(),
                false => BTreeMap::new(),
            },
        },
    )
}

/// Whether trees are made with attributes here; asked once, and said if not.
fn keeps_attributes() -> bool {
    static KEEPS: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
        let scratch = blit_conform::Scratch::new();
        let keeps = crate::disk::keeps_attributes(scratch.root());
        if !keeps {
            blit_conform::skip("trees without attributes: the file system keeps none");
        }
        keeps
    });
    *KEEPS
}

fn contents(
    sizes: impl Strategy<Value = u64> + Clone,
    holes: &'static [u64],
) -> impl Strategy<Value = Content> {
    let full = (sizes.clone(), 0_u64..1 << 20).prop_map(|(size, seed)| Content {
        seed,
        size,
        data: vec![(0, size)],
    });
    let pieces = vec((0_u64..1 << 21, 1_u64..9_000), 0..3);
    let sparse =
        (sizes, select(holes), 0_u64..1 << 20, pieces).prop_map(|(size, hole, seed, pieces)| {
            let size = size + hole;
            Content {
                seed,
                size,
                data: apart(size, pieces),
            }
        });
    prop_oneof![5 => full, 1 => sparse]
}

/// Pieces of data in order, inside the file, that do not touch.
fn apart(size: u64, mut pieces: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    pieces.sort_unstable();
    let mut data: Vec<(u64, u64)> = Vec::new();
    for (start, length) in pieces {
        let from = data.last().map_or(0, |last| last.1 + 1);
        if start >= from && start + length <= size {
            data.push((start, start + length));
        }
    }
    data
}

fn small_sizes() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![
        1 => Just(0_u64),
        // Few sizes, so that many files differ in content and time only.
        4 => select(vec![1_u64, 100, 4_096]),
        2 => 1_u64..9_000,
    ]
}

const SMALL_HOLES: &[u64] = &[1 << 20];

/// From 256 MiB on, a file may be moved in parts.
const NASTY_HOLES: &[u64] = &[0, 4_096, 1 << 20, 1 << 20, 3 << 20, 256 << 20];

/// Around the limits of blocks, chunks, packs (1 MiB) and stripes (256 MiB).
fn nasty_sizes() -> impl Strategy<Value = u64> + Clone {
    let edges = [4_096_u64, 16 << 10, 64 << 10, 1 << 20];
    let near: Vec<u64> = edges
        .iter()
        .flat_map(|edge| [edge - 1, *edge, edge + 1])
        .collect();
    prop_oneof![
        2 => Just(0_u64),
        6 => 1_u64..9_000,
        4 => select(near),
    ]
}
