//! Rules about manifests: versions stand in one place, lints apply everywhere.

use crate::Workspace;
use toml_edit::{Document, Item, TableLike};

/// The tables of a manifest that name dependencies.
const DEPENDENCY_TABLES: &[&str] = &["build-dependencies", "dependencies", "dev-dependencies"];

/// Versions stand only in the root manifest, where the dependencies on others are alphabetical.
#[must_use]
pub fn versions(workspace: &Workspace) -> Vec<String> {
    let mut found = order(&workspace.manifest);
    for member in &workspace.crates {
        let manifest = match Document::parse(member.manifest.as_str()) {
            Ok(manifest) => manifest,
            Err(error) => {
                found.push(format!(
                    "{}/Cargo.toml cannot be parsed: {error}",
                    member.path
                ));
                continue;
            }
        };
        let mut complain = |name: &str, item: &Item| {
            if !inherits(item) {
                found.push(format!(
                    "{}/Cargo.toml: {name} must say `workspace = true`",
                    member.path
                ));
            }
        };
        each_dependency(manifest.as_table(), &mut complain);
        if let Some(version) = manifest.get("package").and_then(|it| it.get("version")) {
            complain("package.version", version);
        }
    }
    found
}

/// Every crate takes the one table of lints.
#[must_use]
pub fn lints(workspace: &Workspace) -> Vec<String> {
    let takes_them =
        |text: &str| Document::parse(text).is_ok_and(|it| it.get("lints").is_some_and(inherits));
    workspace
        .crates
        .iter()
        .filter(|member| !takes_them(&member.manifest))
        .map(|member| {
            format!(
                "{}/Cargo.toml: [lints] must say `workspace = true`",
                member.path
            )
        })
        .collect()
}

/// Visits the dependencies of a manifest, those of a single platform too.
fn each_dependency(manifest: &dyn TableLike, visit: &mut impl FnMut(&str, &Item)) {
    for name in DEPENDENCY_TABLES {
        let table = manifest.get(name).and_then(Item::as_table_like);
        for (dependency, item) in table.iter().flat_map(|it| it.iter()) {
            visit(dependency, item);
        }
    }
    let platforms = manifest.get("target").and_then(Item::as_table_like);
    for (_, platform) in platforms.iter().flat_map(|it| it.iter()) {
        if let Some(table) = platform.as_table_like() {
            each_dependency(table, visit);
        }
    }
}

fn inherits(item: &Item) -> bool {
    item.get("workspace").and_then(Item::as_bool) == Some(true)
}

/// Ours come first, in the order of the layers; the others follow by name.
fn order(manifest: &str) -> Vec<String> {
    let manifest = match Document::parse(manifest) {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("Cargo.toml cannot be parsed: {error}")],
    };
    let dependencies = manifest
        .get("workspace")
        .and_then(|it| it.get("dependencies"));
    let Some(table) = dependencies.and_then(Item::as_table_like) else {
        return vec!["Cargo.toml has no [workspace.dependencies]".to_owned()];
    };
    let is_ours = |item: &Item| item.get("path").is_some();
    let others: Vec<_> = table
        .iter()
        .filter(|(_, item)| !is_ours(item))
        .map(|(name, _)| name)
        .collect();
    others
        .windows(2)
        .filter(|pair| pair[0] > pair[1])
        .map(|pair| format!("Cargo.toml: {} must stand before {}", pair[1], pair[0]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imagined;

    fn with_manifest(change: impl Fn(&str) -> String) -> Workspace {
        let mut workspace = imagined::workspace();
        let member = imagined::member_of(&mut workspace, "core/plan");
        member.manifest = change(&member.manifest);
        workspace
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        let workspace = with_manifest(|it| format!("{it}serde = \"1\"\n"));
        assert_eq!(
            versions(&workspace),
            ["core/plan/Cargo.toml: serde must say `workspace = true`"]
        );
    }

    #[test]
    fn a_path_in_a_member_is_found_in_any_table() {
        let table = "\n[target.'cfg(unix)'.dev-dependencies]\nblit-x = { path = \"../x\" }\n";
        let workspace = with_manifest(|it| format!("{it}{table}"));
        assert_eq!(
            versions(&workspace),
            ["core/plan/Cargo.toml: blit-x must say `workspace = true`"]
        );
    }

    #[test]
    fn a_member_with_its_own_version_is_found() {
        let workspace =
            with_manifest(|it| it.replace("version.workspace = true", "version = \"1\""));
        assert_eq!(
            versions(&workspace),
            ["core/plan/Cargo.toml: package.version must say `workspace = true`"]
        );
    }

    #[test]
    fn features_on_an_inherited_dependency_are_fine() {
        let line = "serde = { workspace = true, features = [\"derive\"] }\n";
        assert!(versions(&with_manifest(|it| format!("{it}{line}"))).is_empty());
    }

    #[test]
    fn dependencies_out_of_order_are_found() {
        let mut workspace = imagined::workspace();
        workspace.manifest.push_str("anyhow = \"1\"\n");
        assert_eq!(
            versions(&workspace),
            ["Cargo.toml: anyhow must stand before serde"]
        );
    }

    #[test]
    fn a_crate_without_the_lints_is_found() {
        let workspace = with_manifest(|it| it.replace("[lints]\nworkspace = true\n", ""));
        assert_eq!(
            lints(&workspace),
            ["core/plan/Cargo.toml: [lints] must say `workspace = true`"]
        );
    }
}
