//! What has been typed of a place so far.

use blit_contract::{Name, RelPath};
use blit_reach::Machine;
use blit_wire::Place;

/// What has been typed so far, taken apart at its last border.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Typed<'a> {
    /// What is known, and stands before every answer.
    pub(crate) before: String,
    /// What answers begin with.
    pub(crate) begun: &'a str,
    pub(crate) wanted: Wanted,
}

/// What could come next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The name of a machine.
    Machine,
    /// What is in a directory of a machine; without a place: its modules.
    In {
        machine: Machine,
        place: Option<Place>,
    },
}

impl<'a> Typed<'a> {
    /// Takes apart what was typed; `None` if it is no place on another machine, and cannot become one.
    pub(crate) fn read(typed: &'a str) -> Option<Self> {
        if typed.starts_with(['.', '/', '~', '\\', '-', '[']) || typed.contains("://") {
            return None;
        }
        let Some((host, rest)) = typed.split_once(':') else {
            return (!typed.contains('/')).then(|| Self {
                before: String::new(),
                begun: typed,
                wanted: Wanted::Machine,
            });
        };
        // One letter and a colon is a drive, wherever it is typed.
        if host.len() < 2 || host.contains('/') {
            return None;
        }
        let (port, rest) = port(rest)?;
        let machine = Machine::Paired {
            name: host.to_owned(),
            port,
        };
        let head = &typed[..typed.len() - rest.len()];
        let (slash, rest) = match rest.strip_prefix('/') {
            Some(rest) => ("/", rest),
            // Before a module that is being typed there need not be one.
            None if rest.is_empty() => ("/", rest),
            None => ("", rest),
        };
        let Some((module, path)) = rest.split_once('/') else {
            return Some(Self {
                before: format!("{head}{slash}"),
                begun: rest,
                wanted: Wanted::In {
                    machine,
                    place: None,
                },
            });
        };
        let (directory, begun) = path.rsplit_once('/').unwrap_or(("", path));
        let place = Place {
            module: module.to_owned(),
            path: path_of(directory)?,
        };
        Some(Self {
            before: typed[..typed.len() - begun.len()].to_owned(),
            begun,
            wanted: Wanted::In {
                machine,
                place: Some(place),
            },
        })
    }
}

/// A port before what follows it, if one stands there; `None` for digits that a port could become.
fn port(rest: &str) -> Option<(Option<u16>, &str)> {
    match rest.split_once(':') {
        // Behind a slash it belongs to a name.
        Some((port, rest)) if !port.contains('/') => Some((Some(port.parse().ok()?), rest)),
        Some(_) => Some((None, rest)),
        None if rest.starts_with(|it: char| it.is_ascii_digit()) => None,
        None => Some((None, rest)),
    }
}

/// `None` if it leads out of itself.
fn path_of(directory: &str) -> Option<RelPath> {
    let names = directory.split('/').filter(|name| !name.is_empty());
    names
        .filter(|name| *name != ".")
        .try_fold(RelPath::ROOT, |path, name| {
            Some(path.join(Name::new(name.as_bytes()).ok()?))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands before, what is begun, and which directory is wanted.
    fn read(typed: &str) -> Option<(String, String, String)> {
        let typed = Typed::read(typed)?;
        let wanted = match typed.wanted {
            Wanted::Machine => "machines".to_owned(),
            Wanted::In { machine, place } => {
                let Machine::Paired { name, port } = machine else {
                    return None;
                };
                let place = place.map_or("modules".to_owned(), |place| {
                    let path = String::from_utf8(place.path.to_bytes()).unwrap();
                    format!("{} {path}", place.module)
                });
                let port = port.map_or(String::new(), |port| port.to_string());
                format!("{name} {port} {place}")
            }
        };
        Some((typed.before, typed.begun.to_owned(), wanted))
    }

    #[test]
    fn what_is_typed_is_taken_apart_at_its_last_border() {
        for (typed, before, begun, wanted) in [
            ("", "", "", "machines"),
            ("na", "", "na", "machines"),
            ("nas:", "nas:/", "", "nas  modules"),
            ("nas:/", "nas:/", "", "nas  modules"),
            ("nas:/ph", "nas:/", "ph", "nas  modules"),
            ("nas:ph", "nas:", "ph", "nas  modules"),
            ("nas:9031:", "nas:9031:/", "", "nas 9031 modules"),
            ("nas:9031:/ph", "nas:9031:/", "ph", "nas 9031 modules"),
            ("nas:/photos/", "nas:/photos/", "", "nas  photos "),
            ("nas:photos/20", "nas:photos/", "20", "nas  photos "),
            (
                "nas:/photos/2026/a:b/c",
                "nas:/photos/2026/a:b/",
                "c",
                "nas  photos 2026/a:b",
            ),
            ("nas:/m/a//./b", "nas:/m/a//./", "b", "nas  m a"),
        ] {
            let expected = (before.to_owned(), begun.to_owned(), wanted.to_owned());
            assert_eq!(read(typed), Some(expected), "{typed}");
        }
    }

    #[test]
    fn what_is_on_this_machine_or_reached_in_another_way_is_left_alone() {
        for typed in [
            "./nas:",
            "/srv/a:b",
            "~/x:",
            "-",
            "--exclude",
            "c:/x",
            "a/b",
            "a/b:c",
            "[::1]:/m",
            "ssh://nas/x",
            "s3://bucket/",
            "nas:90",
            "nas:x:/m",
            "nas:/m/../n/",
            "nas:/m/a/../b",
        ] {
            assert_eq!(read(typed), None, "{typed}");
        }
    }
}
