use std::fs;

use super::*;
use crate::spec::tests::copy;

const DONE: End = End {
    state: JobState::Ended,
    exit: Exit::Ok,
};

const CANCELLED: End = End {
    state: JobState::Cancelled,
    exit: Exit::Interrupted,
};

fn book(folder: &Path) -> Book {
    Book::open(folder).unwrap()
}

/// A job like no other.
fn job(number: usize) -> Spec {
    Spec {
        target: format!("/target/{number}").into(),
        ..copy()
    }
}

fn states(book: &Book) -> Vec<JobState> {
    book.rows().iter().map(JobRow::state).collect()
}

async fn exit_of(book: &Book, id: &str) -> Option<u8> {
    let mut watch = book.watch(id).unwrap();
    let mut last = None;
    while let Some(said) = watch.next().await {
        last = said.exit;
    }
    last
}

/// A job that runs has said its last line, as every job does that has ended.
fn finish(book: &Book, job: Begun, end: End) -> JobState {
    let error = UserError::new(Slug::RunStopped, "it has ended").exits(end.exit);
    job.feed.tell(Event::Error((&error).into()));
    book.end(job, Some(end))
}

#[tokio::test]
async fn what_ended_is_remembered_by_the_next_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let first = book(folder.path());
    let begun = first.begin(copy()).unwrap();
    let id = begun.id.clone();
    assert_eq!(states(&first), [JobState::Running]);
    finish(&first, begun, DONE);
    for book in [&first, &book(folder.path())] {
        assert_eq!(states(book), [JobState::Ended]);
        assert_eq!(book.rows()[0].id, id);
        assert!(!book.rows()[0].ended.is_empty());
        assert_eq!(exit_of(book, &id).await, Some(0));
        assert_eq!(exit_of(book, "").await, Some(0));
    }
}

#[tokio::test]
async fn what_a_killed_daemon_leaves_is_interrupted_and_the_same_job_goes_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let killed = book(folder.path()).begin(copy()).unwrap();
    let next = book(folder.path());
    assert_eq!(states(&next), [JobState::Interrupted]);
    assert_eq!(exit_of(&next, &killed.id).await, Some(8));
    let other = next.begin(job(1)).unwrap();
    assert!(!other.resumes && other.id != killed.id);
    let again = next.begin(copy()).unwrap();
    assert!(again.resumes && again.id == killed.id);
    finish(&next, again, DONE);
    let once_more = next.begin(copy()).unwrap();
    assert!(!once_more.resumes, "what has ended is not gone on with");
}

#[tokio::test]
async fn what_is_stopped_by_the_daemons_end_is_interrupted_and_by_its_user_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let (one, two) = (book.begin(job(1)).unwrap(), book.begin(job(2)).unwrap());
    let id = one.id.clone();
    let cancelling = book.cancel(&id);
    tokio::pin!(cancelling);
    assert!(futures_poll(cancelling.as_mut()).await.is_none(), "it runs");
    assert!(one.cancel.is_cancelled() && !two.cancel.is_cancelled());
    assert_eq!(finish(&book, one, CANCELLED), JobState::Cancelled);
    assert_eq!(cancelling.await, Ok(JobState::Cancelled));
    book.interrupt();
    assert!(two.cancel.is_cancelled());
    assert_eq!(finish(&book, two, CANCELLED), JobState::Interrupted);
    let drained = book.drained();
    drained.await;
    assert_eq!(book.begin(job(3)).unwrap_err(), JobRefusal::Stopping);
}

/// What the future says if it is asked once.
async fn futures_poll<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        let polled = std::pin::Pin::new(&mut future).poll(cx);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_job_that_ended_before_it_was_cancelled_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let begun = book.begin(copy()).unwrap();
    let id = begun.id.clone();
    begun.cancel.cancel();
    finish(&book, begun, DONE);
    assert_eq!(book.cancel(&id).await, Ok(JobState::Ended));
    assert_eq!(book.cancel("nothing").await, Err(JobRefusal::Unknown));
    assert_eq!(book.watch("nothing").unwrap_err(), JobRefusal::Unknown);
}

#[tokio::test]
async fn an_interrupted_job_that_is_cancelled_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let id = book(folder.path()).begin(copy()).unwrap().id;
    let next = book(folder.path());
    assert_eq!(next.cancel(&id).await, Ok(JobState::Cancelled));
    assert!(!next.begin(copy()).unwrap().resumes);
    assert_eq!(exit_of(&book(folder.path()), &id).await, Some(130));
}

#[test]
fn as_many_run_as_may_and_one_more_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let mut running: Vec<Begun> = (0..RUNNING_MAX)
        .map(|number| book.begin(job(number)).unwrap())
        .collect();
    assert_eq!(book.running(), RUNNING_MAX);
    let refused = book.begin(job(RUNNING_MAX)).unwrap_err();
    assert!(matches!(refused, JobRefusal::Limit(_)), "{refused}");
    finish(&book, running.pop().unwrap(), DONE);
    book.begin(job(RUNNING_MAX)).unwrap();
}

#[test]
fn what_is_lost_to_a_defect_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let begun = book.begin(copy()).unwrap();
    assert_eq!(book.end(begun, None), JobState::Ended);
    assert_eq!(book.rows()[0].exit, 1);
}

#[test]
fn what_cannot_be_kept_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = folder.path().join("jobs");
    fs::write(&jobs, "a file").unwrap();
    let refused = Book {
        folder: jobs,
        state: Mutex::default(),
        ended: Notify::new(),
    }
    .begin(copy())
    .unwrap_err();
    assert!(matches!(refused, JobRefusal::Unkept(_)), "{refused}");
}

#[test]
fn a_file_that_is_no_job_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let begun = book(folder.path()).begin(copy()).unwrap();
    let file = folder.path().join(format!("{}.job", begun.id));
    fs::write(&file, "nonsense").unwrap();
    fs::write(folder.path().join("notes.txt"), "").unwrap();
    assert!(book(folder.path()).rows().is_empty());
    assert!(file.exists());
}

#[test]
fn the_oldest_are_forgotten_by_age_number_and_size_and_what_runs_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(folder.path());
    let running = book.begin(job(100)).unwrap();
    for number in 0..5 {
        let begun = book.begin(job(number)).unwrap();
        finish(&book, begun, DONE);
    }
    let now = jiff::Timestamp::now();
    let one = book.rows().len() as u64;
    assert_eq!(one, 6);
    let left = |keep: Keep, at| 5 - book.state.lock().too_many(keep, at).len();
    let keep = Keep::default();
    assert_eq!(left(keep, now), 5);
    assert_eq!(left(Keep { jobs: 2, ..keep }, now), 2);
    assert_eq!(left(Keep { bytes: 0, ..keep }, now), 0);
    let later = now + jiff::SignedDuration::from_hours(91 * 24);
    assert_eq!(left(keep, later), 0);
    let age = Duration::ZERO;
    assert_eq!(left(Keep { age, ..keep }, later), 5);
    // Before they began: whatever the clock says, nothing is old.
    assert_eq!(
        left(keep, now - jiff::SignedDuration::from_hours(91 * 24)),
        5
    );
    book.tidy(Keep { jobs: 1, ..keep });
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!((files, book.rows().len()), (2, 2));
    assert!(book.rows().iter().any(|row| row.id == running.id));
}
