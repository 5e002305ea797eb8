//! The first contact with a machine that has invited this one.

use blit_control::{ConnectError, Identity, Invitation, PORT};

use crate::near::{is_bare_name, near};

/// Joins the machine that made `invitation`, which the user calls `host`, as `own_name`: where the local
/// network says that it is, where its name leads, and where the invitation says. Answers its name and the
/// address that served.
///
/// # Errors
/// [`ConnectError`]
pub async fn join(
    identity: &Identity,
    own_name: &str,
    invitation: &Invitation,
    host: &str,
) -> Result<(String, String), ConnectError> {
    if is_bare_name(host) {
        let near = near(&invitation.inviter).await;
        let joined = blit_control::join(identity, own_name, invitation, &near).await;
        // Anybody can say that he is there. Whoever is not has proved nothing, and is no reason to end.
        if let Ok(joined) = joined {
            return Ok(joined);
        }
    }
    let addresses = addresses(host, invitation);
    blit_control::join(identity, own_name, invitation, &addresses).await
}

/// As typed first, then what the invitation says.
fn addresses(host: &str, invitation: &Invitation) -> Vec<String> {
    let mut addresses = vec![typed(host)];
    let usable =
        |address: &&String| !address.starts_with("[::]") && !address.starts_with("0.0.0.0");
    addresses.extend(invitation.addresses.iter().filter(usable).cloned());
    addresses
}

/// `HOST`, with the usual port unless it says another.
#[must_use]
pub fn typed(host: &str) -> String {
    match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() && !host.ends_with(']') => host.to_owned(),
        _ => format!("{host}:{PORT}"),
    }
}
