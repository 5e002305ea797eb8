//! `--json`: one object a line, valid by the published schema, numbered without gaps, one end.

use std::path::Path;

use blit_conform::Ran;
use blit_conform::tree::nasty_tree;
use serde_json::Value;

use crate::bench::{Pair, blit};

/// The lines of a run, after everything that holds for every run was checked.
#[track_caller]
pub(crate) fn lines(ran: &Ran) -> Vec<Value> {
    assert_eq!(
        ran.stderr, "",
        "with --json nothing goes to standard error: {ran}"
    );
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|it| panic!("{it}: {line}")))
        .collect();
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["v"], 1, "{line}");
        assert_eq!(line["seq"], number, "numbered without gaps: {line}");
        assert!(
            line["t"].as_str().is_some_and(|it| it.ends_with('Z')),
            "a time in UTC: {line}"
        );
    }
    let ends = lines.iter().filter(|it| is_end(it)).count();
    assert_eq!(ends, 1, "exactly one end: {ran}");
    assert!(lines.last().is_some_and(is_end), "the end is last: {ran}");
    lines
}

fn is_end(line: &Value) -> bool {
    line["type"] == "summary" || line["type"] == "error"
}

/// All slugs that a run told: of its errors, its failed entries and its warnings.
#[track_caller]
pub(crate) fn error_codes(ran: &Ran) -> Vec<String> {
    let lines = lines(ran);
    lines
        .iter()
        .filter_map(|it| it["code"].as_str())
        .map(str::to_owned)
        .collect()
}

fn schema() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/events.v1.json");
    let text =
        std::fs::read_to_string(&path).unwrap_or_else(|it| panic!("{}: {it}", path.display()));
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

#[track_caller]
fn valid(ran: &Ran) -> Vec<Value> {
    let schema = schema();
    let lines = lines(ran);
    for line in &lines {
        let errors: Vec<String> = schema.iter_errors(line).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{line}\nis not valid: {errors:?}");
    }
    lines
}

#[track_caller]
fn valid_end(ran: &Ran, kind: &str, code: i32) -> Value {
    let end = valid(ran).pop().unwrap();
    assert_eq!(end["type"], kind, "{end}");
    assert_eq!(ran.code, Some(code), "{ran}");
    end
}

#[test]
fn a_copy_starts_plans_and_sums_up() {
    let pair = Pair::with(&[("a", "content"), ("b", "content")]);
    let ran = pair.run("copy", &["--json", "-v"]).exits(0);
    let lines = valid(&ran);
    assert_eq!(lines[0]["type"], "start", "{ran}");
    assert_eq!(lines[0]["verb"], "copy", "{ran}");
    let plan = lines.iter().rfind(|it| it["type"] == "plan").unwrap();
    assert_eq!(
        (&plan["complete"], &plan["copy_files"]),
        (&true.into(), &2.into()),
        "{plan}"
    );
    assert_eq!(
        lines
            .iter()
            .filter(|it| it["type"] == "item" && it["op"] == "create")
            .count(),
        2,
        "{ran}"
    );
    let summary = lines.last().unwrap();
    assert_eq!(summary["result"], "ok", "{summary}");
    assert_eq!(summary["exit"]["code"], 0, "{summary}");
    assert_eq!(summary["files"]["copied"], 2, "{summary}");
    assert_eq!(summary["bytes"]["copied"], 14, "{summary}");
}

#[test]
fn the_summary_says_how_it_ended() {
    let pair = Pair::with(&[("a", "content")]).and_target(&[("extra", "goes")]);
    assert_eq!(
        valid_end(&pair.run("copy", &["--json", "-n"]), "summary", 0)["result"],
        "dry_run"
    );
    assert_eq!(
        valid_end(&pair.run("check", &["--json"]), "summary", 4)["result"],
        "different"
    );
    assert_eq!(
        valid_end(&pair.run("copy", &["--json"]), "summary", 0)["result"],
        "ok"
    );
    assert_eq!(
        valid_end(&pair.run("copy", &["--json"]), "summary", 0)["result"],
        "nothing"
    );
    let mirror = valid_end(&pair.run("mirror", &["--json", "-y"]), "summary", 0);
    assert_eq!(mirror["files"]["deleted"], 1, "{mirror}");
    assert_eq!(
        valid_end(&pair.run("move", &["--json", "-y"]), "summary", 0)["result"],
        "ok"
    );
}

#[test]
fn a_failed_run_ends_with_its_error() {
    let pair = Pair::with(&[("a", "content")]).and_target(&[("extra", "stays")]);
    let error = valid_end(&pair.run("mirror", &["--json"]), "error", 7);
    assert_eq!(error["code"], "delete.unconfirmed", "{error}");
    assert_eq!(error["changed"], "nothing", "{error}");
    let absent = blit()
        .args(["--json", "copy", "/absent/source", "/absent/target"])
        .run();
    assert_eq!(valid_end(&absent, "error", 5)["code"], "path.not_found");
    let usage = blit().args(["--json", "copy", "--frobnicate"]).run();
    assert_eq!(valid_end(&usage, "error", 2)["exit"], 2, "{usage}");
}

#[test]
fn every_listing_verb_is_valid() {
    let pair = Pair::with(&[("a/file", "content"), ("b", "content")]);
    let source = pair.source.to_str().unwrap();
    for words in [
        &["ls", source][..],
        &["find", source],
        &["du", source],
        &["df", source],
        &["config", "show"],
    ] {
        let ran = blit().arg("--json").args(words).run().exits(0);
        let lines = valid(&ran);
        assert!(
            lines.iter().any(|it| it["type"] == "entry"),
            "{words:?}: {ran}"
        );
    }
}

#[test]
fn nasty_names_are_valid_and_keep_their_bytes() {
    let pair = Pair::new();
    nasty_tree(&pair.source);
    let ran = pair.run("copy", &["--json", "-v"]).exits(0);
    let lines = valid(&ran);
    let created = lines.iter().filter(|it| it["type"] == "item").count();
    assert!(created > 100, "{created} items");
    let coded: Vec<_> = lines
        .iter()
        .filter_map(|it| it["path_b64"].as_str())
        .collect();
    assert!(
        coded.iter().any(|it| it.len() > 20),
        "names that are not UTF-8 come in base 64"
    );
}
