//! `blit copy`: adds and updates, deletes nothing.

use blit_engine::Verb;

use super::split_target;
use crate::{
    app::App,
    args::CopyArgs,
    errors::Result,
    exit::Exit,
    transfer::{self, Request},
};

pub(super) async fn run(app: &App, args: CopyArgs) -> Result<Exit> {
    let (sources, target) = split_target(args.paths)?;
    let request = Request {
        patterns: args.patterns,
        limits: args.limits,
        files_from: args.files_from.files_from,
        reading: args.reading,
        writing: args.writing,
        existing: args.existing,
        backup_dir: args.backup.backup_dir,
        ..Request::new(Verb::Copy, sources, target)
    };
    transfer::run(app, request).await
}
