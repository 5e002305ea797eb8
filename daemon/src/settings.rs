//! What may stand in `daemon.toml`. The reference page and the schema are made from this file.

use std::time::Duration;

use blit_config::{Keys, Period, Size};
use blit_control::PORT;
use blit_jobs::Keep;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Every key. A test holds it against the shapes below.
pub(crate) static KEYS: Keys = Keys {
    plain: &[
        "access.allow_from",
        "access.mode",
        "audit.keep",
        "audit.max_size",
        "audit.names",
        "daemon.listen",
        "daemon.name",
        "daemon.state_dir",
        "daemon.stop_timeout",
        "delegation.allow",
        "delegation.sources",
        "discovery.mdns",
        "history.keep",
        "history.max_size",
        "jobs.peers",
        "log.level",
    ],
    rows: &[
        "module.access",
        "module.audit",
        "module.comment",
        "module.min_free",
        "module.name",
        "module.networks",
        "module.optional",
        "module.owner",
        "module.path",
        "module.peers",
        "module.security",
    ],
    separator: "__",
};

/// The configuration of blit-daemon.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) daemon: DaemonSettings,
    pub(crate) discovery: DiscoverySettings,
    pub(crate) access: AccessSettings,
    pub(crate) delegation: DelegationSettings,
    pub(crate) audit: AuditSettings,
    pub(crate) history: HistorySettings,
    pub(crate) jobs: JobsSettings,
    pub(crate) log: LogSettings,
    /// The exported trees, one `[[module]]` each; drop-in files and `--module` add to them. (reload)
    pub(crate) module: Vec<ModuleSettings>,
}

/// The daemon itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DaemonSettings {
    /// What peers are told; the host name by itself. (reload)
    pub(crate) name: Option<String>,
    /// Where it listens, once there is a module and somebody who may come: a paired machine or an open
    /// invitation. Until then the same ports on loopback. Port 0 takes any that is free. (restart)
    #[serde(deserialize_with = "words")]
    pub(crate) listen: Vec<String>,
    /// Where the key, the paired machines and the audit log are kept; by itself the user's state
    /// directory. Two daemons cannot share it. (restart)
    pub(crate) state_dir: Option<String>,
    /// How long sessions may go on after SIGTERM; then they are stopped, and continue when they are run
    /// again. (reload)
    #[schemars(with = "String")]
    pub(crate) stop_timeout: Period,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            name: None,
            listen: vec![format!("[::]:{PORT}")],
            state_dir: None,
            stop_timeout: Period {
                duration: Duration::from_secs(60),
            },
        }
    }
}

/// Whether the local network is told that it is there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DiscoverySettings {
    /// Whether `blit scan` on another machine shows it, once there is a module and somebody who may come:
    /// its name, its port, the versions that it speaks and the first characters of its key; never what it
    /// exports. (reload)
    pub(crate) mdns: bool,
}

impl Default for DiscoverySettings {
    fn default() -> Self {
        Self { mdns: true }
    }
}

/// Who may come at all.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AccessSettings {
    /// `paired`: only machines whose key is known. `open`: any machine may use the modules that are for
    /// all peers, with the access that they say. (reload)
    pub(crate) mode: AccessMode,
    /// Which addresses may connect: `lan` (loopback, private and link-local addresses), a network such
    /// as `192.0.2.0/24`, or `any`. Others are hung up on before a byte is read. (reload)
    #[serde(deserialize_with = "words")]
    pub(crate) allow_from: Vec<String>,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            mode: AccessMode::Paired,
            allow_from: vec!["lan".to_owned()],
        }
    }
}

/// Who may use modules that are for all peers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AccessMode {
    Open,
    #[default]
    Paired,
}

/// Data that goes from machine to machine, though a third one asked for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DelegationSettings {
    /// Whether another paired machine may fetch what the one that asks may read, and whether this one fetches
    /// for those that ask. Without it such data passes the machine that asks. (reload)
    pub(crate) allow: bool,
    /// What this machine may fetch from: names of paired machines, at the addresses that are known here, and
    /// networks such as `192.0.2.0/24`, in which a paired machine may be wherever the one that asks has met
    /// it. (reload)
    #[serde(deserialize_with = "words")]
    pub(crate) sources: Vec<String>,
}

/// The record of who did what (`blit audit verify` checks it).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuditSettings {
    /// Closed files of the log that are older are removed; `0` keeps all. (reload)
    #[schemars(with = "String")]
    pub(crate) keep: Period,
    /// A file of the log that has become so large is closed and a new one begun. (reload)
    #[schemars(with = "String")]
    #[serde(serialize_with = "shown", deserialize_with = "parsed")]
    pub(crate) max_size: Size,
    /// Whether paths within modules are written down: `full`, or `none`. (reload)
    pub(crate) names: AuditNames,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            keep: Period {
                duration: Duration::from_secs(365 * 24 * 3_600),
            },
            max_size: Size { bytes: 64 << 20 },
            names: AuditNames::Full,
        }
    }
}

/// Which names are written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AuditNames {
    #[default]
    Full,
    None,
}

/// Runs that the daemon does itself (`--detach`).
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JobsSettings {
    /// The paired machines, by their names, that may see the jobs of this one with all their paths, follow them
    /// and stop them (`blit jobs list HOST`); nobody hands one over from elsewhere. (reload)
    #[serde(deserialize_with = "words")]
    pub(crate) peers: Vec<String>,
}

