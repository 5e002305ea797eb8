//! `blit list`: what can be reached: paired machines, and what they export.

use blit_wire::Access;

use crate::{app::App, args::ListArgs, errors::Result, exit::Exit, peers};

pub(super) async fn run(app: &App, args: ListArgs) -> Result<Exit> {
    match args.host {
        Some(host) => modules(app, host.trim_end_matches(':')).await,
        None => paired(app),
    }
}

fn paired(app: &App) -> Result<Exit> {
    let known = peers::load()?;
    for peer in known.iter() {
        let addresses = peer.addresses.join(", ");
        app.ui.text(&format!(
            "{}\t{}\t{addresses}\n",
            peer.name,
            peer.id.short()
        ))?;
    }
    if known.iter().next().is_none() {
        app.ui.say("no machine is paired yet; see: blit help pair");
    }
    Ok(Exit::Ok)
}

async fn modules(app: &App, host: &str) -> Result<Exit> {
    let status = peers::status(app, host).await?;
    for module in status.modules {
        let access = match module.access {
            Access::ReadOnly => "read-only",
            Access::AddOnly => "add-only",
            Access::ReadWrite => "read-write",
        };
        let row = format!("{host}:/{}/\t{access}\t{}\n", module.name, module.comment);
        app.ui.text(&row)?;
    }
    Ok(Exit::Ok)
}
