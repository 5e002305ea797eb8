//! What blit promises, and what it does against attackers: each sentence stands in a table with the tests that
//! hold it, and the manual's page is written from that table.

use crate::{Test, Workspace};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Numbered sentences in a table, and the page that is written from it.
#[derive(Debug)]
pub struct Sentences {
    /// Where the table lies.
    pub table: &'static str,
    /// Where its page lies.
    pub page: &'static str,
    /// Their letter, how many there are, and what they are about. A sentence that goes is a decision, not an
    /// accident.
    series: &'static [(char, usize, &'static str)],
    /// What the page says first.
    head: &'static str,
}

/// Every table of sentences.
pub static SENTENCES: &[&Sentences] = &[&PROMISES, &SECURITY];

/// What blit promises.
static PROMISES: Sentences = Sentences {
    table: "docs/promises.toml",
    page: "docs/promises.md",
    series: &[
        ('C', 9, "Success and errors"),
        ('K', 7, "Crash and power loss"),
        ('F', 8, "Faults and moving targets"),
        ('D', 8, "Deletion"),
        ('R', 5, "Unfinished files"),
        ('N', 8, "Between two machines"),
    ],
    head: "\
<!-- Written by `cargo xtask docs` from docs/promises.toml. -->
# What blit promises

Each sentence names the tests that would fail if it did not hold. `ci/tidy` fails when a sentence has no
test, or names one that is not there. What the long forms of these tests have
counted stands in [proof.md](proof.md).

Some sentences promise less than the design first asked for. They say so under *Changed*, with the
reason.
",
};

/// What is done against attackers.
static SECURITY: Sentences = Sentences {
    table: "docs/security.toml",
    page: "docs/security.md",
    series: &[
        ('A', 6, "Before anybody is known"),
        ('B', 8, "Who may do what"),
        ('W', 6, "What a peer says"),
        ('P', 10, "Names, links and metadata"),
        ('X', 3, "What crosses"),
        ('L', 9, "Limits"),
        ('S', 8, "Keys, state and the process"),
    ],
    head: "\
<!-- Written by `cargo xtask docs` from docs/security.toml. -->
# What blit does against attackers

Attackers are whoever is on the way, strangers who come to the daemon's port, paired machines that break the
rules in either role, and other users of a machine who write where blit works. Each sentence names the tests
that would fail if it did not hold, as on the page of [promises](promises.md); what their long forms have
counted stands in [proof.md](proof.md).

Nothing here defends against root of the same machine, bugs of the kernel, a paired machine that deletes what
it may delete, content that a paired machine legitimately sends, or conclusions from how much crosses and when.
",
};

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{table} cannot be read: {source}")]
pub struct TableError {
    table: &'static str,
    source: toml_edit::de::Error,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    promise: Vec<Promise>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Promise {
    id: String,
    /// The sentence.
    says: String,
    /// Why it does not say what the design asked for.
    changed: Option<String>,
    /// Names of tests, by the file in which they are.
    #[serde(default)]
    tests: BTreeMap<String, Vec<String>>,
}

/// Every sentence is there, and has tests that exist and run.
#[must_use]
pub fn promises(workspace: &Workspace) -> Vec<String> {
    let all = SENTENCES.iter();
    all.flat_map(|sentences| sentences.judge(workspace))
        .collect()
}

impl Sentences {
    fn judge(&self, workspace: &Workspace) -> Vec<String> {
        let text = workspace.texts.iter().find(|(path, _)| path == self.table);
        let Some((_, text)) = text else {
            return vec![format!("{} is missing", self.table)];
        };
        let table = match self.read(text) {
            Ok(table) => table,
            Err(error) => return vec![error.to_string()],
        };
        let mut found = self.missing(&table);
        for promise in &table.promise {
            found.extend(tests(self.table, promise, workspace));
        }
        found
    }

    fn read(&self, text: &str) -> Result<Table, TableError> {
        toml_edit::de::from_str(text).map_err(|source| TableError {
            table: self.table,
            source,
        })
    }

