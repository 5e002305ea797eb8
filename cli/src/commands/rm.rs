//! `blit rm`: deletes what was named, bottom-up, exactly what was listed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use blit_contract::{
    Cx, Durability, Entry, Error, ErrorKind, ListOptions, Name, Peer, Preserve, RelPath, Side,
    Store, SyncScope, WritePolicy,
};
use blit_engine::RemoteStore;
use blit_reach::RemotePlace;
use blit_wire::Access;
use futures_util::StreamExt;

use crate::{
    app::App,
    args::RmArgs,
    ask::ask,
    errors::{Changed, Result, Slug, UserError, cause_of, from_contract, slug_of},
    events::{self, Event, PathField},
    exit::Exit,
    peers,
    places::{self, Place},
    units,
};

/// How many entries are deleted in one call.
const BATCH: usize = 256;

/// What is to go, below one directory.
struct Doomed {
    store: Arc<dyn Store>,
    is_remote: bool,
    /// What stands before the paths.
    prefix: Vec<u8>,
    /// Parents before children.
    entries: Vec<(RelPath, Entry)>,
}

/// What came of it.
#[derive(Default)]
struct Tally {
    deleted: u64,
    failures: Vec<events::ItemError>,
    failures_total: u64,
}

pub(super) async fn run(app: &App, args: RmArgs) -> Result<Exit> {
    let began = Instant::now();
    app.stop.gently();
    let mut all = Vec::new();
    for typed in &args.paths {
        let place = Place::parse(&app.registry, typed)?;
        all.push(collect(app, &args, &place).await?);
    }
    if args.dry_run {
        return dry_run(app, &all, began);
    }
    confirm(app, &args, &all).await?;
    let mut tally = Tally::default();
    for doomed in &all {
        delete(app, doomed, &mut tally).await?;
    }
    conclude(app, &tally, began)
}

/// Lists what is to go, and changes nothing.
async fn collect(app: &App, args: &RmArgs, place: &Place) -> Result<Doomed> {
    let root = || {
        UserError::new(
            Slug::DeleteRoot,
            format!("refusing to delete {}", place.shown()),
        )
        .cause("the root of a tree is never deleted")
        .unchanged()
    };
    let cx = Cx::new(app.stop.cancel.clone());
    let (store, prefix, name) = match &place.remote {
        Some(there) => {
            let (directory, name) = there.split().ok_or_else(root)?;
            let prefix = format!("{}/", directory.shown().trim_end_matches('/')).into_bytes();
            (open_remote(app, &cx, &directory).await?, prefix, name)
        }
        None => {
            let (parent, name) = split(place).ok_or_else(root)?;
            let prefix = match parent.as_os_str() == "." {
                true => Vec::new(),
                false => [parent.as_os_str().as_encoded_bytes(), b"/"].concat(),
            };
            (open(app, place, &parent)?, prefix, name)
        }
    };
    let fail = |error| failure(place.remote.is_some(), &place.shown(), &error).unchanged();
    let path = RelPath::ROOT.join(name);
    let found = store.stat(&cx, &path).await.map_err(fail)?;
    let entry = found.ok_or_else(|| not_found(place))?;
    let is_directory = entry.is_directory();
    if is_directory && !args.recursive {
        return Err(UserError::new(
            Slug::DeleteDirectory,
            format!("{} is a directory", place.shown()),
        )
        .unchanged()
        .next("to delete it with all that is in it add -r")
        .into());
    }
    let mut entries = vec![(path.clone(), entry)];
    if is_directory {
        let options = ListOptions::recursive().with_one_file_system(true);
        let mut batches = store.list(&cx, &path, options);
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(fail)?;
            if let Some(problem) = batch.problems.into_iter().next() {
                return Err(fail(problem).into());
            }
            let directory = batch.directory;
            entries.extend(
                batch
                    .entries
                    .into_iter()
                    .map(|entry| (directory.join(entry.name.clone()), entry)),
            );
        }
    }
    Ok(Doomed {
        store,
        is_remote: place.remote.is_some(),
        prefix,
        entries,
    })
}

/// The directory that holds a place of this machine, and its name there; `None` for a root.
fn split(place: &Place) -> Option<(PathBuf, Name)> {
    // `photos/` is the directory photos here: there is nothing else that it could be.
    let trimmed = Place {
        path: place.path.components().collect(),
        ..place.clone()
    };
    let last = place.path.as_os_str().as_encoded_bytes();
    let is_dots =
        [&b"."[..], b".."].contains(&last) || last.ends_with(b"/.") || last.ends_with(b"/..");
    trimmed.split().filter(|_| !is_dots)
}

