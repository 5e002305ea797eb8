//! How a side of a session ended.

use std::sync::Arc;

use blit_contract::{DeletionPlan, EndState, LossClass};

use super::{
    BadMessage, Decoded, at_most, at_place,
    event::{METHODS, problem, to_problem},
    lanes, needed,
    nouns::{fault, to_error},
    place_of,
};
use crate::{
    Report, Stop,
    proto::{self, stop::Body},
};

const LOSSES: &[LossClass] = &[
    LossClass::Acl,
    LossClass::HardLink,
    LossClass::Mode,
    LossClass::Owner,
    LossClass::Time,
    LossClass::Xattr,
];

pub(super) fn report(report: &Report) -> proto::Report {
    let methods = report.methods.iter();
    let losses = report.losses.iter();
    proto::Report {
        ends: EndState::ALL.map(|end| report.ends.get(end)).to_vec(),
        copied_bytes: report.copied_bytes,
        methods: methods
            .map(|(method, count)| counted(place_of(METHODS, method), *count))
            .collect(),
        losses: losses
            .map(|(loss, count)| counted(place_of(LOSSES, loss), *count))
            .collect(),
        problems: report.problems.iter().map(|one| problem(one)).collect(),
        problems_total: report.problems_total,
        deletions_withheld: report.deletions_withheld,
        differences: report.differences,
        uncarried: report.uncarried,
        matched_bytes: report.matched_bytes,
        wire_bytes: report.wire_bytes,
        sealed: report.sealed,
        root_created: report.root_created,
        changed_anything: report.changed_anything,
        stop: report.stop.as_ref().and_then(stop),
        lanes: report.lanes.map(lanes::used),
    }
}

fn counted(what: u32, count: u64) -> proto::Count {
    proto::Count { what, count }
}

pub(super) fn to_report(ended: proto::Report) -> Decoded<Report> {
    at_most(ended.ends.len(), EndState::ALL.len(), "a report")?;
    at_most(ended.problems.len(), Report::PROBLEMS_MAX, "a report")?;
    at_most(ended.methods.len(), METHODS.len(), "a report")?;
    at_most(ended.losses.len(), LOSSES.len(), "a report")?;
    let mut report = Report::default();
    for (end, count) in EndState::ALL.into_iter().zip(&ended.ends) {
        report.ends.add_many(end, *count);
    }
    for one in ended.methods {
        let method = at_place(METHODS, one.what, "a method")?;
        report.methods.insert(method, one.count);
    }
    for one in ended.losses {
        let loss = at_place(LOSSES, one.what, "a loss")?;
        report.losses.insert(loss, one.count);
    }
    let problems = ended.problems.into_iter();
    report.problems = problems
        .map(|one| Ok(Arc::new(to_problem(one)?)))
        .collect::<Decoded<_>>()?;
    report.copied_bytes = ended.copied_bytes;
    report.problems_total = ended.problems_total;
    report.deletions_withheld = ended.deletions_withheld;
    report.differences = ended.differences;
    report.uncarried = ended.uncarried;
    report.matched_bytes = ended.matched_bytes;
    report.wire_bytes = ended.wire_bytes;
    report.sealed = ended.sealed;
    report.root_created = ended.root_created;
    report.changed_anything = ended.changed_anything;
    report.stop = ended.stop.map(to_stop).transpose()?;
    report.lanes = ended.lanes.map(lanes::to_used).transpose()?;
    Ok(report)
}

pub(super) fn plan(plan: &DeletionPlan) -> proto::DeletionPlan {
    proto::DeletionPlan {
        entries: plan.entries,
        bytes: plan.bytes,
        of_entries: plan.of_entries,
    }
}

pub(super) fn to_plan(plan: Option<proto::DeletionPlan>) -> Decoded<DeletionPlan> {
    let plan = needed(plan, "the deletions")?;
    Ok(DeletionPlan::new(plan.entries, plan.bytes, plan.of_entries))
}

/// An overlap is found before there is a session, and crosses as a refusal.
fn stop(stop: &Stop) -> Option<proto::Stop> {
    let body = match stop {
        Stop::Brake {
            plan: brake,
            source_is_empty,
        } => Body::Brake(proto::Brake {
            plan: Some(plan(brake)),
            source_is_empty: *source_is_empty,
        }),
        Stop::Cancelled => Body::Cancelled(true),
        Stop::Declined(declined) => Body::Declined(plan(declined)),
        Stop::Failed(failed) => Body::Failed(problem(failed)),
        Stop::NoRoom {
            needed_bytes,
            free_bytes,
        } => Body::NoRoom(proto::NoRoom {
            needed_bytes: *needed_bytes,
            free_bytes: *free_bytes,
        }),
        Stop::Unconfirmed(unconfirmed) => Body::Unconfirmed(plan(unconfirmed)),
        Stop::Internal(error) => Body::Internal(fault(error)),
        Stop::Overlap { .. } => return None,
    };
    Some(proto::Stop { body: Some(body) })
}

fn to_stop(stop: proto::Stop) -> Decoded<Stop> {
    Ok(match stop.body.ok_or(BadMessage::Missing("the reason"))? {
        Body::Brake(brake) => Stop::Brake {
            plan: to_plan(brake.plan)?,
            source_is_empty: brake.source_is_empty,
        },
        Body::Cancelled(_) => Stop::Cancelled,
        Body::Declined(declined) => Stop::Declined(to_plan(Some(declined))?),
        Body::Failed(failed) => Stop::Failed(Arc::new(to_problem(failed)?)),
        Body::NoRoom(room) => Stop::NoRoom {
            needed_bytes: room.needed_bytes,
            free_bytes: room.free_bytes,
        },
        Body::Unconfirmed(unconfirmed) => Stop::Unconfirmed(to_plan(Some(unconfirmed))?),
        Body::Internal(fault) => Stop::Internal(to_error(fault)?),
    })
}
