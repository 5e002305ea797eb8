//! From the words that were typed to an exit code.

use std::{ffi::OsString, panic::AssertUnwindSafe, process::ExitCode, sync::Arc};

use blit_config::ColorWhen;
use eyre::WrapErr;

use crate::{
    app::{App, load_settings},
    args::{self, Cli, Global, Parsed},
    commands, complete,
    errors::{OutputClosed, Result, UserError, internal, to_user_error},
    exit::Exit,
    log, panics,
    ui::Ui,
};

/// Runs the command that was typed, and gives the shell its code.
pub fn main() -> ExitCode {
    complete::answer();
    panics::install();
    blit_bundled::prepare_process();
    let typed: Vec<OsString> = std::env::args_os().collect();
    run(typed).into()
}

fn run(typed: Vec<OsString>) -> Exit {
    let asks_for_json = args::wants_json(&typed);
    let plain = || {
        let global = Global {
            json: asks_for_json,
            ..Global::default()
        };
        Ui::new(&global, ColorWhen::Auto)
    };
    match args::parse(typed) {
        Err(error) => finish(&plain(), Err(error.into())),
        Ok(Parsed::Show(text)) => {
            let ui = plain();
            let shown = ui.text(&text).map(|()| Exit::Ok);
            finish(&ui, shown)
        }
        Ok(Parsed::Run(cli)) => run_command(*cli),
    }
}

fn run_command(cli: Cli) -> Exit {
    let loaded = match load_settings(&cli) {
        Ok(loaded) => loaded,
        Err(error) => return finish(&Ui::new(&cli.global, ColorWhen::Auto), Err(error.into())),
    };
    let ui = Arc::new(Ui::new(&cli.global, loaded.settings.output.color));
    log::start(&ui);
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let app = App::new(Arc::clone(&ui), loaded)?;
        block_on(&app, cli)
    }));
    finish(
        &ui,
        outcome.unwrap_or_else(|_| Err(internal("a panic").into())),
    )
}

fn block_on(app: &App, cli: Cli) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .wrap_err("this process cannot get what it needs to run")?;
    let outcome = runtime.block_on(async {
        app.stop.start()?;
        match cli.verb {
            Some(verb) => commands::run(app, verb, &cli.global).await,
            None => commands::welcome(app),
        }
    });
    // A thread that waits for an answer at the terminal is not waited for.
    runtime.shutdown_background();
    app.memory.save(jiff::Timestamp::now());
    outcome
}

/// Says what is to be said last, and answers the exit code.
fn finish(ui: &Ui, outcome: Result<Exit>) -> Exit {
    ui.hide_row();
    let outcome = outcome.and_then(|exit| ui.flush().map(|()| exit));
    let exit = match outcome {
        Ok(exit) => exit,
        Err(report) if report.is::<OutputClosed>() => Exit::Ok,
        Err(report) => fail(ui, &to_user_error(&report)),
    };
    match ui.output_failure() {
        Some(error) => exit.graver(fail(ui, &error)),
        None => exit,
    }
}

fn fail(ui: &Ui, error: &UserError) -> Exit {
    ui.fail(error);
    error.exit()
}
