//! `blit pair`: lets another machine in, or joins one.

use blit_control::{Invitation, KnownPeer};

use super::admin::{from_trouble, places};
use crate::{
    app::App,
    args::PairArgs,
    errors::{Result, Slug, UserError},
    exit::Exit,
    peers,
};

pub(super) async fn run(app: &App, args: PairArgs) -> Result<Exit> {
    if let (Some(host), Some(id)) = (&args.host, &args.peer_id) {
        return by_id(app, host.trim_end_matches(':'), id).await;
    }
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
        (None, _) => invite(app).await,
    }
}

/// On the daemon's machine: one line to paste on another.
async fn invite(app: &App) -> Result<Exit> {
    let invited = blit_admin::invite(&places()?).await;
    let line = invited.map_err(from_trouble)?;
    app.ui
        .say("On the other machine, within 15 minutes (HOST is the name of this one):");
    app.ui.text(&format!("{line}\n"))?;
    Ok(Exit::Ok)
}

/// Without an invitation: the key is known, and the administrator over there says yes.
async fn by_id(app: &App, host: &str, id: &str) -> Result<Exit> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = blit_reach::typed(host);
    let paired = blit_admin::pair_by_id(&places()?, name, id, address, &own_name()).await;
    let lines = paired.map_err(from_trouble)?;
    let lines = lines.map_err(|error| peers::from_connect(host, error))?;
    lines.iter().for_each(|line| app.ui.say(line));
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
    let joined = blit_reach::join(&identity, &own_name(), &invitation, host).await;
    let (_, address) = joined.map_err(|error| peers::from_connect(host, error))?;
    let short = invitation.inviter.short();
    let name = peers::machine(host).name().to_owned();
    let peer = KnownPeer {
        name,
        id: invitation.inviter,
        addresses: vec![address],
        how: "join-token".to_owned(),
        added: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
    };
    let name = known.add(peer).map_err(peers::unreadable)?;
    app.ui.say(&format!("Paired with {name} (key {short})."));
    let status = peers::status(app, &peers::machine(&name)).await?;
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

fn own_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
