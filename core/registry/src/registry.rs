//! The lookup, and its rules of selection.

use std::{cmp::Reverse, sync::Arc};

use blit_contract::{Planner, Store, Transport};

use crate::{Builtin, Factory, PluginConfig, PluginKind, StoreConfig, version};

/// Why there is no plugin for what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two plugins claim to be one.
    #[error("{kind} {id} {version} is there twice: in {first} and in {second}")]
    Duplicate {
        /// What it is for.
        kind: PluginKind,
        /// The id that both claim.
        id: &'static str,
        /// The version that both claim.
        version: &'static str,
        /// Where one comes from.
        first: &'static str,
        /// Where the other comes from.
        second: &'static str,
    },
    /// The plugin was found, and could not do it.
    #[error(transparent)]
    Plugin(#[from] blit_contract::Error),
    /// No plugin has this id.
    #[error("there is no {kind} \"{id}\" here; there is: {}", .known.join(", "))]
    UnknownId {
        /// What it would be for.
        kind: PluginKind,
        /// The id that was asked for.
        id: String,
        /// The ids that there are.
        known: Vec<&'static str>,
    },
    /// No plugin serves this scheme.
    #[error("no {kind} serves \"{scheme}://\" here; there is: {}", .known.join(", "))]
    UnknownScheme {
        /// What it would be for.
        kind: PluginKind,
        /// The scheme that was asked for.
        scheme: String,
        /// The schemes that are served.
        known: Vec<&'static str>,
    },
}

/// The plugins that can be used, the best first.
#[derive(Debug)]
pub struct Registry {
    plugins: Vec<Builtin>,
    choices: Vec<(PluginKind, String)>,
}

impl Registry {
    /// The plugins that are linked into this program.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`] if two of them claim to be one.
    pub fn builtin() -> Result<Self, RegistryError> {
        Self::new(inventory::iter::<Builtin>.into_iter().copied())
    }

    /// Exactly these plugins.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`] if two of them claim to be one.
    pub fn new(plugins: impl IntoIterator<Item = Builtin>) -> Result<Self, RegistryError> {
        let mut plugins: Vec<Builtin> = plugins.into_iter().collect();
        plugins.sort_by(|a, b| {
            let rank = |p: &Builtin| (p.factory.kind(), Reverse(p.priority));
            rank(a)
                .cmp(&rank(b))
                .then_with(|| version::compare(b.descriptor.version, a.descriptor.version))
                .then_with(|| a.descriptor.id.cmp(b.descriptor.id))
        });
        refuse_duplicates(&plugins)?;
        Ok(Self {
            plugins,
            choices: Vec::new(),
        })
    }

    /// The same with an explicit choice: wherever this plugin fits, it is used.
    ///
    /// # Errors
    /// [`RegistryError::UnknownId`] if there is no such plugin.
    pub fn with_choice(mut self, kind: PluginKind, id: &str) -> Result<Self, RegistryError> {
        self.by_id(kind, id)?;
        self.choices.push((kind, id.to_owned()));
        Ok(self)
    }

    /// The ids of all plugins of that kind, in alphabetical order.
    #[must_use]
    pub fn ids(&self, kind: PluginKind) -> Vec<&'static str> {
        let mut ids: Vec<_> = self.of(kind).map(|p| p.descriptor.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// All plugins, by kind and the best first.
    pub fn plugins(&self) -> impl Iterator<Item = &Builtin> {
        self.plugins.iter()
    }

    /// Opens the store that serves `scheme`.
    ///
    /// # Errors
    /// `UnknownScheme` if no store serves it, `Plugin` if it cannot be opened.
    pub fn store(
        &self,
        scheme: &str,
        config: &StoreConfig,
    ) -> Result<Arc<dyn Store>, RegistryError> {
        match self.by_scheme(PluginKind::Store, scheme)?.factory {
            Factory::Store(open) => Ok(open(config)?),
            _ => unreachable!("the candidates are stores"),
        }
    }

    /// Makes the transport that serves `scheme`.
    ///
    /// # Errors
    /// `UnknownScheme` if no transport serves it, `Plugin` if it cannot be made.
    pub fn transport(
        &self,
        scheme: &str,
        config: &PluginConfig,
    ) -> Result<Arc<dyn Transport>, RegistryError> {
        match self.by_scheme(PluginKind::Transport, scheme)?.factory {
            Factory::Transport(make) => Ok(make(config)?),
            _ => unreachable!("the candidates are transports"),
        }
    }

    /// Makes the planner `id`, or the best one.
    ///
    /// # Errors
    /// `UnknownId` if there is none, `Plugin` if it cannot be made.
    pub fn planner(
        &self,
        id: Option<&str>,
        config: &PluginConfig,
    ) -> Result<Arc<dyn Planner>, RegistryError> {
        let found = match id {
            Some(id) => self.by_id(PluginKind::Planner, id)?,
            None => self
                .best(PluginKind::Planner, |_| true)
                .ok_or_else(|| self.unknown_id(PluginKind::Planner, "planner-default"))?,
        };
        match found.factory {
            Factory::Planner(make) => Ok(make(config)?),
            _ => unreachable!("the candidates are planners"),
        }
    }

    fn of(&self, kind: PluginKind) -> impl Iterator<Item = &Builtin> {
        self.plugins
            .iter()
            .filter(move |p| p.factory.kind() == kind)
    }

    /// The first that was chosen, otherwise the first; they stand in order of priority and version.
    fn best(&self, kind: PluginKind, fits: impl Fn(&Builtin) -> bool) -> Option<&Builtin> {
        let is_chosen = |p: &&Builtin| {
            let is_it = |(kind, id): &(PluginKind, String)| {
                p.factory.kind() == *kind && p.descriptor.id == id
            };
            self.choices.iter().any(is_it)
        };
        let fitting = || self.of(kind).filter(|p| fits(p));
        fitting().find(is_chosen).or_else(|| fitting().next())
    }

    fn by_id(&self, kind: PluginKind, id: &str) -> Result<&Builtin, RegistryError> {
        self.best(kind, |p| p.descriptor.id == id)
            .ok_or_else(|| self.unknown_id(kind, id))
    }

    fn by_scheme(&self, kind: PluginKind, scheme: &str) -> Result<&Builtin, RegistryError> {
        self.best(kind, |p| p.descriptor.schemes.contains(&scheme))
            .ok_or_else(|| RegistryError::UnknownScheme {
                kind,
                scheme: scheme.to_owned(),
                known: self.schemes(kind),
            })
    }

    fn schemes(&self, kind: PluginKind) -> Vec<&'static str> {
        let all = self.of(kind).flat_map(|p| p.descriptor.schemes);
        let mut schemes: Vec<_> = all.copied().collect();
        schemes.sort_unstable();
        schemes.dedup();
        schemes
    }

    fn unknown_id(&self, kind: PluginKind, id: &str) -> RegistryError {
        RegistryError::UnknownId {
            kind,
            id: id.to_owned(),
            known: self.ids(kind),
        }
    }
}

fn refuse_duplicates(plugins: &[Builtin]) -> Result<(), RegistryError> {
    for (at, second) in plugins.iter().enumerate() {
        let is_twin = |first: &&Builtin| {
            first.factory.kind() == second.factory.kind()
                && first.descriptor.id == second.descriptor.id
                && first.descriptor.version == second.descriptor.version
        };
        if let Some(first) = plugins[..at].iter().find(is_twin) {
            return Err(RegistryError::Duplicate {
                kind: second.factory.kind(),
                id: second.descriptor.id,
                version: second.descriptor.version,
                first: first.origin,
                second: second.origin,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
