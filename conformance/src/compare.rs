//! The independent comparer: what differs between two trees, and where.

mod report;
mod state;

use std::collections::HashMap;
use std::path::Path;

pub use report::{Difference, Options, What};
pub use state::Snapshot;

use state::{Kind, Node, State};

/// Compares the copy at `target` with its `source`; no difference is an empty list.
///
/// The order matters in one place: a copy may be denser in holes than its source, never fuller.
#[must_use]
pub fn compare(source: &Path, target: &Path, options: Options) -> Vec<Difference> {
    Snapshot::of(source).differences(&Snapshot::of(target), options)
}

/// Panics with the list when the trees differ in anything at all.
///
/// # Panics
/// When they differ.
#[track_caller]
pub fn assert_same(source: &Path, target: &Path) {
    assert_same_with(source, target, Options::exact());
}

/// Panics with the list when the trees differ in what `options` looks at.
///
/// # Panics
/// When they differ.
#[track_caller]
pub fn assert_same_with(source: &Path, target: &Path, options: Options) {
    let found = compare(source, target, options);
    let shown: String = found
        .iter()
        .take(40)
        .map(|it| format!("\n  {it}"))
        .collect();
    assert!(
        found.is_empty(),
        "{} and {} differ in {} places:{shown}",
        source.display(),
        target.display(),
        found.len()
    );
}

impl Snapshot {
    /// What differs in `target`, when `self` is what it should be.
    #[must_use]
    pub fn differences(&self, target: &Self, options: Options) -> Vec<Difference> {
        let mut comparison = Comparison {
            source: self,
            target,
            options,
            found: Vec::new(),
            target_of: HashMap::new(),
            source_of: HashMap::new(),
        };
        comparison.pair(0, 0);
        comparison.found
    }
}

struct Comparison<'a> {
    source: &'a Snapshot,
    target: &'a Snapshot,
    options: Options,
    found: Vec<Difference>,
    /// Which inode of the target stands for an inode of the source, and the reverse.
    target_of: HashMap<(u64, u64), (u64, u64)>,
    source_of: HashMap<(u64, u64), (u64, u64)>,
}

impl Comparison<'_> {
    /// Compares two nodes and all below them. Iterative, because trees may be very deep.
    fn pair(&mut self, source: usize, target: usize) {
        let mut open = vec![(source, target)];
        while let Some((source, target)) = open.pop() {
            let (a, b) = (&self.source.nodes[source], &self.target.nodes[target]);
            self.states(source, a, b);
            for (name, child) in &a.children {
                match b.children.get(name) {
                    Some(twin) => open.push((*child, *twin)),
                    None => self.note(What::Missing, self.source.path(*child), String::new()),
                }
            }
            for (name, child) in &b.children {
                if !a.children.contains_key(name) {
                    self.note(What::Extra, self.target.path(*child), String::new());
                }
            }
        }
    }

    fn states(&mut self, at: usize, a: &Node, b: &Node) {
        let mut differences = Vec::new();
        match (&a.state, &b.state) {
            (Ok(a), Ok(b)) => {
                entry(a, b, &mut differences);
                self.links(a, b, &mut differences);
            }
            (Err(error), _) => differences.push((What::Unreadable, format!("source: {error}"))),
            (_, Err(error)) => differences.push((What::Unreadable, format!("target: {error}"))),
        }
        for trouble in a.trouble.iter().chain(&b.trouble) {
            differences.push((What::Unreadable, trouble.clone()));
        }
        for (what, detail) in differences {
            self.note(what, self.source.path(at), detail);
        }
    }

    /// Names of one inode must be names of one inode, and names of two must be of two.
    fn links(&mut self, a: &State, b: &State, out: &mut Vec<(What, String)>) {
        if a.kind == Kind::Directory || (a.links < 2 && b.links < 2) {
            return;
        }
        if *self.target_of.entry(a.identity).or_insert(b.identity) != b.identity {
            out.push((
                What::HardLinkSplit,
                format!("inode {} became two", a.identity.1),
            ));
        }
        if *self.source_of.entry(b.identity).or_insert(a.identity) != a.identity {
            out.push((
                What::HardLinkJoined,
                format!("inode {} was two", b.identity.1),
            ));
        }
    }

    fn note(&mut self, what: What, path: Vec<u8>, detail: String) {
        if self.options.looks_at(what) {
            self.found.push(Difference { path, what, detail });
        }
    }
}

fn entry(a: &State, b: &State, out: &mut Vec<(What, String)>) {
    if a.kind != b.kind {
        out.push((What::Type, format!("{:?} became {:?}", a.kind, b.kind)));
        return;
    }
    let mut differ = |what, is: bool, detail: &dyn Fn() -> String| {
        if is {
            out.push((what, detail()));
        }
    };
    differ(What::Owner, a.owner != b.owner, &|| {
        format!("{:?}, not {:?}", b.owner, a.owner)
    });
    differ(What::Mode, a.mode != b.mode, &|| {
        format!("{:04o}, not {:04o}", b.mode, a.mode)
    });
    differ(What::Time, a.modified != b.modified, &|| {
        format!("{:?}, not {:?}", b.modified, a.modified)
    });
    differ(What::LinkTarget, a.link_target != b.link_target, &|| {
        format!(
            "{:?}, not {:?}",
            lossy(&b.link_target),
            lossy(&a.link_target)
        )
    });
    differ(What::Device, a.device != b.device, &|| {
        format!("{}, not {}", b.device, a.device)
    });
    differ(
        What::Identity,
        (a.identity, a.changed) != (b.identity, b.changed),
        &|| "another inode or ctime".into(),
    );
    content(a, b, out);
    attributes(a, b, out);
}

fn content(a: &State, b: &State, out: &mut Vec<(What, String)>) {
    if a.kind != Kind::File {
        return;
    }
    if a.size_bytes != b.size_bytes {
        out.push((
            What::Size,
            format!("{} bytes, not {}", b.size_bytes, a.size_bytes),
        ));
    } else if a.content != b.content {
        let same = a
            .content
            .iter()
            .zip(&b.content)
            .take_while(|(a, b)| a == b)
            .count();
        let first = [&a.content, &b.content]
            .iter()
            .filter_map(|c| c.get(same))
            .map(|(at, _)| *at)
            .min();
        out.push((
            What::Content,
            format!("first in block {first:?} of {} bytes", state::BLOCK_BYTES),
        ));
    }
    let sparse = a.allocated_bytes < a.size_bytes;
    let most = a.allocated_bytes + a.allocated_bytes / 100 + a.block_bytes.max(b.block_bytes);
    if sparse && b.allocated_bytes > most {
        out.push((
            What::Holes,
            format!(
                "{} bytes allocated, not {}",
                b.allocated_bytes, a.allocated_bytes
            ),
        ));
    }
}

fn attributes(a: &State, b: &State, out: &mut Vec<(What, String)>) {
    let names = a.attributes.keys().chain(
        b.attributes
            .keys()
            .filter(|name| !a.attributes.contains_key(*name)),
    );
    for name in names {
        let (was, is) = (a.attributes.get(name), b.attributes.get(name));
        if was == is {
            continue;
        }
        let what = if name.starts_with(b"system.posix_acl_") {
            What::Acl
        } else {
            What::Xattr
        };
        let how = match (was, is) {
            (Some(_), None) => "lost",
            (None, _) => "not in the source",
            _ => "another value",
        };
        out.push((what, format!("{}: {how}", name.escape_ascii())));
    }
}

fn lossy(target: &Option<Vec<u8>>) -> String {
    target
        .as_deref()
        .unwrap_or_default()
        .escape_ascii()
        .to_string()
}
