//! What every command has at hand.

use std::sync::Arc;

use blit_config::{ConfigError, Flags, Loaded, Settings, Sources};
use blit_contract::Planner;
use blit_registry::{PluginConfig, Registry};

use crate::{
    args::{Cli, DurabilityWord, PreserveWord, ProgressWhen, Reading, Verb, When, Writing},
    errors::{Result, Slug, UserError},
    history::Memory,
    stop::StopWatch,
    ui::Ui,
};

/// What every command has at hand.
pub(crate) struct App {
    pub(crate) ui: Arc<Ui>,
    pub(crate) loaded: Loaded,
    pub(crate) registry: Registry,
    pub(crate) memory: Memory,
    pub(crate) stop: StopWatch,
}

impl App {
    /// Settings and plugins for a command that has been typed.
    pub(crate) fn new(ui: Arc<Ui>, loaded: Loaded) -> Result<Self> {
        let registry = Registry::builtin()
            .map_err(|error| UserError::new(Slug::PluginFailed, error.to_string()).unchanged())?;
        let memory = Memory::new(loaded.settings.history.enabled);
        Ok(Self {
            stop: StopWatch::new(Arc::clone(&ui)),
            ui,
            loaded,
            registry,
            memory,
        })
    }

    /// The settings that hold.
    pub(crate) fn settings(&self) -> &Settings {
        &self.loaded.settings
    }

    /// The planner of a run, whose measurements are remembered.
    pub(crate) fn planner(&self) -> Result<Arc<dyn Planner>> {
        let planner = self.registry.planner(None, &PluginConfig::new());
        let planner = planner
            .map_err(|error| UserError::new(Slug::PluginFailed, error.to_string()).unchanged())?;
        Ok(self.memory.listen_to(planner))
    }
}

/// Reads the settings that hold for what was typed.
pub(crate) fn load_settings(cli: &Cli) -> Result<Loaded, UserError> {
    let flags = flags_of(cli);
    let sources = Sources::of_this_user(cli.global.config.as_deref(), flags);
    sources.load().map_err(from_config)
}

/// A broken configuration in the user's terms.
pub(crate) fn from_config(error: ConfigError) -> UserError {
    let slug = match &error {
        ConfigError::File { .. } => Slug::ConfigRead,
        ConfigError::Syntax { .. } => Slug::ConfigSyntax,
        ConfigError::UnknownKey { .. } => Slug::ConfigKey,
        _ => Slug::ConfigValue,
    };
    let user_error = UserError::new(slug, error.to_string())
        .next(error.next())
        .unchanged();
    match std::error::Error::source(&error) {
        Some(source) => user_error.cause(source.to_string()),
        None => user_error,
    }
}

fn flags_of(cli: &Cli) -> Flags {
    let mut flags = match &cli.verb {
        Some(Verb::Copy(args)) => transfer_flags(&args.reading, Some(&args.writing)),
        Some(Verb::Mirror(args)) => Flags {
            max_delete: args.max_delete,
            ..transfer_flags(&args.reading, Some(&args.writing))
        },
        Some(Verb::Move(args)) => transfer_flags(&args.reading, Some(&args.writing)),
        Some(Verb::Check(args)) => transfer_flags(&args.reading, None),
        _ => Flags::default(),
    };
    flags.color = cli.global.color.map(|when| match when {
        When::Always => blit_config::ColorWhen::Always,
        When::Auto => blit_config::ColorWhen::Auto,
        When::Never => blit_config::ColorWhen::Never,
    });
    flags.progress = cli.global.progress.map(|when| match when {
        ProgressWhen::Always => blit_config::ProgressWhen::Always,
        ProgressWhen::Auto => blit_config::ProgressWhen::Auto,
        ProgressWhen::Never => blit_config::ProgressWhen::Never,
        ProgressWhen::Plain => blit_config::ProgressWhen::Plain,
    });
    flags
}

fn transfer_flags(reading: &Reading, writing: Option<&Writing>) -> Flags {
    use blit_config::PreserveChoice;
    use blit_contract::Durability;
    Flags {
        durability: writing
            .and_then(|writing| writing.durability)
            .map(|word| match word {
                DurabilityWord::Batch => Durability::Batch,
                DurabilityWord::File => Durability::File,
                DurabilityWord::None => Durability::None,
            }),
        one_file_system: reading.one_file_system.then_some(true),
        preserve: reading.preserve.map(|word| match word {
            PreserveWord::All => PreserveChoice::All,
            PreserveWord::Auto => PreserveChoice::Auto,
            PreserveWord::None => PreserveChoice::None,
            PreserveWord::Times => PreserveChoice::Times,
        }),
        retry_for: reading.retry_for,
        ..Flags::default()
    }
}
