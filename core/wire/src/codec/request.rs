//! Requests, and the plain replies to them.

use blit_contract::{Durability, EntryBatch, Preserve, Result as Outcome, Usage};
use bytes::Bytes;
use prost::Message as _;

use super::{
    BadMessage, Decoded, at_most, at_place, counts, delegated, event, lanes, message, needed,
    nouns::{entry, fault, name, path, time, to_entry, to_error, to_name, to_path, to_time},
    place_of, report,
    rules::{rules, to_rules},
};
use crate::{
    Access, Answer, Compare, LISTING_ENTRIES_MAX, MaxDelete, Module, Place, Reply, Request, Role,
    SessionRequest, Status, Terms, Top, TopName,
    framing::framed,
    limits::{MODULES_MAX, NAMES_MAX, PLACE_BYTES_MAX, TEXT_BYTES_MAX},
    proto::{self, reply, request},
};

const ANSWERS: &[Answer] = &[Answer::Nobody, Answer::No, Answer::Yes];
const ACCESSES: &[Access] = &[Access::ReadOnly, Access::AddOnly, Access::ReadWrite];
const DURABILITIES: &[Durability] = &[Durability::Batch, Durability::File, Durability::None];

impl Request {
    /// The request as it crosses a stream, behind its length.
    #[must_use]
    pub fn to_frame(&self) -> Bytes {
        framed(&proto::Request {
            body: Some(request_body(self)),
        })
    }

    /// The request in `bytes`, which stood behind their length.
    ///
    /// # Errors
    /// [`BadMessage`], after which nothing more may be taken from the peer.
    pub fn from_frame(bytes: Bytes) -> Result<Self, BadMessage> {
        counts::check(&bytes, counts::REQUEST)?;
        let request = proto::Request::decode(bytes)?;
        to_request(needed(request.body, "the body")?)
    }
}

impl Reply {
    /// The reply as it crosses a stream, behind its length.
    #[must_use]
    pub fn to_frame(&self) -> Bytes {
        framed(&proto::Reply {
            body: Some(reply_body(self)),
        })
    }

    /// The reply in `bytes`, which stood behind their length.
    ///
    /// # Errors
    /// [`BadMessage`], after which nothing more may be taken from the peer.
    pub fn from_frame(bytes: Bytes) -> Result<Self, BadMessage> {
        counts::check(&bytes, counts::REPLY)?;
        let reply = proto::Reply::decode(bytes)?;
        to_reply(needed(reply.body, "the body")?)
    }
}

fn request_body(request: &Request) -> request::Body {
    use request::Body;
    match request {
        Request::Answered(answer) => Body::Answered(proto::Answered {
            answer: place_of(ANSWERS, answer),
        }),
        Request::Delete { place: at, entries } => Body::Delete(proto::DeleteRequest {
            place: Some(place(at)),
            entries: doomed(entries),
        }),
        Request::List {
            place: at,
            recursive,
            one_file_system,
            rules: wanted,
        } => Body::List(proto::ListRequest {
            place: Some(place(at)),
            recursive: *recursive,
            one_file_system: *one_file_system,
            rules: rules(wanted),
        }),
        Request::Pull(pull) => Body::Pull(delegated::pull(pull)),
        Request::Session(session) => Body::Session(session_request(session)),
        Request::Stat(at) => Body::Stat(proto::StatRequest {
            place: Some(place(at)),
        }),
        Request::Status => Body::Status(proto::StatusRequest {}),
        Request::Sync(at) => Body::Sync(proto::SyncRequest {
            place: Some(place(at)),
        }),
        Request::Token(wish) => Body::Token(delegated::token(wish)),
        Request::Usage(at) => Body::Usage(proto::UsageRequest {
            place: Some(place(at)),
        }),
    }
}

