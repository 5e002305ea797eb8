//! `blit jobs`: what `--detach` handed to the daemon of this machine.

mod told;

use std::{os::unix::ffi::OsStrExt, time::Instant};

use blit_control::{
    JobRefusal, LocalClient,
    jobs::{JobRow, JobState},
};

use crate::{
    app::App,
    args::{JobsArgs, JobsVerb},
    errors::{Result, Slug, UserError},
    events::{self, Event, PathField},
    exit::Exit,
    ui::shown,
    units,
};

pub(super) async fn run(app: &App, args: JobsArgs) -> Result<Exit> {
    match args.verb {
        JobsVerb::List => list(app).await,
        JobsVerb::Watch { id } => watch(app, &id.unwrap_or_default()).await,
        JobsVerb::Cancel { id } => cancel(app, id).await,
    }
}

/// The daemon of this machine.
pub(crate) async fn daemon() -> Result<LocalClient, UserError> {
    let reached = blit_admin::reach(&super::admin::places()?).await;
    reached.map_err(super::admin::from_trouble)
}

/// Why the daemon does not do what a job is asked for.
pub(crate) fn from_refusal(id: &str, refusal: JobRefusal) -> UserError {
    let new = |slug, message: &str| UserError::new(slug, message).unchanged();
    match refusal {
        JobRefusal::Limit(why) => {
            new(Slug::JobLimit, &why).next("see which, and wait for one: blit jobs list")
        }
        JobRefusal::Lost(why) => UserError::new(
            Slug::NetUnreachable,
            "the daemon of this machine does not answer any more",
        )
        .cause(why)
        .state("what is there under its final name is complete")
        .changed(events::Changed::Unknown)
        .next("start it again, and look: blit jobs list"),
        JobRefusal::Stopping => new(
            Slug::NetUnreachable,
            "the daemon of this machine is about to end",
        )
        .next("start it again, and run the same command"),
        JobRefusal::Unknown if id.is_empty() => {
            new(Slug::JobUnknown, "there is no job").next("hand one over with --detach")
        }
        JobRefusal::Unknown => new(Slug::JobUnknown, &format!("there is no job {id:?}"))
            .next("see those that there are: blit jobs list"),
        other => {
            new(Slug::RunFailed, "the daemon of this machine cannot do it").cause(other.to_string())
        }
    }
}

async fn list(app: &App) -> Result<Exit> {
    let began = Instant::now();
    let jobs = daemon().await?.jobs().await;
    let jobs = jobs.map_err(|refusal| from_refusal("", refusal))?;
    for job in &jobs {
        if !app.ui.json {
            app.ui.text(&(text(job) + "\n"))?;
        }
        app.ui.emit(Event::Entry(Box::new(entry(job))))?;
    }
    conclude(app, began, jobs.len())
}

fn conclude(app: &App, began: Instant, rows: usize) -> Result<Exit> {
    let summary = events::Summary::of_rows(Exit::Ok, began.elapsed(), rows as u64);
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(Exit::Ok)
}

/// One job and its state, for people and programs.
pub(crate) fn tell_one(app: &App, id: String, state: &str) -> Result<Exit> {
    if !app.ui.json {
        app.ui.text(&format!("{id}\n"))?;
    }
    app.ui.emit(Event::Entry(Box::new(events::Entry {
        kind: "job",
        name: Some(id),
        value: Some(state.to_owned()),
        ..events::Entry::default()
    })))?;
    conclude(app, Instant::now(), 1)
}

fn word(job: &JobRow) -> &'static str {
    match (job.state(), job.exit) {
        (JobState::Ended, 0) => "done",
        (state, _) => state_word(state),
    }
}

fn state_word(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Cancelled => "cancelled",
        JobState::Interrupted => "interrupted",
        _ => "failed",
    }
}

/// A row: name, state, what, how far.
fn text(job: &JobRow) -> String {
    let state = match word(job) {
        "failed" => format!("failed (exit {})", job.exit),
        "interrupted" => "interrupted (resumable)".to_owned(),
        word => word.to_owned(),
    };
    let figures = job.figures.map(|it| {
        let more = if it.total_is_final { "" } else { "+" };
        format!(
            "{}/{}{more} files, {}/{}{more}",
            it.files_done,
            it.files_total,
            units::size(it.bytes_done),
            units::size(it.bytes_total)
        )
    });
    let figures = figures.unwrap_or_default();
    format!("{}\t{state}\t{}\t{figures}", job.id, what(job))
}

/// `copy /a, /b to /c`.
fn what(job: &JobRow) -> String {
    let path = |bytes: &[u8]| shown(std::ffi::OsStr::from_bytes(bytes));
    let mut sources: Vec<String> = job.sources.iter().map(|source| path(source)).collect();
    if job.more_sources > 0 {
        sources.push(format!("{} more", job.more_sources));
    }
    format!(
        "{} {} to {}",
        job.verb,
        sources.join(", "),
        path(&job.target)
    )
}

fn entry(job: &JobRow) -> events::Entry {
    let figures = job.figures.unwrap_or_default();
    let of_running = |number| job.figures.map(|_| number);
    events::Entry {
        kind: "job",
        name: Some(job.id.clone()),
        value: Some(word(job).to_owned()),
        detail: Some(what(job)),
        modified: Some(job.began.clone()),
        target: Some(PathField::new(&job.target)),
        files: of_running(figures.files_done),
        size: of_running(figures.bytes_done),
        total_bytes: of_running(figures.bytes_total),
        ..events::Entry::default()
    }
}

/// Follows a job to its last line.
async fn watch(app: &App, id: &str) -> Result<Exit> {
    let refused = |refusal| from_refusal(id, refusal);
    let lines = daemon().await?.watch_job(id).await;
    let mut lines = lines.map_err(refused)?;
    let mut watcher = told::Watcher::default();
    while let Some(line) = lines.next().await.map_err(refused)? {
        if app.ui.json {
            app.ui.text(&(line.line + "\n"))?;
            app.ui.flush()?;
        } else {
            watcher.show(app, &line.line)?;
        }
        if let Some(code) = line.exit {
            return Ok(exit_of(code));
        }
    }
    let message = "the job told more than this command could take";
    Err(UserError::new(Slug::RunFailed, message)
        .state("the job goes on")
        .next("follow it again with: blit jobs watch")
        .into())
}

fn exit_of(code: u32) -> Exit {
    let all = Exit::BY_GRAVITY.into_iter();
    let mut found = all.filter(|exit| u32::from(exit.code()) == code);
    found.next().unwrap_or(Exit::Failed)
}

async fn cancel(app: &App, id: String) -> Result<Exit> {
    let state = daemon().await?.cancel_job(&id).await;
    let state = state.map_err(|refusal| from_refusal(&id, refusal))?;
    if state == JobState::Ended {
        app.ui.say("it had ended before: nothing was stopped");
        return tell_one(app, id, "ended");
    }
    app.ui
        .say("stopped; what it has done stays, and is complete");
    tell_one(app, id, state_word(state))
}

#[cfg(test)]
mod tests;
