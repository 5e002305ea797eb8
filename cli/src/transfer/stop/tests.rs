use std::sync::Arc;

use blit_config::{ColorWhen, Sources};
use blit_contract::{DeletionPlan, Error, RelPath, Side};
use blit_engine::{Overlap, Top, TopName, Verb};

use super::*;
use crate::{args::Global, errors::Changed, places::Place, transfer::Request, ui::Ui};

fn app() -> App {
    let ui = Arc::new(Ui::new(&Global::default(), ColorWhen::Never));
    App::new(ui, Sources::default().load().unwrap()).unwrap()
}

fn place(path: &str) -> Place {
    Place {
        typed: path.into(),
        path: path.into(),
        is_contents: path.ends_with('/'),
        remote: None,
    }
}

/// The error of a mirror of `/srv/a` to `/backup` that stopped for that reason, as text.
fn told(stop: &Stop) -> (String, u8) {
    let trip = Trip {
        request: Request::new(Verb::Mirror, vec!["/srv/a".into()], "/backup".into()),
        sources: vec![place("/srv/a")],
        target: place("/backup"),
        backup: None,
        legs: Vec::new(),
        lanes: Arc::default(),
    };
    let leg = Leg {
        source: "/srv".into(),
        top: Top::Names(vec![TopName::same(
            blit_contract::Name::new(*b"a").unwrap(),
        )]),
        target: "/backup".into(),
        remote: None,
    };
    let app = app();
    let error = explain(&app, &trip, &Outcome::default(), stop, &leg);
    (app.ui.error_text(&error), error.exit().code())
}

#[test]
fn the_brake_names_the_figures_and_how_to_lift_it() {
    let stop = Stop::Brake {
        plan: DeletionPlan::new(9_812, 0, 9_900),
        source_is_empty: true,
    };
    let text = "error: refusing to delete 9 812 of 9 900 entries below /backup/a\n  \
                cause: source /srv/a is empty; is it mounted?\n  \
                state: nothing was changed\n  \
                next: if you mean it: add --max-delete 100%";
    assert_eq!(told(&stop), (text.to_owned(), 7));
}

#[test]
fn a_question_that_nobody_could_answer_is_a_safety_stop() {
    let text = "error: mirror would delete 12 entries and nobody is here to confirm\n  \
                state: nothing was changed\n  \
                next: look with -n, then add -y";
    let stop = Stop::Unconfirmed(DeletionPlan::new(12, 0, 100));
    assert_eq!(told(&stop), (text.to_owned(), 7));
}

#[test]
fn too_little_room_is_found_before_the_first_change() {
    let stop = Stop::NoRoom {
        needed_bytes: 118 << 30,
        free_bytes: 65_712_999_629,
    };
    let text = "error: not enough room: needs 118 GiB, /backup/ has 61.2 GiB free\n  \
                state: nothing was changed\n  \
                next: make room, or choose another destination";
    assert_eq!(told(&stop), (text.to_owned(), 9));
}

#[test]
fn an_overlap_says_which_is_inside_which() {
    let stop = Stop::Overlap {
        how: Overlap::TargetInside,
        entry: None,
    };
    let text = "error: destination is inside the source\n  \
                cause: /backup/a is below /srv/a; every run would copy the copy\n  \
                state: nothing was changed\n  \
                next: choose another destination";
    assert_eq!(told(&stop), (text.to_owned(), 2));
}

#[test]
fn a_failing_side_is_named_with_the_words_of_the_system() {
    let fail = |side, kind| {
        let error = Error::new(kind, "write").because("the system's words");
        let problem = Problem::new(side, RelPath::ROOT, error);
        let (text, code) = told(&Stop::Failed(Arc::new(problem)));
        assert!(text.contains("the system's words"), "{text}");
        (text.lines().next().unwrap().to_owned(), code)
    };
    let line = |text: &str| format!("error: {text}");
    assert_eq!(
        fail(Side::Target, ErrorKind::ReadOnly),
        (line("/backup is read-only"), 6)
    );
    assert_eq!(
        fail(Side::Target, ErrorKind::NoSpace),
        (line("no room is left in /backup/"), 9)
    );
    assert_eq!(
        fail(Side::Target, ErrorKind::Denied),
        (line("/backup may not be written"), 6)
    );
    assert_eq!(
        fail(Side::Target, ErrorKind::Io),
        (line("/backup cannot be written: its device fails"), 1)
    );
    assert_eq!(
        fail(Side::Source, ErrorKind::Denied),
        (line("/srv may not be read"), 6)
    );
}

#[test]
fn a_defect_asks_for_a_report() {
    let error = Error::new(ErrorKind::Bug, "seal");
    let (text, code) = told(&Stop::Internal(error));
    assert!(text.starts_with("error: blit has a defect"), "{text}");
    assert_eq!(code, 1);
}

#[test]
fn what_was_done_before_the_stop_is_said() {
    let outcome = Outcome {
        changed_anything: true,
        ..Outcome::default()
    };
    let trip = Trip {
        request: Request::new(Verb::Copy, Vec::new(), "/backup".into()),
        sources: vec![place("/srv/a")],
        target: place("/backup"),
        backup: None,
        legs: Vec::new(),
        lanes: Arc::default(),
    };
    let leg = Leg {
        source: "/srv/a".into(),
        top: Top::Contents,
        target: "/backup".into(),
        remote: None,
    };
    let error = explain(&app(), &trip, &outcome, &Stop::Cancelled, &leg);
    assert_eq!(error.changed, Changed::Some);
    assert_eq!(
        error.state.clone().unwrap(),
        "0 entries are complete; nothing is half-written under its final name"
    );
    assert_eq!(error.exit().code(), 130);
}
