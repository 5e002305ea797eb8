//! `blit ls`: the entries of a directory.

use blit_contract::ListOptions;
use blit_wire::Rules;

use crate::{
    app::App,
    args::LsArgs,
    errors::Result,
    exit::Exit,
    listing::{Row, RowWriter, Tree, entry_event, long},
};

pub(super) async fn run(app: &App, args: LsArgs) -> Result<Exit> {
    let mut tree = Tree::open(app, &args.path, Rules::default()).await?;
    let options = match args.recursive {
        true => ListOptions::recursive(),
        false => ListOptions::flat(),
    };
    // At a terminal the directory has just been typed; a pipe wants paths that can be used.
    let prefix = match app.ui.rows_are_shown && !args.recursive && !args.rows.null {
        true => Vec::new(),
        false => tree.prefix.clone(),
    };
    let mut rows = RowWriter::new(&app.ui, &args.rows);
    tree.walk(app, options, |path, entry| {
        let path = [&*prefix, &*path.to_bytes()].concat();
        let (before, mut behind) = match args.long {
            true => long(&entry, app.ui.rows_are_shown),
            false => Default::default(),
        };
        if app.ui.rows_are_shown && entry.is_directory() {
            behind.insert(0, '/');
        }
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
