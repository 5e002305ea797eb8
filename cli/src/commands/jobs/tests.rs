use super::*;

fn job(state: JobState, exit: u32) -> JobRow {
    JobRow {
        id: "01JD".to_owned(),
        verb: "copy".to_owned(),
        sources: vec!["/a".into(), "/b".into()],
        target: "/c".into(),
        state: state.into(),
        exit,
        ..JobRow::default()
    }
}

#[test]
fn each_state_has_its_word() {
    let row = |state, exit| text(&job(state, exit)).trim_end().to_owned();
    let told = |word: &str| format!("01JD\t{word}\tcopy /a, /b to /c");
    assert_eq!(row(JobState::Ended, 0), told("done"));
    assert_eq!(row(JobState::Ended, 7), told("failed (exit 7)"));
    assert_eq!(row(JobState::Cancelled, 130), told("cancelled"));
    assert_eq!(
        row(JobState::Interrupted, 8),
        told("interrupted (resumable)")
    );
    let mut running = job(JobState::Running, 0);
    running.figures = Some(blit_control::jobs::JobFigures {
        files_done: 1,
        files_total: 2,
        bytes_total: 1 << 10,
        ..Default::default()
    });
    let text = text(&running);
    assert!(text.ends_with("\t1/2+ files, 0 B/1.00 KiB+"), "{text}");
}

#[test]
fn every_refusal_has_its_name_and_exit_code() {
    let told = |refusal| {
        let error = Whose::default().refused("X", refusal);
        (error.slug, error.exit().code())
    };
    let why = || "why".to_owned();
    assert_eq!(told(JobRefusal::Unknown), (Slug::JobUnknown, 5));
    assert_eq!(told(JobRefusal::Limit(why())), (Slug::JobLimit, 6));
    assert_eq!(told(JobRefusal::Lost(why())), (Slug::NetUnreachable, 8));
    assert_eq!(told(JobRefusal::Stopping), (Slug::NetUnreachable, 8));
    assert_eq!(told(JobRefusal::Invalid(why())), (Slug::RunFailed, 1));
    assert_eq!(told(JobRefusal::Unkept(why())), (Slug::RunFailed, 1));
}
