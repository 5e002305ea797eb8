//! What was typed as SRC, DST or PATH, and which store holds it.

use std::{
    cmp::Reverse,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
};

use blit_config::{Endpoint, EndpointParser};
use blit_contract::{Cx, Entry, Name, Peer, RelPath, Store};
use blit_engine::RemoteStore;
use blit_reach::RemotePlace;
use blit_registry::Registry;
use blit_wire::Rules;

use crate::{
    app::App,
    errors::{Slug, UserError},
    peers,
    ui::shown,
};

pub(crate) use blit_jobs::open;

/// A place, on this machine or another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// As it was typed.
    pub(crate) typed: OsString,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Whether as a source it means its contents, and as a destination a directory.
    pub(crate) is_contents: bool,
    /// Where it is on another machine; then `path` is only for people.
    pub(crate) remote: Option<RemotePlace>,
}

impl Place {
    /// Reads what was typed.
    ///
    /// # Errors
    /// Other tools' grammar, and places that blit cannot reach yet.
    pub(crate) fn parse(registry: &Registry, typed: &OsStr) -> Result<Self, UserError> {
        let schemes = registry
            .plugins()
            .flat_map(|plugin| plugin.descriptor.schemes)
            .copied();
        let endpoint = EndpointParser::new(schemes).parse(typed).map_err(|error| {
            UserError::new(Slug::SyntaxEndpoint, error.to_string())
                .cause(error.cause())
                .next(error.next())
                .unchanged()
        })?;
        let is_contents = endpoint.means_contents();
        match endpoint {
            Endpoint::Local(path) => Ok(Self {
                typed: typed.to_owned(),
                path: expand_home(path),
                is_contents,
                remote: None,
            }),
            other => {
                let shown = other.to_string();
                let remote = RemotePlace::of(other).ok_or_else(|| unavailable(&shown))?;
                Ok(Self {
                    typed: typed.to_owned(),
                    path: PathBuf::from(remote.shown()),
                    is_contents,
                    remote: Some(remote),
                })
            }
        }
    }

    /// The directory that holds it and its name there; `None` for a root, which has no name.
    pub(crate) fn split(&self) -> Option<(PathBuf, Name)> {
        let name = Name::new(self.path.file_name()?.as_encoded_bytes()).ok()?;
        let parent = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Some((parent, name))
    }

    /// As people see it.
    pub(crate) fn shown(&self) -> String {
        shown(&self.typed)
    }

    /// There is nothing; says what there is instead.
    pub(crate) fn not_found(&self, what: &str) -> UserError {
        let error = UserError::new(
            Slug::PathNotFound,
            format!("{what} not found: {}", self.shown()),
        );
        match siblings(&self.path) {
            Some(cause) => error.cause(cause).unchanged(),
            None => error.unchanged(),
        }
    }
}

fn unavailable(shown: &str) -> UserError {
    UserError::new(
        Slug::NetUnavailable,
        format!("{shown} cannot be reached by this version"),
    )
    .unchanged()
    .next("for a local name with a colon write ./NAME")
}

/// What is at a place of another machine.
pub(crate) struct Found {
    /// The directory, or the one that holds it.
    pub(crate) store: Arc<dyn Store>,
    /// The entry, if it is no directory.
    pub(crate) single: Option<Entry>,
}

/// Opens a place of another machine as a store that lists what those rules choose.
pub(crate) async fn open_remote(
    app: &App,
    cx: &Cx,
    place: &Place,
    rules: &Rules,
) -> Result<Found, UserError> {
    let Some(remote) = &place.remote else {
        return Err(place.not_found("path"));
    };
    let client: Arc<dyn Peer> = peers::connect(app, &remote.machine, &Arc::default()).await?;
    let open = |at: &RemotePlace| {
        let store = RemoteStore::new(Arc::clone(&client), at.wire());
        Arc::new(store.with_rules(rules.clone()))
    };
    let store = open(remote);
    let found = store.stat(cx, &RelPath::ROOT).await;
    let found = found.map_err(|error| peers::from_refusal(&place.shown(), &error).unchanged())?;
    match (found, remote.split()) {
        (Some(entry), Some((directory, _))) if !entry.is_directory() => Ok(Found {
            store: open(&directory),
            single: Some(entry),
        }),
        (Some(_), _) => Ok(Found {
            store,
            single: None,
        }),
        (None, _) => Err(UserError::new(
            Slug::PathNotFound,
            format!("path not found: {}", place.shown()),
        )
        .unchanged()),
    }
}

