//! What a run tells: the lines of `--json`, whose types make the published schema, and errors in the
//! user's terms with their stable names.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod contract;
mod error;
mod lanes;
mod slug;
mod words;

use std::time::Duration;

use blit_contract::RelPath;
use schemars::JsonSchema;
use serde::Serialize;

use blit_config::Exit;

pub use contract::{cause_of, from_contract, from_refusal, internal, item_error, slug_of};
pub use error::UserError;
pub use lanes::Lanes;
pub use slug::Slug;
pub use words::{is_difference, loss_word, method_word, op_word, phase_word, side_word};

/// The version of the format: fields are only added to it.
pub const VERSION: u32 = 1;

/// One line of JSON output.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "blit events")]
pub struct Line {
    /// The version of this format. Unknown types and fields are to be ignored.
    pub v: u32,
    /// When it was written, RFC 3339 in UTC.
    pub t: String,
    /// Its number in this output, from 0, without gaps.
    pub seq: u64,
    /// The run that it belongs to.
    pub job: String,
    /// What it tells.
    #[serde(flatten)]
    pub event: Event,
}

/// What a line tells.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The first line of a transfer.
    Start(Start),
    /// What there is to do, as far as it is known.
    Plan(Plan),
    /// How far it is.
    Progress(Progress),
    /// What happened, or would happen, to one entry (with -i or -v).
    Item(Item),
    /// A row of a listing.
    Entry(Box<Entry>),
    /// How an entry differs (check).
    Diff(Diff),
    /// Something to know.
    Notice(Note),
    /// Something to look at.
    Warning(Note),
    /// An entry failed.
    ItemError(ItemError),
    /// The last line of a run that came to its end.
    Summary(Box<Summary>),
    /// The last line of a run that did not.
    Error(Failure),
}

/// A path: text, and its raw bytes where they are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PathField {
    /// The path; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// The raw bytes in base64, if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
}

impl PathField {
    /// The path of those bytes.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self {
                path: text.to_owned(),
                path_b64: None,
            },
            Err(_) => Self {
                path: String::from_utf8_lossy(bytes).into_owned(),
                path_b64: Some(base64(bytes)),
            },
        }
    }
}

impl From<&RelPath> for PathField {
    fn from(path: &RelPath) -> Self {
        Self::new(&path.to_bytes())
    }
}

/// A transfer begins.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Start {
    /// copy, mirror, move or check.
    pub verb: &'static str,
    /// The version of blit.
    pub version: &'static str,
    /// What is read.
    pub sources: Vec<PathField>,
    /// Where it is written.
    #[serde(rename = "dest")]
    pub target: PathField,
    /// Whether nothing will be changed.
    pub dry_run: bool,
}

/// What there is to do.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Plan {
    /// Entries that the source has.
    pub entries: u64,
    /// Bytes in the source's files.
    pub bytes: u64,
    /// Files to copy.
    pub copy_files: u64,
    /// Bytes to copy.
    pub copy_bytes: u64,
    /// Entries to delete.
    pub delete_entries: u64,
    /// Entries that need nothing.
    pub up_to_date: u64,
    /// Whether the scan is over and the figures are final.
    pub complete: bool,
}

/// How far a transfer is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Progress {
    /// What it is doing.
    pub phase: &'static str,
    /// Files that are there.
    pub files_done: u64,
    /// Files that are to be copied.
    pub files_total: u64,
    /// Bytes that are there.
    pub bytes_done: u64,
    /// Bytes that are to be copied.
    pub bytes_total: u64,
    /// Whether the totals will grow no more.
    pub total_is_final: bool,
    /// Bytes per second over the last 10 s.
    pub rate: f64,
    /// Seconds to go, if they can be told.
    pub eta_s: Option<f64>,
    /// Entries that failed.
    pub errors: u64,
}

/// Something happened to an entry.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Item {
    /// create, update, metadata, delete, skip, move.
    pub op: &'static str,
    /// Which entry, from the source on.
    #[serde(flatten)]
    pub path: PathField,
    /// How many bytes it has.
    pub bytes: u64,
    /// Why.
    pub reason: &'static str,
    /// How its bytes moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
}

/// How an entry differs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Diff {
    /// Which entry, from the source on.
    #[serde(flatten)]
    pub path: PathField,
    /// missing, extra, content, metadata or type.
    pub what: &'static str,
}

/// A row of a listing. What a verb does not tell is left out.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Entry {
    /// file, directory, symlink, fifo, socket, device, space, check, status, module, job, setting, topic, measurement.
    pub kind: &'static str,
    /// Where it is.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathField>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its size in bytes; of a directory with du: of all files below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The bytes that it occupies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated: Option<u64>,
    /// Files below it (du), files that are there (job).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Permission bits in octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Numeric owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Numeric group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// When its content last changed, when a job began, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// What a symbolic link points to, what a job writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<PathField>,
    /// Bytes in all (df), bytes that a job has to copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Bytes that may still be written (df).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Entries in all (df).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_entries: Option<u64>,
    /// Entries that may still be made (df).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_entries: Option<u64>,
    /// The value of a setting, the result of a check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where a setting comes from, what a check found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Bytes per second (measurement).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// Something to know or to look at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Note {
    /// The slug.
    pub code: &'static str,
    /// The sentence that text mode shows.
    pub message: String,
    /// The entry that it is about.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathField>,
}

