use std::collections::VecDeque;

use blit_contract::{EndState, Error, ErrorKind, Item, Name, Problem, RelPath, Side};
use blit_engine::{Stop, Verb};
use parking_lot::Mutex;
use serde_json::Value;

use super::*;
use crate::spec::tests::{copy, copy_to};

type Session = (Vec<Told>, Result<Report, UserError>);

/// Sessions that tell and end as they were told to.
struct Scripted(Mutex<VecDeque<Session>>);

#[async_trait]
impl Sessions for Scripted {
    async fn run(&self, _: &Leg, wishes: Wishes) -> Result<Report, UserError> {
        let next = self.0.lock().pop_front();
        let (events, ended) = next.unwrap();
        for event in events {
            wishes.events.send(event).await.unwrap();
        }
        ended
    }
}

/// How a job of these sessions ends, and what it tells but its progress.
async fn ran(verb: Verb, sessions: Vec<Session>) -> (End, Vec<Value>) {
    let mut spec = copy();
    spec.terms = Options::new(verb).terms();
    spec.legs = vec![spec.legs[0].clone(); sessions.len()];
    let feed = Feed::new("J");
    let scripted = Scripted(Mutex::new(sessions.into()));
    let end = run(&spec, &feed, &scripted, &Cancel::default()).await;
    let lines = feed.lines();
    let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    let told = lines.filter(|line: &Value| line["type"] != "progress");
    (end, told.collect())
}

fn report(copied: u64, stop: Option<Stop>) -> Report {
    let mut report = Report::default();
    (0..copied).for_each(|_| report.ends.add(EndState::Copied));
    report.changed_anything = copied > 0;
    report.sealed = true;
    report.stop = stop;
    report
}

fn ended(exit: Exit) -> End {
    End {
        state: JobState::Ended,
        exit,
    }
}

fn path() -> RelPath {
    RelPath::ROOT.join(Name::new(*b"a").unwrap())
}

fn problem(kind: ErrorKind) -> Told {
    let error = Error::new(kind, "open").at(&path());
    Told::Problem(Arc::new(Problem::new(Side::Source, path(), error)))
}

#[tokio::test]
async fn the_sessions_of_a_job_are_summed_up() {
    let sessions = vec![
        (Vec::new(), Ok(report(2, None))),
        (Vec::new(), Ok(report(3, None))),
    ];
    let (end, told) = ran(Verb::Copy, sessions).await;
    assert_eq!(end, ended(Exit::Ok));
    let [start, summary] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (&start["type"], &start["verb"]),
        (&"start".into(), &"copy".into())
    );
    assert_eq!(start["dest"]["path"], "/target");
    assert_eq!(summary["files"]["copied"], 5);
}

#[tokio::test]
async fn a_session_that_stops_is_the_last_one_and_says_why() {
    let cancelled = vec![
        (Vec::new(), Ok(report(2, Some(Stop::Cancelled)))),
        (Vec::new(), Ok(report(3, None))),
    ];
    let (end, told) = ran(Verb::Copy, cancelled).await;
    assert_eq!(end.state, JobState::Cancelled);
    let last = told.last().unwrap();
    assert_eq!(
        (&last["code"], &last["exit"]),
        (&"run.stopped".into(), &130.into())
    );
    assert_eq!(last["changed"], "some");
    let plan = blit_contract::DeletionPlan::new(3, 0, 3);
    let unconfirmed = vec![(Vec::new(), Ok(report(0, Some(Stop::Unconfirmed(plan)))))];
    let (end, told) = ran(Verb::Mirror, unconfirmed).await;
    assert_eq!(end, ended(Exit::SafetyStop));
    assert_eq!(told.last().unwrap()["code"], "delete.unconfirmed");
}

#[tokio::test]
async fn a_session_that_cannot_begin_ends_the_job() {
    let error = UserError::new(Slug::PathNotFound, "not found: /source").unchanged();
    let (end, told) = ran(Verb::Copy, vec![(Vec::new(), Err(error))]).await;
    assert_eq!(end, ended(Exit::NotFound));
    assert_eq!(told.last().unwrap()["message"], "not found: /source");
}