/// `~` and `~/x` where the shell did not do it (`--flag=~/x`, quotes).
fn expand_home(path: PathBuf) -> PathBuf {
    let Ok(rest) = path.strip_prefix("~") else {
        return path;
    };
    match std::env::home_dir() {
        Some(home) if rest.as_os_str().is_empty() => home,
        Some(home) => home.join(rest),
        None => path,
    }
}

/// What is in the nearest directory above that does exist: what was meant is often among it.
fn siblings(path: &Path) -> Option<String> {
    let above = path.ancestors().skip(1).find(|above| is_directory(above))?;
    let above = if above.as_os_str().is_empty() {
        Path::new(".")
    } else {
        above
    };
    let mut names: Vec<OsString> = std::fs::read_dir(above)
        .ok()?
        .take(SIBLINGS_READ_MAX)
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    let typed = path.strip_prefix(above).unwrap_or(path).as_os_str();
    names.sort_by_cached_key(|name| (Reverse(shared_prefix(name, typed)), name.clone()));
    let shown_names: Vec<String> = names
        .iter()
        .take(SIBLINGS_SHOWN)
        .map(|name| shown(name))
        .collect();
    let above = shown(above.as_os_str());
    Some(match (names.is_empty(), names.len() > SIBLINGS_SHOWN) {
        (true, _) => format!("{above} exists and is empty"),
        (_, false) => format!("{above} exists and contains: {}", shown_names.join(", ")),
        (_, true) => format!("{above} exists and contains: {}, …", shown_names.join(", ")),
    })
}

/// How many bytes both begin with: what was meant often begins as it was typed.
fn shared_prefix(a: &OsStr, b: &OsStr) -> usize {
    let pairs = a.as_encoded_bytes().iter().zip(b.as_encoded_bytes());
    pairs.take_while(|(a, b)| a == b).count()
}

fn is_directory(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.is_dir()
}

const SIBLINGS_READ_MAX: usize = 1_000;
const SIBLINGS_SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(typed: &str) -> Result<Place, UserError> {
        Place::parse(&Registry::new([]).unwrap(), OsStr::new(typed))
    }

    #[test]
    fn a_path_is_split_into_its_directory_and_its_name() {
        let split = |typed: &str| {
            let (parent, name) = place(typed).unwrap().split()?;
            Some((parent.display().to_string(), name.to_string()))
        };
        let some = |parent: &str, name: &str| Some((parent.to_owned(), name.to_owned()));
        assert_eq!(split("photos"), some(".", "photos"));
        assert_eq!(split("./a/b"), some("./a", "b"));
        assert_eq!(split("/srv"), some("/", "srv"));
        assert_eq!(split("/"), None);
        assert_eq!(split(".."), None);
    }

    #[test]
    fn a_missing_path_is_answered_with_its_siblings() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["papers", "photos"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let typed = directory.path().join("phots/deep");
        let error = place(typed.to_str().unwrap()).unwrap().not_found("source");
        let above = directory.path().display();
        assert_eq!(
            error.cause,
            [format!("{above} exists and contains: photos, papers")]
        );
        assert_eq!(error.exit().code(), 5);
    }

    #[test]
    fn what_cannot_be_reached_yet_is_said() {
        let error = place("s3://bucket/x").unwrap_err();
        assert_eq!(error.exit().code(), 2);
        let error = place("nas:").unwrap_err();
        assert_eq!((error.slug, error.exit().code()), (Slug::NetUnavailable, 8));
        let error = place("gs://bucket/x").unwrap_err();
        assert_eq!((error.slug, error.exit().code()), (Slug::SyntaxEndpoint, 2));
        let error = place("h::m").unwrap_err();
        assert_eq!(error.slug, Slug::SyntaxEndpoint);
    }
}