fn to_request(body: request::Body) -> Decoded<Request> {
    use request::Body;
    Ok(match body {
        Body::Answered(said) => Request::Answered(at_place(ANSWERS, said.answer, "an answer")?),
        Body::Delete(delete) => Request::Delete {
            place: to_place(delete.place)?,
            entries: to_doomed(delete.entries)?,
        },
        Body::List(list) => Request::List {
            place: to_place(list.place)?,
            recursive: list.recursive,
            one_file_system: list.one_file_system,
            rules: to_rules(list.rules)?,
        },
        Body::Pull(pull) => Request::Pull(Box::new(delegated::to_pull(pull)?)),
        Body::Session(session) => Request::Session(Box::new(to_session_request(session)?)),
        Body::Stat(stat) => Request::Stat(to_place(stat.place)?),
        Body::Status(_) => Request::Status,
        Body::Sync(sync) => Request::Sync(to_place(sync.place)?),
        Body::Token(wish) => Request::Token(Box::new(delegated::to_token(wish)?)),
        Body::Usage(usage) => Request::Usage(to_place(usage.place)?),
    })
}

pub(super) fn place(at: &Place) -> proto::Place {
    proto::Place {
        module: at.module.clone(),
        path: Some(path(&at.path)),
    }
}

pub(super) fn to_place(at: Option<proto::Place>) -> Decoded<Place> {
    let at = needed(at, "the place")?;
    at_most(at.module.len(), PLACE_BYTES_MAX, "the name of a module")?;
    Ok(Place {
        module: at.module,
        path: to_path(at.path)?,
    })
}

pub(super) fn session_request(session: &SessionRequest) -> proto::SessionRequest {
    let role = match (session.role, &session.backup) {
        (Role::Source, _) => proto::Role::Source,
        (Role::Target, None) => proto::Role::Target,
        (Role::Target, Some(_)) => proto::Role::KeepingTarget,
    };
    let names = match &session.top {
        Top::Contents => Vec::new(),
        Top::Names(names) => names.iter().map(top_name).collect(),
    };
    proto::SessionRequest {
        place: Some(place(&session.place)),
        role: role.into(),
        terms: Some(terms(&session.terms)),
        contents: session.top == Top::Contents,
        names,
        lanes: Some(lanes::wishes(session.lanes)),
        rules: rules(&session.rules),
        relayed: session.is_relayed,
        token: session.token.clone().unwrap_or_default(),
        backup: session.backup.as_ref().map(place),
    }
}

fn top_name(top: &TopName) -> proto::TopName {
    proto::TopName {
        source: name(&top.source),
        target: name(&top.target),
    }
}

pub(super) fn to_session_request(session: proto::SessionRequest) -> Decoded<SessionRequest> {
    let role = match session.role() {
        proto::Role::Source => Role::Source,
        proto::Role::Target | proto::Role::KeepingTarget => Role::Target,
        proto::Role::Unspecified => return Err(BadMessage::Unknown("the role")),
    };
    let backup = to_backup(&session)?;
    at_most(session.names.len(), NAMES_MAX, "the names of a session")?;
    let names = session.names.iter().map(|top| {
        Ok(TopName {
            source: to_name(&top.source)?,
            target: to_name(&top.target)?,
        })
    });
    let top = match session.contents {
        true => Top::Contents,
        false => Top::Names(names.collect::<Decoded<_>>()?),
    };
    Ok(SessionRequest {
        place: to_place(session.place)?,
        role,
        terms: to_terms(needed(session.terms, "the terms")?)?,
        top,
        is_relayed: session.relayed,
        lanes: lanes::to_wishes(session.lanes.unwrap_or_default())?,
        rules: to_rules(session.rules)?,
        token: delegated::to_text(session.token)?,
        backup,
    })
}

/// Where a target keeps what it replaces or deletes. One that is to keep and does not know where would lose
/// it, and so would one that knows where and is not to keep.
fn to_backup(session: &proto::SessionRequest) -> Decoded<Option<Place>> {
    let keeps = session.role() == proto::Role::KeepingTarget;
    match (keeps, &session.backup) {
        (true, at) => Ok(Some(to_place(at.clone())?)),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(BadMessage::Unknown("a role with a backup directory")),
    }
}

