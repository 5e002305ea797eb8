//! Machines and places as they are typed.

use std::fmt;

use blit_config::{Endpoint, LoginPath};
use blit_contract::{Name, RelPath};
use blit_wire::Place;

/// Another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Machine {
    /// One that this one is paired with.
    Paired {
        /// Its name.
        name: String,
        /// The port, if one was typed.
        port: Option<u16>,
    },
    /// One that ssh reaches.
    Ssh(SshHost),
}

/// A machine as ssh knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshHost {
    /// Who logs in there, if that was typed.
    pub user: Option<String>,
    /// Its name, address, or name in the configuration of ssh.
    pub host: String,
    /// The port, if one was typed.
    pub port: Option<u16>,
}

impl Machine {
    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Paired { name, .. } => name,
            Self::Ssh(host) => &host.host,
        }
    }
}

impl fmt::Display for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A place on another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemotePlace {
    /// The machine.
    pub machine: Machine,
    /// Where in what it is below.
    pub path: RelPath,
    root: Root,
}

/// What a place is below.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Root {
    Module(String),
    /// The home directory of a login, or the root of its machine.
    Login {
        from_home: bool,
    },
}

impl RemotePlace {
    /// A place in a module of a paired machine.
    #[must_use]
    pub fn in_module(machine: Machine, module: String, path: RelPath) -> Self {
        let root = Root::Module(module);
        Self {
            machine,
            path,
            root,
        }
    }

    /// The place that was typed, and whether it means its contents; `None` if it is not on another machine.
    #[must_use]
    pub fn of(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::Remote {
                host: name,
                port,
                module,
                path,
                ..
            } => Some(Self::in_module(
                Machine::Paired { name, port },
                module,
                path,
            )),
            Endpoint::Ssh {
                user,
                host,
                port,
                place: LoginPath { from_home, path },
                ..
            } => Some(Self {
                machine: Machine::Ssh(SshHost { user, host, port }),
                path,
                root: Root::Login { from_home },
            }),
            _ => None,
        }
    }

    /// The module, where there is one.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        match &self.root {
            Root::Module(module) => Some(module),
            Root::Login { .. } => None,
        }
    }

    /// As the daemon calls it. Over ssh it is the root of what is asked for: what the user typed may be a
    /// link or lead through one, and what is below it may not.
    #[must_use]
    pub fn wire(&self) -> Place {
        match &self.root {
            Root::Module(module) => Place {
                module: module.clone(),
                path: self.path.clone(),
            },
            Root::Login { from_home } => {
                let (from_home, path) = (*from_home, self.path.clone());
                Place {
                    module: LoginPath { from_home, path }.to_string(),
                    path: RelPath::ROOT,
                }
            }
        }
    }

    /// The same as an entry of its directory: a link is the link.
    #[must_use]
    pub fn wire_entry(&self) -> Place {
        match self.split() {
            Some((directory, name)) => {
                let mut place = directory.wire();
                place.path = place.path.join(name);
                place
            }
            None => self.wire(),
        }
    }

    /// Whether it is `other`, or lies below it, by its name.
    #[must_use]
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        let is_there = self.machine == other.machine && self.root == other.root;
        is_there && self.path.starts_with(&other.path)
    }

    /// The directory that holds it and its name there; `None` for what has no name.
    #[must_use]
    pub fn split(&self) -> Option<(Self, Name)> {
        let (parent, name) = (self.path.parent()?, self.path.name()?);
        let directory = Self {
            path: parent.clone(),
            ..self.clone()
        };
        Some((directory, name.clone()))
    }

    /// As it is typed.
    #[must_use]
    pub fn shown(&self) -> String {
        let names = self.path.components().into_iter();
        let names: String = names.map(|name| format!("/{name}")).collect();
        match (&self.machine, &self.root) {
            (Machine::Paired { name, port }, Root::Module(module)) => {
                let port = port.map_or(String::new(), |port| format!("{port}:"));
                format!("{name}:{port}/{module}{names}")
            }
            (machine, Root::Module(module)) => format!("{}:/{module}{names}", machine.name()),
            (machine, Root::Login { from_home }) => {
                let start = match machine {
                    Machine::Ssh(host) => host.to_string(),
                    Machine::Paired { name, .. } => name.clone(),
                };
                let home = if *from_home { "/~" } else { "" };
                let end = if names.is_empty() && !from_home {
                    "/"
                } else {
                    ""
                };
                format!("{start}{home}{names}{end}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use blit_config::EndpointParser;

    use super::*;

    fn place(typed: &str) -> RemotePlace {
        let endpoint = EndpointParser::new([""; 0]).parse(OsStr::new(typed));
        RemotePlace::of(endpoint.unwrap()).unwrap()
    }

    fn wire(place: &Place) -> String {
        let names = place.path.components().into_iter();
        let names: Vec<String> = names.map(ToString::to_string).collect();
        format!("{} {}", place.module, names.join("/"))
    }

    #[test]
    fn a_place_is_shown_as_it_was_typed_and_asked_for_as_the_daemon_calls_it() {
        for (typed, shown, asked, entry) in [
            ("nas:9031:m/a/b/", "nas:9031:/m/a/b", "m a/b", "m a/b"),
            ("ssh://nas/", "ssh://nas/", "/ ", "/ "),
            (
                "ssh://me@nas:22/a b/c",
                "ssh://me@nas:22/a b/c",
                "/a%20b/c ",
                "/a%20b c",
            ),
            ("ssh://nas/~", "ssh://nas/~", "/~/ ", "/~/ "),
            ("ssh://nas/~/x", "ssh://nas/~/x", "/~/x ", "/~/ x"),
            ("ssh://nas/%7E", "ssh://nas/~", "/%7E ", "/ ~"),
            ("ssh://[::1]/x", "ssh://[::1]/x", "/x ", "/ x"),
        ] {
            let place = place(typed);
            assert_eq!(place.shown(), shown);
            assert_eq!(wire(&place.wire()), asked, "{typed}");
            assert_eq!(wire(&place.wire_entry()), entry, "{typed}");
        }
    }
}