#[tokio::test]
async fn an_entry_that_failed_is_told_and_makes_the_job_partial() {
    let events = vec![problem(ErrorKind::Denied), problem(ErrorKind::Vanished)];
    let (end, told) = ran(Verb::Copy, vec![(events, Ok(report(1, None)))]).await;
    assert_eq!(end, ended(Exit::Partial));
    let codes: Vec<_> = told
        .iter()
        .filter_map(|line| line["code"].as_str())
        .collect();
    assert_eq!(codes, ["perm.source", "data.vanished"]);
    assert_eq!(told.last().unwrap()["failures_total"], 1);
}

#[tokio::test]
async fn what_a_move_leaves_behind_is_named_and_is_no_success() {
    let item = Item::new(ItemOp::Skip, path(), 0, UNCARRIED[0]);
    let mut left = report(1, None);
    left.uncarried = 1;
    let (end, told) = ran(Verb::Move, vec![(vec![Told::Item(item)], Ok(left))]).await;
    assert_eq!(end, ended(Exit::Partial));
    let left: Vec<_> = told
        .iter()
        .filter(|line| line["type"] == "warning")
        .collect();
    assert_eq!(left.len(), 1);
    assert_eq!(
        (&left[0]["code"], &left[0]["path"]),
        (&"entry.skipped".into(), &"a".into())
    );
}

fn lost() -> Option<Stop> {
    let error = Error::new(ErrorKind::Unreachable, "receive");
    let problem = Problem::new(Side::Target, RelPath::ROOT, error);
    Some(Stop::Failed(Arc::new(problem)))
}

/// The same for a job to another machine that is looked for when it is lost.
async fn ran_elsewhere(sessions: Vec<Session>, cancel: &Cancel) -> (End, Vec<Value>) {
    let feed = Feed::new("J");
    let scripted = Scripted(Mutex::new(sessions.into()));
    let end = run(&copy_to([7; 32]), &feed, &scripted, cancel).await;
    let lines = feed.lines();
    let told = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    (end, told.collect())
}

#[tokio::test]
async fn a_machine_that_was_lost_is_met_again_and_all_that_came_is_counted() {
    let sessions = vec![
        (Vec::new(), Ok(report(2, lost()))),
        (Vec::new(), Ok(report(1, lost()))),
        (Vec::new(), Ok(report(3, None))),
    ];
    let (end, told) = ran_elsewhere(sessions, &Cancel::default()).await;
    assert_eq!(end, ended(Exit::Ok));
    assert_eq!(told.last().unwrap()["files"]["copied"], 6);
    let warned = told.iter().filter(|it| it["code"] == "net.unreachable");
    let words: Vec<_> = warned.map(|it| it["message"].as_str().unwrap()).collect();
    let lost = "the connection to nas:/m/d was lost; trying again";
    assert_eq!(words, [lost, lost]);
}

#[tokio::test]
async fn a_machine_that_is_not_met_again_ends_the_job_with_what_to_do() {
    let error = UserError::new(Slug::NetUnreachable, "nas does not answer").unchanged();
    let sessions = vec![
        (Vec::new(), Ok(report(2, lost()))),
        (Vec::new(), Err(error)),
    ];
    let (end, told) = ran_elsewhere(sessions, &Cancel::default()).await;
    assert_eq!(end, ended(Exit::Unreachable));
    let last = told.last().unwrap();
    assert_eq!(last["changed"], "unknown");
    assert_eq!(last["next"], "run the same command again; it continues");
}

#[tokio::test]
async fn a_job_that_nobody_wants_any_more_looks_for_no_machine() {
    let cancel = Cancel::default();
    cancel.cancel();
    let sessions = vec![(Vec::new(), Ok(report(2, lost())))];
    let (end, told) = ran_elsewhere(sessions, &cancel).await;
    assert_eq!(end.state, JobState::Cancelled);
    assert_eq!(told.last().unwrap()["code"], "run.stopped");
}
