//! `cargo xtask fuzz`: builds the targets with libFuzzer, and lets one of them run for a while.

use crate::steps::check;
use crate::suites::target_folder;
use eyre::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The project that needs a nightly compiler.
const PROJECT: &str = "conformance/fuzz/libfuzzer";

/// Runs the target `name`. What it finds is added to a corpus of its own below the target folder, which
/// begins with the committed one; an input that breaks something is kept beside it.
pub(crate) fn run(name: &str, seconds: u32) -> eyre::Result<()> {
    let committed = Path::new("conformance/fuzz/corpus").join(name);
    eyre::ensure!(committed.is_dir(), "there is no target {name}");
    let here = std::env::current_dir()?;
    let place = here.join(target_folder()).join("fuzz");
    let (corpus, broken) = (
        place.join("corpus").join(name),
        place.join("broken").join(name),
    );
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&broken)?;
    let program = build(&place)?;
    check(
        Command::new(program)
            .env("BLIT_FUZZ", name)
            .args([&corpus, &here.join(committed)])
            .arg(format!("-artifact_prefix={}/", broken.display()))
            .arg(format!("-max_total_time={seconds}"))
            .args([
                "-max_len=16384",
                "-rss_limit_mb=1024",
                "-malloc_limit_mb=64",
            ])
            .args(["-timeout=10", "-print_final_stats=1"]),
    )
}

/// With the versions of the workspace, whatever they are today.
fn build(place: &Path) -> eyre::Result<PathBuf> {
    fs::copy("Cargo.lock", format!("{PROJECT}/Cargo.lock"))?;
    let built = check(
        Command::new("rustup")
            .args(["run", "nightly", "cargo", "fuzz", "build"])
            .args(["--fuzz-dir", ".", "target"])
            .current_dir(PROJECT)
            .env_remove("CARGO")
            .env("CARGO_TARGET_DIR", place),
    );
    built.wrap_err("it takes a nightly toolchain, and `cargo install cargo-fuzz --locked`")?;
    Ok(place.join("x86_64-unknown-linux-gnu/release/target"))
}
