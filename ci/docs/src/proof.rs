//! What the benches have counted: a table for people, written from one for programs.

use eyre::Context;
use serde::Deserialize;
use std::fmt::Write as _;

/// Where the table lies.
pub(crate) const TABLE: &str = "docs/proof.toml";

/// Where its page lies.
pub(crate) const PAGE: &str = "docs/proof.md";

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from docs/proof.toml. -->
# What was run

The promises (docs/promises.md) have tests, and every run of `./ci/test` runs all of them, most in a
short form. This page says what their long forms have counted, when, and from which seed; it holds only
what was really run. A long form is switched on by `BLIT_LONG=1`; `BLIT_SEED` chooses the seed, and
`BLIT_CASES` how many cases of those that are counted so.
";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    bench: Vec<Bench>,
    fuzz: Vec<Fuzz>,
    found: Vec<Found>,
}

/// A bench, and its long run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bench {
    name: String,
    counts: String,
    normal: String,
    long: String,
    date: String,
    seed: String,
    /// The test binary and the tests of it.
    command: String,
}

/// How much a fuzz target has been fed, in all runs that were counted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fuzz {
    target: String,
    cpu_secs: u64,
    inputs: u64,
    date: String,
}

/// What a long run has found, and what became of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    seed: String,
    what: String,
}

/// The page that the table `text` describes.
pub(crate) fn page(text: &str) -> eyre::Result<String> {
    let table: Table = toml_edit::de::from_str(text).wrap_err(TABLE)?;
    let mut page = HEAD.to_owned();
    for bench in &table.bench {
        let _ = writeln!(page, "\n## {}\n", bench.name);
        let rows = [
            ("counted", &bench.counts),
            ("every run", &bench.normal),
            ("long run", &bench.long),
            ("when", &bench.date),
            ("seed", &bench.seed),
        ];
        let _ = writeln!(page, "| | |\n|---|---|");
        for (what, text) in rows {
            let _ = writeln!(page, "| {what} | {} |", one_line(text));
        }
        let _ = writeln!(page, "| tests | `{}` |", bench.command);
    }
    page.push_str(&ledger(&table.fuzz));
    page.push_str("\n## What they found\n\nEach is repaired, and has a test of its own.\n\n");
    for found in &table.found {
        let _ = writeln!(page, "- {} ({})", one_line(&found.what), found.seed);
    }
    Ok(page)
}

/// Every target with its figures, and their sums.
fn ledger(fuzz: &[Fuzz]) -> String {
    let mut page = "\n## What the fuzz targets were fed\n\n".to_owned();
    page.push_str(
        "With libFuzzer and the address sanitizer, by `cargo xtask fuzz TARGET SECONDS`.\n\n",
    );
    page.push_str("| target | CPU seconds | inputs | last |\n|---|---:|---:|---|\n");
    for it in fuzz {
        let (target, date) = (&it.target, &it.date);
        let _ = writeln!(
            page,
            "| `{target}` | {} | {} | {date} |",
            grouped(it.cpu_secs),
            grouped(it.inputs)
        );
    }
    let sum = |of: fn(&Fuzz) -> u64| grouped(fuzz.iter().map(of).sum());
    let _ = writeln!(
        page,
        "| {} targets | {} | {} | |",
        fuzz.len(),
        sum(|it| it.cpu_secs),
        sum(|it| it.inputs)
    );
    page
}

/// With a comma after every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BENCH: &str = "[[bench]]\nname = \"T9\"\ncounts = \"kills\"\nnormal = \"2\"\nlong = \"7\"\n\
        date = \"2026-11-21\"\nseed = \"3\"\ncommand = \"crash\"\n";
    const FUZZ: &str = "[[fuzz]]\ntarget = \"name\"\ncpu_secs = 61\ninputs = 1234567\n\
        date = \"2026-11-21\"\n";
    const FOUND: &str = "[[found]]\nseed = \"seed 3\"\nwhat = \"It\\nbroke.\"\n";

    #[test]
    fn a_bench_is_a_table_and_a_find_is_a_line() {
        let page = page(&format!("{BENCH}{FUZZ}{FOUND}")).unwrap();
        assert!(page.contains("\n## T9\n"), "{page}");
        assert!(page.contains("| long run | 7 |"), "{page}");
        assert!(page.contains("- It broke. (seed 3)"), "{page}");
    }

    #[test]
    fn the_inputs_of_fuzz_targets_are_summed() {
        let page = page(&format!("{BENCH}{FUZZ}{FUZZ}{FOUND}")).unwrap();
        let row = "| `name` | 61 | 1,234,567 | 2026-11-21 |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| 2 targets | 122 | 2,469,134 | |"), "{page}");
    }

    #[test]
    fn a_bench_without_its_seed_is_refused() {
        let without = BENCH.replace("seed = \"3\"\n", "");
        assert!(page(&format!("{BENCH}{FUZZ}{FOUND}")).is_ok());
        assert!(page(&format!("{without}{FUZZ}{FOUND}")).is_err());
    }
}
