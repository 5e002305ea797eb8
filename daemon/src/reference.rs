//! The schema of `daemon.toml`, and the page of documentation that is made from it.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::settings::{DaemonSettings, Settings};

/// The schema, for editors.
#[must_use]
pub fn schema() -> String {
    let text = serde_json::to_string_pretty(&schema_value());
    text.unwrap_or_default() + "\n"
}

pub(crate) fn schema_value() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let generator = settings.into_generator();
    generator.into_root_schema_for::<Settings>().to_value()
}

const INTRODUCTION: &str = "\
# daemon.toml

What may stand in `/etc/blit/daemon.toml`, or in the file of `--config`. This page is generated from the
program (`cargo xtask docs`); the schema for editors is [schema/daemon.v1.json](schema/daemon.v1.json).

What holds, the strongest first:

1. the command line (`blit-daemon --help`);
2. the environment: `BLIT_SECTION__KEY`, with two underscores, lists with commas: `BLIT_DAEMON__NAME=nas`;
3. `/etc/blit/daemon.d/*.toml`, in the order of their names: the later one wins, modules add up;
4. `/etc/blit/daemon.toml`.

`--config FILE` stands in place of both file steps. An unknown key, or a value that cannot be, is refused
with its file and line. `blit-daemon check-config` reads everything, opens the modules, and says what is
wrong without serving.

`systemctl reload`, SIGHUP or `blit-daemon reload` read everything anew. What says *reload* takes effect then,
*restart* needs a restart. A configuration that cannot be leaves the one before it in force. Sessions that are
under way go on with what held when they began.
";

/// `docs/daemon.md`.
#[must_use]
pub fn page() -> String {
    let schema = schema_value();
    let mut page = INTRODUCTION.to_owned();
    let none = Map::new();
    let sections = schema["properties"].as_object().unwrap_or(&none);
    // The order of the file: what every daemon has first.
    let order = [
        "daemon",
        "access",
        "module",
        "delegation",
        "discovery",
        "audit",
        "jobs",
        "history",
        "log",
    ];
    for name in order {
        let Some(section) = sections.get(name) else {
            continue;
        };
        let rows = section.get("items");
        let heading = match rows {
            Some(_) => format!("[[{name}]]"),
            None => format!("[{name}]"),
        };
        page += &format!("\n## {heading}\n\n{}\n\n", sentence(section));
        page += "| key | by itself | |\n|---|---|---|\n";
        let shape = rows.unwrap_or(section);
        let required = shape["required"].as_array().cloned().unwrap_or_default();
        for (key, value) in shape["properties"].as_object().unwrap_or(&none) {
            let is_required = required.iter().any(|it| it == key);
            page += &row(key, value, default(name, key, value, is_required));
        }
    }
    page += EXAMPLE;
    page
}

fn row(key: &str, value: &Value, default: String) -> String {
    format!("| `{key}` | {default} | {} |\n", sentence(value))
}

fn sentence(value: &Value) -> String {
    let text = value["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn default(section: &str, key: &str, value: &Value, is_required: bool) -> String {
    if is_required {
        return "required".to_owned();
    }
    // A section as a whole has its own default, which has those of its keys.
    let whole = match section {
        "daemon" => serde_json::to_value(DaemonSettings::default()),
        _ => serde_json::to_value(Settings::default()).map(|all| all[section].clone()),
    };
    let of_section = whole.unwrap_or_default();
    match value.get("default").or_else(|| of_section.get(key)) {
        None | Some(Value::Null) => "–".to_owned(),
        Some(value) => format!("`{value}`"),
    }
}

const EXAMPLE: &str = r#"
## An example

```toml
#:schema schema/daemon.v1.json
[daemon]
name = "nas"

[access]
allow_from = ["lan", "192.0.2.0/24"]

[[module]]
name = "photos"
path = "/srv/photos"
access = "read-write"
min_free = "5%"

[[module]]
name = "backup"
path = "/mnt/usb/backup"
access = "add-only"
optional = true
peers = ["laptop"]
```
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_key_with_a_sentence() {
        let page = page();
        for key in crate::settings::KEYS
            .plain
            .iter()
            .chain(crate::settings::KEYS.rows)
        {
            let (_, leaf) = key.split_once('.').unwrap();
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{leaf}` |")));
            let row = row.unwrap_or_else(|| panic!("{key} is not there"));
            assert!(!row.ends_with("|  |"), "{key} has no sentence");
        }
    }

    #[test]
    fn the_example_is_a_configuration() {
        let example = EXAMPLE.split("```toml").nth(1).unwrap();
        let text = example.split("```").next().unwrap();
        let mut layers = blit_config::Layers::new(&crate::settings::KEYS);
        layers.built_in(text).unwrap();
        layers.values::<Settings>().unwrap();
        let rows = layers.rows::<crate::settings::ModuleSettings>("module");
        assert_eq!(rows.unwrap().len(), 2);
    }
}
