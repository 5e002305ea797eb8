//! `blit state` and `blit identity`: what this machine knows, and who it is.

use std::path::{Path, PathBuf};

use blit_control::{Identity, Snapshot, SnapshotError};
use clap::{Args, Subcommand, ValueHint};

use crate::{Lines, Places, Trouble, TroubleKind, daemon::reach};

/// What `blit state` takes.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    #[command(subcommand)]
    verb: StateVerb,
    /// What this machine's daemon knows, not what you know
    #[arg(long, global = true)]
    daemon: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum StateVerb {
    /// Write who is known into one file; the key of this machine is not in it
    Export {
        /// Which file; one that is there is replaced
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Know whom such a file names, and nobody else
    Import {
        /// Which file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Only show what would change
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

/// What `blit identity` takes.
#[derive(Debug, Clone, Args)]
pub struct IdentityArgs {
    #[command(subcommand)]
    verb: IdentityVerb,
    /// The key of this machine's daemon, not yours
    #[arg(long, global = true)]
    daemon: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum IdentityVerb {
    /// Show the key by which other machines know this one
    Show,
    /// Make a new key; every machine that knows this one has to be paired again
    Rotate,
}

fn folder(places: &Places, of_daemon: bool) -> &Path {
    match of_daemon {
        true => &places.daemon_state,
        false => &places.state,
    }
}

/// Does what was typed.
///
/// # Errors
/// [`Trouble`]
pub async fn state(places: &Places, args: &StateArgs) -> Lines {
    let state = folder(places, args.daemon);
    match &args.verb {
        StateVerb::Export { file } => {
            let machine = Identity::load_or_create(state).map_err(|error| broken(&error))?;
            let snapshot = Snapshot::take(state, &machine.id().to_string());
            let written = snapshot.and_then(|snapshot| snapshot.write(file));
            written.map_err(|error| broken(&error))?;
            Ok(vec![format!("{}", file.display())])
        }
        StateVerb::Import { file, dry_run } => {
            let snapshot = Snapshot::read(file).map_err(|error| unread(file, &error))?;
            let differences = snapshot
                .differences(state)
                .map_err(|error| broken(&error))?;
            if *dry_run || differences.is_empty() {
                return Ok(differences);
            }
            snapshot.restore(state).map_err(|error| broken(&error))?;
            if args.daemon
                && let Ok(mut daemon) = reach(places).await
            {
                daemon.reload().await.map_err(crate::daemon::refused)?;
            }
            Ok(differences)
        }
    }
}

/// Does what was typed.
///
/// # Errors
/// [`Trouble`]
pub async fn identity(places: &Places, args: &IdentityArgs) -> Lines {
    let state = folder(places, args.daemon);
    let IdentityVerb::Rotate = args.verb else {
        let identity = Identity::load_or_create(state).map_err(|error| broken(&error))?;
        return Ok(vec![identity.id().to_string()]);
    };
    if args.daemon && reach(places).await.is_ok() {
        let text = "the daemon runs, and is known by the key that it started with";
        return Err(Trouble::new(TroubleKind::State, text).next("stop it first"));
    }
    let (old, new) = Identity::rotate(state).map_err(|error| broken(&error))?;
    Ok(vec![
        format!("{new}"),
        format!("It was {old}: that key is kept beside the new one, and not used."),
        "Machines that know this one refuse it until they are paired with it again.".to_owned(),
    ])
}

fn broken(error: &dyn std::error::Error) -> Trouble {
    Trouble::new(TroubleKind::State, error.to_string())
}

fn unread(file: &Path, error: &SnapshotError) -> Trouble {
    let text = match error {
        SnapshotError::File { .. } => error.to_string(),
        _ => format!("{}: {error}", file.display()),
    };
    Trouble::new(TroubleKind::State, text).next("nothing was changed; take another export")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path) -> Places {
        Places {
            state: folder.join("user"),
            daemon_state: folder.join("daemon"),
        }
    }

    fn export(file: &Path) -> StateArgs {
        StateArgs {
            verb: StateVerb::Export { file: file.into() },
            daemon: false,
        }
    }

    fn import(file: &Path, dry_run: bool) -> StateArgs {
        let file = file.into();
        StateArgs {
            verb: StateVerb::Import { file, dry_run },
            daemon: false,
        }
    }

    #[tokio::test]
    async fn what_is_exported_is_imported_elsewhere_and_a_dry_run_only_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let one = places(&folder.path().join("one"));
        let two = places(&folder.path().join("two"));
        let id = Identity::load_or_create(&two.state).unwrap().id();
        let mut peers = blit_control::Peers::load(&one.state).unwrap();
        let peer = blit_control::KnownPeer {
            name: "nas".to_owned(),
            id,
            addresses: Vec::new(),
            how: "fingerprint".to_owned(),
            added: String::new(),
        };
        peers.add(peer).unwrap();
        let file = folder.path().join("export");
        state(&one, &export(&file)).await.unwrap();
        let expected = [format!("+ nas\t{id}")];
        assert_eq!(state(&two, &import(&file, true)).await.unwrap(), expected);
        assert_eq!(state(&two, &import(&file, false)).await.unwrap(), expected);
        assert!(state(&two, &import(&file, true)).await.unwrap().is_empty());
        std::fs::write(&file, "something else").unwrap();
        let refused = state(&two, &import(&file, false)).await.unwrap_err();
        assert!(refused.message.contains("export"), "{refused}");
    }

    #[tokio::test]
    async fn a_machine_shows_its_key_and_makes_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        let args = |verb| IdentityArgs { verb, daemon: true };
        let old = identity(&places, &args(IdentityVerb::Show)).await.unwrap();
        let new = identity(&places, &args(IdentityVerb::Rotate))
            .await
            .unwrap();
        assert!(new[1].contains(&old[0]), "{new:?}");
        let now = identity(&places, &args(IdentityVerb::Show)).await.unwrap();
        assert_eq!(now[0], new[0]);
    }
}
