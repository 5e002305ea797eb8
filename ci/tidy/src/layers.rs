//! The layers: who may depend on whom. The same table as in docs/ARCHITECTURE.md, as code.

use crate::{DependencyKind, Workspace};

/// A folder, and the folders that it may depend on. A `*` stands for one path component.
struct Layer {
    folder: &'static str,
    may_use: &'static [&'static str],
}

const fn layer(folder: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { folder, may_use }
}

/// Top to bottom: what stands lower may use what stands higher, as far as its row says.
/// The first row that matches a folder counts.
const LAYERS: &[Layer] = &[
    layer("core/contract", &[]),
    layer("sdk/abi", &[]),
    layer("core/registry", &["core/contract"]),
    layer("core/config", &["core/contract", "core/registry"]),
    layer("core/plan", &["core/contract", "core/registry"]),
    layer("core/wire", &["core/contract", "core/registry"]),
    layer("core/rooms", &[]),
    layer("core/lanes", &["core/contract", "core/rooms"]),
    layer(
        "core/history",
        &["core/config", "core/contract", "core/plan"],
    ),
    layer("core/host", &["core/contract", "sdk/abi"]),
    layer("sdk/rust", &["core/contract", "sdk/abi"]),
    layer("core/filter", &["core/contract", "core/wire"]),
    layer("core/clock", &["core/contract"]),
    layer("core/confine", &[]),
    layer("core/discover", &[]),
    layer("core/channel", &["core/contract", "core/wire"]),
    layer("core/mover", &["core/clock", "core/contract"]),
    layer("core/spool", &["core/contract"]),
    layer("core/subtree", &["core/contract"]),
    layer(
        "core/events",
        &["core/config", "core/contract", "core/lanes"],
    ),
    layer(
        "core/engine",
        &[
            "core/channel",
            "core/clock",
            "core/contract",
            "core/mover",
            "core/plan",
            "core/spool",
            "core/subtree",
            "core/wire",
        ],
    ),
    layer(
        "core/between",
        &[
            "core/channel",
            "core/clock",
            "core/contract",
            "core/engine",
            "core/wire",
        ],
    ),
    layer(
        "core/control",
        &["core/config", "core/contract", "core/lanes", "core/wire"],
    ),
    layer(
        "transports/*",
        &["core/contract", "core/lanes", "core/registry"],
    ),
    layer(
        "core/doctor",
        &[
            "core/config",
            "core/contract",
            "core/control",
            "core/discover",
            "core/engine",
            "core/lanes",
            "core/wire",
        ],
    ),
    layer(
        "core/reach",
        &[
            "core/config",
            "core/contract",
            "core/control",
            "core/discover",
            "core/events",
            "core/lanes",
            "core/wire",
        ],
    ),
    layer(
        "core/complete",
        &[
            "core/contract",
            "core/control",
            "core/engine",
            "core/lanes",
            "core/reach",
            "core/wire",
        ],
    ),
    layer(
        "core/admin",
        &["core/config", "core/control", "core/discover"],
    ),
    layer(
        "core/jobs",
        &[
            "core/config",
            "core/contract",
            "core/control",
            "core/engine",
            "core/events",
            "core/lanes",
            "core/registry",
            "core/wire",
        ],
    ),
    layer(
        "plugins/bundled",
        &[
            "core/contract",
            "core/lanes",
            // The default planner is a plugin like any other, though it is at home in core.
            "core/plan",
            "core/registry",
            "plugins/*",
            "transports/*",
        ],
    ),
    layer(
        "plugins/*",
        &["core/contract", "core/registry", "core/rooms"],
    ),
    layer(
        "conformance",
        &["core/contract", "core/host", "core/registry"],
    ),
    // It knows every decoder, and nobody knows it.
    layer("conformance/fuzz", &["core/*"]),
    layer("cli", &["core/*", "plugins/bundled"]),
    // The daemon is where lanes arrive: its transports are those that `plugins/bundled` dials.
    layer("daemon", &["core/*", "plugins/bundled", "transports/*"]),
    layer("ci/*", &["ci/*", "cli", "conformance", "daemon"]),
];

