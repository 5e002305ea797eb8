//! `blit-bench local`: measures blit against its peers and writes the results page.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program talks to whoever started it")]

use blit_bench::contender::Peer;
use blit_bench::results::Results;
use blit_bench::run::{self, Settings};
use blit_bench::work::{self, Work};
use blit_bench::{measure, memory, page, raw};
use clap::{Args, Parser, Subcommand, ValueEnum};
use eyre::Context;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

/// How much smaller a trial is.
const QUICK_DIVISOR: u64 = 50;

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Measures blit against its peers")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trees on one machine
    Local(Local),
    /// Run a command and print what it cost, as JSON
    #[command(hide = true)]
    Measure {
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Touch and free memory
    #[command(hide = true)]
    Touch { size_bytes: usize },
    /// Look at every entry of both trees
    #[command(hide = true)]
    Walk { source: PathBuf, target: PathBuf },
    /// Copy the only file of a folder by the kernel alone
    #[command(hide = true)]
    CopyOnlyFile { source: PathBuf, target: PathBuf },
}

#[derive(Args)]
struct Local {
    /// A trial at 1/50 of the size, to see that everything runs; its figures say nothing
    #[arg(long)]
    quick: bool,
    /// Another part of the size: tests of the harness itself are content with less
    #[arg(long, hide = true, value_name = "N", conflicts_with = "quick", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    divisor: Option<u16>,
    /// Only these, separated by commas
    #[arg(long, value_name = "WORK", value_delimiter = ',')]
    only: Vec<Work>,
    /// Only against these, separated by commas
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Turns that count, for each pair
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// What the trees are made from
    #[arg(long, default_value_t = 4_711)]
    seed: u64,
    /// Where trees are made and copied
    #[arg(long, value_name = "DIR", default_value = "target/bench-work")]
    folder: PathBuf,
    /// The binary that is measured
    #[arg(long, value_name = "PATH", default_value = "target/release/blit")]
    blit: PathBuf,
    /// Where local.md and local.json are written
    #[arg(long, value_name = "DIR", default_value = "docs/bench")]
    output: PathBuf,
}

fn main() -> eyre::Result<()> {
    match Arguments::parse().command {
        Command::Local(local) => measure_local(local),
        Command::Measure { command } => {
            println!("{}", serde_json::to_string(&measure::here(&command)?)?);
            Ok(())
        }
        Command::Touch { size_bytes } => {
            memory::here(size_bytes);
            Ok(())
        }
        Command::Walk { source, target } => {
            let entries = raw::walk(&[source, target]).wrap_err("the walk failed")?;
            println!("{entries} entries");
            Ok(())
        }
        Command::CopyOnlyFile { source, target } => {
            raw::copy_only_file(&source, &target).wrap_err("copy_file_range failed")
        }
    }
}

fn measure_local(local: Local) -> eyre::Result<()> {
    let output = local.output.clone();
    // After each work, so that hours are not lost with the last of them.
    let earlier = fs::read(output.join("local.json"));
    let earlier: Option<Results> = earlier.ok().and_then(|it| serde_json::from_slice(&it).ok());
    let mut save = |results: &Results| {
        let mut results = results.clone();
        if let Some(earlier) = earlier.clone() {
            results.keep(earlier);
        }
        fs::create_dir_all(&output)?;
        let json = serde_json::to_string_pretty(&results)?;
        fs::write(output.join("local.json"), json + "\n")?;
        fs::write(output.join("local.md"), page::render(&results))?;
        Ok(())
    };
    run::run(
        &local.into_settings()?,
        &mut |line| println!("{line}"),
        &mut save,
    )?;
    println!("written to {}", output.display());
    Ok(())
}

impl Local {
    fn into_settings(self) -> eyre::Result<Settings> {
        let blit = self.blit.canonicalize();
        let blit = blit.wrap_err_with(|| format!("no blit at {}", self.blit.display()))?;
        Ok(Settings {
            blit,
            command: self.command(),
            divisor: self.divisor(),
            folder: self.folder,
            pairs: self.pairs.into(),
            peers: if self.peers.is_empty() {
                Peer::value_variants().to_vec()
            } else {
                self.peers
            },
            seed: self.seed,
            works: if self.only.is_empty() {
                work::ALL.to_vec()
            } else {
                self.only
            },
        })
    }

    fn divisor(&self) -> u64 {
        let usual = if self.quick { QUICK_DIVISOR } else { 1 };
        self.divisor.map_or(usual, u64::from)
    }

    /// The command that repeats this measurement; where it ran and wrote is left out.
    fn command(&self) -> String {
        let mut words = vec!["cargo xtask bench local".to_owned()];
        words.extend(self.quick.then(|| "--quick".to_owned()));
        words.extend(self.divisor.map(|it| format!("--divisor {it}")));
        words.extend(list("--only", &self.only));
        words.extend(list("--peers", &self.peers));
        words.push(format!("--pairs {} --seed {}", self.pairs, self.seed));
        words.join(" ")
    }
}

/// A flag with its values as they are typed, if there are any.
fn list<T: ValueEnum>(flag: &str, values: &[T]) -> Option<String> {
    let typed = values.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<_> = typed.map(|it| it.get_name().to_owned()).collect();
    (!names.is_empty()).then(|| format!("{flag} {}", names.join(",")))
}
