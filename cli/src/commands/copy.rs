//! `blit copy`: adds and updates, deletes nothing.

use blit_engine::Verb;

use crate::{
    app::App,
    args::CopyArgs,
    errors::Result,
    exit::Exit,
    transfer::{self, Request},
};

pub(super) async fn run(app: &App, mut args: CopyArgs) -> Result<Exit> {
    // The parser asks for two paths at least.
    let target = args.paths.pop().unwrap_or_default();
    let request = Request {
        patterns: args.patterns,
        limits: args.limits,
        files_from: args.files_from.files_from,
        reading: args.reading,
        writing: args.writing,
        existing: args.existing,
        backup_dir: args.backup.backup_dir,
        ..Request::new(Verb::Copy, args.paths, target)
    };
    transfer::run(app, request).await
}
