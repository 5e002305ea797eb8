//! Places as people see them.

use std::{ffi::OsStr, path::Path};

use blit_contract::{Escaped, Name};

/// A path as people see it: nothing in it can steer a terminal.
#[must_use]
pub fn shown(path: &OsStr) -> String {
    Escaped(path.as_encoded_bytes()).to_string()
}

/// A name in a directory, for people.
#[must_use]
pub fn join_shown(directory: &Path, name: &Name) -> String {
    match directory.as_os_str() == "." {
        true => name.to_string(),
        false => format!("{}{name}", with_slash(directory)),
    }
}

/// A directory, for people: with its slash.
#[must_use]
pub fn with_slash(directory: &Path) -> String {
    let text = shown(directory.as_os_str());
    match text.ends_with('/') {
        true => text,
        false => format!("{text}/"),
    }
}
