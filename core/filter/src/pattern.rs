//! Patterns by the rules of gitignore.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// A pattern that is none, or patterns that together are too much to compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPattern(String);

impl From<ignore::Error> for BadPattern {
    fn from(error: ignore::Error) -> Self {
        // The pattern is quoted in it, and must not steer a terminal.
        let mut plain = String::new();
        for c in error.to_string().chars() {
            match c.is_control() {
                true => plain.extend(c.escape_default()),
                false => plain.push(c),
            }
        }
        Self(plain)
    }
}

/// Whether a line is a pattern, a comment or empty.
///
/// # Errors
/// Why it is not.
pub fn check_pattern(line: &str) -> Result<(), BadPattern> {
    add(&mut builder(), line)
}

/// Some patterns, of which the last that matches decides.
#[derive(Debug)]
pub(crate) struct PatternSet(Gitignore);

impl PatternSet {
    /// Compiles those lines.
    pub(crate) fn new(lines: &[String]) -> Result<Self, BadPattern> {
        let mut builder = builder();
        for line in lines {
            add(&mut builder, line)?;
        }
        Ok(Self(builder.build()?))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the entry at `path` matches by itself.
    pub(crate) fn matches(&self, path: &Path, is_directory: bool) -> bool {
        self.0.matched(path, is_directory).is_ignore()
    }

    /// Whether the file at `path` or a directory above it matches.
    pub(crate) fn matches_below(&self, path: &Path) -> bool {
        self.0.matched_path_or_any_parents(path, false).is_ignore()
    }
}

fn builder() -> GitignoreBuilder {
    let mut builder = GitignoreBuilder::new("");
    // Of two patterns that cannot be told apart the default would silently take neither.
    builder.allow_unclosed_class(false);
    builder
}

fn add(builder: &mut GitignoreBuilder, line: &str) -> Result<(), BadPattern> {
    // No name has one, and between the two machines it ends a pattern.
    if line.contains('\0') {
        return Err(BadPattern("it holds a NUL".to_owned()));
    }
    builder.add_line(None, line)?;
    Ok(())
}
