//! What the daemon is to export, to whom, and where: command line over environment over files.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use blit_config::{ConfigError, Layers, Origin, Paths, Row, Size};
use blit_jobs::Keep;
use blit_wire::Access;

use crate::{
    access::Networks,
    args::Args,
    delegation::Delegation,
    failure::Failure,
    settings::{
        AccessMode, AuditNames, KEYS, LogLevel, ModuleAccess, ModuleAudit, ModuleOwner,
        ModuleSecurity, ModuleSettings, Reserve, Settings,
    },
};

const SYSTEM_FILE: &str = "/etc/blit/daemon.toml";
const SYSTEM_FOLDER: &str = "/etc/blit/daemon.d";

/// What holds.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) listen: Vec<String>,
    pub(crate) state: PathBuf,
    pub(crate) stop_timeout: Duration,
    /// Whether the local network is told that it is there.
    pub(crate) is_announced: bool,
    /// Whether machines that are not paired may use what is for all.
    pub(crate) is_open: bool,
    pub(crate) allow_from: Networks,
    pub(crate) delegation: Delegation,
    /// How long closed files of the audit log are kept; zero: for ever.
    pub(crate) audit_keep: Duration,
    pub(crate) audit_size: Size,
    pub(crate) audit_names: AuditNames,
    pub(crate) history: Keep,
    /// The names of the machines that may look after jobs.
    pub(crate) job_peers: Vec<String>,
    pub(crate) log: LogLevel,
    pub(crate) modules: Vec<ModuleConfig>,
}

/// One exported tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleConfig {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    pub(crate) comment: String,
    /// Names of paired machines; `*` is all of them.
    pub(crate) peers: Vec<String>,
    /// Whether owners and modes of a peer's files are kept as they are.
    pub(crate) keeps_owner: bool,
    pub(crate) min_free: Reserve,
    pub(crate) is_optional: bool,
    /// Whether changes are refused while nobody can write down that they are made.
    pub(crate) needs_audit: bool,
    /// Where data may cross in clear, if the other side agrees; nowhere by itself.
    pub(crate) trusted: Networks,
}

/// What was said, wherever; it can be read again.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    args: Args,
    environment: Vec<(OsString, OsString)>,
    /// The file, and the folder of files that add to it.
    file: PathBuf,
    folder: Option<PathBuf>,
}

impl Sources {
    /// The one file, which need not be there.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The file, and those that add to it.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut files = vec![self.file.clone()];
        files.extend(drop_ins(self.folder.as_deref())?);
        Ok(files)
    }

    /// The same with the files below `root`, and nothing else that was said.
    pub(crate) fn below(root: &Path) -> Self {
        let within = |path: &str| root.join(path.trim_start_matches('/'));
        Self {
            args: Args::default(),
            environment: Vec::new(),
            file: within(SYSTEM_FILE),
            folder: Some(within(SYSTEM_FOLDER)),
        }
    }

    /// What this process was started with.
    pub(crate) fn of_this_process(args: Args) -> Self {
        Self {
            file: args.config.clone().unwrap_or_else(|| SYSTEM_FILE.into()),
            // A file that was named stands alone.
            folder: args.config.is_none().then(|| SYSTEM_FOLDER.into()),
            environment: std::env::vars_os().collect(),
            args,
        }
    }

    /// Reads what holds.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        self.load_with(&BTreeMap::new())
    }

    /// Reads what would hold if these files had this content.
    pub(crate) fn load_with(&self, instead: &BTreeMap<PathBuf, String>) -> Result<Config, Failure> {
        let mut layers = Layers::new(&KEYS);
        for file in self.files()? {
            match instead.get(&file) {
                Some(text) => layers.text(&file, text)?,
                None => layers.file(&file, file != self.file || self.args.config.is_some())?,
            }
        }
        layers.environment(&self.environment)?;
        let listen = (!self.args.listen.is_empty()).then_some(&self.args.listen);
        layers.flag("daemon.listen", "--listen", listen)?;
        layers.flag("daemon.name", "--name", self.args.name.as_ref())?;
        let mdns = self.args.no_mdns.then_some(&false);
        layers.flag("discovery.mdns", "--no-mdns", mdns)?;
        let state = self.args.state_dir.as_ref();
        let settings: Settings = layers.values()?;
        let state = match (state, &settings.daemon.state_dir) {
            (Some(state), _) => state.clone(),
            (None, Some(state)) => state.into(),
            (None, None) => usual_state()?,
        };
        let name = settings.daemon.name.clone().unwrap_or_else(host_name);
        if name.is_empty() || name.len() > 63 {
            return Err(wrong(
                "daemon.name",
                layers.origin("daemon.name"),
                "a name has 1 to 63 bytes".to_owned(),
            ));
        }
        let allow_from = Networks::read(&settings.access.allow_from)
            .map_err(|why| wrong("access.allow_from", layers.origin("access.allow_from"), why))?;
        let delegation = Delegation::read(&settings.delegation).map_err(|why| {
            let key = "delegation.sources";
            wrong(key, layers.origin(key), why)
        })?;
        Ok(Config {
            name,
            listen: settings.daemon.listen,
            state,
            stop_timeout: settings.daemon.stop_timeout.duration,
            is_announced: settings.discovery.mdns,
            is_open: settings.access.mode == AccessMode::Open,
            allow_from,
            delegation,
            audit_keep: settings.audit.keep.duration,
            audit_size: settings.audit.max_size,
            audit_names: settings.audit.names,
            history: Keep {
                age: settings.history.keep.duration,
                bytes: settings.history.max_size.bytes,
                ..Keep::default()
            },
            job_peers: settings.jobs.peers,
            log: settings.log.level,
            modules: modules(layers.rows("module")?, &self.args.modules)?,
        })
    }
}

