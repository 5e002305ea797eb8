//! Reads the real workspace: `cargo metadata` for the crates, the disk for their files.

use crate::{Dependency, DependencyKind, Folder, SourceError, SourceFile, Workspace};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// Why the workspace could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// `cargo metadata` failed; its own words.
    #[error("cargo metadata failed: {0}")]
    Cargo(String),
    /// A file or folder could not be read.
    #[error("cannot read {0}")]
    Disk(PathBuf, #[source] io::Error),
    /// `cargo metadata` said something unexpected.
    #[error("cargo metadata is not understood")]
    Metadata(#[from] serde_json::Error),
    /// A source file is not Rust.
    #[error(transparent)]
    Source(#[from] SourceError),
}

type Result<T> = std::result::Result<T, ReadError>;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    manifest_path: PathBuf,
    dependencies: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    kind: Option<String>,
    path: Option<PathBuf>,
}

/// Reads the workspace at `root`.
///
/// # Errors
/// When cargo cannot describe it, or a file of it cannot be read or parsed.
pub fn read(root: &Path) -> Result<Workspace> {
    let mut workspace = Workspace {
        manifest: text_of(&root.join("Cargo.toml"))?,
        crates: crates(root)?,
        ..Workspace::default()
    };
    for entry in entries(root)? {
        // Only here: a module may be called `target`, too.
        let is_built = entry.file_name().is_some_and(|name| name == "target");
        if entry.is_dir() && !is_built {
            workspace.top_folders.push(relative(root, &entry));
            scan(root, &entry, &mut workspace)?;
        }
    }
    Ok(workspace)
}

fn crates(root: &Path) -> Result<Vec<Folder>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| ReadError::Cargo(error.to_string()))?;
    if !output.status.success() {
        return Err(ReadError::Cargo(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    metadata
        .packages
        .iter()
        .map(|package| folder(root, package))
        .collect()
}

fn folder(root: &Path, package: &Package) -> Result<Folder> {
    let path = package.manifest_path.parent().unwrap_or(root);
    Ok(Folder {
        path: relative(root, path),
        manifest: text_of(&package.manifest_path)?,
        dependencies: package
            .dependencies
            .iter()
            .filter_map(|it| dependency(root, it))
            .collect(),
        sources: Vec::new(),
    })
}

/// An edge inside the workspace; those to other people's crates are not ours to judge.
fn dependency(root: &Path, edge: &Edge) -> Option<Dependency> {
    let folder = relative(root, edge.path.as_ref()?);
    let kind = match edge.kind.as_deref() {
        Some("dev") => DependencyKind::Dev,
        _ => DependencyKind::Normal,
    };
    Some(Dependency { folder, kind })
}

/// Gathers the files below `folder`: Rust for the crate that holds it, the rest for notes.
fn scan(root: &Path, folder: &Path, workspace: &mut Workspace) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            // What decoders are fed with is nobody's text.
            if !path.ends_with("fuzz/corpus") {
                scan(root, &path, workspace)?;
            }
            continue;
        }
        let name = relative(root, &path);
        if name.ends_with(".rs") {
            add_source(&name, &text_of(&path)?, workspace)?;
        } else if is_text(&path) {
            workspace.texts.push((name, text_of(&path)?));
        }
    }
    Ok(())
}

fn add_source(name: &str, text: &str, workspace: &mut Workspace) -> Result<()> {
    let holds = |it: &&mut Folder| {
        name.strip_prefix(&it.path)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let deepest = workspace
        .crates
        .iter_mut()
        .filter(holds)
        .max_by_key(|it| it.path.len());
    if let Some(member) = deepest {
        member.sources.push(SourceFile::parse(name, text)?);
    }
    Ok(())
}

/// Scripts, manifests and configuration; a script has no ending.
fn is_text(path: &Path) -> bool {
    path.extension()
        .is_none_or(|it| it == "toml" || it == "sh" || it == "yml")
}

/// What lies in `folder`, sorted, without dot files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| ReadError::Disk(folder.to_owned(), error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn text_of(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| ReadError::Disk(path.to_owned(), error))
}

fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.to_string_lossy().replace('\\', "/")
}
