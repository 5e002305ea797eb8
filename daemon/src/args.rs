//! What was typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{module::ModuleArgs, service::ServiceArgs};

/// Export trees to paired machines
#[derive(Debug, Clone, Default, Parser)]
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

    /// Do not tell the local network that it is there
    #[arg(long, global = true)]
    pub(crate) no_mdns: bool,

    /// Where the key and the paired machines are kept
    #[arg(long, value_name = "DIR", global = true, env = "BLIT_DAEMON_STATE")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Read this file instead of /etc/blit/daemon.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM (the default)
    Run,
    /// Read the configuration, open the modules, and say everything that is wrong
    CheckConfig {
        /// Check this file instead of /etc/blit/daemon.toml
        file: Option<PathBuf>,
    },
    /// Say whether the running daemon can serve: exit 0, or 1 and why not
    Healthcheck,
    /// Add, list and remove exported directories in the configuration file
    Module(ModuleArgs),
    /// Have the running daemon read its configuration and its peers anew
    Reload,
    /// Run the daemon as a service of this machine
    Service(ServiceArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Clap takes two of one id for one, and panics only when the other is asked for.
    #[test]
    fn no_subcommand_has_an_argument_with_the_id_of_a_global_one() {
        fn check(command: &clap::Command, taken: &[&str]) {
            for argument in command.get_arguments() {
                let (id, of) = (argument.get_id().as_str(), command.get_name());
                assert!(!taken.contains(&id), "{id} of {of}");
            }
            command.get_subcommands().for_each(|it| check(it, taken));
        }
        let command = Args::command();
        let taken: Vec<&str> = command
            .get_arguments()
            .map(|it| it.get_id().as_str())
            .collect();
        command.get_subcommands().for_each(|it| check(it, &taken));
        command.clone().debug_assert();
    }
}
