//! `blit-bench local` and `blit-bench remote`: measure blit against its peers and write their pages.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program talks to whoever started it")]

use blit_bench::results::Results;
use blit_bench::run::Settings;
use blit_bench::{contender, measure, memory, page, raw, remote, run, work};
use clap::{Args, Parser, Subcommand, ValueEnum};
use eyre::Context;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

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
    Local(Measurement<work::Work, contender::Peer>),
    /// Trees that go from one side to another, both on this machine; needs root
    Remote {
        #[command(flatten)]
        measurement: Measurement<remote::Work, remote::Peer>,
        /// This is the network namespace to measure in
        #[arg(long, hide = true)]
        inside: bool,
    },
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
    /// Serve until the input ends, and print what it cost, as JSON
    #[command(hide = true)]
    Serve {
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// One side of what no program can be faster than
    #[command(hide = true)]
    Limit(remote::Limit),
}

#[derive(Args)]
struct Measurement<Work: Choice, Peer: Choice> {
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
    /// Where the page and its figures are written
    #[arg(long, value_name = "DIR", default_value = "docs/bench")]
    output: PathBuf,
}

/// What stands in a list of works or of peers.
trait Choice: ValueEnum + Send + Sync + 'static {}
impl<T: ValueEnum + Send + Sync + 'static> Choice for T {}

fn main() -> eyre::Result<()> {
    match Arguments::parse().command {
        Command::Local(measurement) => {
            measurement.run("local", |settings, save| run::run(settings, &mut say, save))
        }
        Command::Remote { inside: false, .. } => remote::enter("--inside"),
        Command::Remote { measurement, .. } => measurement.run("remote", |settings, save| {
            remote::run(settings, &mut say, save)
        }),
        Command::Measure { command } => print(&measure::here(&command)?),
        Command::Serve { command } => print(&remote::serve(&command)?),
        Command::Limit(limit) => limit.run(),
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

fn say(line: &str) {
    println!("{line}");
}

fn print(sample: &measure::Sample) -> eyre::Result<()> {
    println!("{}", serde_json::to_string(sample)?);
    Ok(())
}

/// Writes the page `name` and its figures, with what an earlier run has found.
fn save(output: &Path, name: &str, earlier: Option<&Results>, now: &Results) -> eyre::Result<()> {
    let mut results = now.clone();
    if let Some(earlier) = earlier {
        results.keep(earlier.clone());
    }
    fs::create_dir_all(output)?;
    let json = serde_json::to_string_pretty(&results)?;
    fs::write(output.join(format!("{name}.json")), json + "\n")?;
    fs::write(output.join(format!("{name}.md")), page::render(&results))?;
    Ok(())
}

/// Gets what there is to be kept.
type Save<'a> = &'a mut dyn FnMut(&Results) -> eyre::Result<()>;

impl<Work: Choice, Peer: Choice> Measurement<Work, Peer> {
    /// Measures by `run`, for the page `name`.
    fn run(
        self,
        name: &str,
        run: impl FnOnce(&Settings<Work, Peer>, Save<'_>) -> eyre::Result<()>,
    ) -> eyre::Result<()> {
        let output = self.output.clone();
        let earlier = fs::read(output.join(format!("{name}.json"))).ok();
        let earlier: Option<Results> = earlier.and_then(|it| serde_json::from_slice(&it).ok());
        // After each work, so that hours are not lost with the last of them.
        let mut keep = |results: &Results| save(&output, name, earlier.as_ref(), results);
        run(&self.into_settings(name)?, &mut keep)?;
        say(&format!("written to {}", output.display()));
        Ok(())
    }

    fn into_settings(self, name: &str) -> eyre::Result<Settings<Work, Peer>> {
        let blit = self.blit.canonicalize();
        let blit = blit.wrap_err_with(|| format!("no blit at {}", self.blit.display()))?;
        Ok(Settings {
            blit,
            command: self.command(name),
            divisor: self.divisor(),
            folder: self.folder,
            pairs: self.pairs.into(),
            peers: or_all(self.peers),
            seed: self.seed,
            works: or_all(self.only),
        })
    }

    fn divisor(&self) -> u64 {
        let usual = if self.quick { QUICK_DIVISOR } else { 1 };
        self.divisor.map_or(usual, u64::from)
    }

    /// The command that repeats this measurement; where it ran and wrote is left out.
    fn command(&self, name: &str) -> String {
        let mut words = vec![format!("cargo xtask bench {name}")];
        words.extend(self.quick.then(|| "--quick".to_owned()));
        words.extend(self.divisor.map(|it| format!("--divisor {it}")));
        words.extend(list("--only", &self.only));
        words.extend(list("--peers", &self.peers));
        words.push(format!("--pairs {} --seed {}", self.pairs, self.seed));
        words.join(" ")
    }
}

/// What was asked for, or everything there is.
fn or_all<T: Choice>(asked: Vec<T>) -> Vec<T> {
    match asked.is_empty() {
        true => T::value_variants().to_vec(),
        false => asked,
    }
}

/// A flag with its values as they are typed, if there are any.
fn list<T: ValueEnum>(flag: &str, values: &[T]) -> Option<String> {
    let typed = values.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<_> = typed.map(|it| it.get_name().to_owned()).collect();
    (!names.is_empty()).then(|| format!("{flag} {}", names.join(",")))
}
