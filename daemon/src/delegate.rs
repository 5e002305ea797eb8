//! What one machine asks for and another takes part in: leave for it, and fetching on somebody's behalf.
//!
//! A machine gets no more by it than it has anyway. Whoever asks for a token may do the same by itself, and so
//! may whoever shows it; whoever has something fetched may write where it goes. What is dialled was allowed
//! here, and is known by its key.

use std::sync::Arc;

use blit_bundled::Lanes;
use blit_contract::{Cancel, Error, ErrorKind, NoHistory, Peer, Result};
use blit_control::{Client, Errand, Granted, KnownPeer, NodeId, Token, TokenError};
use blit_engine::{Asked, Audience, Ended, Options, RemoteJob, run_remote, tell};
use blit_lanes::{LaneUse, same_machine_proof};
use blit_wire::{
    LaneWishes, LanesUsed, PullRequest, Reply, Report, Request, Role, SessionRequest, TokenRequest,
};

use crate::{
    modules::Module,
    request::{role, store_for},
    serve::{Caller, Daemon, Stage, now},
};

/// A machine that is fetched from, reached.
pub(crate) struct Fetching {
    client: Client,
    /// What became of the ways to open lanes.
    uses: Arc<LaneUse>,
    /// What both machines call the session in their logs.
    pub(crate) session: String,
}

impl Daemon {
    /// Gives the machine that the wish names leave to fetch what the caller may read.
    pub(crate) fn give_leave(&self, caller: &Caller, wish: &TokenRequest) -> Result<String> {
        let session = &wish.session;
        let module = self.module(caller, &session.place)?;
        plays(session, Role::Source)?;
        store_for(&module, session)?;
        self.delegates()?;
        let bearer = NodeId::from_bytes(wish.bearer);
        let name = self.name_of(&bearer).filter(|name| module.is_for(name));
        let name = name.ok_or_else(|| denied("that machine may not read it"))?;
        let (up, between) = (self.started.elapsed(), (caller.id, bearer));
        let issued = self
            .tokens
            .issue(&Errand::of(session), between, (up, now()));
        let issued = issued.map_err(|error| refused(None, error))?;
        self.note_leave(caller, &session.place, (&issued, &name))?;
        Ok(issued.text)
    }

    /// Takes the token that the caller shows for `session`, which it may ask for by itself as well.
    pub(crate) fn redeem(
        &self,
        caller: &Caller,
        session: &SessionRequest,
        text: &str,
    ) -> Result<Granted> {
        let module = self.module(caller, &session.place)?;
        self.delegates()?;
        let up = self.started.elapsed();
        let redeemed = self
            .tokens
            .redeem(text, caller.id, &Errand::of(session), up);
        let granted = redeemed.map_err(|error| refused(Some(text), error))?;
        let by = self.name_of(&granted.by);
        if !by.is_some_and(|name| module.is_for(&name)) {
            return Err(denied("whoever asked for it may not read it any more"));
        }
        Ok(granted)
    }

