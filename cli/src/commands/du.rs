//! `blit du`: the size of each directory.

use std::collections::{HashMap, HashSet};

use blit_contract::{Entry, ListOptions, RelPath, Time};

use crate::{
    app::App,
    args::{DuArgs, Limits},
    errors::Result,
    events::{self, PathField},
    exit::Exit,
    filter,
    listing::{Row, RowWriter, Tree},
    units,
};

/// What is below a directory.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    files: u64,
    size: u64,
    allocated: u64,
}

pub(super) async fn run(app: &App, args: DuArgs) -> Result<Exit> {
    let rules = filter::rules(&args.patterns, &Limits::default())?;
    let mut tree = Tree::open(app, &args.path, rules).await?;
    let options = ListOptions::recursive().with_one_file_system(args.one_file_system);
    let depth_max = if args.recursive { u32::MAX } else { 1 };
    let mut sums: HashMap<RelPath, Sum> = HashMap::from([(RelPath::ROOT, Sum::default())]);
    let mut seen = HashSet::new();
    tree.walk(app, options, |path, entry| {
        count(&mut sums, &mut seen, depth_max, &path, &entry);
        Ok(true)
    })
    .await?;
    let mut rows = RowWriter::new(&app.ui, &args.rows);
    let mut sorted: Vec<_> = sums
        .into_iter()
        .map(|(path, sum)| (path.to_bytes(), sum))
        .collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (path, sum) in sorted {
        if !rows.add(row(app, &args, &tree, &path, sum))? {
            break;
        }
    }
    let written = rows.finish()?;
    tree.conclude(app, written)
}

/// Adds an entry to every directory above it that is shown.
fn count(
    sums: &mut HashMap<RelPath, Sum>,
    seen: &mut HashSet<(u64, u64)>,
    depth_max: u32,
    path: &RelPath,
    entry: &Entry,
) {
    if entry.is_directory() && path.depth() <= depth_max {
        sums.entry(path.clone()).or_default();
    }
    // A file with several names occupies its place once.
    let identity = &entry.identity;
    if identity.links > 1 && entry.is_file() && !seen.insert((identity.device, identity.inode)) {
        return;
    }
    let mut above = path.parent().cloned();
    while let Some(directory) = above {
        if directory.depth() <= depth_max {
            let sum = sums.entry(directory.clone()).or_default();
            sum.files += u64::from(entry.is_file());
            sum.size += entry.size;
            sum.allocated += entry.allocated;
        }
        above = directory.parent().cloned();
    }
}

fn row(app: &App, args: &DuArgs, tree: &Tree, path: &[u8], sum: Sum) -> Row {
    let whole = match path {
        b"" => args.path.as_encoded_bytes().to_vec(),
        _ => [&*tree.prefix, path].concat(),
    };
    let before = match app.ui.rows_are_shown {
        true => format!("{:>9}  ", units::size(sum.size)),
        false => format!("{}\t", sum.size),
    };
    Row {
        before,
        size: sum.size,
        modified: Time::default(),
        event: events::Entry {
            kind: "directory",
            path: Some(PathField::new(&whole)),
            size: Some(sum.size),
            allocated: Some(sum.allocated),
            files: Some(sum.files),
            ..events::Entry::default()
        },
        path: whole,
        ..Row::default()
    }
}
