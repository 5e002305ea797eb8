//! What a peer does and is refused, as the audit log has it.

use blit_contract::{Entry, Error, ErrorKind, RelPath, Result};
use blit_control::{AuditEvent, VerifiedPeer};
use blit_engine::Asked;
use blit_wire::{Place, Request, Role, SessionRequest, Verb};

use crate::{
    audit,
    modules::Module,
    serve::{Caller, Daemon, changes},
    settings::AuditNames,
};

impl Daemon {
    /// A session, written down before it changes anything, and when it has ended.
    pub(crate) async fn audited(
        &self,
        caller: &Caller,
        request: &SessionRequest,
        asked: &mut Asked,
    ) -> Result<()> {
        let mut event = of_caller(caller, action_of(request), self.object(&request.place));
        self.begun(request, &event)?;
        let ended = self.session(caller, request, asked).await;
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
    pub(crate) fn note_denial(&self, caller: &Caller, object: String, error: &Error) {
        let denials = [ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::ReadOnly];
        if !denials.contains(&error.kind()) {
            return;
        }
        let mut event = of_caller(caller, "request", object);
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

    pub(crate) fn object_of(&self, request: &Request) -> String {
        match request {
            Request::Session(session) => self.object(&session.place),
            Request::List { place, .. }
            | Request::Stat(place)
            | Request::Usage(place)
            | Request::Sync(place)
            | Request::Delete { place, .. } => self.object(place),
            _ => String::new(),
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

fn of_caller(caller: &Caller, action: &'static str, object: String) -> AuditEvent {
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
