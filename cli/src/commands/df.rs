//! `blit df`: how much room there is.

use std::time::Instant;

use blit_contract::{Cx, Side, Usage};

use crate::{
    app::App,
    args::DfArgs,
    errors::{Result, from_contract},
    events::{self, Event, PathField},
    exit::Exit,
    places::{self, Place},
    units,
};

pub(super) async fn run(app: &App, args: DfArgs) -> Result<Exit> {
    let began = Instant::now();
    let place = Place::parse_local(&app.registry, &args.path)?;
    if !place.path.exists() {
        return Err(place.not_found("path").into());
    }
    let directory = match place.split() {
        Some((parent, _)) if !place.path.is_dir() => parent,
        _ => place.path.clone(),
    };
    let store = places::open(&app.registry, Side::Source, &directory, |config| config)?;
    let usage = store.usage(&Cx::new(app.stop.cancel.clone())).await;
    let usage = usage.map_err(|error| from_contract(Side::Source, &place.shown(), &error))?;
    app.ui.emit(Event::Entry(Box::new(event(&place, usage))))?;
    if !app.ui.json {
        app.ui.text(&text(&place, usage, app.ui.rows_are_shown))?;
    }
    app.ui
        .emit(Event::Summary(Box::new(events::Summary::of_rows(
            Exit::Ok,
            began.elapsed(),
            1,
        ))))?;
    Ok(Exit::Ok)
}

fn event(place: &Place, usage: Usage) -> events::Entry {
    events::Entry {
        kind: "space",
        path: Some(PathField::new(place.path.as_os_str().as_encoded_bytes())),
        total_bytes: Some(usage.total_bytes),
        free_bytes: Some(usage.free_bytes),
        total_entries: Some(usage.total_entries).filter(|entries| *entries > 0),
        free_entries: Some(usage.free_entries).filter(|_| usage.total_entries > 0),
        ..events::Entry::default()
    }
}

/// For people with a head; for pipes total, used and free bytes.
fn text(place: &Place, usage: Usage, for_people: bool) -> String {
    let used = usage.total_bytes.saturating_sub(usage.free_bytes);
    let shown = place.shown();
    match for_people {
        true => format!(
            "    total      used      free  used%  place\n{:>9} {:>9} {:>9} {:>5}%  {shown}\n",
            units::size(usage.total_bytes),
            units::size(used),
            units::size(usage.free_bytes),
            units::percent(used, usage.total_bytes),
        ),
        false => format!(
            "{}\t{used}\t{}\t{shown}\n",
            usage.total_bytes, usage.free_bytes
        ),
    }
}
