//! What a peer does and is refused, as the audit log has it.

use blit_contract::{Entry, Error, ErrorKind, RelPath, Result};
use blit_control::{AuditEvent, Issued, VerifiedPeer};
use blit_engine::{Asked, Ended};
use blit_wire::{Place, PullRequest, Request, Role, SessionRequest, Verb};

use crate::{
    audit,
    delegate::Fetching,
    modules::Module,
    request::{changes, place_of},
    serve::{Caller, Daemon},
    settings::AuditNames,
};

/// What somebody wishes, for when it is refused.
pub(crate) struct Wish {
    action: &'static str,
    object: String,
}

impl Daemon {
    /// A session, written down before it changes anything, and when it has ended.
    pub(crate) async fn audited(
        &self,
        caller: &Caller,
        request: &SessionRequest,
        asked: &mut Asked,
    ) -> Result<()> {
        let granted = match &request.token {
            Some(token) => Some(self.redeem(caller, request, token)?),
            None => None,
        };
        let third = granted.as_ref().map(|granted| granted.by);
        let session = granted.map(|granted| granted.session);
        let playing = self.session((caller, third), request, asked);
        self.recorded((caller, session), request, playing).await
    }

    /// The same of one that fetches from another machine.
    pub(crate) async fn audited_pull(
        &self,
        caller: &Caller,
        (pull, fetching): (&PullRequest, Fetching),
        asked: &mut Asked,
    ) -> Result<()> {
        let session = Some(fetching.session.clone());
        let pulling = self.pull(caller, (pull, fetching), asked);
        self.recorded((caller, session), &pull.session, pulling)
            .await
    }

    /// `session` is what the other machines of it call it, too.
    async fn recorded(
        &self,
        (caller, session): (&Caller, Option<String>),
        request: &SessionRequest,
        playing: impl Future<Output = Result<Ended>>,
    ) -> Result<()> {
        let mut event = of_caller(caller, action_of(request), self.object(&request.place));
        event.session = session;
        let backup = request.backup.as_ref();
        event.result = backup.map(|at| format!("what it replaces is kept in {}", self.object(at)));
        self.begun(request, &event)?;
        let ended = playing.await;
        event.action = "session.end";
        let event = audit::ended(event, &ended);
        if changes(request) {
            // It has happened; that it could not be written down is told to the administrator.
            drop(self.audit.record(&event));
        } else {
            self.audit.note(&event);
        }
        ended.map(drop)
    }

    /// Leave that was given: a third machine may come for it.
    pub(crate) fn note_leave(
        &self,
        caller: &Caller,
        place: &Place,
        (issued, bearer): (&Issued, &str),
    ) -> Result<()> {
        let mut event = of_caller(caller, "token.issue", self.object(place));
        event.session = Some(issued.session.clone());
        event.result = Some(format!("token {} for {bearer}", issued.mark));
        self.audit.record(&event)
    }

    fn begun(&self, request: &SessionRequest, event: &AuditEvent) -> Result<()> {
        if !changes(request) {
            self.audit.note(event);
            return Ok(());
        }
        let written = self.audit.record(event);
        let held = self.held();
        let module = held.modules.iter();
        let module = module.filter(|it| it.config.name == request.place.module);
        match module.map(|it| it.config.needs_audit).next() {
            Some(false) => Ok(()),
            _ => written,
        }
    }

    /// Before they are deleted: each by its path.
    pub(crate) fn note_deletions(
        &self,
        caller: &Caller,
        module: &Module,
        place: &Place,
        entries: &[(RelPath, Entry)],
    ) -> Result<()> {
        for (path, _) in entries {
            let mut object = self.object(place);
            if self.held().config.audit_names == AuditNames::Full {
                object = format!("{object}{}", shown(path));
            }
            let event = of_caller(caller, "delete", object);
            let written = self.audit.record(&event);
            if module.config.needs_audit {
                written?;
            }
        }
        Ok(())
    }

    /// What may not be, or is not there for this peer.
    pub(crate) fn note_denial(&self, caller: &Caller, wish: Wish, error: &Error) {
        let denials = [ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::ReadOnly];
        if !denials.contains(&error.kind()) {
            return;
        }
        let mut event = of_caller(caller, wish.action, wish.object);
        event.decision = "deny";
        event.result = error.detail().map(str::to_owned);
        drop(self.audit.record(&event));
    }

    /// A machine that is not known.
    pub(crate) fn note_stranger(&self, peer: &VerifiedPeer, wish: &'static str) {
        let mut event = of_stranger(peer, wish);
        event.decision = "deny";
        drop(self.audit.record(&event));
    }

    pub(crate) fn note_pairing(&self, peer: &VerifiedPeer, name: &str) {
        let mut event = of_stranger(peer, "peer.join");
        event.object = name.to_owned();
        drop(self.audit.record(&event));
    }

    pub(crate) fn wish_of(&self, request: &Request) -> Wish {
        let action = match request {
            Request::Pull(_) => "pull",
            Request::Session(session) if session.token.is_some() => "token.redeem",
            Request::Token(_) => "token.issue",
            _ => "request",
        };
        let object = place_of(request).map(|place| self.object(place));
        Wish {
            action,
            object: object.unwrap_or_default(),
        }
    }

    fn object(&self, place: &Place) -> String {
        match self.held().config.audit_names {
            AuditNames::Full => format!("{}{}", place.module, shown(&place.path)),
            AuditNames::None => place.module.clone(),
        }
    }
}

fn action_of(request: &SessionRequest) -> &'static str {
    match (request.role, request.terms.verb) {
        (_, Verb::Check) => "session.check",
        (Role::Source, Verb::Move) => "session.move-from",
        (Role::Source, _) => "session.read",
        (Role::Target, Verb::Mirror) => "session.mirror",
        (Role::Target, _) => "session.write",
    }
}

/// Bytes that are no text are shown as their escapes.
fn shown(path: &RelPath) -> String {
    let names = path.components().into_iter();
    names.map(|name| format!("/{name}")).collect()
}

pub(crate) fn of_caller(caller: &Caller, action: &'static str, object: String) -> AuditEvent {
    AuditEvent {
        actor: caller.name.clone(),
        key: Some(caller.id.to_string()),
        address: Some(caller.peer.address().to_string()),
        action,
        object,
        decision: "allow",
        ..AuditEvent::default()
    }
}

fn of_stranger(peer: &VerifiedPeer, action: &'static str) -> AuditEvent {
    AuditEvent {
        actor: "stranger".to_owned(),
        key: Some(peer.id().to_string()),
        address: Some(peer.address().to_string()),
        action,
        decision: "allow",
        ..AuditEvent::default()
    }
}
