//! `blit config`: the settings that hold, and who said them.

use std::time::Instant;

use blit_config::Paths;

use crate::{
    app::App,
    args::{ConfigArgs, ConfigVerb},
    errors::Result,
    events::{self, Event, PathField},
    exit::Exit,
    ui::shown,
};

pub(super) fn run(app: &App, args: &ConfigArgs, file: Option<&std::path::Path>) -> Result<Exit> {
    let began = Instant::now();
    let rows = match args.verb {
        ConfigVerb::Show => show(app)?,
        ConfigVerb::Path => path(app, file)?,
        // Whoever got here has read the file without a complaint.
        ConfigVerb::Check => {
            app.ui.say("The settings are fine.");
            0
        }
    };
    let summary = events::Summary::of_rows(Exit::Ok, began.elapsed(), rows);
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(Exit::Ok)
}

fn show(app: &App) -> Result<u64> {
    for setting in &app.loaded.shown {
        let value = setting.value.as_deref();
        if app.ui.json {
            app.ui.emit(Event::Entry(Box::new(events::Entry {
                kind: "setting",
                name: Some(setting.key.to_owned()),
                value: value.map(str::to_owned),
                detail: Some(setting.origin.to_string()),
                ..events::Entry::default()
            })))?;
        } else {
            let value = value.unwrap_or("-");
            app.ui.text(&format!(
                "{:<26} {value:<8} {}\n",
                setting.key, setting.origin
            ))?;
        }
    }
    Ok(app.loaded.shown.len() as u64)
}

fn path(app: &App, file: Option<&std::path::Path>) -> Result<u64> {
    let usual = Paths::of_this_user().map(|paths| paths.config_file());
    let Some(path) = file.map(std::path::Path::to_owned).or(usual) else {
        app.ui
            .say("There is no home directory, and so no settings file.");
        return Ok(0);
    };
    if app.ui.json {
        app.ui.emit(Event::Entry(Box::new(events::Entry {
            kind: "file",
            path: Some(PathField::new(path.as_os_str().as_encoded_bytes())),
            ..events::Entry::default()
        })))?;
    } else {
        app.ui.text(&format!("{}\n", shown(path.as_os_str())))?;
    }
    Ok(1)
}
