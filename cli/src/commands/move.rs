//! `blit move`: copies, verifies, then removes exactly what was verified.

use blit_engine::Verb;

use crate::{
    app::App,
    args::MoveArgs,
    errors::Result,
    exit::Exit,
    transfer::{self, Request},
};

pub(super) async fn run(app: &App, mut args: MoveArgs) -> Result<Exit> {
    // The parser asks for two paths at least.
    let target = args.paths.pop().unwrap_or_default();
    let request = Request {
        patterns: args.patterns,
        limits: args.limits,
        reading: args.reading,
        writing: args.writing,
        existing: args.existing,
        yes: args.yes,
        ..Request::new(Verb::Move, args.paths, target)
    };
    transfer::run(app, request).await
}
