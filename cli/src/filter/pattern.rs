//! Patterns by the rules of gitignore.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::{
    errors::{Slug, UserError},
    ui::shown,
};

/// Some patterns, of which the last that matches decides.
#[derive(Debug)]
pub(crate) struct PatternSet(Gitignore);

impl Default for PatternSet {
    fn default() -> Self {
        Self(Gitignore::empty())
    }
}

impl PatternSet {
    /// The patterns that stand in `files`, then those that were typed with `flag`.
    pub(crate) fn new(
        flag: &str,
        typed: &[OsString],
        files: &[PathBuf],
    ) -> Result<Self, UserError> {
        let mut builder = GitignoreBuilder::new("");
        // Of two patterns that cannot be told apart the default would silently take neither.
        builder.allow_unclosed_class(false);
        for file in files {
            add_file(&mut builder, file)?;
        }
        for pattern in typed {
            let text = pattern.to_str().ok_or_else(|| not_text(flag))?;
            // In a file this would be a comment; nobody types one.
            let text = match text.strip_prefix('#') {
                Some(rest) => format!("\\#{rest}"),
                None => text.to_owned(),
            };
            add(&mut builder, &text, &format!("{flag} \"{text}\""))?;
        }
        let built = builder.build();
        built.map(Self).map_err(|error| bad(flag, &error))
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

fn add_file(builder: &mut GitignoreBuilder, file: &Path) -> Result<(), UserError> {
    let name = shown(file.as_os_str());
    let text = std::fs::read(file).map_err(|error| {
        UserError::new(
            Slug::FilterSyntax,
            format!("cannot read --exclude-from {name}"),
        )
        .cause(error.to_string())
        .unchanged()
    })?;
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let place = format!("{name}, line {}", at + 1);
        let line = std::str::from_utf8(line).map_err(|_| not_text(&place))?;
        add(builder, line.trim_end_matches('\r'), &place)?;
    }
    Ok(())
}

fn add(builder: &mut GitignoreBuilder, line: &str, place: &str) -> Result<(), UserError> {
    match builder.add_line(None, line) {
        Ok(_) => Ok(()),
        Err(error) => Err(bad(place, &error)),
    }
}

fn bad(place: &str, error: &ignore::Error) -> UserError {
    UserError::new(Slug::FilterSyntax, format!("{place} is not a pattern"))
        .cause(error.to_string())
        .unchanged()
        .next("blit help filters")
}

fn not_text(place: &str) -> UserError {
    UserError::new(Slug::FilterSyntax, format!("{place} is not UTF-8"))
        .unchanged()
        .next("match such names with * and ?")
}