    /// The page that the table `text` describes.
    ///
    /// # Errors
    /// When `text` is not such a table.
    pub fn written(&self, text: &str) -> Result<String, TableError> {
        let table = self.read(text)?;
        let mut page = self.head.to_owned();
        for (letter, _, title) in self.series {
            let _ = writeln!(page, "\n## {title}");
            for promise in table.promise.iter().filter(|it| it.id.starts_with(*letter)) {
                section(promise, &mut page);
            }
        }
        Ok(page)
    }

    /// The sentences that are missing, unknown or there twice.
    fn missing(&self, table: &Table) -> Vec<String> {
        let path = self.table;
        let expected = || {
            self.series.iter().flat_map(|(letter, count, _)| {
                (1..=*count).map(move |number| format!("{letter}{number}"))
            })
        };
        let times = |id: &String| table.promise.iter().filter(|it| it.id == *id).count();
        let mut found = Vec::new();
        for id in expected() {
            match times(&id) {
                0 => found.push(format!("{path}: {id} is missing")),
                1 => {}
                _ => found.push(format!("{path}: {id} is there twice")),
            }
        }
        let unknown = |it: &&Promise| !expected().any(|id| id == it.id);
        let unknown = table.promise.iter().filter(unknown);
        found.extend(unknown.map(|it| format!("{path}: {} is no sentence of the design", it.id)));
        found
    }
}

fn section(promise: &Promise, page: &mut String) {
    let _ = writeln!(page, "\n**{}.** {}", promise.id, one_line(&promise.says));
    if let Some(reason) = &promise.changed {
        let _ = writeln!(page, "\n*Changed:* {}", one_line(reason));
    }
    page.push('\n');
    for (file, names) in &promise.tests {
        let names: Vec<_> = names.iter().map(|it| format!("`{it}`")).collect();
        let _ = writeln!(page, "- [{file}](../{file}): {}", names.join(", "));
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is wrong with the tests of a sentence.
fn tests(table: &str, promise: &Promise, workspace: &Workspace) -> Vec<String> {
    let id = &promise.id;
    let mut found = Vec::new();
    if promise.tests.values().all(Vec::is_empty) {
        found.push(format!("{table}: {id} has no test"));
    }
    for (file, names) in &promise.tests {
        let source = workspace.sources().find(|(_, it)| it.path == *file);
        let Some((_, source)) = source else {
            found.push(format!("{table}: {id} names {file}, which is not there"));
            continue;
        };
        let tests = source.tests();
        let wrong = names.iter().filter_map(|name| wrong_with(name, &tests));
        found.extend(wrong.map(|it| format!("{table}: {id} names {it} in {file}")));
    }
    found
}

fn wrong_with(name: &str, tests: &[Test]) -> Option<String> {
    match tests.iter().find(|it| it.name == name) {
        None => Some(format!("{name}, which is no test")),
        Some(test) if test.is_ignored => Some(format!("{name}, which does not run")),
        Some(_) => None,
    }
}

/// Tables in which the rule holds: every sentence is held by this one test.
#[cfg(test)]
pub(crate) fn imagined(file: &str, test: &str) -> Vec<(String, String)> {
    let tables = SENTENCES.iter().map(|sentences| {
        let mut table = String::new();
        for (letter, count, _) in sentences.series {
            for number in 1..=*count {
                let _ = writeln!(
                    table,
                    "[[promise]]\nid = \"{letter}{number}\"\nsays = \"Nothing is lost.\"\n\
                     tests.\"{file}\" = [\"{test}\"]\n"
                );
            }
        }
        (sentences.table.to_owned(), table)
    });
    tables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imagined;

    /// What the rule finds once `change` was made to the imagined table of promises.
    fn found(change: impl Fn(&str) -> String) -> Vec<String> {
        found_in(&PROMISES, change)
    }

    fn found_in(sentences: &Sentences, change: impl Fn(&str) -> String) -> Vec<String> {
        let mut workspace = imagined::workspace();
        for (path, text) in &mut workspace.texts {
            if path == sentences.table {
                *text = change(text);
            }
        }
        promises(&workspace)
    }

    #[test]
    fn a_missing_table_is_found() {
        let mut workspace = imagined::workspace();
        workspace.texts.clear();
        assert_eq!(
            promises(&workspace),
            [
                "docs/promises.toml is missing",
                "docs/security.toml is missing"
            ]
        );
    }

    #[test]
    fn the_page_of_security_is_held_to_the_same() {
        let no_test = |table: &str| table.replacen("[\"it_is_kept\"]", "[]", 1);
        let found = found_in(&SECURITY, no_test);
        assert_eq!(found, ["docs/security.toml: A1 has no test"]);
        let gone = |table: &str| table.replacen("\"L9\"", "\"L10\"", 1);
        assert_eq!(
            found_in(&SECURITY, gone),
            [
                "docs/security.toml: L9 is missing",
                "docs/security.toml: L10 is no sentence of the design"
            ]
        );
    }

    #[test]
    fn a_sentence_that_went_is_found() {
        let found = found(|table| table.replacen("\"C9\"", "\"C10\"", 1));
        assert_eq!(
            found,
            [
                "docs/promises.toml: C9 is missing",
                "docs/promises.toml: C10 is no sentence of the design"
            ]
        );
    }

    #[test]
    fn a_sentence_that_is_there_twice_is_found() {
        let found = found(|table| table.replacen("\"C2\"", "\"C1\"", 1));
        assert_eq!(
            found,
            [
                "docs/promises.toml: C1 is there twice",
                "docs/promises.toml: C2 is missing"
            ]
        );
    }

    #[test]
    fn a_sentence_without_a_test_is_found() {
        let found = found(|table| table.replacen("[\"it_is_kept\"]", "[]", 1));
        assert_eq!(found, ["docs/promises.toml: C1 has no test"]);
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let found = found(|table| table.replacen("it_is_kept", "it_was_kept", 1));
        assert_eq!(
            found,
            [
                "docs/promises.toml: C1 names it_was_kept, which is no test in core/plan/tests/kept.rs"
            ]
        );
    }

    #[test]
    fn a_function_that_is_no_test_is_found() {
        let found = found(|table| table.replacen("it_is_kept", "helper", 1));
        assert_eq!(
            found,
            ["docs/promises.toml: C1 names helper, which is no test in core/plan/tests/kept.rs"]
        );
    }

    #[test]
    fn a_test_that_does_not_run_is_found() {
        let found = found(|table| table.replacen("it_is_kept", "it_is_left_out", 1));
        assert_eq!(
            found,
            [
                "docs/promises.toml: C1 names it_is_left_out, which does not run \
                 in core/plan/tests/kept.rs"
            ]
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_found() {
        let found = found(|table| table.replacen("kept.rs", "lost.rs", 1));
        assert_eq!(
            found,
            ["docs/promises.toml: C1 names core/plan/tests/lost.rs, which is not there"]
        );
    }

    #[test]
    fn a_field_with_a_slip_is_found() {
        let found = found(|table| table.replacen("says", "syas", 1));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("cannot be read"), "{found:?}");
    }

    #[test]
    fn the_page_has_the_sentence_its_change_and_its_tests() {
        let table = "[[promise]]\nid = \"D2\"\nsays = \"\"\"\nNothing\nis lost.\"\"\"\n\
                     changed = \"A reason.\"\ntests.\"a/b.rs\" = [\"one\", \"two\"]\n";
        let page = PROMISES.written(table).unwrap();
        let expected = "## Deletion\n\n**D2.** Nothing is lost.\n\n*Changed:* A reason.\n\n\
                        - [a/b.rs](../a/b.rs): `one`, `two`\n";
        assert!(page.contains(expected), "{page}");
    }
}
