//! `blit move`: copies, verifies, then removes exactly what was verified.

use blit_engine::Verb;

use super::split_target;
use crate::{
    app::App,
    args::MoveArgs,
    errors::Result,
    exit::Exit,
    transfer::{self, Request},
};

pub(super) async fn run(app: &App, args: MoveArgs) -> Result<Exit> {
    let (sources, target) = split_target(args.paths)?;
    let request = Request {
        patterns: args.patterns,
        limits: args.limits,
        reading: args.reading,
        writing: args.writing,
        existing: args.existing,
        yes: args.yes,
        ..Request::new(Verb::Move, sources, target)
    };
    transfer::run(app, request).await
}
