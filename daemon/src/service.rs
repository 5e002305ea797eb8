//! `blit-daemon service`: the daemon as a service of this machine, under systemd.
//!
//! What is written are files: all of a step, or none. systemd is told of them only where it runs and the
//! files are this machine's own; `--root` prepares those of another one.

mod files;
mod systemd;

use std::path::{Path, PathBuf};

use blit_config::Exit;
use clap::{Args, Subcommand, ValueEnum};

use crate::{
    atomic::{self, Change},
    failure::Failure,
    module, say,
    service::systemd::Systemd,
};

/// What `blit-daemon service` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServiceArgs {
    #[command(subcommand)]
    verb: ServiceVerb,
    /// The machine whose files are below this directory
    #[arg(long, value_name = "DIR", global = true, default_value = "/")]
    root: PathBuf,
}

#[derive(Debug, Clone, Subcommand)]
enum ServiceVerb {
    /// Write its files and start it, now and with the machine; `--module` says what it exports
    Install,
    /// Stop it and remove its files; configuration, keys and what was exported stay
    Uninstall,
    /// Show which files are there, and how it goes
    Status,
    /// Let it reach a directory that its protection hides
    Allow {
        /// The directory, absolute
        path: PathBuf,
    },
    /// Change its protection
    Profile {
        /// Which one
        profile: Profile,
        /// As it was without it
        #[arg(long)]
        off: bool,
    },
}

/// Another protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// It may give files to any user, for modules with `owner = "preserve"`
    Backup,
    /// It sees /home, /root and /run/user
    Home,
    /// It can write only what was allowed
    Strict,
}

/// Does it.
pub(crate) fn run(args: &ServiceArgs, modules: &[String]) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        let text = "services are written for systemd only";
        return Err(Failure::new("service.unsupported", Exit::Failed, text)
            .next("ci/packaging/launchd has a file for macOS"));
    }
    let systemd = Systemd::of(&args.root);
    match &args.verb {
        ServiceVerb::Install => install(&args.root, &systemd, modules),
        ServiceVerb::Uninstall => uninstall(&args.root, &systemd),
        ServiceVerb::Status => status(&args.root, &systemd),
        ServiceVerb::Allow { path } => allow(&args.root, &systemd, path),
        ServiceVerb::Profile { profile, off } => change(&args.root, &systemd, *profile, *off),
    }
}

fn install(root: &Path, systemd: &Systemd, modules: &[String]) -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    let mut changes = files::of_service(root, &program)?;
    changes.push(config(root, modules)?);
    write(root, &changes)?;
    systemd.run("systemd-sysusers", &[])?;
    systemd.control(&["daemon-reload"])?;
    systemd.control(&["restart", files::SOCKET, files::SERVICE])?;
    Ok(())
}

/// The configuration with these modules.
fn config(root: &Path, modules: &[String]) -> Result<Change, Failure> {
    let sources = crate::config::Sources::below(root);
    let file = sources.file();
    let before = std::fs::read_to_string(file).unwrap_or_else(|_| files::CONFIG.to_owned());
    let text = module::text_with(&before, modules)?;
    // A service that cannot start is not installed.
    sources.load_with(&[(file.to_owned(), text.clone())].into())?;
    Ok(Change::File {
        path: file.to_owned(),
        content: text.into_bytes(),
        mode: 0o644,
    })
}

fn uninstall(root: &Path, systemd: &Systemd) -> Result<(), Failure> {
    let ours = files::ours(root)?;
    if !ours.is_empty() {
        systemd.control(&["stop", files::SERVICE, files::SOCKET])?;
    }
    let gone = ours.into_iter().map(|path| Change::Gone { path });
    write(root, &gone.collect::<Vec<_>>())?;
    systemd.control(&["daemon-reload"])?;
    say("configuration (/etc/blit) and state (/var/lib/blit) stay where they are");
    Ok(())
}

fn status(root: &Path, systemd: &Systemd) -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    for change in files::of_service(root, &program)? {
        let state = match (change.is_done(), change.path().exists()) {
            (true, _) => "as installed",
            (false, true) => "another version",
            (false, false) => "missing",
        };
        say(&format!("{}\t{state}", change.path().display()));
    }
    for path in files::drop_ins(root)? {
        say(&format!("{}\tadded", path.display()));
    }
    let Some(active) = systemd.asked(&["is-active", files::SERVICE]) else {
        return Ok(());
    };
    say(&format!("{}\t{active}", files::SERVICE));
    match active.as_str() {
        "active" | "reloading" | "activating" => Ok(()),
        _ => Err(
            Failure::new("service.stopped", Exit::Failed, "the service does not run")
                .next(format!("see why: journalctl -u {}", files::SERVICE)),
        ),
    }
}

fn allow(root: &Path, systemd: &Systemd, path: &Path) -> Result<(), Failure> {
    let change = files::allowing(root, path)?;
    write(root, &[change])?;
    reloaded(systemd)
}

fn change(root: &Path, systemd: &Systemd, name: Profile, off: bool) -> Result<(), Failure> {
    write(root, &[files::profile(root, name, off)])?;
    reloaded(systemd)
}

fn reloaded(systemd: &Systemd) -> Result<(), Failure> {
    systemd.control(&["daemon-reload"])?;
    say(&format!(
        "it holds after: systemctl restart {}",
        files::SERVICE
    ));
    Ok(())
}

/// Makes the changes, and says which those were.
fn write(root: &Path, changes: &[Change]) -> Result<(), Failure> {
    files::refuse_foreign(root, changes)?;
    let changed = atomic::apply(changes).map_err(|cause| {
        Failure::new("service.write", Exit::Failed, "nothing was changed")
            .because(&cause)
            .next("run it as root: sudo blit-daemon service …")
    })?;
    for path in &changed {
        let what = if path.exists() { "wrote" } else { "removed" };
        say(&format!("{what} {}", path.display()));
    }
    if changed.is_empty() {
        say("all files are as they should be");
    }
    Ok(())
}
