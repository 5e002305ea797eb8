//! The machines that this one is paired with, and how to reach them.

use std::{ffi::OsStr, path::PathBuf, sync::Arc};

use blit_bundled::Lanes;
use blit_config::{Endpoint, EndpointParser};
use blit_contract::{Cx, ErrorKind};
use blit_control::{Client, ConnectError, Identity, InvitationError, KnownPeer, Peers};
use blit_lanes::MakeLanes;
use blit_reach::{Machine, Reach, ReachError, SshError, SshProblem};
use blit_wire::{Access, Module, Status};

use crate::{
    app::App,
    ask,
    errors::{Slug, UserError},
    ui::shown,
};

/// Where only a paired machine can be meant: `nas`, `nas:`, `nas:9031`.
pub(crate) fn machine(typed: &str) -> Machine {
    let typed = typed.trim_end_matches(':');
    let split = typed.rsplit_once(':');
    let split = split.and_then(|(name, port)| Some((name, port.parse().ok()?)));
    let (name, port) = match split {
        Some((name, port)) => (name, Some(port)),
        None => (typed, None),
    };
    Machine::Paired {
        name: name.to_owned(),
        port,
    }
}

/// Where a path may be meant, too: `nas:`.
pub(crate) fn machine_of_endpoint(typed: &OsStr) -> Option<Machine> {
    match EndpointParser::new([""; 0]).parse(typed) {
        Ok(Endpoint::Host { host: name, port }) => Some(Machine::Paired { name, port }),
        _ => None,
    }
}

/// Where this user's key and peers are.
pub(crate) fn state() -> Result<PathBuf, UserError> {
    blit_reach::state().ok_or_else(|| unreadable(ReachError::NoHome))
}

/// Where a daemon of this user keeps its own.
pub(crate) fn daemon_state() -> Result<PathBuf, UserError> {
    blit_reach::daemon_state().ok_or_else(|| unreadable(ReachError::NoHome))
}

/// The key of this user; made at the first network use.
pub(crate) fn identity() -> Result<Identity, UserError> {
    blit_reach::identity().map_err(unreadable)
}

/// The paired machines.
pub(crate) fn load() -> Result<Peers, UserError> {
    blit_reach::peers().map_err(unreadable)
}

pub(crate) fn unreadable(error: impl std::error::Error) -> UserError {
    UserError::new(Slug::ConfigRead, error.to_string()).unchanged()
}

/// The paired machine that is called `name` here.
pub(crate) fn known(name: &str) -> Result<KnownPeer, UserError> {
    blit_reach::known(name).map_err(|error| from_reach(name, error))
}

/// Connects to a machine.
///
/// # Errors
/// It is not paired, holds another key, does not answer, or does not let this user in.
pub(crate) async fn connect(
    app: &App,
    machine: &Machine,
    lanes: &Arc<Lanes>,
) -> Result<Arc<Client>, UserError> {
    let reach = Reach {
        ssh: app.settings().ssh.clone(),
        may_ask: ask::can_read(),
    };
    let lanes: Arc<dyn MakeLanes> = Arc::<Lanes>::clone(lanes);
    tokio::select! {
        connected = reach.connect(machine, lanes) => {
            connected.map_err(|error| from_reach(machine.name(), error))
        }
        () = ask::cancelled(&app.stop.cancel) => Err(app.stop.error()),
    }
}

/// Why a machine cannot be spoken to, in the user's terms.
fn from_reach(host: &str, error: ReachError) -> UserError {
    match error {
        ReachError::Connect(error) => from_connect(host, error),
        ReachError::Ssh(error) => from_ssh(host, &error),
        ReachError::Unpaired(names) => unpaired(host, &names),
        other => unreadable(other),
    }
}

fn unpaired(host: &str, names: &[String]) -> UserError {
    let cause = match names.is_empty() {
        true => "this machine is not paired with any other yet".to_owned(),
        false => format!("it is paired with: {}", names.join(", ")),
    };
    UserError::new(
        Slug::AuthUnpaired,
        format!("no paired machine is called {host:?}"),
    )
    .cause(cause)
    .unchanged()
    .next(format!(
        "get an invitation on {host} with: blit pair   then here: blit pair {host} INVITATION"
    ))
}

