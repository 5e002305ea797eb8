//! `blit scan`: the daemons on the local network.

use std::time::Instant;

use blit_admin::{ScanArgs, Seen};

use super::admin::{from_trouble, places};
use crate::{
    app::App,
    errors::Result,
    events::{self, Event},
    exit::Exit,
};

pub(super) async fn run(app: &App, args: &ScanArgs) -> Result<Exit> {
    let began = Instant::now();
    let found = blit_admin::scan(&places()?, args).await;
    let found = found.map_err(from_trouble)?;
    for seen in &found {
        app.ui.emit(Event::Entry(Box::new(row(seen))))?;
        if !app.ui.json {
            let (neighbour, relation) = (&seen.neighbour, seen.relation());
            app.ui.text(&format!("{neighbour}\t{relation}\n"))?;
        }
    }
    if found.is_empty() {
        app.ui
            .say("nobody announces itself on the local network; see: blit help pair");
    }
    let summary = events::Summary::of_rows(Exit::Ok, began.elapsed(), found.len() as u64);
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(Exit::Ok)
}

fn row(seen: &Seen) -> events::Entry {
    events::Entry {
        kind: "neighbour",
        name: Some(seen.neighbour.name.clone()),
        value: Some(seen.neighbour.places().join(", ")),
        detail: Some(format!("{}, {}", seen.neighbour.id, seen.relation())),
        ..events::Entry::default()
    }
}
