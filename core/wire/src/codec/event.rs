//! Events and figures.

use std::sync::Arc;

use blit_contract::{Event, Item, ItemOp, Method, Phase, Problem, Side, Totals};

use super::{
    Decoded, at_most, at_place, needed,
    nouns::{fault, path, to_error, to_path},
    place_of,
    words::word,
};
use crate::{
    Figures,
    limits::{FIGURES_MAX, TEXT_BYTES_MAX},
    proto::{self, event::Body},
};

const PHASES: &[Phase] = &[
    Phase::Scan,
    Phase::Compare,
    Phase::Copy,
    Phase::Verify,
    Phase::Delete,
    Phase::Finish,
];

const OPS: &[ItemOp] = &[
    ItemOp::Create,
    ItemOp::Delete,
    ItemOp::Metadata,
    ItemOp::MoveAway,
    ItemOp::Skip,
    ItemOp::Update,
    ItemOp::DiffersContent,
    ItemOp::DiffersExtra,
    ItemOp::DiffersMetadata,
    ItemOp::DiffersMissing,
    ItemOp::DiffersType,
];

/// The methods by number, from 1. New ones are added at the end.
pub(super) const METHODS: &[Method] = &[
    Method::CopyFileRange,
    Method::Pack,
    Method::Pump,
    Method::Reflink,
    Method::Sendfile,
    Method::Splice,
];

pub(super) fn event(event: &Event) -> proto::Event {
    let body = match event {
        Event::Item(item) => Some(Body::Item(proto::Item {
            op: place_of(OPS, &item.op),
            path: Some(path(&item.path)),
            bytes: item.bytes,
            reason: item.reason.to_owned(),
            method: item.method.map_or(0, |method| place_of(METHODS, &method)),
        })),
        Event::NotEntered(at) => Some(Body::NotEntered(path(at))),
        Event::Phase(phase) => Some(Body::Phase(place_of(PHASES, phase))),
        // The receiver has the figures; it needs to know only that they are worth a look.
        Event::Plan(_) => Some(Body::Plan(true)),
        Event::Problem(told) => Some(Body::Problem(problem(told))),
        Event::Stalled {
            waiting_for,
            seconds,
        } => Some(Body::Stalled(proto::Stalled {
            waiting_for: waiting_for.clone(),
            seconds: *seconds,
        })),
        // An event that this protocol does not have yet.
        _ => None,
    };
    proto::Event { body }
}

pub(super) fn to_event(event: proto::Event) -> Decoded<Event> {
    Ok(match needed(event.body, "an event")? {
        Body::Item(item) => {
            let op = at_place(OPS, item.op, "what happened")?;
            let mut told = Item::new(op, to_path(item.path)?, item.bytes, word(&item.reason));
            told.method = at_place(METHODS, item.method, "a method").ok();
            Event::Item(told)
        }
        Body::NotEntered(at) => Event::NotEntered(to_path(Some(at))?),
        Body::Phase(phase) => Event::Phase(at_place(PHASES, phase, "a phase")?),
        Body::Plan(_) => Event::Plan(Totals::default()),
        Body::Problem(told) => Event::Problem(Arc::new(to_problem(told)?)),
        Body::Stalled(stalled) => {
            at_most(stalled.waiting_for.len(), TEXT_BYTES_MAX, "a text")?;
            Event::Stalled {
                waiting_for: stalled.waiting_for,
                seconds: stalled.seconds,
            }
        }
    })
}

pub(super) fn problem(problem: &Problem) -> proto::Problem {
    proto::Problem {
        at_source: problem.side == Side::Source,
        path: Some(path(&problem.path)),
        fault: Some(fault(&problem.error)),
        retried: problem.retried,
    }
}

pub(super) fn to_problem(problem: proto::Problem) -> Decoded<Problem> {
    let side = match problem.at_source {
        true => Side::Source,
        false => Side::Target,
    };
    let error = to_error(needed(problem.fault, "an error")?)?;
    let mut told = Problem::new(side, to_path(problem.path)?, error);
    told.retried = problem.retried;
    Ok(told)
}

pub(super) fn figures(figures: &Figures) -> proto::Figures {
    proto::Figures {
        counts: figures.counts.clone(),
        scan_is_over: figures.scan_is_over,
        phase: figures.phase.map_or(0, |phase| place_of(PHASES, &phase)),
    }
}

pub(super) fn to_figures(figures: proto::Figures) -> Decoded<Figures> {
    at_most(figures.counts.len(), FIGURES_MAX, "the figures")?;
    Ok(Figures {
        counts: figures.counts,
        scan_is_over: figures.scan_is_over,
        phase: at_place(PHASES, figures.phase, "a phase").ok(),
    })
}