fn terms(terms: &Terms) -> proto::Terms {
    let (max_delete_form, max_delete_entries, max_delete_percent) = match terms.max_delete {
        MaxDelete::Default => (0, 0, 0),
        MaxDelete::Entries(entries) => (1, entries, 0),
        MaxDelete::Percent(percent) => (2, 0, u32::from(percent)),
    };
    proto::Terms {
        verb: message::verb(terms.verb).into(),
        by_checksum: terms.compare == Compare::Checksum,
        dry_run: terms.dry_run,
        items: terms.items,
        update: terms.update,
        ignore_existing: terms.ignore_existing,
        one_file_system: terms.one_file_system,
        specials: terms.specials,
        verify: terms.verify,
        max_delete_entries,
        max_delete_percent,
        max_delete_form,
        durability: place_of(DURABILITIES, &terms.durability),
        keep_mode: terms.preserve.mode,
        keep_owner: terms.preserve.owner,
        keep_times: terms.preserve.times,
        keep_xattrs: terms.preserve.xattrs,
        strict: terms.preserve.strict,
    }
}

fn to_terms(terms: proto::Terms) -> Decoded<Terms> {
    let max_delete = match terms.max_delete_form {
        0 => MaxDelete::Default,
        1 => MaxDelete::Entries(terms.max_delete_entries),
        2 => MaxDelete::Percent(
            u8::try_from(terms.max_delete_percent)
                .map_err(|_| BadMessage::TooLarge("a percentage"))?,
        ),
        _ => return Err(BadMessage::Unknown("the limit of deletions")),
    };
    let mut preserve = Preserve::NONE;
    preserve.mode = terms.keep_mode;
    preserve.owner = terms.keep_owner;
    preserve.times = terms.keep_times;
    preserve.xattrs = terms.keep_xattrs;
    preserve.strict = terms.strict;
    let compare = match terms.by_checksum {
        true => Compare::Checksum,
        false => Compare::Quick,
    };
    Ok(Terms {
        verb: message::to_verb(terms.verb())?,
        compare,
        dry_run: terms.dry_run,
        items: terms.items,
        update: terms.update,
        ignore_existing: terms.ignore_existing,
        one_file_system: terms.one_file_system,
        specials: terms.specials,
        verify: terms.verify,
        max_delete,
        durability: at_place(DURABILITIES, terms.durability, "the durability")?,
        preserve,
    })
}

fn reply_body(reply: &Reply) -> reply::Body {
    use reply::Body;
    match reply {
        Reply::Ask { plan, sample } => Body::Ask(proto::Ask {
            plan: Some(report::plan(plan)),
            sample: doomed(sample),
        }),
        Reply::Batch(batch) => Body::Batch(proto::ListBatch {
            directory: Some(path(&batch.directory)),
            entries: batch.entries.iter().map(entry).collect(),
            problems: batch.problems.iter().map(fault).collect(),
            last: batch.last,
        }),
        Reply::Deleted(ends) => Body::Deleted(proto::Deleted {
            ends: ends.iter().map(delete_end).collect(),
        }),
        Reply::Done => Body::Done(proto::Done {}),
        Reply::Event(told) => Body::Event(event::event(told)),
        Reply::Figures(figures) => Body::Figures(event::figures(figures)),
        Reply::Found(found) => Body::Found(proto::Found {
            entry: found.as_ref().map(entry),
        }),
        Reply::Refused(error) => Body::Refused(fault(error)),
        Reply::Report(ended) => Body::Report(report::report(ended)),
        Reply::Session(grant) => Body::Session(lanes::grant(grant)),
        Reply::Status(said) => Body::Status(status(said)),
        Reply::Token(text) => Body::Token(proto::Token { text: text.clone() }),
        Reply::Usage(usage) => Body::Usage(proto::Usage {
            total_bytes: usage.total_bytes,
            free_bytes: usage.free_bytes,
            total_entries: usage.total_entries,
            free_entries: usage.free_entries,
        }),
    }
}

