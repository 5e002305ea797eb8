//! The blit daemon: exports modules to paired machines.
//!
//! Read it in the order of a run: `args` and `config` say what is wanted, `modules` opens what is
//! exported, `listen` starts and looks after what runs, `doors` binds, `serve` decides who may do what and
//! lets the engine do it, `record` writes it down, `manage` does what the administrator asks for. `stdio` is all of it for one client that comes through ssh.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod access;
mod args;
mod audit;
mod config;
mod disk;
mod doors;
mod failure;
mod lanes;
mod listen;
mod manage;
mod modules;
mod notify;
mod pending;
mod record;
mod reference;
mod reserve;
mod serve;
mod settings;
mod stdio;

use std::{io::Write, process::ExitCode, sync::Arc};

use blit_config::Exit;
use blit_control::{LocalClient, socket_of};
use clap::{CommandFactory, Parser};

use crate::{
    args::{Args, Command},
    config::{Config, Sources},
    disk::Disks,
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
    let args = Args::parse();
    if args.stdio {
        return exit_of(stdio::run());
    }
    let command = args.command;
    let sources = Sources::of_this_process(args);
    let outcome = sources.load().and_then(|config| match command {
        Some(Command::CheckConfig) => check(&config),
        Some(Command::Reload) => reload(&config),
        Some(Command::Run) | None => listen::run(sources, config),
    });
    exit_of(outcome)
}

fn exit_of(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say_failure(&failure);
            failure.exit().into()
        }
    }
}

/// Whether what is configured could be served.
fn check(config: &Config) -> Result<(), Failure> {
    let disks = Arc::new(Disks::load(&config.state)?);
    let modules = modules::open(&config.modules, &disks)?;
    let count = modules.len();
    say(&format!("{count} modules, and nothing is wrong with them"));
    Ok(())
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
