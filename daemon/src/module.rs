//! `blit-daemon module`: changes the configuration file as its owner would, and leaves the rest of it alone.

mod edit;

use std::path::Path;

use blit_config::Exit;
use clap::{Args, Subcommand};

use crate::{
    atomic::{self, Change},
    check::unopened,
    config::{ModuleConfig, Sources, from_typed},
    failure::Failure,
    listen::access_words,
    say,
};

/// What `blit-daemon module` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModuleArgs {
    #[command(subcommand)]
    verb: ModuleVerb,
}

#[derive(Debug, Clone, Subcommand)]
enum ModuleVerb {
    /// Export a directory, read-only unless `:rw` or `:add` follows
    Add(NewModule),
    /// Show what is exported
    List,
    /// Export it no more; what is in the directory stays
    Remove {
        /// What peers call it
        #[arg(value_name = "NAME")]
        module: String,
    },
}

/// A module to be.
#[derive(Debug, Clone, Args)]
pub(crate) struct NewModule {
    /// What peers call it, and the directory
    #[arg(value_name = "NAME=PATH[:rw|:add]")]
    place: String,
    /// What you say of it
    #[arg(long)]
    comment: Option<String>,
    /// Only for this machine; can be given several times [default: all that are paired]
    #[arg(long = "peer", value_name = "NAME")]
    peers: Vec<String>,
    /// It is on a disk that is not always there
    #[arg(long)]
    optional: bool,
}

impl NewModule {
    /// One that says nothing more.
    pub(crate) fn at(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            comment: None,
            peers: Vec::new(),
            optional: false,
        }
    }
}

/// Does it. Answers whether a daemon that runs should read its configuration anew.
pub(crate) fn run(sources: &Sources, args: &ModuleArgs) -> Result<bool, Failure> {
    match &args.verb {
        ModuleVerb::Add(module) => add(sources, module).map(|()| true),
        ModuleVerb::List => list(sources).map(|()| false),
        ModuleVerb::Remove { module } => remove(sources, module).map(|()| true),
    }
}

fn add(sources: &Sources, module: &NewModule) -> Result<(), Failure> {
    let file = sources.file();
    let text = read(file)?;
    let settings = from_typed(&module.place)?;
    let added = edit::with(&text, &settings, module).map_err(|why| by_hand(file, why))?;
    replace(sources, file, added)?;
    let path = &settings.path;
    say(&format!(
        "{} → {path} is in {}",
        settings.name,
        file.display()
    ));
    Ok(())
}

/// What the file would be with these modules.
pub(crate) fn text_with(text: &str, modules: &[String]) -> Result<String, Failure> {
    modules.iter().try_fold(text.to_owned(), |text, module| {
        let settings = from_typed(module)?;
        edit::with(&text, &settings, &NewModule::at(module))
            .map_err(|why| Failure::config("config.value", why))
    })
}

fn remove(sources: &Sources, name: &str) -> Result<(), Failure> {
    for file in sources.files()? {
        let text = read(&file)?;
        let without = edit::without(&text, name).map_err(|why| by_hand(&file, why))?;
        if let Some(without) = without {
            replace(sources, &file, without)?;
            say(&format!("{name} is no more in {}", file.display()));
            return Ok(());
        }
    }
    let text = format!("no module is called {name:?} in the configuration files");
    Err(Failure::new("config.module", Exit::NotFound, text).next("see: blit-daemon module list"))
}

fn list(sources: &Sources) -> Result<(), Failure> {
    for module in sources.load()?.modules {
        let (path, access) = (module.path.display(), access_words(module.access));
        let peers = module.peers.join(",");
        say(&format!(
            "{}\t{path}\t{access}\t{peers}\t{}",
            module.name, module.comment
        ));
    }
    Ok(())
}

/// Nothing, if there is no such file yet.
fn read(file: &Path) -> Result<String, Failure> {
    match std::fs::read_to_string(file) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(|cause| {
            let text = format!("cannot read {}", file.display());
            Failure::config("config.file", text).because(&cause)
        }),
    }
}

/// Only what can be served takes the place of what is there.
fn replace(sources: &Sources, file: &Path, text: String) -> Result<(), Failure> {
    let before = sources.load().map_err(|failure| {
        failure.next("repair that first; blit-daemon check-config shows all of it")
    })?;
    let instead = [(file.to_owned(), text.clone())].into();
    let config = sources.load_with(&instead).map_err(unchanged)?;
    let is_new = |module: &&ModuleConfig| !before.modules.contains(module);
    let new: Vec<ModuleConfig> = config.modules.iter().filter(is_new).cloned().collect();
    if let Some(failure) = unopened(&new, &config.state)?.pop() {
        return Err(unchanged(failure));
    }
    let change = Change::File {
        path: file.to_owned(),
        content: text.into_bytes(),
        mode: 0o644,
    };
    atomic::apply(&[change]).map(drop).map_err(|cause| {
        let text = format!("cannot write {}; nothing was changed", file.display());
        Failure::new("config.write", Exit::Failed, text)
            .because(&cause)
            .next("run it as the owner of the file, with sudo perhaps")
    })
}

fn unchanged(failure: Failure) -> Failure {
    failure.next("nothing was changed; say it otherwise, or make the directory first")
}

fn by_hand(file: &Path, why: String) -> Failure {
    let text = format!("{}: {why}; nothing was changed", file.display());
    Failure::config("config.value", text)
}