/// An entry failed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ItemError {
    /// The slug.
    pub code: &'static str,
    /// source or target.
    pub side: &'static str,
    /// Which entry, from the source on.
    #[serde(flatten)]
    pub path: PathField,
    /// Why.
    pub message: String,
    /// The error number of the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// How often it was tried again.
    pub retried: u32,
}

/// The end of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Summary {
    /// ok, partial, different, nothing or dry_run.
    pub result: &'static str,
    /// The exit code.
    pub exit: ExitField,
    /// How long it took.
    pub seconds: f64,
    /// What became of the entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// What became of the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// Bytes per second, if it took long enough to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How the files moved, and how many each way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub methods: Vec<Count>,
    /// What the target could not keep, and for how many entries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub losses: Vec<Count>,
    /// Entries that differ (check), rows (listings).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// The first failures, at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub failures: Vec<ItemError>,
    /// How many failures there were.
    pub failures_total: u64,
    /// How data crossed to another machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lanes: Option<Lanes>,
}

impl Summary {
    /// The end of a listing of so many rows.
    pub fn of_rows(exit: Exit, took: Duration, entries: u64) -> Self {
        Self {
            result: if exit == Exit::Ok { "ok" } else { "partial" },
            exit: exit.into(),
            seconds: took.as_secs_f64(),
            files: None,
            bytes: None,
            rate: None,
            methods: Vec::new(),
            losses: Vec::new(),
            entries: Some(entries),
            failures: Vec::new(),
            failures_total: 0,
            lanes: None,
        }
    }
}

/// An exit code and its name.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExitField {
    /// What the shell sees.
    pub code: u8,
    /// Its name.
    pub name: &'static str,
}

impl From<Exit> for ExitField {
    fn from(exit: Exit) -> Self {
        Self {
            code: exit.code(),
            name: exit.name(),
        }
    }
}

/// What became of the entries.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Files {
    /// New or with new content, hard links among them.
    pub copied: u64,
    /// With new metadata only.
    pub metadata: u64,
    /// Deleted at the target.
    pub deleted: u64,
    /// Left as they were.
    pub up_to_date: u64,
    /// Left out by a rule.
    pub skipped: u64,
    /// Gone from the source meanwhile.
    pub vanished: u64,
    /// Failed, or changed while they were read.
    pub failed: u64,
}

/// What became of the bytes.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Bytes {
    /// In the files that were copied.
    pub copied: u64,
    /// Of these, what the target had already and did not have to cross.
    pub matched: u64,
    /// What crossed to or from another machine, both ways.
    pub on_wire: u64,
}

/// How many of something.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Count {
    /// Of what.
    pub name: &'static str,
    /// How many.
    pub count: u64,
}

/// A run that did not come to its end.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Failure {
    /// The slug.
    pub code: &'static str,
    /// The exit code.
    pub exit: u8,
    /// What failed.
    pub message: String,
    /// Why.
    pub cause: Vec<String>,
    /// What was changed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What was changed.
    pub changed: Changed,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The page about it: `blit help errors/…`.
    pub help: String,
}

/// What a failed run changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Changed {
    /// Nothing at all.
    Nothing,
    /// Something; what is there is complete.
    Some,
    /// Nobody can say.
    Unknown,
}

/// The schema of a line, as it is published in `docs/schema/events.v1.json`.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Line);
    // A schema is a JSON value: writing it cannot fail.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() {
                digit as char
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let shown =
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(
            shown,
            [
                "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"
            ]
        );
    }

    #[test]
    fn a_path_that_is_not_utf_8_carries_its_bytes() {
        assert_eq!(PathField::new(b"a").path_b64, None);
        let field = PathField::new(b"a\xff");
        assert_eq!(field.path, "a\u{FFFD}");
        assert_eq!(field.path_b64.as_deref(), Some("Yf8="));
    }

    #[test]
    fn the_published_schema_is_the_one_of_these_types() {
        let published = include_str!("../../../docs/schema/events.v1.json");
        assert_eq!(published, schema(), "write it anew: cargo xtask docs");
    }

    #[test]
    fn every_line_is_valid_against_the_schema() {
        let schema = serde_json::from_str(&schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let failure = Failure {
            code: "path.not_found",
            exit: 5,
            message: "source not found: x".to_owned(),
            cause: Vec::new(),
            state: Some("nothing was changed".to_owned()),
            changed: Changed::Nothing,
            next: None,
            help: "errors/path.not_found".to_owned(),
        };
        let events = [
            Event::Plan(Plan::default()),
            Event::Entry(Box::default()),
            Event::Summary(Box::new(Summary::of_rows(Exit::Ok, Duration::ZERO, 1))),
            Event::Diff(Diff {
                path: PathField::new(b"a\xff"),
                what: "missing",
            }),
            Event::Error(failure),
        ];
        for event in events {
            let line = Line {
                v: VERSION,
                t: "2026-11-21T04:31:07.120Z".into(),
                seq: 0,
                job: "01".into(),
                event,
            };
            let value = serde_json::to_value(&line).unwrap();
            assert!(validator.is_valid(&value), "{value}");
        }
        assert!(!validator.is_valid(&serde_json::json!({"v": 1, "type": "summary"})));
    }
}