fn open(app: &App, place: &Place, parent: &Path) -> Result<Arc<dyn Store>, UserError> {
    let path: PathBuf = place.path.components().collect();
    if std::fs::symlink_metadata(path).is_err() {
        return Err(not_found(place));
    }
    places::open(&app.registry, Side::Target, parent, |config| {
        config.with_writable(true)
    })
}

/// Opens the directory of another machine; one of whose entries nothing may be deleted is refused
/// before anybody is asked.
async fn open_remote(
    app: &App,
    cx: &Cx,
    directory: &RemotePlace,
) -> Result<Arc<dyn Store>, UserError> {
    let client: Arc<dyn Peer> = peers::connect(app, &directory.machine, &Arc::default()).await?;
    let shown = directory.shown();
    let refused = |error: &Error| peers::from_refusal(&shown, error).unchanged();
    let status = blit_engine::ask_status(cx, &*client).await;
    let modules = status.map_err(|error| refused(&error))?.modules;
    let module = modules
        .into_iter()
        .find(|it| directory.module() == Some(&it.name));
    // One that is not there is said by the machine itself.
    if let Some(module) = module.filter(|it| it.access != Access::ReadWrite) {
        let why = format!(
            "the module {} is {}",
            module.name,
            peers::access_words(module.access)
        );
        return Err(refused(
            &Error::new(ErrorKind::ReadOnly, "delete").because(why),
        ));
    }
    Ok(Arc::new(RemoteStore::new(client, directory.wire())))
}

fn not_found(place: &Place) -> UserError {
    match &place.remote {
        None => place.not_found("path"),
        Some(_) => {
            let message = format!("path not found: {}", place.shown());
            UserError::new(Slug::PathNotFound, message).unchanged()
        }
    }
}

fn failure(is_remote: bool, place: &str, error: &Error) -> UserError {
    match is_remote {
        true => peers::from_refusal(place, error),
        false => from_contract(Side::Target, place, error),
    }
}

impl Doomed {
    fn shown(&self, path: &RelPath) -> Vec<u8> {
        [&*self.prefix, &*path.to_bytes()].concat()
    }
}

/// A single file needs no question; a directory does.
async fn confirm(app: &App, args: &RmArgs, all: &[Doomed]) -> Result<()> {
    let has_directory = all.iter().any(|doomed| doomed.entries[0].1.is_directory());
    if args.yes || !has_directory {
        return Ok(());
    }
    let entries: u64 = all.iter().map(|doomed| doomed.entries.len() as u64).sum();
    if !app.ui.may_ask {
        return Err(UserError::new(
            Slug::DeleteUnconfirmed,
            format!(
                "rm would delete {} and nobody is here to confirm",
                units::entries(entries)
            ),
        )
        .unchanged()
        .next("look with -n, then add -y")
        .into());
    }
    let bytes = all
        .iter()
        .flat_map(|doomed| &doomed.entries)
        .map(|(_, entry)| entry.size)
        .sum();
    let question = format!(
        "rm will delete {} ({}). Go on? [y/N/l] ",
        units::entries(entries),
        units::size(bytes)
    );
    loop {
        let answer = ask(&app.ui, &app.stop.cancel, &question).await;
        if app.stop.cancel.is_cancelled() {
            return Err(app.stop.error().unchanged().into());
        }
        match answer.as_deref() {
            Some("y" | "yes") => return Ok(()),
            Some("l" | "list") => list(app, all),
            _ => {
                let message = format!("you said no to deleting {}", units::entries(entries));
                return Err(UserError::new(Slug::DeleteDeclined, message)
                    .unchanged()
                    .into());
            }
        }
    }
}

fn list(app: &App, all: &[Doomed]) {
    for doomed in all {
        for (path, _) in &doomed.entries {
            let shown = blit_contract::Escaped(&doomed.shown(path)).to_string();
            app.ui.write_err(&format!("  {shown}"));
        }
    }
}

