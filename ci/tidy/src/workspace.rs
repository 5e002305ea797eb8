//! The workspace as the rules see it, and the rules about where things lie.

use crate::SourceFile;

/// The folders at the top of the repository. A new one is a decision, not an accident.
const TOP_FOLDERS: &[&str] = &[
    "ci",
    "cli",
    "conformance",
    "core",
    "daemon",
    "docs",
    "plugins",
    "sdk",
    "transports",
];

/// All that the rules look at.
#[derive(Default)]
pub struct Workspace {
    /// The root manifest's text.
    pub manifest: String,
    /// The names of the folders at the top, dot folders and `target` left out.
    pub top_folders: Vec<String>,
    /// The member crates.
    pub crates: Vec<Folder>,
    /// Files that are not Rust but may hold notes: scripts, manifests, configuration.
    pub texts: Vec<(String, String)>,
}

/// A crate, known by its folder: `transports/mem`.
#[derive(Default)]
pub struct Folder {
    /// The folder, relative to the root, with `/`.
    pub path: String,
    /// The text of its `Cargo.toml`.
    pub manifest: String,
    /// What it depends on inside the workspace.
    pub dependencies: Vec<Dependency>,
    /// Its Rust files.
    pub sources: Vec<SourceFile>,
}

/// An edge from one of our crates to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The other crate's folder.
    pub folder: String,
    /// When it is needed.
    pub kind: DependencyKind,
}

/// When a dependency is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyKind {
    /// In what is shipped, or while it is built.
    Normal,
    /// Only in tests.
    Dev,
}

impl Workspace {
    /// Every Rust file, with the folder of its crate.
    pub fn sources(&self) -> impl Iterator<Item = (&Folder, &SourceFile)> {
        self.crates
            .iter()
            .flat_map(|folder| folder.sources.iter().map(move |source| (folder, source)))
    }
}

/// The folders at the top are the fixed ones.
#[must_use]
pub fn folders(workspace: &Workspace) -> Vec<String> {
    workspace
        .top_folders
        .iter()
        .filter(|name| !TOP_FOLDERS.contains(&name.as_str()))
        .map(|name| {
            format!(
                "{name}/ is not one of the top folders: {}",
                TOP_FOLDERS.join(", ")
            )
        })
        .collect()
}

/// A module is `x.rs` beside `x/`, never `x/mod.rs`.
#[must_use]
pub fn modules(workspace: &Workspace) -> Vec<String> {
    workspace
        .sources()
        .filter(|(_, source)| source.path.ends_with("/mod.rs"))
        .map(|(_, source)| {
            let folder = source.path.trim_end_matches("/mod.rs");
            format!("{} must be {folder}.rs", source.path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imagined;

    #[test]
    fn a_new_top_folder_is_found() {
        let mut workspace = imagined::workspace();
        workspace.top_folders.push("misc".to_owned());
        let found = folders(&workspace);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("misc/ is not one of the top folders"));
    }

    #[test]
    fn a_mod_rs_is_found_and_told_its_name() {
        let mut workspace = imagined::workspace();
        imagined::add_source(&mut workspace, "core/plan", "core/plan/src/pack/mod.rs", "");
        assert_eq!(
            modules(&workspace),
            ["core/plan/src/pack/mod.rs must be core/plan/src/pack.rs"]
        );
    }
}
