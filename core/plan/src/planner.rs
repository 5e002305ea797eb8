//! Turns differences into pieces of work, as they arrive.

use std::{
    iter,
    pin::Pin,
    task::{Context, Poll, ready},
};

use blit_contract::{
    Descriptor, Diff, Error, History, Method, Outcome, PlanCx, Planner, Result, StoreCap,
    TransportCap, Work, WorkItem,
};
use futures_core::{Stream, stream::BoxStream};
use parking_lot::Mutex;

use crate::{
    rates::{Rate, Rates},
    round::{Next, Round},
    stripes::{STRIPE_BYTES_MIN, STRIPED_BYTES_MIN, Stripes},
};

/// Says who this planner is.
pub const DESCRIPTOR: Descriptor =
    Descriptor::new("planner-default", env!("CARGO_PKG_VERSION"), &[]);

/// The first look ahead is short, so that the first byte leaves at once; each next is twice as long.
const LOOK_AHEAD_MIN: usize = 8;

/// The longest look ahead, and all that is ever held. A difference takes some 400 bytes.
const LOOK_AHEAD_MAX: usize = 1_024;

/// The methods that can move a part of a file.
const RANGE_METHODS: [Method; 4] = [
    Method::CopyFileRange,
    Method::Pump,
    Method::Sendfile,
    Method::Splice,
];

/// Packs small files, stripes large ones, and puts large ones first.
///
/// It looks ahead in rounds: it takes what is at hand, up to a bound, gives all of it out, and only
/// then looks again. So nothing is held for ever, whatever comes after it, and nothing waits for more
/// input: whoever polls has a free worker, and a half-full pack now is better than a full one later.
/// While all workers are busy nobody polls, and what arrives meanwhile makes the next round full.
#[derive(Debug, Default)]
pub struct DefaultPlanner {
    rates: Mutex<Rates>,
}

impl DefaultPlanner {
    /// What has been measured in this process, by method and size.
    #[must_use]
    pub fn rates(&self) -> Vec<Rate> {
        self.rates.lock().all()
    }

    /// How fast a part of such a file moves: by the fastest method, as measured at the nearest size
    /// between that of the file and that of its smallest stripe.
    fn bytes_per_second(&self, history: &dyn History, size_bytes: u64) -> Option<f64> {
        let sizes = iter::successors(Some(size_bytes), |size| Some(size / 4))
            .take_while(|size| *size >= STRIPE_BYTES_MIN);
        let measured = |method, size| {
            let here = self.rates.lock().get(method, size);
            here.map(|rate| rate.bytes_per_second)
                .or_else(|| Some(history.cost(method, size)?.bytes_per_sec))
                .filter(|rate| *rate > 0.0)
        };
        let mut fastest = sizes.filter_map(|size| {
            let rates = RANGE_METHODS
                .iter()
                .filter_map(|method| measured(*method, size));
            rates.max_by(f64::total_cmp)
        });
        fastest.next()
    }
}

impl Planner for DefaultPlanner {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn plan<'a>(
        &'a self,
        cx: PlanCx<'a>,
        diffs: BoxStream<'a, Result<Diff>>,
    ) -> BoxStream<'a, Result<WorkItem>> {
        Box::pin(Plan {
            planner: self,
            cx,
            diffs,
            look_ahead: LOOK_AHEAD_MIN,
            round: Round::default(),
            stripes: None,
            failure: None,
            is_over: false,
            next_id: 0,
        })
    }

    fn observe(&self, outcome: &Outcome) {
        if let Some(sample) = &outcome.sample {
            self.rates.lock().learn(sample);
        }
    }
}

struct Plan<'a> {
    planner: &'a DefaultPlanner,
    cx: PlanCx<'a>,
    diffs: BoxStream<'a, Result<Diff>>,
    /// How many differences the next round takes at most.
    look_ahead: usize,
    round: Round,
    /// What is left of the file that is being striped.
    stripes: Option<Stripes>,
    /// What ended the round; it goes after all that came before it.
    failure: Option<Error>,
    is_over: bool,
    next_id: u64,
}

impl Plan<'_> {
    /// The next piece of the round.
    fn next_of_round(&mut self) -> Option<WorkItem> {
        let (work, reason) = loop {
            if let Some(work) = self.stripes.as_mut().and_then(Iterator::next) {
                break (work, "striped: too large for one worker");
            }
            self.stripes = None;
            match self.round.pop()? {
                Next::Together(work, reason) => break (work, reason),
                Next::Large(diff) => match self.why_alone(&diff) {
                    Some(reason) => break (Work::Whole(diff), reason),
                    None => self.stripes = Some(self.stripe(diff)),
                },
            }
        };
        let id = self.next_id;
        self.next_id += 1;
        Some(WorkItem::new(id, work, reason))
    }

    /// Why a file that is not packed travels whole; `None` if it is striped.
    fn why_alone(&self, diff: &Diff) -> Option<&'static str> {
        if diff.attempt > 0 {
            Some("alone: tried again, its size may be another by now")
        } else if diff.entry.size < STRIPED_BYTES_MIN {
            Some(match diff.entry.may_have_holes() {
                true => "alone: it may have holes",
                false => "alone: too large to pack",
            })
        } else if self.may_share_blocks() {
            Some("alone: both ends may share its blocks")
        } else if !self.can_stripe() {
            Some("alone: its parts cannot move at the same time")
        } else {
            None
        }
    }

    /// Whether blocks may be shared instead of copied, which works for a whole file only. Nothing is
    /// lost where they cannot be: ext4 lets one writer at a time into a file, and on two cores 512 MiB
    /// took as long in 4 or 8 parallel parts (1.5 and 1.7 GB/s) as in one (1.6 GB/s).
    fn may_share_blocks(&self) -> bool {
        self.cx.connection.has(TransportCap::Objects)
            && self.cx.source.has(StoreCap::Reflink)
            && self.cx.target.has(StoreCap::Reflink)
    }

    fn can_stripe(&self) -> bool {
        self.cx.workers > 1
            && self.cx.source.has(StoreCap::RangeRead)
            && self.cx.target.has(StoreCap::RangeWrite)
    }

    fn stripe(&self, diff: Diff) -> Stripes {
        let size = diff.entry.size;
        let rate = self.planner.bytes_per_second(self.cx.history, size);
        Stripes::new(diff, self.cx.workers, rate)
    }

    /// Takes what is at hand. Pending only if that is nothing.
    fn poll_round(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.round.len() < self.look_ahead {
            match self.diffs.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(diff))) => self.round.push(diff),
                Poll::Ready(Some(Err(error))) => {
                    self.failure = Some(error);
                    break;
                }
                Poll::Ready(None) => {
                    self.is_over = true;
                    break;
                }
                Poll::Pending if self.round.len() == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        self.look_ahead = (self.look_ahead * 2).min(LOOK_AHEAD_MAX);
        Poll::Ready(())
    }
}

impl Stream for Plan<'_> {
    type Item = Result<WorkItem>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let plan = &mut *self;
        loop {
            if let Some(item) = plan.next_of_round() {
                return Poll::Ready(Some(Ok(item)));
            }
            if let Some(failure) = plan.failure.take() {
                return Poll::Ready(Some(Err(failure)));
            }
            if plan.is_over {
                return Poll::Ready(None);
            }
            ready!(plan.poll_round(cx));
        }
    }
}

#[cfg(test)]
mod tests;