/// The files of the folder that add to the first one, in the order of their names.
fn drop_ins(folder: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    let Some(folder) = folder.filter(|folder| folder.exists()) else {
        return Ok(Vec::new());
    };
    let failed = |source| ConfigError::File {
        file: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|it| it == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn modules(
    written: Vec<(ModuleSettings, Row)>,
    typed: &[String],
) -> Result<Vec<ModuleConfig>, Failure> {
    let mut all: Vec<(ModuleSettings, Option<Row>)> = Vec::new();
    all.extend(written.into_iter().map(|(it, row)| (it, Some(row))));
    for typed in typed {
        all.push((from_typed(typed)?, None));
    }
    let mut modules = Vec::new();
    let mut names = BTreeSet::new();
    for (settings, row) in all {
        let refuse = |key: &str, why: String| {
            let origin = row.as_ref().map(|row| row.origin(key));
            let origin = origin.unwrap_or(Origin::Flag("--module"));
            wrong(&format!("module.{key}"), origin, why)
        };
        check_name(&settings.name).map_err(|why| refuse("name", why))?;
        if !names.insert(settings.name.clone()) {
            let why = format!("two modules are called {}", settings.name);
            return Err(refuse("name", why));
        }
        modules.push(from_settings(settings).map_err(|(key, why)| refuse(key, why))?);
    }
    Ok(modules)
}

/// Or the key that is wrong, and why.
fn from_settings(settings: ModuleSettings) -> Result<ModuleConfig, (&'static str, String)> {
    let path = PathBuf::from(&settings.path);
    if !path.is_absolute() {
        let why = format!("{} is not an absolute path", path.display());
        return Err(("path", why));
    }
    let trusts = settings.security == ModuleSecurity::TrustedNetwork;
    if trusts == settings.networks.is_empty() {
        let why = "security = \"trusted-network\" and networks = [\"192.0.2.0/24\"] go together";
        return Err(("security", why.to_owned()));
    }
    let trusted = Networks::read(&settings.networks).map_err(|why| ("networks", why))?;
    Ok(ModuleConfig {
        name: settings.name,
        path,
        access: match settings.access {
            ModuleAccess::AddOnly => Access::AddOnly,
            ModuleAccess::ReadOnly => Access::ReadOnly,
            ModuleAccess::ReadWrite => Access::ReadWrite,
        },
        comment: settings.comment,
        peers: settings.peers,
        keeps_owner: settings.owner == ModuleOwner::Preserve,
        min_free: settings.min_free,
        is_optional: settings.optional,
        needs_audit: settings.audit == ModuleAudit::Required,
        trusted,
    })
}

/// `NAME=PATH[:rw|:add]`.
pub(crate) fn from_typed(typed: &str) -> Result<ModuleSettings, Failure> {
    let usage = || {
        let text = format!("--module {typed}: write NAME=PATH, NAME=PATH:rw or NAME=PATH:add");
        Failure::config("usage.flag", text)
    };
    let (name, rest) = typed.split_once('=').ok_or_else(usage)?;
    let (path, access) = match rest.rsplit_once(':') {
        Some((path, "rw")) => (path, "read-write"),
        Some((path, "add")) => (path, "add-only"),
        Some((path, "ro")) => (path, "read-only"),
        _ => (rest, "read-only"),
    };
    let path = std::path::absolute(path).map_err(|_| usage())?;
    let written = serde_json::json!({ "name": name, "path": path, "access": access });
    serde_json::from_value(written).map_err(|_| usage())
}

fn check_name(name: &str) -> Result<(), String> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if begins && name.len() <= 63 && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!(
        "a module cannot be called {name:?}: a letter first, then letters, digits, - _ . and at most 63 of them"
    ))
}

fn wrong(key: &str, origin: Origin, message: String) -> Failure {
    let key = key.to_owned();
    Failure::from(ConfigError::Value {
        key,
        origin,
        message,
    })
}

pub(crate) fn host_name() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}

fn usual_state() -> Result<PathBuf, Failure> {
    let paths = Paths::of_this_user();
    let none = || Failure::config("config.value", "no home directory: say --state-dir");
    Ok(paths.ok_or_else(none)?.daemon_state())
}

#[cfg(test)]
mod tests;
