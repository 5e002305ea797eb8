//! Why a machine cannot be spoken to, in the user's terms.

use blit_control::{ConnectError, InvitationError};
use blit_events::{Slug, UserError};

use crate::{ReachError, SshError, SshProblem};

/// Why a machine cannot be spoken to, in the user's terms.
#[must_use]
pub fn from_reach(host: &str, error: ReachError) -> UserError {
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
#[must_use]
pub fn from_connect(host: &str, error: ConnectError) -> UserError {
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

/// What is kept of machines here cannot be read.
#[must_use]
pub fn unreadable(error: impl std::error::Error) -> UserError {
    UserError::new(Slug::ConfigRead, error.to_string()).unchanged()
}