fn to_reply(body: reply::Body) -> Decoded<Reply> {
    use reply::Body;
    Ok(match body {
        Body::Ask(ask) => Reply::Ask {
            plan: report::to_plan(ask.plan)?,
            sample: to_doomed(ask.sample)?,
        },
        Body::Batch(batch) => Reply::Batch(to_batch(batch)?),
        Body::Deleted(deleted) => {
            at_most(deleted.ends.len(), LISTING_ENTRIES_MAX, "the deletions")?;
            let ends = deleted.ends.into_iter().map(|end| match end.fault {
                None => Ok(Ok(())),
                Some(fault) => Ok(Err(to_error(fault)?)),
            });
            Reply::Deleted(ends.collect::<Decoded<_>>()?)
        }
        Body::Done(_) => Reply::Done,
        Body::Event(told) => Reply::Event(event::to_event(told)?),
        Body::Figures(figures) => Reply::Figures(event::to_figures(figures)?),
        Body::Found(found) => {
            let entry = found.entry.map(|entry| to_entry(Some(entry)));
            Reply::Found(entry.transpose()?)
        }
        Body::Refused(fault) => Reply::Refused(to_error(fault)?),
        Body::Report(ended) => Reply::Report(Box::new(report::to_report(ended)?)),
        Body::Session(accepted) => Reply::Session(lanes::to_grant(accepted)?),
        Body::Status(said) => Reply::Status(to_status(said)?),
        Body::Token(token) => Reply::Token(needed(delegated::to_text(token.text)?, "the token")?),
        Body::Usage(usage) => Reply::Usage(Usage::new(
            (usage.total_bytes, usage.free_bytes),
            (usage.total_entries, usage.free_entries),
        )),
    })
}

fn doomed(entries: &[(blit_contract::RelPath, blit_contract::Entry)]) -> Vec<proto::Doomed> {
    let entries = entries.iter();
    entries
        .map(|(at, found)| proto::Doomed {
            path: Some(path(at)),
            entry: Some(entry(found)),
        })
        .collect()
}

fn to_doomed(
    entries: Vec<proto::Doomed>,
) -> Decoded<Vec<(blit_contract::RelPath, blit_contract::Entry)>> {
    at_most(entries.len(), LISTING_ENTRIES_MAX, "the entries to delete")?;
    let entries = entries.into_iter();
    entries
        .map(|one| Ok((to_path(one.path)?, to_entry(one.entry)?)))
        .collect()
}

fn delete_end(end: &Outcome<()>) -> proto::DeleteEnd {
    proto::DeleteEnd {
        fault: end.as_ref().err().map(fault),
    }
}

fn to_batch(batch: proto::ListBatch) -> Decoded<EntryBatch> {
    at_most(batch.entries.len(), LISTING_ENTRIES_MAX, "a listing")?;
    at_most(batch.problems.len(), LISTING_ENTRIES_MAX, "a listing")?;
    let mut found = EntryBatch::new(to_path(batch.directory)?);
    let entries = batch.entries.into_iter();
    found.entries = entries
        .map(|entry| to_entry(Some(entry)))
        .collect::<Decoded<_>>()?;
    let problems = batch.problems.into_iter();
    found.problems = problems.map(to_error).collect::<Decoded<_>>()?;
    found.last = batch.last;
    Ok(found)
}

fn status(said: &Status) -> proto::Status {
    let module = |module: &Module| proto::Module {
        name: module.name.clone(),
        access: place_of(ACCESSES, &module.access),
        comment: module.comment.clone(),
    };
    proto::Status {
        name: said.name.clone(),
        version: said.version.clone(),
        modules: said.modules.iter().map(module).collect(),
        uptime_secs: said.uptime_secs,
        sessions: said.sessions,
        oldest: said.versions.0,
        newest: said.versions.1,
        now: Some(time(said.now)),
        keeps: said.keeps,
    }
}

fn to_status(said: proto::Status) -> Decoded<Status> {
    at_most(said.modules.len(), MODULES_MAX, "the modules")?;
    let text = said.name.len().max(said.version.len());
    at_most(text, TEXT_BYTES_MAX, "a name")?;
    let modules = said.modules.into_iter().map(|module| {
        let text = module.name.len().max(module.comment.len());
        at_most(text, TEXT_BYTES_MAX, "a module")?;
        Ok(Module {
            name: module.name,
            access: at_place(ACCESSES, module.access, "the access to a module")?,
            comment: module.comment,
        })
    });
    Ok(Status {
        name: said.name,
        version: said.version,
        modules: modules.collect::<Decoded<_>>()?,
        uptime_secs: said.uptime_secs,
        sessions: said.sessions,
        versions: (said.oldest, said.newest),
        now: to_time(said.now)?,
        keeps: said.keeps,
    })
}
