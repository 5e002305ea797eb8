//! `cargo xtask fuzz`: builds the targets with libFuzzer, and lets one or all of them run for a while.

use crate::steps::check;
use crate::suites::{Tally, target_folder};
use crate::tools::CARGO_FUZZ;
use eyre::{Context, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The project that needs a nightly compiler.
const PROJECT: &str = "conformance/fuzz/libfuzzer";

/// A folder for each target.
const CORPUS: &str = "conformance/fuzz/corpus";

/// Runs the target `name`, or all of them. What it finds is added to a corpus of its own below the target
/// folder, which begins with the committed one; an input that breaks something is kept beside it.
pub(crate) fn run(name: &str, seconds: u32) -> eyre::Result<()> {
    let mut tally = Tally::default();
    let fed = match name {
        "all" => all(seconds, &mut tally),
        name => feed(&program()?, name, seconds).map(|line| tally.counted.push(line)),
    };
    let lines = tally.counted.iter().map(|line| format!("counted: {line}"));
    let skips = tally.skipped.iter().map(|line| format!("skipped: {line}"));
    lines.chain(skips).for_each(|line| println!("{line}"));
    fed
}

/// Runs every target for so long. One that is broken does not stop the next.
pub(crate) fn all(seconds: u32, tally: &mut Tally) -> eyre::Result<()> {
    let nightly = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .output();
    if !nightly.is_ok_and(|it| it.status.success()) {
        let reason = "fuzz: it takes a nightly toolchain, which rustup does not have";
        tally.skipped.push(reason.to_owned());
        return Ok(());
    }
    let program = program()?;
    let mut broken = Vec::new();
    for name in targets()? {
        match feed(&program, &name, seconds) {
            Ok(line) => tally.counted.push(line),
            Err(error) => broken.push(format!("{error:#}")),
        }
    }
    ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(())
}

fn targets() -> eyre::Result<Vec<String>> {
    let folders = fs::read_dir(CORPUS)?.map(|it| Ok(it?.file_name()));
    let folders = folders.collect::<std::io::Result<Vec<_>>>()?;
    let mut names: Vec<_> = folders
        .iter()
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn place() -> eyre::Result<PathBuf> {
    Ok(std::env::current_dir()?.join(target_folder()).join("fuzz"))
}

/// Answers how many inputs it had.
fn feed(program: &Path, name: &str, seconds: u32) -> eyre::Result<String> {
    let (committed, place) = (std::env::current_dir()?.join(CORPUS).join(name), place()?);
    ensure!(committed.is_dir(), "there is no target {name}");
    let (corpus, broken) = (
        place.join("corpus").join(name),
        place.join("broken").join(name),
    );
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&broken)?;
    let mut child = Command::new(program)
        .env("BLIT_FUZZ", name)
        .args([&corpus, &committed])
        .arg(format!("-artifact_prefix={}/", broken.display()))
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-max_len=16384",
            "-rss_limit_mb=1024",
            "-malloc_limit_mb=64",
        ])
        .args(["-timeout=10", "-print_final_stats=1"])
        .stderr(Stdio::piped())
        .spawn()?;
    let mut inputs = 0;
    for line in child
        .stderr
        .take()
        .map(BufReader::new)
        .into_iter()
        .flat_map(|it| it.split(b'\n'))
    {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        inputs = inputs_in(&line).unwrap_or(inputs);
    }
    let status = child.wait()?;
    ensure!(
        status.success(),
        "{name} ended with {status}: what broke it is in {}",
        broken.display()
    );
    Ok(format!("fuzz: {name}, {inputs} inputs in {seconds} s"))
}

/// What libFuzzer says in the end of how many there were.
fn inputs_in(line: &str) -> Option<u64> {
    let (_, count) = line.split_once("stat::number_of_executed_units:")?;
    count.trim().parse().ok()
}

/// Builds it, with the versions of the workspace, whatever they are today.
fn program() -> eyre::Result<PathBuf> {
    let (tool, place) = (CARGO_FUZZ.path()?, place()?);
    fs::copy("Cargo.lock", format!("{PROJECT}/Cargo.lock"))?;
    let built = check(
        Command::new("rustup")
            .args(["run", "nightly"])
            .arg(tool)
            .args(["fuzz", "build", "--fuzz-dir", ".", "target"])
            .current_dir(PROJECT)
            .env_remove("CARGO")
            .env("CARGO_TARGET_DIR", &place),
    );
    built.wrap_err("it takes a nightly toolchain")?;
    Ok(place.join("x86_64-unknown-linux-gnu/release/target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_libfuzzer_is_read() {
        let line = "stat::number_of_executed_units: 28278";
        assert_eq!(inputs_in(line), Some(28_278));
        assert_eq!(inputs_in("stat::average_exec_per_sec:     1413"), None);
    }
}
