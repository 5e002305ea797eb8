//! The rules over the real workspace.

#![expect(clippy::expect_used, reason = "a set-up that fails is a failed test")]

use blit_tidy::{RULES, Workspace, read};
use std::path::Path;

fn workspace() -> Workspace {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root
        .canonicalize()
        .expect("the workspace is two folders up");
    read(&root).expect("the workspace can be read")
}

#[test]
fn every_rule_holds() {
    let workspace = workspace();
    let mut found = Vec::new();
    for (name, rule) in RULES {
        found.extend(
            rule(&workspace)
                .into_iter()
                .map(|it| format!("\n  {name}: {it}")),
        );
    }
    assert!(
        found.is_empty(),
        "{} violations:{}",
        found.len(),
        found.concat()
    );
}

#[test]
fn the_rules_see_every_crate_and_its_files() {
    let workspace = workspace();
    let plan = workspace.crates.iter().find(|it| it.path == "core/plan");
    assert!(plan.is_some_and(|it| !it.sources.is_empty()));
    assert!(workspace.crates.iter().all(|it| !it.sources.is_empty()));
    // A module may be called like cargo's folder.
    let mut sources = workspace.sources();
    assert!(sources.any(|(_, it)| it.path == "core/engine/src/target/judge.rs"));
}

#[test]
fn the_rules_see_the_edges_between_crates() {
    let workspace = workspace();
    let engine = workspace.crates.iter().find(|it| it.path == "core/engine");
    let edges = engine.map(|it| it.dependencies.clone()).unwrap_or_default();
    assert!(
        edges.iter().any(|it| it.folder == "core/contract"),
        "{edges:?}"
    );
}
