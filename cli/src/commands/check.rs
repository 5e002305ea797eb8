//! `blit check`: compares, changes nothing.

use blit_engine::Verb;

use crate::{
    app::App,
    args::CheckArgs,
    errors::Result,
    exit::Exit,
    transfer::{self, Request},
};

pub(super) async fn run(app: &App, args: CheckArgs) -> Result<Exit> {
    let request = Request {
        patterns: args.patterns,
        limits: args.limits,
        files_from: args.files_from.files_from,
        reading: args.reading,
        ..Request::new(Verb::Check, vec![args.source], args.target)
    };
    transfer::run(app, request).await
}
