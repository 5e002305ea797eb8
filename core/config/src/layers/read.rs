//! Reads one source: a file, or the environment.

use std::{ffi::OsString, io, ops::Range, path::Path};

use figment::value::Value;
use toml_edit::{ArrayOfTables, Document, Item, TableLike};

use super::{ConfigError, Keys, Layer, Origin, Row, VARIABLE_PREFIX, Values};

/// What a file says; nothing, if there is none and none is required.
pub(super) fn file(keys: &Keys, file: &Path, is_required: bool) -> Result<Layer, ConfigError> {
    match std::fs::read_to_string(file) {
        Ok(said) => text(keys, file, &said),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_required => {
            Ok(Layer::default())
        }
        Err(source) => Err(ConfigError::File {
            file: file.to_owned(),
            source,
        }),
    }
}

/// What a file with this content says.
pub(super) fn text(keys: &Keys, file: &Path, text: &str) -> Result<Layer, ConfigError> {
    toml(keys, text, file, |line| Origin::File {
        file: file.to_owned(),
        line,
    })
}

/// What the environment says: `BLIT_SECTION_KEY`, with the program's own separator.
pub(super) fn environment(
    keys: &Keys,
    variables: &[(OsString, OsString)],
) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|_| !value.is_empty()) else {
            continue;
        };
        let Some(key) = key_of_variable(keys, name) else {
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
        layer.values.put(keys, &key, origin, value)?;
    }
    Ok(layer)
}

/// `BLIT_TRANSFER_RETRY_FOR` is `transfer.retry_for`. What names none of the sections is not meant as a
/// setting.
fn key_of_variable(keys: &Keys, name: &str) -> Option<String> {
    let rest = name.strip_prefix(VARIABLE_PREFIX)?.to_ascii_lowercase();
    let (section, leaf) = rest.split_once(keys.separator)?;
    keys.has_section(section)
        .then(|| format!("{section}.{leaf}"))
}

pub(super) fn toml(
    keys: &Keys,
    text: &str,
    file: &Path,
    origin: impl Fn(usize) -> Origin,
) -> Result<Layer, ConfigError> {
    let document = Document::parse(text).map_err(|error| ConfigError::Syntax {
        file: file.to_owned(),
        line: line_of(text, error.span()),
        message: error.message().to_owned(),
    })?;
    let reading = Reading {
        keys,
        place: |span| origin(line_of(text, span)),
    };
    let mut layer = Layer::default();
    let root = document.as_table();
    for (section, item) in root.iter() {
        let place = reading.place_of(root, section);
        if keys.has_rows(section) {
            reading.rows(section, item, &place, &mut layer.rows)?;
        } else {
            reading.section(section, item, place, &mut layer.values)?;
        }
    }
    Ok(layer)
}

/// The line of what stands there, from 1.
fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start);
    1 + text.bytes().take(start).filter(|b| *b == b'\n').count()
}

struct Reading<'a, F> {
    keys: &'a Keys,
    place: F,
}

impl<F: Fn(Option<Range<usize>>) -> Origin> Reading<'_, F> {
    fn place_of(&self, table: &dyn TableLike, key: &str) -> Origin {
        (self.place)(table.get_key_value(key).and_then(|(key, _)| key.span()))
    }

    fn section(
        &self,
        name: &str,
        item: &Item,
        place: Origin,
        values: &mut Values,
    ) -> Result<(), ConfigError> {
        if !self.keys.has_section(name) {
            return Err(self.keys.unknown(name, place));
        }
        let table = item.as_table_like();
        let table = table.ok_or_else(|| wrong(name, &place, "expected a section with keys"))?;
        self.table(name, table, values)
    }

    fn rows(
        &self,
        name: &str,
        item: &Item,
        place: &Origin,
        rows: &mut Vec<Row>,
    ) -> Result<(), ConfigError> {
        let section = self.keys.rows.iter().filter_map(|key| key.split_once('.'));
        let section = section.map(|(section, _)| section).find(|it| *it == name);
        let tables = item.as_array_of_tables().map(ArrayOfTables::iter);
        let (Some(section), Some(tables)) = (section, tables) else {
            let expected = format!("write [[{name}]], with two brackets");
            return Err(wrong(name, place, &expected));
        };
        for table in tables {
            let mut row = Row {
                section,
                origin: (self.place)(table.span()),
                values: Values::default(),
            };
            self.table(name, table, &mut row.values)?;
            rows.push(row);
        }
        Ok(())
    }

    fn table(
        &self,
        section: &str,
        table: &dyn TableLike,
        values: &mut Values,
    ) -> Result<(), ConfigError> {
        for (leaf, item) in table.iter() {
            let key = format!("{section}.{leaf}");
            let place = self.place_of(table, leaf);
            let value = match item.as_value().and_then(value_of) {
                Some(value) => value,
                None if self.keys.known(&key).is_some() => {
                    let expected = "expected text, a number, true, false or a list";
                    return Err(wrong(&key, &place, expected));
                }
                None => return Err(self.keys.unknown(&key, place)),
            };
            values.put(self.keys, &key, place, value)?;
        }
        Ok(())
    }
}

fn wrong(key: &str, place: &Origin, message: &str) -> ConfigError {
    ConfigError::Value {
        key: key.to_owned(),
        origin: place.clone(),
        message: message.to_owned(),
    }
}

fn value_of(value: &toml_edit::Value) -> Option<Value> {
    let text = value.as_str().map(Value::from);
    text.or_else(|| value.as_bool().map(Value::from))
        .or_else(|| value.as_integer().map(Value::from))
        .or_else(|| value.as_float().map(Value::from))
        .or_else(|| {
            let values = value.as_array()?.iter().map(value_of);
            Some(Value::from(values.collect::<Option<Vec<_>>>()?))
        })
}
