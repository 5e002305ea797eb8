//! `blit list`: what can be reached: paired machines, and what they export.

use blit_reach::Machine;

use crate::{app::App, args::ListArgs, errors::Result, exit::Exit, peers};

pub(super) async fn run(app: &App, args: ListArgs) -> Result<Exit> {
    match args.host {
        Some(host) => modules(app, &peers::machine(&host)).await,
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

async fn modules(app: &App, machine: &Machine) -> Result<Exit> {
    let status = peers::status(app, machine).await?;
    for module in &status.modules {
        app.ui.text(&peers::module_row(machine.name(), module))?;
    }
    Ok(Exit::Ok)
}