    /// Reaches the machine that the request has this one fetch from, if it is such a request.
    pub(crate) async fn fetching(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Option<Fetching>> {
        let Request::Pull(pull) = request else {
            return Ok(None);
        };
        let module = self.module(caller, &pull.session.place)?;
        plays(&pull.session, Role::Target)?;
        store_for(&module, &pull.session)?;
        self.delegates()?;
        self.may_begin()?;
        let token = self.token_of(pull)?;
        let source = NodeId::from_bytes(pull.source);
        let known = self.peers.lock().with_id(&source).cloned();
        let known = known.ok_or_else(|| denied("the source is not paired with this machine"))?;
        let (client, uses) = self.dial(&known, pull, &module).await?;
        Ok(Some(Fetching {
            client,
            uses,
            session: token.session(),
        }))
    }

    /// The token, which is for this machine and the source, or nobody is dialled for it.
    fn token_of(&self, pull: &PullRequest) -> Result<Token> {
        let token = Token::read(&pull.token).and_then(|token| {
            if token.bearer() != self.identity.id() {
                return Err(TokenError::OtherBearer);
            }
            match *token.audience().as_bytes() == pull.source {
                true => Ok(token),
                false => Err(TokenError::OtherAudience),
            }
        });
        token.map_err(|error| refused(Some(&pull.token), error))
    }

    async fn dial(
        &self,
        known: &KnownPeer,
        pull: &PullRequest,
        module: &Module,
    ) -> Result<(Client, Arc<LaneUse>)> {
        let mut own = Vec::new();
        for address in &known.addresses {
            // A name that means nothing today is none to be dialled.
            own.extend(tokio::net::lookup_host(address).await.into_iter().flatten());
        }
        let held = self.held();
        let delegation = &held.config.delegation;
        let addresses = delegation.addresses(known, &own, pull.address);
        if addresses.is_empty() {
            return Err(denied("this machine does not fetch from the source"));
        }
        let mut ips = addresses.iter().map(|address| address.ip());
        let uses = Arc::<LaneUse>::default();
        let lanes = Lanes {
            only_in_band: false,
            may_be_clear: pull.session.lanes.clear
                && ips.all(|ip| module.config.trusted.contain(ip)),
            uses: Arc::clone(&uses),
        };
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let connected =
            Client::connect(&self.identity, known.id, &addresses, Arc::new(lanes)).await;
        let client = connected.map_err(|error| {
            tracing::warn!(peer = %known.name, %error, "cannot be fetched from");
            let text = "the source cannot be reached from here";
            Error::new(ErrorKind::Unsupported, "fetch").because(text)
        })?;
        Ok((client, uses))
    }

    /// Fetches, and tells the caller how it goes.
    pub(crate) async fn pull(
        &self,
        caller: &Caller,
        (pull, fetching): (&PullRequest, Fetching),
        asked: &mut Asked,
    ) -> Result<Ended> {
        let stage = self.stage(caller, &pull.session).await?;
        let cancel = Cancel::default();
        let from = NodeId::from_bytes(pull.source);
        let (_running, grant) = self.begin_pull(caller, from, cancel.clone())?;
        asked.reply(Reply::Session(grant)).await?;
        let uses = Arc::clone(&fetching.uses);
        let play = |audience| {
            let job = self.job(pull, (stage, fetching), audience, cancel.clone());
            async move { with_lanes(run_remote(job).await, &uses) }
        };
        tell(asked, &cancel, play).await
    }

    fn job(
        &self,
        pull: &PullRequest,
        (stage, fetching): (Stage, Fetching),
        audience: Audience,
        cancel: Cancel,
    ) -> RemoteJob {
        let mut options = Options::from_terms(&stage.terms);
        options.select = stage.select;
        options.backup = stage.keeps;
        options.bytes_per_sec = pull.bytes_per_sec;
        let info = fetching.client.info();
        let machine = info.channel_binding.as_ref().and_then(same_machine_proof);
        RemoteJob {
            place: pull.from.clone(),
            top: pull.session.top.clone(),
            lanes: LaneWishes {
                clear: pull.session.lanes.clear,
                machine,
            },
            rules: pull.session.rules.clone(),
            token: Some(pull.token.clone()),
            backup: None,
            role: role(&pull.session, stage.store),
            planner: Arc::clone(&self.plugins.planner),
            options,
            confirm: audience.confirm,
            history: Arc::new(NoHistory),
            events: audience.events,
            progress: audience.progress,
            cancel,
            peer: Arc::new(fetching.client),
        }
    }

    /// Whether anything is done here on behalf of another machine.
    fn delegates(&self) -> Result<()> {
        match self.held().config.delegation.allow {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Unsupported, "delegate")
                .because("this machine does nothing on behalf of another (delegation.allow)")),
        }
    }
}

/// What the client cannot see by itself.
fn with_lanes(mut report: Report, uses: &LaneUse) -> Report {
    report.lanes = uses.used().map(|used| LanesUsed {
        transport: used.transport,
        security: used.security,
        lanes: used.lanes,
    });
    report
}

fn plays(session: &SessionRequest, role: Role) -> Result<()> {
    match session.role == role {
        true => Ok(()),
        false => {
            let text = "this is for another role";
            Err(Error::new(ErrorKind::Invalid, "delegate").because(text))
        }
    }
}

fn denied(why: &str) -> Error {
    Error::new(ErrorKind::Denied, "delegate").because(why)
}

/// Why a token does not serve, with its number and never with itself.
fn refused(text: Option<&str>, error: TokenError) -> Error {
    let kind = match error {
        TokenError::Full => ErrorKind::Busy,
        _ => ErrorKind::Denied,
    };
    let mark = text.and_then(|text| Token::read(text).ok()?.mark().into());
    let mark = mark.map_or(String::new(), |mark: String| format!(" {mark}"));
    Error::new(kind, "use token").because(format!("the token{mark} is refused: {error}"))
}
