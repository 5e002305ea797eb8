//! The target's role: it compares the source's listing with its own tree, asks for what it lacks,
//! writes and commits what comes, and at the end links, deletes and finishes.

mod actions;
mod commit;
mod compare;
mod cursor;
mod delete;
mod finish;
mod judge;
mod ledger;
mod links;
mod needs;
mod receive;
mod room;
mod waiting;

pub(crate) use ledger::Prepared;
pub(crate) use needs::Needs;

use std::{collections::HashSet, sync::Arc};

use blit_contract::{
    Connection, Error, ErrorKind, History, Phase, RelPath, Result, Side, Store, SyncScope,
    WritePolicy,
};
use blit_mover::Mover;
use blit_spool::Spool;
use blit_wire::{
    Accept, Expected, Hello, LANES_MAX, Machine, Message, Open, Role, SETTLED_MAX, Settled,
    Summary, VERSIONS, Verb,
};
use parking_lot::Mutex;
use tokio::{sync::Mutex as AsyncMutex, task::JoinSet};

use crate::{
    Confirm, Options, Target, Top,
    lane::{LaneReceiver, broken},
    session::{Session, joined},
    source::{bug, receive},
};
use blit_channel as channel;

/// The side that writes trees.
pub(crate) struct TargetRole {
    session: Arc<Session>,
    target: Target,
    confirm: Arc<dyn Confirm>,
    history: Arc<dyn History>,
    expected: Option<Expected>,
}

/// What all parts of the role share.
pub(crate) struct Site {
    session: Arc<Session>,
    store: Arc<dyn Store>,
    policy: WritePolicy,
    history: Arc<dyn History>,
    needs: Arc<Needs>,
    mover: Mover,
    room: Mutex<room::Room>,
    links: Mutex<links::Links>,
    /// Directories whose metadata is set last.
    unfinished: Mutex<Spool<finish::Unfinished>>,
    /// Entries that are safe here; kept only for `move`.
    settled: Mutex<Spool<(RelPath, blit_contract::Entry)>>,
    /// Directories among them whose metadata could not be set in the end.
    unsettled: Mutex<HashSet<RelPath>>,
}

