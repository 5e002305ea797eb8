//! `blit df`: how much room there is.

use std::{sync::Arc, time::Instant};

use blit_contract::{Cx, Peer, RelPath, Side, Store, Usage};
use blit_engine::RemoteStore;
use blit_reach::{Machine, RemotePlace};
use blit_wire::Rules;

use crate::{
    app::App,
    args::DfArgs,
    errors::{Result, from_contract},
    events::{self, Event, PathField},
    exit::Exit,
    peers,
    places::{self, Place},
    ui::shown,
    units,
};

/// The room at a place.
struct Room {
    /// As people see it.
    shown: String,
    path: Vec<u8>,
    usage: Usage,
}

pub(super) async fn run(app: &App, args: DfArgs) -> Result<Exit> {
    let began = Instant::now();
    let rooms = match peers::machine_of_endpoint(&args.path) {
        Some(machine) => of_modules(app, machine).await?,
        None => vec![of_place(app, &args).await?],
    };
    if app.ui.rows_are_shown && !app.ui.json {
        app.ui
            .text("    total      used      free  used%  place\n")?;
    }
    for room in &rooms {
        app.ui.emit(Event::Entry(Box::new(event(room))))?;
        if !app.ui.json {
            app.ui.text(&text(room, app.ui.rows_are_shown))?;
        }
    }
    let summary = events::Summary::of_rows(Exit::Ok, began.elapsed(), rooms.len() as u64);
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(Exit::Ok)
}

/// The room of a path here, or in a module there.
async fn of_place(app: &App, args: &DfArgs) -> Result<Room> {
    let place = Place::parse(&app.registry, &args.path)?;
    let cx = Cx::new(app.stop.cancel.clone());
    let usage = match &place.remote {
        Some(_) => {
            let found = places::open_remote(app, &cx, &place, &Rules::default()).await?;
            let usage = found.store.usage(&cx).await;
            usage.map_err(|error| peers::from_refusal(&place.shown(), &error).unchanged())?
        }
        None => {
            let usage = open(app, &place)?.usage(&cx).await;
            usage.map_err(|error| from_contract(Side::Source, &place.shown(), &error))?
        }
    };
    Ok(Room {
        shown: place.shown(),
        path: place.path.as_os_str().as_encoded_bytes().to_vec(),
        usage,
    })
}

fn open(app: &App, place: &Place) -> Result<Arc<dyn Store>> {
    if !place.path.exists() {
        return Err(place.not_found("path").into());
    }
    let directory = match place.split() {
        Some((parent, _)) if !place.path.is_dir() => parent,
        _ => place.path.clone(),
    };
    Ok(places::open(
        &app.registry,
        Side::Source,
        &directory,
        |it| it,
    )?)
}

/// The room of each module of a machine.
async fn of_modules(app: &App, machine: Machine) -> Result<Vec<Room>> {
    let cx = Cx::new(app.stop.cancel.clone());
    let client: Arc<dyn Peer> = peers::connect(app, &machine, &Arc::default()).await?;
    let refused = |place: &str, error| peers::from_refusal(place, &error).unchanged();
    let status = blit_engine::ask_status(&cx, &*client).await;
    let status = status.map_err(|error| refused(machine.name(), error))?;
    let mut rooms = Vec::new();
    for module in status.modules {
        let place = RemotePlace::in_module(machine.clone(), module.name, RelPath::ROOT);
        let store = RemoteStore::new(Arc::clone(&client), place.wire());
        let usage = store.usage(&cx).await;
        let shown = shown(place.shown().as_ref());
        rooms.push(Room {
            usage: usage.map_err(|error| refused(&shown, error))?,
            path: place.shown().into_bytes(),
            shown,
        });
    }
    Ok(rooms)
}

fn event(room: &Room) -> events::Entry {
    let usage = &room.usage;
    events::Entry {
        kind: "space",
        path: Some(PathField::new(&room.path)),
        total_bytes: Some(usage.total_bytes),
        free_bytes: Some(usage.free_bytes),
        total_entries: Some(usage.total_entries).filter(|entries| *entries > 0),
        free_entries: Some(usage.free_entries).filter(|_| usage.total_entries > 0),
        ..events::Entry::default()
    }
}

/// For people below a head; for pipes total, used and free bytes.
fn text(room: &Room, for_people: bool) -> String {
    let Room { shown, usage, .. } = room;
    let used = usage.total_bytes.saturating_sub(usage.free_bytes);
    match for_people {
        true => format!(
            "{:>9} {:>9} {:>9} {:>5}%  {shown}\n",
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
