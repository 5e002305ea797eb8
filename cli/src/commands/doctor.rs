//! `blit doctor`: checks this machine, or a directory, for what blit uses.

mod probe;

use std::{path::PathBuf, time::Instant};

use crate::{
    app::App,
    args::DoctorArgs,
    errors::Result,
    events::{self, Event},
    exit::Exit,
    places::Place,
};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is there.
    Good,
    /// It is not there, and blit does without it.
    Lacking,
    /// Blit cannot work.
    Bad,
}

/// One check.
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            name,
            verdict,
            detail: detail.into(),
        }
    }
}

pub(super) fn run(app: &App, args: &DoctorArgs) -> Result<Exit> {
    let began = Instant::now();
    let mut checks = probe::machine();
    let place = match &args.path {
        Some(typed) => {
            let place = Place::parse_local(&app.registry, typed)?;
            if !place.path.is_dir() {
                return Err(place.not_found("directory").into());
            }
            place.path
        }
        None => std::env::temp_dir(),
    };
    checks.extend(probe::directory(&place));
    checks.push(settings(app));
    for check in &checks {
        say(app, check)?;
    }
    let is_bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    let exit = if is_bad { Exit::Failed } else { Exit::Ok };
    app.ui.say(match is_bad {
        true => "Something that blit needs is missing.",
        false => "Everything that blit needs is there.",
    });
    let summary = events::Summary::of_rows(exit, began.elapsed(), checks.len() as u64);
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(exit)
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

/// Where a probe writes.
fn probe_path(directory: &std::path::Path) -> PathBuf {
    directory.join(format!(".blit-doctor-{}", std::process::id()))
}
