//! `blit pair`: lets another machine in, or joins one.

use blit_control::{Identity, Invitation, Invitations, KnownPeer};

use crate::{
    app::App,
    args::PairArgs,
    errors::{Result, Slug, UserError},
    exit::Exit,
    peers::{self, Host, PORT},
};

pub(super) async fn run(app: &App, args: PairArgs) -> Result<Exit> {
    match (args.host, args.invitation) {
        (Some(host), Some(invitation)) => join(app, host.trim_end_matches(':'), &invitation).await,
        (Some(host), None) => Err(UserError::new(
            Slug::UsageFlag,
            format!("the invitation of {host} is missing"),
        )
        .unchanged()
        .next(format!(
            "on {host} run: blit pair   then here: blit pair {host} INVITATION"
        ))
        .into()),
        (None, _) => invite(app),
    }
}

/// On the daemon's machine: one line to paste on another.
fn invite(app: &App) -> Result<Exit> {
    let state = peers::daemon_state()?;
    if !state.join("identity").exists() {
        return Err(
            UserError::new(Slug::PathNotFound, "no daemon of this user has run yet")
                .cause(format!("nothing is in {}", state.display()))
                .unchanged()
                .next("start one first: blit-daemon --module photos=/srv/photos")
                .into(),
        );
    }
    let identity = Identity::load_or_create(&state).map_err(peers::unreadable)?;
    let invitation = Invitations::of(&state)
        .invite(identity.id(), Vec::new())
        .map_err(peers::unreadable)?;
    app.ui
        .say("On the other machine, within 15 minutes (HOST is the name of this one):");
    app.ui.text(&format!("blit pair HOST {invitation}\n"))?;
    Ok(Exit::Ok)
}

/// On the other machine: knows the daemon from now on, and is known by it.
async fn join(app: &App, host: &str, invitation: &str) -> Result<Exit> {
    let invitation: Invitation = invitation.parse().map_err(|error| {
        UserError::new(Slug::AuthInvitation, format!("{error}"))
            .unchanged()
            .next(format!(
                "paste the whole line that blit pair shows on {host}"
            ))
    })?;
    let identity = peers::identity()?;
    let mut known = peers::load()?;
    let addresses = addresses(host, &invitation);
    let joined = blit_control::join(&identity, &own_name(), &invitation, &addresses).await;
    let (_, address) = joined.map_err(|error| peers::from_connect(host, error))?;
    let short = invitation.inviter.short();
    let name = Host::parse(host).name;
    let peer = KnownPeer {
        name,
        id: invitation.inviter,
        addresses: vec![address],
        how: "join-token".to_owned(),
        added: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
    };
    let name = known.add(peer).map_err(peers::unreadable)?;
    app.ui.say(&format!("Paired with {name} (key {short})."));
    let status = peers::status(app, &Host::parse(&name)).await?;
    match status.modules.first() {
        Some(module) => {
            let names: Vec<&str> = status.modules.iter().map(|it| &*it.name).collect();
            app.ui.say(&format!("It exports: {}.", names.join(", ")));
            app.ui
                .say(&format!("Try: blit ls {name}:/{}/", module.name));
        }
        None => app.ui.say("It exports nothing to this machine yet."),
    }
    Ok(Exit::Ok)
}

/// As typed first, then what the invitation says.
fn addresses(host: &str, invitation: &Invitation) -> Vec<String> {
    let typed = match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() && !host.ends_with(']') => host.to_owned(),
        _ => format!("{host}:{PORT}"),
    };
    let mut addresses = vec![typed];
    let usable =
        |address: &&String| !address.starts_with("[::]") && !address.starts_with("0.0.0.0");
    addresses.extend(invitation.addresses.iter().filter(usable).cloned());
    addresses
}

fn own_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