/// What is remembered of jobs that are over (`blit jobs list` shows them).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HistorySettings {
    /// For how long; `0` is for ever. (reload)
    #[schemars(with = "String")]
    pub(crate) keep: Period,
    /// How much room they may take; the oldest are forgotten first. (reload)
    #[schemars(with = "String")]
    #[serde(serialize_with = "shown", deserialize_with = "parsed")]
    pub(crate) max_size: Size,
}

impl Default for HistorySettings {
    fn default() -> Self {
        let Keep { age, bytes, .. } = Keep::default();
        Self {
            keep: Period { duration: age },
            max_size: Size { bytes },
        }
    }
}

/// What it tells on standard error.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    /// How much is told. `BLIT_LOG` overrides it with a filter for single parts of the program. (reload)
    pub(crate) level: LogLevel,
}

/// How much is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogLevel {
    Error,
    #[default]
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// An exported tree.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModuleSettings {
    /// What peers call it: a letter first, then letters, digits, `-`, `_` and `.`.
    pub(crate) name: String,
    /// The directory, absolute.
    pub(crate) path: String,
    /// What peers may do: `read-only`, `add-only` (nothing that is there is changed or deleted), or
    /// `read-write`.
    #[serde(default)]
    pub(crate) access: ModuleAccess,
    /// `required`: what would change the module is refused while the audit log cannot be written.
    /// `when-possible`: it is done all the same.
    #[serde(default)]
    pub(crate) audit: ModuleAudit,
    /// What its owner says of it.
    #[serde(default)]
    pub(crate) comment: String,
    /// How much of the file system stays free, in percent or as a size: what would take more is refused.
    #[serde(default)]
    #[schemars(with = "String")]
    pub(crate) min_free: Reserve,
    /// With `trusted-network`: the networks that are trusted.
    #[serde(default, deserialize_with = "words")]
    pub(crate) networks: Vec<String>,
    /// The directory is on a disk that is not always there. While another file system is in its place,
    /// or none, the module is offline.
    #[serde(default)]
    pub(crate) optional: bool,
    /// `daemon`: what is written belongs to the daemon's user. `preserve`: to the user and group of the
    /// same number as at the peer.
    #[serde(default)]
    pub(crate) owner: ModuleOwner,
    /// Names of paired machines; `*` is all of them.
    #[serde(default = "all_peers", deserialize_with = "words")]
    pub(crate) peers: Vec<String>,
    /// `required`: data crosses the network encrypted. `trusted-network`: it may cross in clear if both
    /// addresses are in `networks` and the other machine agrees.
    #[serde(default)]
    pub(crate) security: ModuleSecurity,
}

fn all_peers() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What peers may do in a module.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModuleAccess {
    AddOnly,
    #[default]
    ReadOnly,
    ReadWrite,
}

/// Whether changes need the audit log.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModuleAudit {
    #[default]
    Required,
    WhenPossible,
}

/// Whom what is written belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModuleOwner {
    #[default]
    Daemon,
    Preserve,
}

/// How data crosses the network.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModuleSecurity {
    #[default]
    Required,
    TrustedNetwork,
}

/// How much of a file system stays free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Reserve {
    /// So many bytes.
    Bytes(u64),
    /// So many percent of all of it.
    Percent(u8),
}

impl Default for Reserve {
    fn default() -> Self {
        Self::Percent(1)
    }
}

impl Reserve {
    /// In bytes of a file system of this size.
    pub(crate) fn of(self, total_bytes: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => total_bytes / 100 * u64::from(percent),
        }
    }
}

impl TryFrom<String> for Reserve {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a percentage nor a size, such as 5% or 20G");
        match text.strip_suffix('%') {
            Some(digits) => {
                let percent = digits.parse().ok().filter(|percent| *percent <= 100);
                percent.map(Self::Percent).ok_or_else(wrong)
            }
            None => match text.parse::<Size>() {
                Ok(size) => Ok(Self::Bytes(size.bytes)),
                Err(_) => Err(wrong()),
            },
        }
    }
}

impl From<Reserve> for String {
    fn from(reserve: Reserve) -> Self {
        match reserve {
            Reserve::Bytes(bytes) => bytes.to_string(),
            Reserve::Percent(percent) => format!("{percent}%"),
        }
    }
}

/// A list, or in one text with commas, as a variable has it.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::List(list) => list,
        Written::Text(text) => {
            let words = text.split(',').map(str::trim);
            words
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect()
        }
    })
}

fn shown<S: serde::Serializer>(size: &Size, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(size)
}

fn parsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_of_keys_is_the_schema() {
        let schema = crate::reference::schema_value();
        let sections = schema["properties"].as_object().unwrap();
        let mut found = BTreeSet::new();
        for (section, shape) in sections {
            let shape = shape.get("items").unwrap_or(shape);
            for key in shape["properties"].as_object().unwrap().keys() {
                found.insert(format!("{section}.{key}"));
            }
        }
        let table = KEYS.plain.iter().chain(KEYS.rows);
        let table: BTreeSet<_> = table.map(|key| (*key).to_owned()).collect();
        assert_eq!(found, table);
    }

    #[test]
    fn what_stays_free_is_a_percentage_or_a_size() {
        let reserve = |text: &str| Reserve::try_from(text.to_owned());
        assert_eq!(reserve("5%").unwrap().of(1_000), 50);
        assert_eq!(reserve("2K").unwrap().of(1_000), 2_048);
        for text in ["", "101%", "-1%", "much"] {
            assert!(reserve(text).is_err(), "{text}");
        }
    }
}
