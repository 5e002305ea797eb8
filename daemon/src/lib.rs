//! The blit daemon: exports modules to paired machines.
//!
//! Read it in the order of a run: `args` and `config` say what is wanted, `modules` opens what is
//! exported, `listen` binds and waits, `serve` decides who may do what and lets the engine do it.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod access;
mod args;
mod config;
mod failure;
mod lanes;
mod listen;
mod modules;
mod reference;
mod serve;
mod settings;

use std::process::ExitCode;

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
    let args = Args::parse();
    let command = args.command;
    let sources = Sources::of_this_process(args);
    let outcome = sources.load().and_then(|config| match command {
        Some(Command::CheckConfig) => check(&config),
        Some(Command::Run) | None => listen::run(config),
    });
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
    let modules = modules::open(&config.modules)?;
    say(&format!("{} modules, all of them there", modules.len()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the daemon says when it starts")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "the one place where failures are said")]
fn say_failure(failure: &Failure) {
    eprintln!("{}", failure.told());
}
