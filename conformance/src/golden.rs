//! What a run said as a text that is the same on every machine: places, times and numbers of the
//! moment are taken out, and what remains can be compared with a golden text.

use std::path::Path;

use serde_json::Value;

use crate::Ran;

/// What a run said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    exit: String,
    stdout: String,
    stderr: String,
}

impl Told {
    /// What `ran` said, with these places and words under names that do not change.
    #[must_use]
    pub fn by<P: AsRef<Path>>(ran: &Ran, names: &[(P, &str)]) -> Self {
        let same = |text: &str| {
            let text = names.iter().fold(text.to_owned(), |text, (place, name)| {
                text.replace(&*place.as_ref().to_string_lossy(), name)
            });
            let text = text.replace("\r\n", "\n");
            without_lines_of_code(&without_seconds(&text))
        };
        let exit = match (ran.code, ran.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {signal:?}"),
        };
        Self {
            exit,
            stdout: same(&ran.stdout),
            stderr: same(&ran.stderr),
        }
    }

    /// The lines of JSON that are about `slug`, without what differs from run to run.
    fn lines_about(&self, slug: &str) -> Vec<Value> {
        let lines = self.stdout.lines();
        let values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values
            .filter(|value| value["code"] == slug)
            .map(|mut value| {
                if let Some(fields) = value.as_object_mut() {
                    fields.retain(|name, _| !OF_THE_MOMENT.contains(&&**name));
                }
                value
            })
            .collect()
    }
}

/// Fields of each line that are new in each run.
const OF_THE_MOMENT: [&str; 4] = ["job", "seq", "t", "v"];

/// The golden text of a situation: what people are told, then what programs are told about `slug`.
#[must_use]
pub fn text(slug: &str, people: &Told, programs: Option<&Told>) -> String {
    let mut text = format!("{}\n{}{}", people.exit, people.stdout, people.stderr);
    if let Some(programs) = programs {
        text += &format!("\n--json: {}\n{}", programs.exit, programs.stderr);
        for line in programs.lines_about(slug) {
            text += &format!("{line:#}\n");
        }
    }
    text
}

/// `12 s` and `0.1 s` as `N s`: how long it took is no part of what is said.
fn without_seconds(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut same = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let unit = words.get(at + 1).and_then(|next| next.strip_prefix('s'));
        let is_time = unit.is_some_and(|rest| !rest.starts_with(|it: char| it.is_alphanumeric()));
        let (head, number) = word.split_at(word.trim_end_matches(is_of_a_number).len());
        match is_time && !number.is_empty() {
            true => same.push(format!("{head}N")),
            false => same.push((*word).to_owned()),
        }
    }
    same.join(" ")
}

/// The place of a panic without what another build would say.
fn without_lines_of_code(text: &str) -> String {
    let lines = text
        .split('\n')
        .map(|line| match line.split_once(", at /") {
            Some((said, place)) if place.contains(".rs:") => format!("{said}, at PLACE"),
            _ => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_of_a_number(it: char) -> bool {
    it.is_ascii_digit() || it == '.'
}

#[test]
fn seconds_are_taken_out_and_other_numbers_stay() {
    let said = "Copied 3 files, 12 B in 0.1 s; 2 signs (checked in 12 s).";
    let same = "Copied 3 files, 12 B in N s; 2 signs (checked in N s).";
    assert_eq!(without_seconds(said), same);
}

#[test]
fn the_place_of_a_panic_is_taken_out() {
    let said = "cause: no thread, at /a/worker.rs:5:13\nnext: look, at /etc";
    let same = "cause: no thread, at PLACE\nnext: look, at /etc";
    assert_eq!(without_lines_of_code(said), same);
}
