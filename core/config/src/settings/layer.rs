//! One layer of settings: what one source says, and where it says it.

use std::{collections::BTreeMap, ffi::OsString, io, ops::Range, path::Path};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use serde::Serialize;
use toml_edit::{Document, Item, TableLike};

use super::{ConfigError, Flags, KEYS, Origin, suggest::nearest};

const DEFAULTS: &str = include_str!("defaults.toml");
const VARIABLE_PREFIX: &str = "BLIT_";

/// What one source says: values by their keys.
#[derive(Debug, Default)]
pub(super) struct Layer {
    values: BTreeMap<&'static str, (Value, Origin)>,
}

impl Layer {
    /// Where this layer says something about `key`.
    pub(super) fn origin(&self, key: &str) -> Option<Origin> {
        self.values.get(key).map(|(_, origin)| origin.clone())
    }

    fn put(&mut self, key: &str, origin: Origin, value: Value) -> Result<(), ConfigError> {
        let Some(known) = KEYS.iter().find(|known| **known == key) else {
            return Err(unknown(key, origin));
        };
        self.values.insert(known, (value, origin));
        Ok(())
    }

    fn put_flag<T: Serialize>(
        &mut self,
        key: &str,
        flag: &'static str,
        value: Option<&T>,
    ) -> Result<(), ConfigError> {
        let Some(value) = value else {
            return Ok(());
        };
        let origin = Origin::Flag(flag);
        match Value::serialize(value) {
            Ok(value) => self.put(key, origin, value),
            Err(error) => Err(ConfigError::Value {
                key: key.to_owned(),
                origin,
                message: error.to_string(),
            }),
        }
    }
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named("settings")
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut sections = Dict::new();
        for (key, (value, _)) in &self.values {
            let (section, leaf) = key.split_once('.').unwrap_or(("", key));
            let section = sections
                .entry(section.to_owned())
                .or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, leaves) = section {
                leaves.insert(leaf.to_owned(), value.clone());
            }
        }
        Ok(Profile::Default.collect(sections))
    }
}

/// What blit does by itself.
pub(super) fn built_in() -> Result<Layer, ConfigError> {
    read_toml(DEFAULTS, Path::new("defaults.toml"), |_| Origin::BuiltIn)
}

/// What a file says; nothing, if there is none and none is required.
pub(super) fn from_file(file: Option<(&Path, bool)>) -> Result<Layer, ConfigError> {
    let Some((file, is_required)) = file else {
        return Ok(Layer::default());
    };
    match std::fs::read_to_string(file) {
        Ok(text) => read_toml(&text, file, |line| Origin::File {
            file: file.to_owned(),
            line,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_required => {
            Ok(Layer::default())
        }
        Err(source) => Err(ConfigError::File {
            file: file.to_owned(),
            source,
        }),
    }
}

/// What the environment says: `BLIT_SECTION_KEY`. Empty is unset.
pub(super) fn from_environment(variables: &[(OsString, OsString)]) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|_| !value.is_empty()) else {
            continue;
        };
        let Some(key) = key_of_variable(name) else {
            continue;
        };
        let origin = Origin::Environment(name.to_owned());
        let value = match value.to_str() {
            Some("true") => Value::from(true),
            Some("false") => Value::from(false),
            Some(text) => Value::from(text),
            None => {
                return Err(ConfigError::Value {
                    key,
                    origin,
                    message: "it is not valid text".into(),
                });
            }
        };
        layer.put(&key, origin, value)?;
    }
    Ok(layer)
}

/// What the command line says.
pub(super) fn from_flags(flags: &Flags) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    let one_file_system = flags.one_file_system.as_ref();
    layer.put_flag("output.color", "--color", flags.color.as_ref())?;
    layer.put_flag("output.progress", "--progress", flags.progress.as_ref())?;
    layer.put_flag(
        "transfer.durability",
        "--durability",
        flags.durability.as_ref(),
    )?;
    layer.put_flag(
        "transfer.max_delete",
        "--max-delete",
        flags.max_delete.as_ref(),
    )?;
    layer.put_flag(
        "transfer.one_file_system",
        "--one-file-system",
        one_file_system,
    )?;
    layer.put_flag("transfer.preserve", "--preserve", flags.preserve.as_ref())?;
    layer.put_flag(
        "transfer.retry_for",
        "--retry-for",
        flags.retry_for.as_ref(),
    )?;
    Ok(layer)
}

/// `BLIT_TRANSFER_RETRY_FOR` is `transfer.retry_for`. What names none of our sections is not meant
/// as a setting.
fn key_of_variable(name: &str) -> Option<String> {
    let rest = name.strip_prefix(VARIABLE_PREFIX)?.to_ascii_lowercase();
    let (section, leaf) = rest.split_once('_')?;
    is_section(section).then(|| format!("{section}.{leaf}"))
}

fn is_section(name: &str) -> bool {
    let sections = KEYS.iter().filter_map(|key| key.split_once('.'));
    sections.map(|(section, _)| section).any(|s| s == name)
}

fn read_toml(
    text: &str,
    file: &Path,
    origin: impl Fn(usize) -> Origin,
) -> Result<Layer, ConfigError> {
    let document = Document::parse(text).map_err(|error| ConfigError::Syntax {
        file: file.to_owned(),
        line: line_of(text, error.span()),
        message: error.message().to_owned(),
    })?;
    let place = |table: &dyn TableLike, key: &str| {
        let span = table.get_key_value(key).and_then(|(key, _)| key.span());
        origin(line_of(text, span))
    };
    let mut layer = Layer::default();
    let root = document.as_table();
    for (section, item) in root.iter() {
        let table = section_of(section, item, || place(root, section))?;
        for (leaf, item) in table.iter() {
            let key = format!("{section}.{leaf}");
            let place = place(table, leaf);
            let value = value_of(&key, item, &place)?;
            layer.put(&key, place, value)?;
        }
    }
    Ok(layer)
}

/// The line of what stands there, from 1.
fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start);
    1 + text.bytes().take(start).filter(|b| *b == b'\n').count()
}

fn section_of<'a>(
    name: &str,
    item: &'a Item,
    place: impl FnOnce() -> Origin,
) -> Result<&'a dyn TableLike, ConfigError> {
    if !is_section(name) {
        return Err(unknown(name, place()));
    }
    item.as_table_like().ok_or_else(|| ConfigError::Value {
        key: name.to_owned(),
        origin: place(),
        message: "expected a section with keys".into(),
    })
}

fn value_of(key: &str, item: &Item, place: &Origin) -> Result<Value, ConfigError> {
    let text = item.as_str().map(Value::from);
    text.or_else(|| item.as_bool().map(Value::from))
        .or_else(|| item.as_integer().map(Value::from))
        .or_else(|| item.as_float().map(Value::from))
        .ok_or_else(|| match KEYS.contains(&key) {
            true => ConfigError::Value {
                key: key.to_owned(),
                origin: place.clone(),
                message: "expected text, a number, true or false".into(),
            },
            false => unknown(key, place.clone()),
        })
}

fn unknown(key: &str, origin: Origin) -> ConfigError {
    ConfigError::UnknownKey {
        suggestion: nearest(key),
        key: key.to_owned(),
        origin,
    }
}
