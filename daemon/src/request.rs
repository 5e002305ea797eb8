//! What requests ask for, and what modules let them have.

use std::sync::Arc;

use blit_contract::{Error, ErrorKind, Result, Select, Store};
use blit_engine::{HalfRole, Source, Subtree, Target};
use blit_filter::Filter;
use blit_wire::{Place, Request, Role, Rules, SessionRequest, Verb};

use crate::modules::Module;

/// What a request is about; nothing, if that is no place in a module.
pub(crate) fn place_of(request: &Request) -> Option<&Place> {
    match request {
        Request::Pull(pull) => Some(&pull.session.place),
        Request::Session(session) => Some(&session.place),
        Request::Token(wish) => Some(&wish.session.place),
        Request::List { place, .. }
        | Request::Stat(place)
        | Request::Usage(place)
        | Request::Sync(place)
        | Request::Delete { place, .. } => Some(place),
        _ => None,
    }
}

/// The store of a session, if the module lets it do what it would.
pub(crate) fn store_for(module: &Module, request: &SessionRequest) -> Result<Arc<dyn Store>> {
    let changes = changes(request);
    match (request.role, request.terms.verb) {
        (Role::Source, Verb::Move) if changes => module.for_changing(),
        (Role::Source, _) => module.for_reading(),
        (Role::Target, _) if !changes => module.for_reading(),
        (Role::Target, Verb::Mirror) => module.for_changing(),
        (Role::Target, _) => module.for_adding(),
    }
}

/// The role that a request asks for, over its place in `store`.
pub(crate) fn role(request: &SessionRequest, store: Arc<dyn Store>) -> HalfRole {
    let store = Subtree::at(store, request.place.path.clone());
    match request.role {
        Role::Source => HalfRole::Source(Source {
            store,
            top: request.top.clone(),
        }),
        Role::Target => HalfRole::Target(Target { store }),
    }
}

/// What a peer's rules choose; compiling them may take a while.
pub(crate) async fn compiled(rules: &Rules) -> Result<Option<Arc<dyn Select>>> {
    if rules.is_empty() {
        return Ok(None);
    }
    let rules = rules.clone();
    let compiling = tokio::task::spawn_blocking(move || Filter::compile(&rules));
    let compiled = compiling
        .await
        .map_err(|error| Error::new(ErrorKind::Bug, "compile rules").because(error.to_string()))?;
    compiled
        .map_err(|error| Error::new(ErrorKind::Invalid, "compile rules").because(error.to_string()))
}

/// Whether a session changes anything in its module.
pub(crate) fn changes(request: &SessionRequest) -> bool {
    let (terms, role) = (&request.terms, request.role);
    let writes = role == Role::Target || terms.verb == Verb::Move;
    writes && !terms.dry_run && terms.verb != Verb::Check
}
