//! Changes a setting in the user's file, and leaves comments and order as they are.

use std::path::{Path, PathBuf};

use blit_config::Paths;

use crate::errors::{Slug, UserError};

/// Sets `section.key`, and answers which file it stands in.
pub(crate) fn set(section: &str, key: &str, value: bool) -> Result<PathBuf, UserError> {
    let paths = Paths::of_this_user().ok_or_else(|| {
        UserError::new(
            Slug::ConfigRead,
            "there is no home directory, and so no settings file",
        )
        .unchanged()
    })?;
    let file = paths.config_file();
    let fail = |error: std::io::Error| failed(&file, error.to_string());
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(fail(error)),
    };
    let after = changed(&before, section, key, value).map_err(|error| failed(&file, error))?;
    std::fs::create_dir_all(&paths.config).map_err(fail)?;
    replace(&file, &after).map_err(fail)?;
    Ok(file)
}

fn changed(text: &str, section: &str, key: &str, value: bool) -> Result<String, String> {
    let mut document: toml_edit::DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| error.to_string())?;
    let table = document.entry(section).or_insert_with(toml_edit::table);
    let table = table.as_table_like_mut().ok_or("the section is no table")?;
    table.insert(key, toml_edit::value(value));
    Ok(document.to_string())
}

/// A reader sees the old file or the new one.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut partial = file.as_os_str().to_owned();
    partial.push(".new");
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, file)
}

fn failed(file: &Path, cause: String) -> UserError {
    let name = crate::ui::shown(file.as_os_str());
    UserError::new(Slug::ConfigRead, format!("cannot change {name}"))
        .cause(cause)
        .unchanged()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_order_stay() {
        let text = "# mine\n[output]\ncolor = \"never\" # yes\n";
        let after = changed(text, "history", "enabled", false).unwrap();
        assert_eq!(after, format!("{text}\n[history]\nenabled = false\n"));
        let again = changed(&after, "history", "enabled", true).unwrap();
        assert_eq!(again, format!("{text}\n[history]\nenabled = true\n"));
    }
}
