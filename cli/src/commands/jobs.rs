//! `blit jobs`: what `--detach` handed to the daemon of this machine, or of one that lets this one ask.

mod told;

use std::{os::unix::ffi::OsStrExt, sync::Arc, time::Instant};

use blit_control::{
    JobRefusal, JobsOf, LocalClient,
    jobs::{JobRow, JobState},
};

use crate::{
    app::App,
    args::{JobsArgs, JobsVerb},
    errors::{Result, Slug, UserError},
    events::{self, Event, PathField},
    exit::Exit,
    peers,
    ui::shown,
    units,
};

pub(super) async fn run(app: &App, args: JobsArgs) -> Result<Exit> {
    match args.verb {
        JobsVerb::List { host } => list(app, Desk::of(app, host).await?).await,
        JobsVerb::Watch { first, id } => {
            let (host, id) = match (first, id) {
                (Some(first), None) if !is_machine(&first)? => (None, first),
                (host, id) => (host, id.unwrap_or_default()),
            };
            watch(app, Desk::of(app, host).await?, &id).await
        }
        JobsVerb::Cancel { first, id } => {
            let (host, id) = match id {
                None => (None, first),
                Some(id) => (Some(first), id),
            };
            cancel(app, Desk::of(app, host).await?, id).await
        }
    }
}

/// Whether this can only mean another machine.
fn is_machine(typed: &str) -> Result<bool, UserError> {
    let machine = peers::machine(typed);
    Ok(typed.ends_with(':') || peers::load()?.named(machine.name()).is_some())
}

/// The jobs of a machine.
struct Desk {
    jobs: JobsOf,
    whose: Whose,
}

impl Desk {
    async fn of(app: &App, host: Option<String>) -> Result<Self, UserError> {
        let jobs = match &host {
            None => daemon().await?.jobs(),
            Some(host) => {
                let (machine, lanes) = (peers::machine(host), Arc::default());
                peers::connect(app, &machine, &lanes).await?.jobs()
            }
        };
        Ok(Self {
            jobs,
            whose: Whose(host),
        })
    }
}

/// The machine that does the jobs: this one, or one as it was typed.
#[derive(Debug, Default)]
pub(crate) struct Whose(Option<String>);

impl Whose {
    fn daemon(&self) -> String {
        match &self.0 {
            None => "the daemon of this machine".to_owned(),
            Some(host) => format!("the daemon of {}", host.trim_end_matches(':')),
        }
    }

    /// The command that shows them.
    fn listing(&self) -> String {
        let host = self.0.as_deref().map(|host| format!(" {host}"));
        format!("blit jobs list{}", host.unwrap_or_default())
    }

    /// Why the daemon does not do what it is asked for.
    pub(crate) fn refused(&self, id: &str, refusal: JobRefusal) -> UserError {
        let new = |slug, message: String| UserError::new(slug, message).unchanged();
        let (daemon, listing) = (self.daemon(), self.listing());
        match refusal {
            JobRefusal::Limit(why) => {
                new(Slug::JobLimit, why).next(format!("see which, and wait for one: {listing}"))
            }
            JobRefusal::Lost(why) => UserError::new(
                Slug::NetUnreachable,
                format!("{daemon} does not answer any more"),
            )
            .cause(why)
            .state("what is there under its final name is complete")
            .changed(events::Changed::Unknown)
            .next(format!("start it again, and look: {listing}")),
            JobRefusal::Stopping => new(Slug::NetUnreachable, format!("{daemon} is about to end"))
                .next("start it again, and run the same command"),
            JobRefusal::Unknown if id.is_empty() => {
                new(Slug::JobUnknown, "there is no job".to_owned())
                    .next("hand one over with --detach")
            }
            JobRefusal::Unknown => new(Slug::JobUnknown, format!("there is no job {id:?}"))
                .next(format!("see those that there are: {listing}")),
            JobRefusal::Denied(why) => new(
                Slug::AuthUnpaired,
                format!("{daemon} does not do that for this machine"),
            )
            .cause(why)
            .next("over there, in daemon.toml: [jobs] with peers = [\"NAME OF THIS MACHINE\"]"),
            other => {
                new(Slug::RunFailed, format!("{daemon} cannot do it")).cause(other.to_string())
            }
        }
    }
}

/// The daemon of this machine.
pub(crate) async fn daemon() -> Result<LocalClient, UserError> {
    let reached = blit_admin::reach(&super::admin::places()?).await;
    reached.map_err(super::admin::from_trouble)
}

async fn list(app: &App, mut desk: Desk) -> Result<Exit> {
    let began = Instant::now();
    let jobs = desk.jobs.all().await;
    let jobs = jobs.map_err(|refusal| desk.whose.refused("", refusal))?;
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
async fn watch(app: &App, mut desk: Desk, id: &str) -> Result<Exit> {
    let refused = |refusal| desk.whose.refused(id, refusal);
    let lines = desk.jobs.watch(id).await;
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

async fn cancel(app: &App, mut desk: Desk, id: String) -> Result<Exit> {
    let state = desk.jobs.cancel(&id).await;
    let state = state.map_err(|refusal| desk.whose.refused(&id, refusal))?;
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
