//! The blit daemon: exports modules to paired machines.
//!
//! Read it in the order of a run: `args` and `config` say what is wanted, `modules` opens what is
//! exported, `listen` binds and waits, `serve` decides who may do what and lets the engine do it.

#![forbid(unsafe_code)]

mod args;
mod config;
mod lanes;
mod listen;
mod modules;
mod serve;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    blit_bundled::prepare_process();
    let args = args::Args::parse();
    let outcome = config::load(&args).and_then(|config| match args.command {
        Some(args::Command::CheckConfig) => check(&config),
        _ => listen::run(config),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            say_failure(&report);
            ExitCode::from(exit_of(&report))
        }
    }
}

/// Whether what is configured could be served.
fn check(config: &config::Config) -> eyre::Result<()> {
    let modules = modules::open(&config.modules)?;
    say(&format!("{} modules, all of them there", modules.len()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the daemon says when it starts")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "the one place where failures are said")]
fn say_failure(report: &eyre::Report) {
    eprintln!("error: {report}");
    for cause in report.chain().skip(1) {
        eprintln!("  cause: {cause}");
    }
}

/// 2 for what was configured, 1 for everything else.
fn exit_of(report: &eyre::Report) -> u8 {
    if report.is::<config::BadConfig>() {
        2
    } else {
        1
    }
}
