//! The project's tasks: `cargo xtask ci`, `cargo xtask bench local`, `cargo xtask docs`,
//! `cargo xtask fuzz message 60`.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a task talks to whoever started it")]

mod bench;
mod ci;
mod docs;
mod fuzz;
mod steps;
mod suites;
mod tools;

use clap::{Parser, Subcommand};
use std::ffi::OsString;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check that a commit must pass; ./ci/test installs what they need and calls this
    Ci {
        /// Run the long tests too: every kill point, every fault
        #[arg(long)]
        long: bool,
    },
    /// Build blit and the bench harness for release, then measure: bench local --quick
    #[command(disable_help_flag = true)]
    Bench {
        /// Arguments of the harness; `bench local --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write the manual pages, the schema of --json and the pages of promises and proof anew
    Docs,
    /// Feed a decoder with what libFuzzer thinks of: fuzz message 60
    Fuzz {
        /// A folder of conformance/fuzz/corpus, or `all` of them
        target: String,
        /// How long, each
        seconds: u32,
    },
}

fn main() -> eyre::Result<()> {
    match Arguments::parse().task {
        Task::Ci { long } => ci::run(long),
        Task::Bench { arguments } => bench::run(&arguments),
        Task::Docs => docs::run(),
        Task::Fuzz { target, seconds } => fuzz::run(&target, seconds),
    }
}
