//! Settings in layers: built in, files, environment, command line. Later wins, and each value knows who
//! said it.

mod error;
mod origin;
mod read;
mod suggest;

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use serde::{Serialize, de::DeserializeOwned};

pub use error::{ConfigError, plain};
pub use origin::Origin;

const VARIABLE_PREFIX: &str = "BLIT_";

/// The keys of a program. What is not among them is refused.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// `section.key`, in alphabetical order.
    pub plain: &'static [&'static str],
    /// The keys of sections that may stand several times, `[[section]]`.
    pub rows: &'static [&'static str],
    /// What stands between section and key in the name of a variable.
    pub separator: &'static str,
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.plain.iter().chain(self.rows).copied()
    }

    fn known(&self, key: &str) -> Option<&'static str> {
        self.all().find(|known| *known == key)
    }

    fn has_section(&self, name: &str) -> bool {
        has_section(self.plain, name)
    }

    fn has_rows(&self, name: &str) -> bool {
        has_section(self.rows, name)
    }

    fn unknown(&self, key: &str, origin: Origin) -> ConfigError {
        ConfigError::UnknownKey {
            suggestion: suggest::nearest(self.all(), key),
            key: key.to_owned(),
            origin,
        }
    }
}

fn has_section(keys: &[&str], name: &str) -> bool {
    let sections = keys.iter().filter_map(|key| key.split_once('.'));
    sections.map(|(section, _)| section).any(|it| it == name)
}

/// What several sources say, the weakest first.
#[derive(Debug)]
pub struct Layers {
    keys: &'static Keys,
    layers: Vec<Layer>,
}

impl Layers {
    /// Nothing said yet.
    #[must_use]
    pub fn new(keys: &'static Keys) -> Self {
        Self {
            keys,
            layers: Vec::new(),
        }
    }

    /// Adds what the program does by itself, as TOML.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn built_in(&mut self, text: &str) -> Result<(), ConfigError> {
        let name = Path::new("defaults.toml");
        let layer = read::toml(self.keys, text, name, |_| Origin::BuiltIn)?;
        self.layers.push(layer);
        Ok(())
    }

    /// Adds what a file says; nothing, if there is none and none is required.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and the line.
    pub fn file(&mut self, file: &Path, is_required: bool) -> Result<(), ConfigError> {
        let layer = read::file(self.keys, file, is_required)?;
        self.layers.push(layer);
        Ok(())
    }

    /// Adds what a file would say if this was in it.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and the line.
    pub fn text(&mut self, file: &Path, text: &str) -> Result<(), ConfigError> {
        self.layers.push(read::text(self.keys, file, text)?);
        Ok(())
    }

    /// Adds what the environment says. Empty is unset; what names none of the sections is not meant.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn environment(&mut self, variables: &[(OsString, OsString)]) -> Result<(), ConfigError> {
        let layer = read::environment(self.keys, variables)?;
        self.layers.push(layer);
        Ok(())
    }

    /// Adds what a flag says, if it was given.
    ///
    /// # Errors
    /// [`ConfigError`] names the flag.
    pub fn flag<T: Serialize>(
        &mut self,
        key: &str,
        flag: &'static str,
        value: Option<&T>,
    ) -> Result<(), ConfigError> {
        let Some(value) = value else {
            return Ok(());
        };
        let origin = Origin::Flag(flag);
        let value = Value::serialize(value).map_err(|error| ConfigError::Value {
            key: key.to_owned(),
            origin: origin.clone(),
            message: error.to_string(),
        })?;
        let mut layer = Layer::default();
        layer.values.put(self.keys, key, origin, value)?;
        self.layers.push(layer);
        Ok(())
    }

    /// Who said the value of `key` that holds.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        let layers = self.layers.iter().rev();
        let said = layers.filter_map(|layer| layer.values.origin(key)).next();
        said.unwrap_or(Origin::BuiltIn)
    }

    /// The values that hold, without the rows.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for one that cannot be.
    pub fn values<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.layers
            .iter()
            .fold(Figment::new(), |figment, layer| {
                figment.merge(&layer.values)
            })
            .extract()
            .map_err(|error| ConfigError::from_figment(&error, |key| self.origin(key)))
    }

    /// The rows of a section of all layers, each with where it was written.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for a value that cannot be, or one that is missing.
    pub fn rows<T: DeserializeOwned>(&self, section: &str) -> Result<Vec<(T, Row)>, ConfigError> {
        let rows = self.layers.iter().flat_map(|layer| &layer.rows);
        let rows = rows.filter(|row| row.section == section);
        rows.map(|row| Ok((row.read()?, row.clone()))).collect()
    }
}

/// What one source says.
#[derive(Debug, Default)]
struct Layer {
    values: Values,
    rows: Vec<Row>,
}

/// Values by their keys, and who said them.
#[derive(Debug, Default, Clone)]
struct Values(BTreeMap<&'static str, (Value, Origin)>);

impl Values {
    fn origin(&self, key: &str) -> Option<Origin> {
        self.0.get(key).map(|(_, origin)| origin.clone())
    }

    fn put(
        &mut self,
        keys: &Keys,
        key: &str,
        origin: Origin,
        value: Value,
    ) -> Result<(), ConfigError> {
        let Some(known) = keys.known(key) else {
            return Err(keys.unknown(key, origin));
        };
        self.0.insert(known, (value, origin));
        Ok(())
    }
}

impl Provider for &Values {
    fn metadata(&self) -> Metadata {
        Metadata::named("settings")
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut sections = Dict::new();
        for (key, (value, _)) in &self.0 {
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

/// One `[[section]]`.
#[derive(Debug, Clone)]
pub struct Row {
    section: &'static str,
    origin: Origin,
    values: Values,
}

impl Row {
    /// Who said the value of `key`; where the row begins if nobody did.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        let key = format!("{}.{key}", self.section);
        let said = self.values.origin(&key);
        said.unwrap_or_else(|| self.origin.clone())
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        Figment::from(&self.values)
            .focus(self.section)
            .extract()
            .map_err(|error| {
                let key = error.path.join(".");
                ConfigError::from_figment(&error, |_| self.origin(&key)).below(self.section)
            })
    }
}