/// Deletes children before their parents.
async fn delete(app: &App, doomed: &Doomed, tally: &mut Tally) -> Result<()> {
    let cx = Cx::new(app.stop.cancel.clone());
    let policy = WritePolicy::new(Durability::Batch, Preserve::AUTO);
    let fail = |error, tally: &Tally| {
        let place = String::from_utf8_lossy(&doomed.prefix).into_owned();
        let state = format!("{} deleted", units::entries(tally.deleted));
        failure(doomed.is_remote, &place, &error)
            .state(state)
            .changed(Changed::Some)
    };
    let mut left: Vec<_> = doomed.entries.iter().rev().cloned().collect();
    while !left.is_empty() {
        if app.stop.cancel.is_cancelled() {
            let state = format!("{} deleted", units::entries(tally.deleted));
            return Err(app.stop.error().state(state).changed(Changed::Some).into());
        }
        let rest = left.split_off(left.len().min(BATCH));
        let batch = std::mem::replace(&mut left, rest);
        let answers = doomed.store.delete(&cx, policy, batch.clone()).await;
        let answers = answers.map_err(|error| fail(error, tally))?;
        for ((path, _), answer) in batch.iter().zip(answers) {
            tell(app, doomed, path, answer, tally);
        }
    }
    let synced = doomed.store.sync(&cx, SyncScope::Tree).await;
    Ok(synced.map_err(|error| fail(error, tally))?)
}

fn tell(
    app: &App,
    doomed: &Doomed,
    path: &RelPath,
    answer: blit_contract::Result<()>,
    tally: &mut Tally,
) {
    let whole = doomed.shown(path);
    match answer {
        Ok(()) => {
            tally.deleted += 1;
            say_item(app, &whole);
        }
        Err(error) => {
            let slug = slug_of(Side::Target, error.kind());
            let failure = events::ItemError {
                code: slug.name(),
                side: "target",
                path: PathField::new(&whole),
                message: cause_of(&error),
                errno: error.os(),
                retried: 0,
            };
            tally.failures_total += 1;
            app.ui.tell(Event::ItemError(failure.clone()));
            app.ui.say_always(&format!(
                "{} could not be deleted: {}",
                blit_contract::Escaped(&whole),
                error.kind().phrase()
            ));
            tally.failures.push(failure);
            tally.failures.truncate(100);
        }
    }
}

fn say_item(app: &App, path: &[u8]) {
    if !app.ui.tells_items() {
        return;
    }
    app.ui.tell(Event::Item(events::Item {
        op: "delete",
        path: PathField::new(path),
        bytes: 0,
        reason: "named",
        method: None,
    }));
    if !app.ui.json {
        let row = format!("delete   {}", blit_contract::Escaped(path));
        let _ = app.ui.row(row.as_bytes(), b'\n');
    }
}

fn dry_run(app: &App, all: &[Doomed], began: Instant) -> Result<Exit> {
    let mut entries = 0;
    for doomed in all {
        for (path, entry) in &doomed.entries {
            entries += 1;
            let whole = doomed.shown(path);
            if app.ui.json {
                app.ui.emit(Event::Item(events::Item {
                    op: "delete",
                    path: PathField::new(&whole),
                    bytes: entry.size,
                    reason: "named",
                    method: None,
                }))?;
            } else {
                let row = format!("delete   {}", blit_contract::Escaped(&whole));
                app.ui.row(row.as_bytes(), b'\n')?;
            }
        }
    }
    app.ui.say(&format!(
        "Dry run: {} would be deleted; nothing was changed.",
        units::entries(entries)
    ));
    let summary = events::Summary {
        result: "dry_run",
        ..events::Summary::of_rows(Exit::Ok, began.elapsed(), entries)
    };
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(Exit::Ok)
}

fn conclude(app: &App, tally: &Tally, began: Instant) -> Result<Exit> {
    let exit = match tally.failures_total {
        0 => Exit::Ok,
        _ => Exit::Partial,
    };
    let failed = match tally.failures_total {
        0 => String::new(),
        failed => format!("; {} failed", units::count(failed)),
    };
    app.ui.say(&format!(
        "Deleted {}{failed}.",
        units::entries(tally.deleted)
    ));
    let summary = events::Summary {
        files: Some(events::Files {
            deleted: tally.deleted,
            failed: tally.failures_total,
            ..events::Files::default()
        }),
        failures: tally.failures.clone(),
        failures_total: tally.failures_total,
        ..events::Summary::of_rows(exit, began.elapsed(), tally.deleted)
    };
    app.ui.emit(Event::Summary(Box::new(summary)))?;
    Ok(exit)
}