/// Why the way over ssh does not work, in the user's terms.
fn from_ssh(host: &str, error: &SshError) -> UserError {
    use SshProblem as P;
    let (slug, message, next) = match &error.problem {
        P::NoDaemon(program) => (
            Slug::SshDaemon,
            format!("{host} has no {program}"),
            format!(
                "install blit on {host}, or say where it is: BLIT_SSH_DAEMON=/path/to/blit-daemon"
            ),
        ),
        P::NoSsh(program) => (
            Slug::SshMissing,
            format!("{program} cannot be started"),
            "install OpenSSH's client, or say where it is: BLIT_SSH_PROGRAM=/path/to/ssh"
                .to_owned(),
        ),
        P::OtherVersion(_) => (
            Slug::SshVersion,
            format!("blit on {host} does not fit this one"),
            "install the same version on both machines".to_owned(),
        ),
        P::Refused => (
            Slug::SshRefused,
            format!("{host} does not let this user in over ssh"),
            format!("try it without blit: ssh {host}"),
        ),
        P::Unreachable => (
            Slug::NetUnreachable,
            format!("{host} cannot be reached over ssh"),
            format!("try it without blit: ssh {host}"),
        ),
        _ => (
            Slug::SshDaemon,
            format!("blit-daemon on {host} does not answer over ssh"),
            format!("try it without blit: ssh {host} blit-daemon --version"),
        ),
    };
    let user_error = UserError::new(slug, message).next(next).unchanged();
    match (&error.problem, &error.said) {
        (P::OtherVersion(_), _) => user_error.cause(error.to_string()),
        (_, Some(said)) => user_error.cause(said.as_str()),
        (_, None) => user_error,
    }
}

/// Why the machine cannot be spoken to, in the user's terms.
pub(crate) fn from_connect(host: &str, error: ConnectError) -> UserError {
    match error {
        ConnectError::OtherKey { expected, found } => UserError::new(
            Slug::AuthKeyChanged,
            format!("{host} shows a different key than the one that you paired with"),
        )
        .cause(format!(
            "expected {}, got {}: reinstalled, or someone is in between",
            expected.short(),
            found.short()
        ))
        .next(format!(
            "compare with what blit-daemon says when it starts on {host}, then: blit pair {host} INVITATION"
        )),
        ConnectError::Unreachable(tried) => {
            let error = UserError::new(Slug::NetUnreachable, format!("{host} does not answer"));
            let next = format!("is blit-daemon running on {host}, and may it be reached?");
            tried
                .into_iter()
                .fold(error, |error, (address, why)| {
                    error.cause(format!("{address}: {why}"))
                })
                .next(next)
        }
        ConnectError::Invitation(InvitationError::Expired) => {
            UserError::new(Slug::AuthInvitation, "that invitation is older than 15 minutes")
                .next(format!("get a new one on {host} with: blit pair"))
        }
        other => UserError::new(Slug::AuthInvitation, format!("{host} does not let this machine in"))
            .cause(other.to_string())
            .next(format!("get a new invitation on {host} with: blit pair")),
    }
    .unchanged()
}

/// What the machine says of itself.
pub(crate) async fn status(app: &App, machine: &Machine) -> Result<Status, UserError> {
    let client = connect(app, machine, &Arc::default()).await?;
    let cx = Cx::new(app.stop.cancel.clone());
    let status = blit_engine::ask_status(&cx, &*client).await;
    status.map_err(|error| from_refusal(machine.name(), &error).unchanged())
}

/// A module of a machine as a row.
pub(crate) fn module_row(host: &str, module: &Module) -> String {
    let plain = |text: &str| shown(text.as_ref());
    let (name, comment) = (plain(&module.name), plain(&module.comment));
    format!(
        "{host}:/{name}/\t{}\t{comment}\n",
        access_words(module.access)
    )
}

pub(crate) fn access_words(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "read-only",
        Access::AddOnly => "add-only",
        Access::ReadWrite => "read-write",
    }
}

/// What a daemon refused a request for.
pub(crate) fn from_refusal(place: &str, error: &blit_contract::Error) -> UserError {
    let detail = error.detail().unwrap_or(error.kind().phrase()).to_owned();
    match error.kind() {
        ErrorKind::Denied => UserError::new(Slug::AuthUnpaired, format!("{place}: {detail}")).next(
            "get an invitation over there with: blit pair   then here: blit pair HOST INVITATION",
        ),
        ErrorKind::NotFound => {
            UserError::new(Slug::PathNotFound, format!("not found: {place}")).cause(detail)
        }
        ErrorKind::ReadOnly => UserError::new(Slug::PermReadonly, format!("{place} is read-only"))
            .cause(detail)
            .next("ask its owner for access = \"read-write\""),
        ErrorKind::Unreachable => UserError::new(
            Slug::NetUnreachable,
            format!("the connection to {place} was lost"),
        )
        .cause(detail)
        .next("run the same command again; it continues"),
        _ => crate::errors::from_contract(blit_contract::Side::Target, place, error),
    }
}
