//! `blit state` and `blit identity`: what this machine knows, and who it is.

use std::{
    io::{self, BufRead},
    path::{Path, PathBuf},
};

use blit_control::{Identity, Snapshot, SnapshotError, read_private};
use clap::{Args, Subcommand, ValueHint};
use zeroize::Zeroizing;

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
    /// Write who is known into one file; the key of this machine is in it only with --with-identity
    Export {
        /// Which file; one that is there is replaced
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        key: KeyArgs,
        /// Write it for an older blit, which reads this form
        #[arg(long, value_name = "N")]
        form: Option<u32>,
    },
    /// Know whom such a file names, and nobody else
    Import {
        /// Which file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        key: KeyArgs,
        /// Only show what would change
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

/// Whether the key goes along.
#[derive(Debug, Clone, Default, Args)]
struct KeyArgs {
    /// With the key by which other machines know this one, sealed with a passphrase
    #[arg(long, requires = "passphrase_file")]
    with_identity: bool,
    /// Where the passphrase is: the first line of a file that only you can read, or of standard input (`-`)
    #[arg(long, value_name = "FILE|-", requires = "with_identity", value_hint = ValueHint::FilePath)]
    passphrase_file: Option<PathBuf>,
}

impl KeyArgs {
    /// The passphrase, if the key is to go along.
    fn passphrase(&self) -> Result<Option<Zeroizing<String>>, Trouble> {
        let Some(file) = &self.passphrase_file else {
            return Ok(None);
        };
        let failed = |error: io::Error| {
            Trouble::new(TroubleKind::State, format!("{}: {error}", file.display()))
        };
        let mut text = Zeroizing::new(String::new());
        match file.as_os_str() == "-" {
            true => {
                io::stdin().lock().read_line(&mut text).map_err(failed)?;
            }
            false => {
                let bytes = Zeroizing::new(read_private(file).map_err(failed)?);
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
        let line = text.lines().next().unwrap_or_default();
        Ok(Some(Zeroizing::new(line.to_owned())))
    }
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
        StateVerb::Export { file, key, form } => {
            let machine = Identity::load_or_create(state).map_err(|error| broken(&error))?;
            let snapshot = Snapshot::take(state, &machine.id().to_string());
            let snapshot = match key.passphrase()? {
                Some(passphrase) => snapshot.and_then(|it| it.with_key(state, &passphrase)),
                None => snapshot,
            };
            let written = snapshot.and_then(|snapshot| snapshot.write(file, *form));
            written.map_err(|error| broken(&error))?;
            Ok(vec![format!("{}", file.display())])
        }
        StateVerb::Import { file, key, dry_run } => {
            let snapshot = Snapshot::read(file).map_err(|error| unread(file, &error))?;
            import(places, args.daemon, &snapshot, (file, key, *dry_run)).await
        }
    }
}

/// Takes over what an export says; answers what is otherwise now, or would be.
async fn import(
    places: &Places,
    of_daemon: bool,
    snapshot: &Snapshot,
    (file, key, dry_run): (&Path, &KeyArgs, bool),
) -> Lines {
    let state = folder(places, of_daemon);
    let mut differences = snapshot
        .differences(state)
        .map_err(|error| broken(&error))?;
    let opened = match key.passphrase()? {
        Some(passphrase) => {
            let opened = snapshot.open_key(&passphrase);
            Some(opened.map_err(|error| unread(file, &error))?)
        }
        None => None,
    };
    let own = Identity::load(state).map_err(|error| broken(&error))?;
    let new = opened.filter(|opened| own.as_ref().map(Identity::id) != Some(opened.id()));
    if let Some(new) = &new {
        let old = own.map_or("none".to_owned(), |own| own.id().to_string());
        differences.push(format!("~ identity\t{old} → {}", new.id()));
        refuse_while_it_runs(places, of_daemon).await?;
    }
    if dry_run || differences.is_empty() {
        return Ok(differences);
    }
    snapshot.restore(state).map_err(|error| broken(&error))?;
    if let Some(new) = new {
        new.restore(state).map_err(|error| broken(&error))?;
    }
    if of_daemon && let Ok(mut daemon) = reach(places).await {
        daemon.reload().await.map_err(crate::daemon::refused)?;
    }
    Ok(differences)
}

/// A daemon that runs is known by the key that it started with.
async fn refuse_while_it_runs(places: &Places, of_daemon: bool) -> Result<(), Trouble> {
    if of_daemon && reach(places).await.is_ok() {
        let text = "the daemon runs, and is known by the key that it started with";
        return Err(Trouble::new(TroubleKind::State, text).next("stop it first"));
    }
    Ok(())
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
    refuse_while_it_runs(places, args.daemon).await?;
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

    fn export(file: &Path, key: KeyArgs) -> StateArgs {
        let verb = StateVerb::Export {
            file: file.into(),
            key,
            form: None,
        };
        StateArgs {
            verb,
            daemon: false,
        }
    }

    fn import(file: &Path, key: KeyArgs, dry_run: bool) -> StateArgs {
        let file = file.into();
        StateArgs {
            verb: StateVerb::Import { file, key, dry_run },
            daemon: false,
        }
    }

    fn with_key(passphrase_file: &Path) -> KeyArgs {
        KeyArgs {
            with_identity: true,
            passphrase_file: Some(passphrase_file.to_owned()),
        }
    }

    #[tokio::test]
    async fn the_key_goes_along_for_whoever_asks_for_it_and_knows_the_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let one = places(&folder.path().join("one"));
        let two = places(&folder.path().join("two"));
        let id = Identity::load_or_create(&one.state).unwrap().id();
        let file = folder.path().join("export");
        let passphrase = |name: &str, text: &str, mode| {
            use std::os::unix::fs::PermissionsExt;
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            with_key(&path)
        };
        let right = passphrase("right", "correct horse battery\n", 0o600);
        let open = passphrase("open", "correct horse battery\n", 0o644);
        let refused = state(&one, &export(&file, open)).await.unwrap_err();
        assert!(
            refused.message.contains("nobody else can read"),
            "{refused}"
        );
        state(&one, &export(&file, right.clone())).await.unwrap();
        // Nobody asks for it: the export is taken over, and the key is not.
        let plain = import(&file, KeyArgs::default(), false);
        assert!(state(&two, &plain).await.unwrap().is_empty());
        assert!(Identity::load(&two.state).unwrap().is_none());
        let wrong = passphrase("wrong", "incorrect horse battery", 0o600);
        let refused = state(&two, &import(&file, wrong, false)).await.unwrap_err();
        assert!(refused.message.contains("another passphrase"), "{refused}");
        let expected = [format!("~ identity\tnone → {id}")];
        let dry = import(&file, right.clone(), true);
        assert_eq!(state(&two, &dry).await.unwrap(), expected);
        assert!(Identity::load(&two.state).unwrap().is_none());
        let taken = import(&file, right, false);
        assert_eq!(state(&two, &taken).await.unwrap(), expected);
        assert_eq!(Identity::load(&two.state).unwrap().unwrap().id(), id);
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
        let without = KeyArgs::default;
        state(&one, &export(&file, without())).await.unwrap();
        let expected = [format!("+ nas\t{id}")];
        let (dry, real) = (
            import(&file, without(), true),
            import(&file, without(), false),
        );
        assert_eq!(state(&two, &dry).await.unwrap(), expected);
        assert_eq!(state(&two, &real).await.unwrap(), expected);
        assert!(state(&two, &dry).await.unwrap().is_empty());
        std::fs::write(&file, "something else").unwrap();
        let refused = state(&two, &real).await.unwrap_err();
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
