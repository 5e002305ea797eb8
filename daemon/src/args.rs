//! What was typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Export trees to paired machines
#[derive(Debug, Clone, Parser)]
#[command(name = "blit-daemon", version, args_conflicts_with_subcommands = false)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Serve the one client at standard input and output, with all that this user may reach; what ssh
    /// starts for ssh://HOST/PATH
    #[arg(long, conflicts_with_all = ["modules", "listen", "name", "config"])]
    pub(crate) stdio: bool,

    /// Export this directory, read-only unless `:rw` or `:add` follows
    #[arg(long = "module", value_name = "NAME=PATH[:rw|:add]", global = true)]
    pub(crate) modules: Vec<String>,

    /// Listen here; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", global = true)]
    pub(crate) listen: Vec<String>,

    /// What this machine calls itself
    #[arg(long, global = true)]
    pub(crate) name: Option<String>,

    /// Where the key and the paired machines are kept
    #[arg(long, value_name = "DIR", global = true, env = "BLIT_DAEMON_STATE")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Read this file instead of /etc/blit/daemon.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM (the default)
    Run,
    /// Read the configuration, open the modules, and say what is wrong
    CheckConfig,
    /// Have the running daemon read its configuration and its peers anew
    Reload,
}
