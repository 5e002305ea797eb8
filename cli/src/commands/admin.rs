//! `blit remote`, `blit audit` and `blit status`: the work is done in `blit-admin`.

use blit_admin::{AuditArgs, IdentityArgs, Places, RemoteArgs, StateArgs, Trouble, TroubleKind};

use crate::{
    app::App,
    errors::{Result, Slug, UserError},
    exit::Exit,
    peers,
};

pub(super) async fn remote(app: &App, args: &RemoteArgs) -> Result<Exit> {
    tell(app, blit_admin::remote(&places()?, args).await)
}

pub(super) fn audit(app: &App, args: &AuditArgs) -> Result<Exit> {
    tell(app, blit_admin::audit(&places()?, args))
}

pub(super) async fn identity(app: &App, args: &IdentityArgs) -> Result<Exit> {
    tell(app, blit_admin::identity(&places()?, args).await)
}

pub(super) async fn state(app: &App, args: &StateArgs) -> Result<Exit> {
    tell(app, blit_admin::state(&places()?, args).await)
}

pub(super) async fn status(app: &App) -> Result<Exit> {
    tell(app, blit_admin::status(&places()?).await)
}

pub(super) fn places() -> Result<Places, UserError> {
    Ok(Places {
        state: peers::state()?,
        daemon_state: peers::daemon_state()?,
    })
}

fn tell(app: &App, lines: Result<Vec<String>, Trouble>) -> Result<Exit> {
    for line in lines.map_err(from_trouble)? {
        app.ui.text(&format!("{line}\n"))?;
    }
    Ok(Exit::Ok)
}

pub(super) fn from_trouble(trouble: Trouble) -> UserError {
    let slug = match trouble.kind {
        TroubleKind::AuditBroken => Slug::AuditBroken,
        TroubleKind::NoDaemon => Slug::NetUnreachable,
        TroubleKind::Peer => Slug::AuthPeer,
        _ => Slug::ConfigRead,
    };
    let error = UserError::new(slug, trouble.message).unchanged();
    match trouble.next {
        Some(next) => error.next(next),
        None => error,
    }
}
