//! What could follow what is being typed, where that is on another machine.
//!
//! A shell asks at every press of a key, and whoever presses it waits. So: only machines that are paired
//! are asked, within [`BUDGET`], nobody is asked anything at a terminal, what was answered is kept for
//! half a minute, and whatever goes wrong is silence. `typed` says what is wanted, `found` gets it from
//! the machine, `cache` keeps it, and `shell` tells it to the shell.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod cache;
mod found;
mod shell;
mod typed;

use std::{
    ffi::OsStr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use blit_control::Peers;
use blit_lanes::MakeLanes;

pub use shell::{Shell, answer, script};

use cache::Cache;
use typed::{Typed, Wanted};

/// How long a machine may take to answer. With what the shell and this program take besides, whoever
/// presses a key waits for less than 300 ms.
pub const BUDGET: Duration = Duration::from_millis(250);

/// Who asks, and what for.
#[derive(Debug, Clone)]
pub struct Completer {
    /// Where this user's key and peers are.
    pub state: PathBuf,
    /// Where answers are kept; without it every question goes to the machine.
    pub cache: Option<PathBuf>,
    /// What makes the connections of sessions; none is ever made.
    pub lanes: Arc<dyn MakeLanes>,
}

impl Completer {
    /// The paired machines whose names begin so, with what follows a name.
    #[must_use]
    pub fn machines(&self, begun: &OsStr) -> Vec<String> {
        let (Some(begun), Ok(peers)) = (begun.to_str(), Peers::load(&self.state)) else {
            return Vec::new();
        };
        let names = peers.iter().map(|peer| peer.name.clone());
        names.filter(|name| name.starts_with(begun)).collect()
    }

    /// The places on other machines that begin with what was typed, as they are typed: modules and
    /// directories end with a slash, machines with a colon.
    #[must_use]
    pub fn places(&self, typed: &OsStr) -> Vec<String> {
        let Some(typed) = typed.to_str().and_then(Typed::read) else {
            return Vec::new();
        };
        let (machine, wanted) = match &typed.wanted {
            Wanted::Machine => {
                let names = self.machines(typed.begun.as_ref()).into_iter();
                return names.map(|name| format!("{name}:")).collect();
            }
            Wanted::In { machine, place } => (machine, place),
        };
        let found = self.found(machine, wanted.as_ref()).unwrap_or_default();
        let found = found.into_iter();
        found
            .filter(|it| it.name.starts_with(typed.begun))
            .map(|it| {
                let end = if it.is_directory { "/" } else { "" };
                format!("{}{}{end}", typed.before, it.name)
            })
            .collect()
    }

    /// What is there, from the cache or from the machine.
    fn found(
        &self,
        machine: &blit_reach::Machine,
        place: Option<&blit_wire::Place>,
    ) -> Option<Vec<Found>> {
        let blit_reach::Machine::Paired { name, port } = machine else {
            return None;
        };
        let peers = Peers::load(&self.state).ok()?;
        let peer = peers.named(name)?;
        let addresses = blit_reach::addresses_of(peer, *port);
        let cache = self.cache.as_ref().map(|folder| {
            let machine = (peer.id.to_string(), addresses.join(" "));
            Cache::of(folder, &machine, place)
        });
        if let Some(kept) = cache.as_ref().and_then(Cache::read) {
            return Some(kept);
        }
        // A connection that is given up counts as a failure over there, and ten of them shut this machine out.
        let silent = self.cache.as_ref().map(|folder| {
            let machine = ("silent".to_owned(), peer.id.to_string());
            Cache::of(folder, &machine, None)
        });
        if silent.as_ref().and_then(Cache::read).is_some() {
            return None;
        }
        let began = Instant::now();
        let Some(found) = found::ask(self, (peer.id, &addresses), place, BUDGET) else {
            if let Some(silent) = silent.filter(|_| began.elapsed() >= BUDGET) {
                drop(silent.write(&[]));
            }
            return None;
        };
        if let Some(cache) = cache {
            // The next question asks once more.
            drop(cache.write(&found));
        }
        Some(found)
    }
}

/// A module, or an entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    name: String,
    /// Whether something can be in it.
    is_directory: bool,
}

impl Found {
    /// `None` for names that cannot be typed, or would steer a terminal that shows them.
    fn new(name: &[u8], is_directory: bool) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let is_plain = !name.is_empty() && !name.chars().any(steers);
        is_plain.then(|| Self {
            name: name.to_owned(),
            is_directory,
        })
    }
}

/// Control characters, and those that turn the direction of text around.
fn steers(character: char) -> bool {
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns
}

#[cfg(test)]
mod tests;
