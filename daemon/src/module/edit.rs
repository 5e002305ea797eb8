//! A configuration with a module more or less, and its comments as they were.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::NewModule;
use crate::settings::{ModuleAccess, ModuleSettings};

const SECTION: &str = "module";

/// `text` and this module.
pub(super) fn with(
    text: &str,
    settings: &ModuleSettings,
    module: &NewModule,
) -> Result<String, String> {
    let mut document = parsed(text)?;
    let root = document.as_table_mut();
    let modules = root
        .entry(SECTION)
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let modules = modules.as_array_of_tables_mut().ok_or_else(odd)?;
    if modules
        .iter()
        .any(|table| name_of(table) == Some(&settings.name))
    {
        return Err(format!("there is a module {} already", settings.name));
    }
    let mut table = Table::new();
    table.insert("name", value(&settings.name));
    table.insert("path", value(&settings.path));
    match settings.access {
        ModuleAccess::ReadOnly => {}
        ModuleAccess::AddOnly => drop(table.insert("access", value("add-only"))),
        ModuleAccess::ReadWrite => drop(table.insert("access", value("read-write"))),
    }
    if let Some(comment) = &module.comment {
        table.insert("comment", value(comment));
    }
    if !module.peers.is_empty() {
        table.insert("peers", value(module.peers.iter().collect::<Array>()));
    }
    if module.optional {
        table.insert("optional", value(true));
    }
    if !text.trim().is_empty() {
        table.decor_mut().set_prefix("\n");
    }
    modules.push(table);
    Ok(document.to_string())
}

/// `text` without the module of that name; `None` if it is not there.
pub(super) fn without(text: &str, name: &str) -> Result<Option<String>, String> {
    let mut document = parsed(text)?;
    let Some(modules) = document.get_mut(SECTION) else {
        return Ok(None);
    };
    let modules = modules.as_array_of_tables_mut().ok_or_else(odd)?;
    let Some(at) = modules
        .iter()
        .position(|table| name_of(table) == Some(name))
    else {
        return Ok(None);
    };
    // What the file begins with stands above its first table.
    let prefix = prefix_of(modules, at);
    let head = match text.starts_with(&prefix) {
        true => head_of(&prefix),
        false => String::new(),
    };
    modules.remove(at);
    if modules.is_empty() {
        document.remove(SECTION);
    }
    Ok(Some(head + document.to_string().trim_start_matches('\n')))
}

fn parsed(text: &str) -> Result<DocumentMut, String> {
    text.parse::<DocumentMut>()
        .map_err(|error| error.to_string().trim_end().to_owned())
}

fn odd() -> String {
    format!("it does not write [[{SECTION}]], with two brackets; change it by hand")
}

fn name_of(table: &Table) -> Option<&str> {
    table.get("name").and_then(Item::as_str)
}

fn prefix_of(modules: &ArrayOfTables, at: usize) -> String {
    let prefix = modules
        .get(at)
        .and_then(|table| table.decor().prefix()?.as_str().map(str::to_owned));
    prefix.unwrap_or_default()
}

/// What of the comments at the beginning of a file is about the file: all but the last paragraph.
fn head_of(prefix: &str) -> String {
    match prefix.rfind("\n\n") {
        Some(at) => prefix[..at + 2].to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::from_typed;

    const FILE: &str = "\
# Our NAS.\n\
\n\
[daemon]\n\
name = \"nas\" # as on the door\n\
\n\
# Since 2019.\n\
[[module]]\n\
path   = \"/srv/a\"   # aligned\n\
name   = \"a\"\n\
\n\
# The second.\n\
[[module]]\n\
name = \"b\"\n\
path = \"/srv/b\"\n\
\n\
[log]\n\
level = \"info\"\n\
# the end\n";

    fn add(text: &str, place: &str) -> Result<String, String> {
        with(text, &from_typed(place).unwrap(), &NewModule::at(place))
    }

    #[test]
    fn a_module_more_leaves_every_other_line_as_it_was() {
        let text = add(FILE, "c=/srv/c:rw").unwrap();
        let added = "\n[[module]]\nname = \"c\"\npath = \"/srv/c\"\naccess = \"read-write\"\n";
        assert_eq!(text.replacen(added, "", 1), FILE, "{text}");
    }

    #[test]
    fn what_was_added_is_taken_out_again() {
        let text = add(FILE, "c=/srv/c").unwrap();
        assert_eq!(without(&text, "c").unwrap().unwrap(), FILE);
        let text = add("", "c=/srv/c").unwrap();
        assert_eq!(text, "[[module]]\nname = \"c\"\npath = \"/srv/c\"\n");
        assert_eq!(without(&text, "c").unwrap().unwrap(), "");
    }

    #[test]
    fn what_is_said_of_a_module_goes_with_it_and_nothing_else() {
        let text = without(FILE, "a").unwrap().unwrap();
        assert!(!text.contains("2019") && !text.contains("/srv/a"), "{text}");
        for kept in [
            "# Our NAS.",
            "# as on the door",
            "# The second.",
            "# the end",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(without(FILE, "z").unwrap(), None);
    }

    #[test]
    fn what_is_said_of_the_file_stays_with_its_first_module_gone() {
        let file =
            "# Our NAS.\n\n# Photos.\n[[module]]\nname = \"a\"\npath = \"/srv/a\"\n\n[log]\n";
        let text = without(file, "a").unwrap().unwrap();
        assert_eq!(text, "# Our NAS.\n\n[log]\n");
    }

    #[test]
    fn a_name_is_not_given_twice_and_odd_files_are_left_alone() {
        assert!(add(FILE, "a=/srv/x").unwrap_err().contains("already"));
        assert!(
            add("module = []\n", "a=/srv/x")
                .unwrap_err()
                .contains("by hand")
        );
        assert!(add("[[module\n", "a=/srv/x").is_err());
    }
}
