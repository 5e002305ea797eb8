//! `blit find`: entries by name, size and age.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use blit_contract::{Entry, ListOptions, RelPath};
use globset::{GlobBuilder, GlobMatcher};

use crate::{
    app::App,
    args::FindArgs,
    errors::{Result, Slug, UserError},
    exit::Exit,
    filter,
    listing::{Row, RowWriter, Tree, entry_event, long},
    ui::shown,
};

pub(super) async fn run(app: &App, args: FindArgs) -> Result<Exit> {
    let glob = args.glob.as_deref().map(Glob::new).transpose()?;
    let rules = filter::rules(&args.patterns, &args.limits)?;
    let mut tree = Tree::open(app, &args.path, rules).await?;
    let options = ListOptions::recursive().with_one_file_system(args.one_file_system);
    // Sizes, ages and includes are said of files; directories are only on the way.
    let files_only = args.limits.is_some() || !args.patterns.include.is_empty();
    let mut rows = RowWriter::new(&app.ui, &args.rows);
    let prefix = tree.prefix.clone();
    tree.walk(app, options, |path, entry| {
        let is_wanted = !(files_only && entry.is_directory());
        if !is_wanted || !glob.as_ref().is_none_or(|glob| glob.matches(&path, &entry)) {
            return Ok(true);
        }
        let path = [&*prefix, &*path.to_bytes()].concat();
        let (before, behind) = match args.long {
            true => long(&entry, app.ui.rows_are_shown),
            false => Default::default(),
        };
        rows.add(Row {
            before,
            behind,
            size: entry.size,
            modified: entry.modified,
            event: entry_event(&path, &entry),
            path,
        })
    })
    .await?;
    let written = rows.finish()?;
    tree.conclude(app, written)
}

/// A pattern for names, or for whole paths if it has a slash.
struct Glob {
    matcher: GlobMatcher,
    is_for_paths: bool,
}

impl Glob {
    fn new(typed: &OsStr) -> Result<Self, UserError> {
        let bad = |cause: String| {
            let message = format!("\"{}\" is not a pattern", shown(typed));
            UserError::new(Slug::FilterSyntax, message)
                .cause(cause)
                .next("blit help filters")
        };
        let text = typed
            .to_str()
            .ok_or_else(|| bad("it is not UTF-8".to_owned()))?;
        let built = GlobBuilder::new(text).literal_separator(true).build();
        Ok(Self {
            matcher: built
                .map_err(|error| bad(error.to_string()))?
                .compile_matcher(),
            is_for_paths: text.contains('/'),
        })
    }

    fn matches(&self, path: &RelPath, entry: &Entry) -> bool {
        let whole;
        let bytes = match self.is_for_paths {
            true => {
                whole = path.to_bytes();
                &*whole
            }
            false => entry.name.as_bytes(),
        };
        self.matcher.is_match(Path::new(OsStr::from_bytes(bytes)))
    }
}
