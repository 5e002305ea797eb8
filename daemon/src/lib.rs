//! The blit daemon: exports modules to paired machines.
//!
//! Read it in the order of a run: `args` and `config` say what is wanted, `modules` opens what is
//! exported, `listen` starts and looks after what runs, `doors` binds, `gate` takes what arrives, `serve`
//! decides who may do what and lets the engine do it, `delegate` does what one machine asks for and another
//! one takes part in, `record` writes it down, `manage` does what the administrator asks for, and `jobs` runs
//! what is handed over to it. `stdio` is all of it for one client that comes through ssh.

#![deny(missing_docs)]

mod access;
mod args;
mod atomic;
mod audit;
mod backup;
mod beacon;
mod check;
mod condition;
mod config;
mod confine;
mod delegate;
mod delegation;
mod disk;
mod doors;
mod failure;
mod gate;
mod halted;
mod health;
mod jobs;
mod lanes;
mod listen;
mod manage;
mod module;
mod modules;
mod notify;
mod pending;
mod plugins;
mod record;
mod reference;
mod request;
mod reserve;
mod serve;
mod service;
mod sessions;
mod settings;
mod special;
mod stdio;
mod sys;

use std::{io::Write, process::ExitCode};

use blit_config::Exit;
use blit_control::{LocalClient, socket_of};
use clap::{CommandFactory, Parser};

use crate::{
    args::{Args, Command},
    config::{Config, Sources},
    failure::Failure,
};

pub use reference::{page, schema};

/// The command line as clap knows it.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

/// The program.
#[must_use]
pub fn run() -> ExitCode {
    blit_bundled::prepare_process();
    let mut args = Args::parse();
    if args.stdio {
        return exit_of(told(stdio::run()));
    }
    if let Some(Command::CheckConfig { file: Some(file) }) = &args.command {
        args.config = Some(file.clone());
    }
    let (command, modules) = (args.command.clone(), args.modules.clone());
    let sources = Sources::of_this_process(args);
    let outcome = match command {
        Some(Command::CheckConfig { .. }) => check_config(&sources),
        Some(Command::Healthcheck) => told(sources.load().and_then(|it| health::check(&it))),
        Some(Command::Module(args)) => told(change_modules(&sources, &args)),
        Some(Command::Reload) => told(sources.load().and_then(|config| reload(&config))),
        Some(Command::Service(args)) => told(service::run(&args, &modules)),
        Some(Command::Run) | None => told(
            sources
                .load()
                .and_then(|it| listen::run(sources.clone(), it)),
        ),
    };
    exit_of(outcome)
}

fn exit_of(outcome: Result<(), Vec<Failure>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failures) => {
            failures.iter().for_each(say_failure);
            failures.first().map_or(Exit::Failed, Failure::exit).into()
        }
    }
}

fn told(outcome: Result<(), Failure>) -> Result<(), Vec<Failure>> {
    outcome.map_err(|failure| vec![failure])
}

/// Whether what is configured could be served.
fn check_config(sources: &Sources) -> Result<(), Vec<Failure>> {
    let count = check::check(sources)?;
    say(&format!("{count} modules, and nothing is wrong with them"));
    Ok(())
}

/// Changes the configuration file, and has a daemon that runs take it.
fn change_modules(sources: &Sources, args: &module::ModuleArgs) -> Result<(), Failure> {
    if !module::run(sources, args)? {
        return Ok(());
    }
    match reload(&sources.load()?) {
        Err(failure) if failure.exit() == Exit::Unreachable => {
            say("no daemon with this state directory runs; one that starts exports it");
            Ok(())
        }
        other => other,
    }
}

/// Has the daemon that runs read its configuration anew.
fn reload(config: &Config) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let Some(mut client) = LocalClient::reach(&[socket_of(&config.state)]).await else {
            let text = "no daemon with this state directory runs";
            return Err(Failure::new("net.unreachable", Exit::Unreachable, text));
        };
        match client.reload().await {
            Ok(reply) => {
                say("the configuration was read anew");
                reply.notes.iter().for_each(|note| say(note));
                Ok(())
            }
            Err(told) => {
                Err(Failure::config("config.value", "the old one stays in force").said(&told))
            }
        }
    })
}

/// Whoever started it may have stopped listening; that is no reason to end.
fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

#[expect(clippy::print_stderr, reason = "the one place where failures are said")]
fn say_failure(failure: &Failure) {
    eprintln!("{}", failure.told());
}
