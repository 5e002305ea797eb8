//! `blit status`: what a machine says of itself.

use std::time::{Duration, Instant};

use blit_wire::Status;

use crate::{
    app::App,
    args::StatusArgs,
    errors::Result,
    events::{self, Event},
    exit::Exit,
    peers,
    ui::shown,
    units,
};

pub(super) async fn run(app: &App, args: StatusArgs) -> Result<Exit> {
    let Some(host) = args.host else {
        return super::admin::status(app).await;
    };
    let began = Instant::now();
    let machine = peers::machine(&host);
    let status = peers::status(app, &machine).await?;
    if !app.ui.json {
        app.ui.text(&text(machine.name(), &status))?;
    }
    let rows = rows(&status);
    let count = rows.len() as u64;
    for row in rows {
        app.ui.emit(Event::Entry(Box::new(row)))?;
    }
    let summary = events::Summary::of_rows(Exit::Ok, began.elapsed(), count);
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(Exit::Ok)
}

/// One screen for people and pipes alike; nothing that the machine says steers a terminal.
fn text(host: &str, status: &Status) -> String {
    let plain = |text: &str| shown(text.as_ref());
    let sessions = units::counted(u64::from(status.sessions), "session", "sessions");
    let mut text = format!(
        "{host} is {}, blit {}, up {}, {sessions}\n",
        plain(&status.name),
        plain(&status.version),
        units::duration(Duration::from_secs(status.uptime_secs)),
    );
    for module in &status.modules {
        text += &peers::module_row(host, module);
    }
    if status.modules.is_empty() {
        text += "it exports nothing to this machine\n";
    }
    text
}

fn rows(status: &Status) -> Vec<events::Entry> {
    let row = |kind, name: &str, value: String, detail: Option<&str>| events::Entry {
        kind,
        name: Some(name.to_owned()),
        value: Some(value),
        detail: detail.map(str::to_owned),
        ..events::Entry::default()
    };
    let facts = [
        ("name", status.name.clone()),
        ("version", status.version.clone()),
        ("uptime_seconds", status.uptime_secs.to_string()),
        ("sessions", status.sessions.to_string()),
    ];
    let facts = facts.map(|(name, value)| row("status", name, value, None));
    let modules = status.modules.iter().map(|module| {
        let access = peers::access_words(module.access).to_owned();
        row("module", &module.name, access, Some(&module.comment))
    });
    facts.into_iter().chain(modules).collect()
}
