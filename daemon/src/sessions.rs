//! The sessions that run, and whose lanes they are.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use blit_contract::{Cancel, Error, ErrorKind, Result, SecurityClass, Stream};
use blit_control::{LaneOpening, NodeId};
use blit_lanes::Grant;
use blit_transport_grpc::Arrived;
use blit_wire::SessionId;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::lanes::LaneRight;

/// How many sessions run at a time, of all peers and of one.
pub(crate) const SESSIONS_MAX: usize = 256;
const SESSIONS_OF_PEER_MAX: usize = 16;

/// How many sessions are remembered for lanes that come when they are over.
const LATE_MAX: usize = 256;

/// A session that runs.
pub(crate) struct Running {
    pub(crate) peer: NodeId,
    /// Another machine that has to be known as well: on whose behalf it is, or that is fetched from.
    pub(crate) third: Option<NodeId>,
    /// None where this machine dials.
    pub(crate) lanes: Option<(Arrived, LaneRight)>,
    pub(crate) cancel: Cancel,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Sessions {
    known: Mutex<Known>,
    ended: Notify,
}

#[derive(Default)]
struct Known {
    running: HashMap<SessionId, Running>,
    /// Rights of the last that ended. Who brings a lane to one of these is late, and no stranger.
    late: VecDeque<(SessionId, NodeId, LaneRight)>,
}

impl Known {
    fn right(&self, session: &SessionId) -> Option<(NodeId, &LaneRight)> {
        if let Some(running) = self.running.get(session) {
            let (_, right) = running.lanes.as_ref()?;
            return Some((running.peer, right));
        }
        let late = self.late.iter().find(|(id, ..)| id == session);
        late.map(|(_, peer, right)| (*peer, right))
    }
}

impl Sessions {
    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.known.lock().running.len()
    }

    /// Makes room for one, which ends when the guard is dropped.
    pub(crate) fn begin(&self, id: SessionId, running: Running) -> Result<Guard<'_>> {
        let mut known = self.known.lock();
        let all = &mut known.running;
        let of_peer = all.values().filter(|it| it.peer == running.peer);
        if all.len() >= SESSIONS_MAX || of_peer.count() >= SESSIONS_OF_PEER_MAX {
            return Err(
                Error::new(ErrorKind::Busy, "open session").because("as many sessions run as may")
            );
        }
        all.insert(id, running);
        Ok(Guard { sessions: self, id })
    }

    /// Ends those that have a machine among them which `is_known` does not know any more.
    pub(crate) fn drop_strangers(&self, is_known: impl Fn(&NodeId) -> bool) {
        for running in self.known.lock().running.values() {
            let mut parts = [Some(running.peer), running.third].into_iter().flatten();
            if parts.any(|id| !is_known(&id)) {
                running.cancel.cancel();
            }
        }
    }

    /// Waits until none runs.
    pub(crate) async fn drained(&self) {
        loop {
            let ended = self.ended.notified();
            if self.len() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Whether that session is of this peer.
    pub(crate) fn is_of(&self, session: &SessionId, peer: NodeId) -> bool {
        let known = self.known.lock();
        let running = known.running.get(session);
        running.is_some_and(|running| running.peer == peer)
    }

    /// The right of that session to a lane of that class; `peer` is who brings it, where that is proved.
    pub(crate) fn right(
        &self,
        session: &SessionId,
        peer: Option<NodeId>,
        class: SecurityClass,
    ) -> Option<Arc<Grant>> {
        let known = self.known.lock();
        let (owner, right) = known.right(session)?;
        let is_theirs = peer.is_none_or(|peer| peer == owner);
        right.grant(class).filter(|_| is_theirs)
    }

    /// Gives a lane to its session; `false` if that is over, or has as many as it may.
    pub(crate) fn put(&self, opening: LaneOpening, stream: Stream) -> bool {
        let known = self.known.lock();
        let running = known.running.get(&opening.session);
        let lanes = running.and_then(|running| running.lanes.as_ref());
        lanes.is_some_and(|(arrived, _)| arrived.put(opening.reverse, stream))
    }

    fn end(&self, id: SessionId) {
        let mut known = self.known.lock();
        if let Some(running) = known.running.remove(&id)
            && let Some((_, right)) = running.lanes
        {
            right.end();
            known.late.push_front((id, running.peer, right));
            known.late.truncate(LATE_MAX);
        }
        drop(known);
        self.ended.notify_waiters();
    }
}

/// Room for a session.
pub(crate) struct Guard<'a> {
    sessions: &'a Sessions,
    id: SessionId,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.sessions.end(self.id);
    }
}
