//! `blit doctor`: checks this machine, a directory, or the way to another machine.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use blit_bundled::Lanes;
use blit_contract::{Cx, Error, ErrorKind, Side};
use blit_doctor::{
    Check, Crossing, Verdict, check_directory, check_host, check_login, check_machine, check_rate,
};
use blit_reach::Machine;

use crate::{
    app::App,
    args::DoctorArgs,
    errors::Result,
    events::{self, Event},
    exit::Exit,
    peers,
    places::{self, Place},
};

pub(super) async fn run(app: &App, args: DoctorArgs) -> Result<Exit> {
    let began = Instant::now();
    let mut checks = check_machine();
    checks.push(settings(app));
    match args.place {
        None => checks.extend(check_directory(&std::env::temp_dir())),
        Some(typed) => match machine_of(app, &typed)? {
            Some(There { machine, place }) => {
                checks.extend(of_machine(app, &machine).await?);
                if let Some(place) = place {
                    checks.extend(rate(app, &machine, place).await?);
                }
            }
            None => checks.extend(check_directory(&directory(app, &typed)?)),
        },
    }
    for check in &checks {
        say(app, check)?;
    }
    let is_bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    let exit = if is_bad { Exit::Partial } else { Exit::Ok };
    app.ui.say(match is_bad {
        true => "Something that blit needs is missing.",
        false => "Everything that blit needs is there.",
    });
    let summary = events::Summary::of_rows(exit, began.elapsed(), checks.len() as u64);
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(exit)
}

async fn of_machine(app: &App, machine: &Machine) -> Result<Vec<Check>> {
    let cx = Cx::new(app.stop.cancel.clone());
    let Machine::Paired { name, port } = machine else {
        let client = peers::connect(app, machine, &Arc::default()).await?;
        let detail = "ssh leads to blit-daemon";
        let way = Check::new("connection", Verdict::Good, detail);
        return Ok([vec![way], check_login(&cx, &client).await].concat());
    };
    let (identity, peer) = (peers::identity()?, peers::known(name)?);
    let host = blit_doctor::Host {
        identity: &identity,
        addresses: &blit_reach::addresses_of(&peer, *port),
        peer: &peer,
        lanes: Arc::<Lanes>::default(),
    };
    Ok(check_host(&cx, host).await)
}

/// Moves data to a directory over there and back, where the way to it is whole.
async fn rate(app: &App, machine: &Machine, place: blit_wire::Place) -> Result<Vec<Check>> {
    let Ok(client) = peers::connect(app, machine, &Arc::default()).await else {
        // Why not has been told.
        return Ok(Vec::new());
    };
    let open = |path: &Path| {
        let opened = places::open(&app.registry, Side::Target, path, |config| {
            config.with_writable(true)
        });
        opened.map_err(|error| Error::new(ErrorKind::Io, "open").because(error.to_string()))
    };
    let crossing = Crossing {
        client,
        place,
        planner: app.planner()?,
        open: &open,
        cancel: app.stop.cancel.clone(),
    };
    Ok(check_rate(crossing).await)
}

/// A machine, and a place on it if one was typed.
struct There {
    machine: Machine,
    place: Option<blit_wire::Place>,
}

/// The machine that is meant: `nas:`, a place there, or a bare word that is no path but a paired machine.
fn machine_of(app: &App, typed: &OsStr) -> Result<Option<There>> {
    let whole = |machine| There {
        machine,
        place: None,
    };
    if let Some(machine) = peers::machine_of_endpoint(typed) {
        return Ok(Some(whole(machine)));
    }
    let place = Place::parse(&app.registry, typed)?;
    Ok(match (place.remote, typed.to_str()) {
        (Some(there), _) => {
            let place = Some(there.wire());
            let machine = there.machine;
            Some(There { machine, place })
        }
        (None, Some(word)) if !place.path.exists() => {
            let machine = peers::machine(word);
            peers::known(machine.name()).is_ok().then(|| whole(machine))
        }
        (None, _) => None,
    })
}

fn directory(app: &App, typed: &OsStr) -> Result<PathBuf> {
    let place = Place::parse(&app.registry, typed)?;
    match place.path.is_dir() {
        true => Ok(place.path),
        false => Err(place.not_found("directory").into()),
    }
}

fn say(app: &App, check: &Check) -> Result<()> {
    let word = match check.verdict {
        Verdict::Good => "ok",
        Verdict::Lacking => "lacking",
        Verdict::Bad => "bad",
    };
    if app.ui.json {
        return app.ui.emit(Event::Entry(Box::new(events::Entry {
            kind: "check",
            name: Some(check.name.to_owned()),
            value: Some(word.to_owned()),
            detail: Some(check.detail.clone()),
            ..events::Entry::default()
        })));
    }
    app.ui
        .text(&format!("{word:<8} {:<22} {}\n", check.name, check.detail))
}

/// Whoever got here has read them without a complaint.
fn settings(app: &App) -> Check {
    let said = app
        .loaded
        .shown
        .iter()
        .filter(|setting| setting.origin != blit_config::Origin::BuiltIn);
    let detail = format!("{} set by you", said.count());
    Check::new("settings", Verdict::Good, detail)
}
