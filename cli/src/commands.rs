//! One file for each verb.

mod check;
mod copy;
mod mirror;
mod r#move;

use crate::{
    app::App,
    args::Verb,
    errors::{Result, Slug, UserError},
    exit::Exit,
};

/// Runs the verb that was typed.
pub(crate) async fn run(app: &App, verb: Verb) -> Result<Exit> {
    match verb {
        Verb::Check(args) => check::run(app, args).await,
        Verb::Copy(args) => copy::run(app, args).await,
        Verb::Mirror(args) => mirror::run(app, args).await,
        Verb::Move(args) => r#move::run(app, args).await,
        Verb::Sync(_) => Err(UserError::new(
            Slug::UsageVerb,
            "sync can mean two things: copy never deletes, mirror does",
        )
        .unchanged()
        .next("blit copy SRC DST, or: blit mirror SRC DST")
        .into()),
        _ => todo!(),
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

Also: move ls find du df rm config doctor completions diagnostics

  blit help             all verbs and flags
  blit help paths       what a slash at the end means
";
