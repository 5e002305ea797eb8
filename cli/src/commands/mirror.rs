//! `blit mirror`: makes DST equal SRC, and so deletes what is extra.

use blit_engine::Verb;

use crate::{
    app::App,
    args::MirrorArgs,
    errors::Result,
    exit::Exit,
    transfer::{self, Request},
};

pub(super) async fn run(app: &App, args: MirrorArgs) -> Result<Exit> {
    let request = Request {
        patterns: args.patterns,
        limits: args.limits,
        reading: args.reading,
        writing: args.writing,
        backup_dir: args.backup.backup_dir,
        yes: args.yes,
        ..Request::new(Verb::Mirror, vec![args.source], args.target)
    };
    transfer::run(app, request).await
}