impl TargetRole {
    pub(crate) fn new(
        session: &Arc<Session>,
        target: Target,
        confirm: Arc<dyn Confirm>,
        history: Arc<dyn History>,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            target,
            confirm,
            history,
            expected: None,
        }
    }

    /// The same, taking nothing else of the source than it was asked for.
    pub(crate) fn expecting(mut self, asked: Option<&Top>) -> Self {
        let select = self.session.options.select.as_ref();
        self.expected = asked.map(|top| Expected::new(top, select.cloned()));
        self
    }

    /// Plays the role over `connection` to its end.
    pub(crate) async fn run(self, connection: Box<dyn Connection>) -> Result<()> {
        let cx = &self.session.cx;
        let hung_up = || Error::new(ErrorKind::Unreachable, "accept").because("the peer hung up");
        let as_objects = channel::passes_objects(connection.caps());
        let mut control = connection.accept(cx).await?.ok_or_else(hung_up)?;
        let mut outgoing = channel::sender::<Message>(&mut control, as_objects)?;
        let mut incoming = channel::receiver::<Message>(&mut control)?;
        let mut machine = Machine::facing(Role::Source);
        let open = self
            .open(&mut outgoing, &mut incoming, &mut machine)
            .await?;
        let control = Arc::new(AsyncMutex::new(outgoing));
        let site = Arc::new(self.site(&control, as_objects).await);
        let mut tasks = JoinSet::new();
        let (committer, queue) = commit::committer(&site);
        tasks.spawn(committer);
        if let Some(large) = site.needs.divert_large() {
            tasks.spawn(ledger::prepare_all(Arc::clone(&site), large));
        }
        let receiving = receive::Receiving::new(&site, queue);
        let mut receivers = JoinSet::new();
        // Side by side: each may take some round trips.
        let lanes = (0..open.lanes).map(|_| connection.accept(cx));
        for lane in futures_util::future::try_join_all(lanes).await? {
            let mut lane = lane.ok_or_else(hung_up)?;
            let lane = LaneReceiver::new(cx, &mut lane, as_objects, &site.needs)?;
            receivers.spawn(receiving.clone().run(lane));
        }
        // The committer ends when the last lane has.
        drop(receiving);

        {
            let work = self.work(&site, open, &mut incoming, &mut machine);
            tokio::pin!(work);
            loop {
                tokio::select! {
                    done = &mut work => break done?,
                    // A part that fails ends the whole.
                    Some(ended) = tasks.join_next() => joined(ended)?,
                    // And so does a lane that ends: what has not come over it never will.
                    Some(ended) = receivers.join_next() => {
                        joined(ended)?;
                        return Err(Error::new(ErrorKind::Unreachable, "receive")
                            .because("a lane ended before all had come"));
                    }
                }
            }
        }
        site.needs.finish().await?;
        for mut parts in [receivers, tasks] {
            while let Some(ended) = parts.join_next().await {
                joined(ended)?;
            }
        }
        self.close(&site, &mut incoming, &mut machine).await
    }

    async fn open(
        &self,
        outgoing: &mut channel::Sender<Message>,
        incoming: &mut channel::Receiver<Message>,
        machine: &mut Machine,
    ) -> Result<Open> {
        let Message::Hello(theirs) = receive(incoming, machine).await? else {
            return Err(bug("no hello from the source"));
        };
        let Message::Open(open) = receive(incoming, machine).await? else {
            return Err(bug("no open from the source"));
        };
        let options = &self.session.options;
        if (open.verb, open.dry_run) != (options.verb, options.dry_run)
            || !(1..=LANES_MAX).contains(&open.lanes)
        {
            return Err(Error::new(ErrorKind::Invalid, "receive")
                .because("the source opened another session than was asked for"));
        }
        if open.root.as_ref().is_some_and(|it| !it.is_directory()) {
            return Err(broken("a root that is no directory"));
        }
        if let Some(expected) = &self.expected {
            expected.check_open(&open)?;
        }
        let ours = Hello { versions: VERSIONS };
        outgoing.send(Message::Hello(ours)).await?;
        let version = ours.common_version(&theirs).unwrap_or(VERSIONS.0);
        outgoing.send(Message::Accept(Accept { version })).await?;
        Ok(open)
    }

    async fn site(
        &self,
        control: &Arc<AsyncMutex<channel::Sender<Message>>>,
        as_objects: bool,
    ) -> Site {
        let room = room::Room::look(&self.session.cx, &*self.target.store).await;
        Site {
            session: Arc::clone(&self.session),
            store: Arc::clone(&self.target.store),
            policy: policy(&self.session.options),
            history: Arc::clone(&self.history),
            needs: Arc::new(Needs::new(
                Arc::clone(control),
                Arc::clone(&self.session),
                as_objects,
            )),
            mover: Mover::default(),
            room: Mutex::new(room),
            links: Mutex::default(),
            unfinished: Mutex::default(),
            settled: Mutex::default(),
            unsettled: Mutex::default(),
        }
    }

    /// Compares, then brings everything to its end, in the one order that is safe: content, links,
    /// deletions, directory times.
    async fn work(
        &self,
        site: &Arc<Site>,
        open: Open,
        incoming: &mut channel::Receiver<Message>,
        machine: &mut Machine,
    ) -> Result<()> {
        self.session.enter(Phase::Scan).await;
        let lists_elsewhere = !site.needs.passes_objects();
        let mut comparer = compare::Comparer::new(site, open).await?;
        loop {
            self.session.wait_for("the source's listing");
            match receive(incoming, machine).await? {
                Message::Listing(batch) => {
                    if let Some(expected) = &self.expected {
                        expected.check(&batch)?;
                    }
                    if lists_elsewhere {
                        // Where the source is in this process it counts for itself.
                        self.session.progress.scan(&batch.entries);
                    }
                    comparer.take(batch).await?;
                }
                Message::Seal(_) => {
                    self.session.note(|report| report.sealed = true);
                    break;
                }
                Message::Unsealed(_) => break,
                other => return Err(bug(&format!("{other:?} at the target"))),
            }
        }
        if lists_elsewhere {
            self.session.progress.finish_scan();
        }
        let mut compared = comparer.finish().await?;
        site.session
            .tell(blit_contract::Event::Plan(site.session.progress.totals()))
            .await;
        if !compared.doomed.approve(site, &*self.confirm).await? {
            return Ok(());
        }
        self.session.enter(Phase::Copy).await;
        compared.actions.replay(site).await?;
        site.needs.drain().await;
        finish::late(site, &compared.late).await?;
        links::make(site, &compared.links).await?;
        compared.doomed.delete(site).await?;
        self.session.enter(Phase::Finish).await;
        finish::directories(site).await?;
        if site.session.has_changed_anything() {
            site.store.sync(&site.session.cx, SyncScope::Tree).await?;
        }
        Ok(())
    }

    /// Says what is settled, and waits for the source to have removed it.
    async fn close(
        &self,
        site: &Site,
        incoming: &mut channel::Receiver<Message>,
        machine: &mut Machine,
    ) -> Result<()> {
        let settled = std::mem::take(&mut *site.settled.lock());
        let unsettled = std::mem::take(&mut *site.unsettled.lock());
        if !site.session.is_stopped() && !site.session.options.is_read_only() {
            for at in 0..settled.blocks() {
                let mut block = settled.block(at)?;
                block.retain(|(path, entry)| {
                    !unsettled.contains(path) && !site.links.lock().is_torn(entry)
                });
                for chunk in block.chunks(SETTLED_MAX) {
                    let entries = chunk.iter().cloned();
                    let settled = entries.map(|(path, entry)| Settled { path, entry });
                    let message = Message::Settled(settled.collect());
                    site.needs.say(message).await?;
                }
            }
        }
        let removed = site.session.progress.deleted_entries.get();
        site.needs
            .say(Message::Summary(Summary { removed }))
            .await?;
        loop {
            if let Message::Summary(_) = receive(incoming, machine).await? {
                return Ok(());
            }
        }
    }
}

impl Site {
    /// Keeps in mind that an entry is safe here, if somebody will ask.
    fn settle(&self, path: &RelPath, entry: &blit_contract::Entry) -> Result<()> {
        if self.session.options.verb == Verb::Move {
            self.settled.lock().push((path.clone(), entry.clone()))?;
        }
        Ok(())
    }

    /// Takes back that a directory is safe here: its source keeps the metadata that this side lacks.
    fn unsettle(&self, path: &RelPath) {
        self.unsettled.lock().insert(path.clone());
    }

    /// Brings an entry to a bad end on this side.
    async fn problem(&self, path: &RelPath, error: Error, retried: u32) {
        self.problem_on(Side::Target, path, error, retried).await;
    }

    async fn problem_on(&self, side: Side, path: &RelPath, error: Error, retried: u32) {
        self.links.lock().fail(path);
        self.session.problem(side, path, error, retried).await;
    }
}

fn policy(options: &Options) -> WritePolicy {
    WritePolicy::new(options.durability, options.preserve)
        .with_backup(options.backup)
        .with_verify(options.verify || options.verb == Verb::Move)
}
