//! `blit diagnostics`: what blit learned on this machine, and a report to paste.

use std::time::Instant;

use crate::{
    app::App,
    args::{DiagnosticsArgs, DiagnosticsVerb, PerfArgs},
    ask::ask_yes,
    errors::{Result, Slug, UserError},
    events::{self, Event, method_word},
    exit::Exit,
    history, settings_file, units,
};

pub(super) async fn run(app: &App, args: DiagnosticsArgs) -> Result<Exit> {
    let began = Instant::now();
    let rows = match args.verb {
        DiagnosticsVerb::Perf(args) if args.on || args.off => switch(app, args.on)?,
        DiagnosticsVerb::Perf(args) if args.clear => clear(app, &args).await?,
        DiagnosticsVerb::Perf(_) => perf(app)?,
        DiagnosticsVerb::Dump => dump(app)?,
    };
    let summary = events::Summary::of_rows(Exit::Ok, began.elapsed(), rows);
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(Exit::Ok)
}

fn switch(app: &App, is_on: bool) -> Result<u64> {
    let file = settings_file::set("history", "enabled", is_on)?;
    let word = if is_on { "kept" } else { "not kept" };
    let file = crate::ui::shown(file.as_os_str());
    app.ui
        .say(&format!("From now on measurements are {word} ({file})."));
    Ok(0)
}

async fn clear(app: &App, args: &PerfArgs) -> Result<u64> {
    if !args.yes {
        if !app.ui.may_ask {
            let message = "the measurements would be forgotten and nobody is here to confirm";
            return Err(UserError::new(Slug::DeleteUnconfirmed, message)
                .unchanged()
                .next("add -y")
                .into());
        }
        let question = "Forget all measurements? [y/N] ";
        if ask_yes(&app.ui, &app.stop.cancel, question).await != Some(true) {
            return Err(
                UserError::new(Slug::DeleteDeclined, "the measurements were kept")
                    .unchanged()
                    .into(),
            );
        }
    }
    history::clear()?;
    app.ui.say("All measurements are forgotten.");
    Ok(0)
}

fn perf(app: &App) -> Result<u64> {
    let rates = history::rates();
    if rates.is_empty() {
        app.ui.say("Nothing has been measured yet.");
    }
    for rate in &rates {
        let method = method_word(rate.method);
        if app.ui.json {
            app.ui.emit(Event::Entry(Box::new(events::Entry {
                kind: "measurement",
                name: Some(method.to_owned()),
                files: Some(rate.files),
                size: Some(rate.bytes),
                rate: Some(rate.bytes_per_second()),
                detail: Some(rate.route.clone()),
                ..events::Entry::default()
            })))?;
        } else {
            let row = format!(
                "{method:<16} {:>10}/s  {:>14}, {:<10} {}\n",
                units::size(rate.bytes_per_second() as u64),
                units::files(rate.files),
                units::size(rate.bytes),
                rate.route,
            );
            app.ui.text(&row)?;
        }
    }
    Ok(rates.len() as u64)
}

/// Versions, features, settings and rates: no path, no host, no name of an entry.
fn dump(app: &App) -> Result<u64> {
    let system = rustix::system::uname();
    let mut rows = vec![
        ("blit", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "system",
            format!(
                "{} {} {}",
                system.sysname().to_string_lossy(),
                system.release().to_string_lossy(),
                system.machine().to_string_lossy()
            ),
        ),
    ];
    for plugin in app.registry.plugins() {
        rows.push((
            "plugin",
            format!("{} {}", plugin.descriptor.id, plugin.descriptor.version),
        ));
    }
    for setting in &app.loaded.shown {
        let value = setting.value.as_deref().unwrap_or("-");
        rows.push(("setting", format!("{} = {value}", setting.key)));
    }
    for rate in history::rates() {
        let per_second = units::size(rate.bytes_per_second() as u64);
        rows.push((
            "measured",
            format!("{} {per_second}/s", method_word(rate.method)),
        ));
    }
    for (name, value) in &rows {
        if app.ui.json {
            app.ui.emit(Event::Entry(Box::new(events::Entry {
                kind: "fact",
                name: Some((*name).to_owned()),
                value: Some(value.clone()),
                ..events::Entry::default()
            })))?;
        } else {
            app.ui.text(&format!("{name:<9} {value}\n"))?;
        }
    }
    Ok(rows.len() as u64)
}