/// What tests of any crate may use besides: the reference plugins and the judge.
const DEV: &[&str] = &["conformance", "plugins/store-mem", "transports/mem"];

/// What tests of a plugin may use besides: what a fault in a store does to a tree is seen only in a
/// whole session.
const DEV_OF_PLUGINS: &[&str] = &["core/engine", "core/plan"];

/// Dependencies point one way.
#[must_use]
pub fn layers(workspace: &Workspace) -> Vec<String> {
    let mut found = Vec::new();
    for member in &workspace.crates {
        let Some(layer) = LAYERS.iter().find(|it| matches(it.folder, &member.path)) else {
            found.push(format!("{} has no row in the table of layers", member.path));
            continue;
        };
        for dependency in &member.dependencies {
            if !may_use(layer, &dependency.folder, dependency.kind) {
                found.push(format!(
                    "{} must not depend on {}",
                    member.path, dependency.folder
                ));
            }
        }
    }
    found
}

fn may_use(layer: &Layer, folder: &str, kind: DependencyKind) -> bool {
    let is_plugin = layer.folder == "plugins/*";
    let may_test = DEV.contains(&folder) || (is_plugin && DEV_OF_PLUGINS.contains(&folder));
    let in_tests = kind == DependencyKind::Dev && may_test;
    in_tests || layer.may_use.iter().any(|pattern| matches(pattern, folder))
}

fn matches(pattern: &str, folder: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => folder
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.contains('/')),
        None => pattern == folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imagined;

    fn with_edge(from: &str, on: &str, kind: DependencyKind) -> Vec<String> {
        let mut workspace = imagined::workspace();
        imagined::add_dependency(&mut workspace, from, on, kind);
        layers(&workspace)
    }

    #[test]
    fn a_transport_that_depends_on_a_store_is_found() {
        assert_eq!(
            with_edge(
                "transports/mem",
                "plugins/store-mem",
                DependencyKind::Normal
            ),
            ["transports/mem must not depend on plugins/store-mem"]
        );
    }

    #[test]
    fn a_contract_that_depends_on_anything_is_found() {
        assert_eq!(
            with_edge("core/contract", "core/plan", DependencyKind::Normal),
            ["core/contract must not depend on core/plan"]
        );
    }

    #[test]
    fn an_engine_that_knows_a_plugin_is_found() {
        assert_eq!(
            with_edge("core/engine", "plugins/store-mem", DependencyKind::Normal),
            ["core/engine must not depend on plugins/store-mem"]
        );
    }

    #[test]
    fn tests_of_the_engine_may_use_the_reference_plugins() {
        assert!(with_edge("core/engine", "plugins/store-mem", DependencyKind::Dev).is_empty());
        assert!(with_edge("core/engine", "transports/mem", DependencyKind::Dev).is_empty());
    }

    #[test]
    fn only_tests_of_a_plugin_may_drive_it_with_the_engine() {
        assert!(with_edge("plugins/store-mem", "core/engine", DependencyKind::Dev).is_empty());
        assert_eq!(
            with_edge("plugins/store-mem", "core/engine", DependencyKind::Normal),
            ["plugins/store-mem must not depend on core/engine"]
        );
    }

    #[test]
    fn tests_may_not_use_whatever_they_like() {
        assert_eq!(
            with_edge("core/plan", "core/engine", DependencyKind::Dev),
            ["core/plan must not depend on core/engine"]
        );
    }

    #[test]
    fn the_command_line_reaches_plugins_only_through_the_bundle() {
        assert!(with_edge("cli", "core/engine", DependencyKind::Normal).is_empty());
        assert!(with_edge("cli", "plugins/bundled", DependencyKind::Normal).is_empty());
        assert_eq!(
            with_edge("cli", "plugins/store-mem", DependencyKind::Normal),
            ["cli must not depend on plugins/store-mem"]
        );
    }

    #[test]
    fn a_crate_outside_the_table_is_found() {
        let mut workspace = imagined::workspace();
        imagined::member_of(&mut workspace, "core/plan").path = "core/helpers".to_owned();
        assert_eq!(
            layers(&workspace),
            ["core/helpers has no row in the table of layers"]
        );
    }
}
