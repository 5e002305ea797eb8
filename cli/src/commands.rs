//! One file for each verb.

mod admin;
mod check;
mod completions;
mod config;
mod copy;
mod df;
mod diagnostics;
mod doctor;
mod du;
mod find;
mod help;
pub(crate) mod jobs;
mod list;
mod ls;
mod mirror;
mod r#move;
mod pair;
mod rm;
mod scan;
mod status;

use std::ffi::OsString;

use crate::{
    app::App,
    args::{Global, Verb},
    errors::{Result, Slug, UserError},
    events::schema,
    exit::Exit,
};

/// Runs the verb that was typed.
pub(crate) async fn run(app: &App, verb: Verb, global: &Global) -> Result<Exit> {
    match verb {
        Verb::Audit(args) => admin::audit(app, &args),
        Verb::Identity(args) => admin::identity(app, &args).await,
        Verb::State(args) => admin::state(app, &args).await,
        Verb::Check(args) => check::run(app, args).await,
        Verb::Completions(args) => completions::run(app, &args),
        Verb::Config(args) => config::run(app, &args, global.config.as_deref()),
        Verb::Copy(args) => copy::run(app, args).await,
        Verb::Df(args) => df::run(app, args).await,
        Verb::Diagnostics(args) => diagnostics::run(app, args).await,
        Verb::Doctor(args) => doctor::run(app, args).await,
        Verb::Du(args) => du::run(app, args).await,
        Verb::Find(args) => find::run(app, args).await,
        Verb::Help(args) => help::run(app, &args),
        Verb::Jobs(args) => jobs::run(app, args).await,
        Verb::List(args) => list::run(app, args).await,
        Verb::Ls(args) => ls::run(app, args).await,
        Verb::Mirror(args) => mirror::run(app, args).await,
        Verb::Move(args) => r#move::run(app, args).await,
        Verb::Pair(args) => pair::run(app, args).await,
        Verb::Remote(args) => admin::remote(app, &args).await,
        Verb::Rm(args) => rm::run(app, args).await,
        Verb::Scan(args) => scan::run(app, &args).await,
        Verb::Status(args) => status::run(app, args).await,
        Verb::Schema => app.ui.text(&schema()).map(|()| Exit::Ok),
        Verb::Sync(_) => Err(UserError::new(
            Slug::UsageVerb,
            "sync can mean two things: copy never deletes, mirror does",
        )
        .unchanged()
        .next("blit copy SRC DST, or: blit mirror SRC DST")
        .into()),
    }
}

/// SRC… and DST. The parser cannot ask for two: flags may stand between them.
fn split_target(mut paths: Vec<OsString>) -> Result<(Vec<OsString>, OsString), UserError> {
    match (paths.pop(), paths.is_empty()) {
        (Some(target), false) => Ok((paths, target)),
        _ => Err(
            UserError::new(Slug::UsageFlag, "the destination is missing")
                .unchanged()
                .next("write the sources, then the destination: SRC… DST"),
        ),
    }
}

/// What `blit` alone says.
pub(crate) fn welcome(app: &App) -> Result<Exit> {
    app.ui.text(WELCOME)?;
    Ok(Exit::Ok)
}

const WELCOME: &str = "\
blit moves trees of files: exactly, safely and fast.

  blit copy photos /backup             /backup/photos; never deletes anything
  blit copy photos/ /backup/2026       the contents of photos, in /backup/2026
  blit mirror photos /backup           /backup/photos becomes equal; asks before it deletes
  blit check photos /backup/photos     compares; exit 4 when different

Also: move ls find du df rm jobs config doctor completions diagnostics

  blit help             all verbs and flags
  blit help paths       what a slash at the end means
";
