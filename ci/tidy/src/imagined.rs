//! A small workspace in which every rule holds, for tests to plant a violation in.

use crate::{Dependency, DependencyKind, Folder, SourceFile, Workspace, promises};

/// The root manifest of the imagined workspace.
const ROOT: &str = "\
[workspace.dependencies]
blit-contract = { path = \"core/contract\" }
bytes = \"1\"
serde = \"1\"
";

/// The manifest of each of its crates.
const MEMBER: &str = "\
[package]
name = \"blit-imagined\"
version.workspace = true

[lints]
workspace = true

[dependencies]
bytes.workspace = true
";

/// A file of tests: what the imagined promises name.
const TESTS: &str = "\
#[test]
fn it_is_kept() {}

#[test]
#[ignore]
fn it_is_left_out() {}

fn helper() {}
";

/// A workspace in which every rule holds.
pub(crate) fn workspace() -> Workspace {
    let kept = "core/plan/tests/kept.rs";
    let mut workspace = Workspace {
        manifest: ROOT.to_owned(),
        top_folders: vec!["core".to_owned(), "docs".to_owned()],
        crates: [
            "cli",
            "core/contract",
            "core/engine",
            "core/plan",
            "plugins/store-mem",
            "transports/mem",
        ]
        .map(member)
        .into(),
        texts: promises::imagined(kept, "it_is_kept"),
    };
    add_source(&mut workspace, "core/plan", kept, TESTS);
    workspace
}

fn member(path: &str) -> Folder {
    let library = SourceFile::parse(&format!("{path}/src/lib.rs"), "#![forbid(unsafe_code)]\n");
    Folder {
        path: path.to_owned(),
        manifest: MEMBER.to_owned(),
        dependencies: Vec::new(),
        sources: vec![library.unwrap()],
    }
}

/// The crate in `folder`, to be spoilt.
pub(crate) fn member_of<'a>(workspace: &'a mut Workspace, folder: &str) -> &'a mut Folder {
    workspace
        .crates
        .iter_mut()
        .find(|it| it.path == folder)
        .unwrap()
}

/// Adds a file to the crate in `folder`.
pub(crate) fn add_source(workspace: &mut Workspace, folder: &str, path: &str, text: &str) {
    let source = SourceFile::parse(path, text).unwrap();
    member_of(workspace, folder).sources.push(source);
}

/// Adds a dependency of the crate in `folder`.
pub(crate) fn add_dependency(
    workspace: &mut Workspace,
    folder: &str,
    on: &str,
    kind: DependencyKind,
) {
    let dependency = Dependency {
        folder: on.to_owned(),
        kind,
    };
    member_of(workspace, folder).dependencies.push(dependency);
}

#[test]
fn every_rule_holds_in_the_imagined_workspace() {
    for (name, rule) in crate::RULES {
        assert_eq!(rule(&workspace()), Vec::<String>::new(), "{name}");
    }
}
