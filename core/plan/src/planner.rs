//! Turns differences into pieces of work, as they arrive.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use blit_contract::{
    Descriptor, Diff, DiffKind, Method, Outcome, PlanCx, Planner, Result, Work, WorkItem,
};
use futures_core::{Stream, stream::BoxStream};
use parking_lot::Mutex;

use crate::{
    rates::{Rate, Rates},
    window::Window,
};

/// Says who this planner is.
pub const DESCRIPTOR: Descriptor =
    Descriptor::new("planner-default", env!("CARGO_PKG_VERSION"), &[]);

/// Files up to this size are packed: reading them whole costs less than a call for each part.
pub(crate) const PACKED_BYTES_MAX: u64 = 1 << 20;

/// A pack ends here. 1 MiB keeps what four readers and four writers hold at a time near 16 MiB.
pub(crate) const PACK_BYTES: u64 = 1 << 20;

/// A pack of tiny files ends here: the calls per file count then, not the bytes.
pub(crate) const PACK_FILES: usize = 256;

/// The first pack is small, so that the first byte leaves at once; each next one is twice as large.
pub(crate) const FIRST_PACK_FILES: usize = 8;

/// Files from this size on are striped over the workers.
pub(crate) const STRIPED_BYTES_MIN: u64 = 256 << 20;

/// Bounds of a stripe: less only adds calls, more lets the last worker lag.
pub(crate) const STRIPE_BYTES: std::ops::RangeInclusive<u64> = (64 << 20)..=(1 << 30);

/// How long a stripe should take, in seconds, at the measured rate.
const STRIPE_SECS: f64 = 0.25;

/// Stripes begin at multiples of this, so that no page is written by two workers.
const STRIPE_ALIGN_BYTES: u64 = 1 << 20;

/// Packs small files, stripes large ones, and puts large ones first near the end.
#[derive(Debug, Default)]
pub struct DefaultPlanner {
    rates: Mutex<Rates>,
}

impl DefaultPlanner {
    /// What has been measured in this process: method, size bucket, rate.
    #[must_use]
    pub fn rates(&self) -> Vec<(Method, u8, Rate)> {
        self.rates.lock().all()
    }

    fn stripe_bytes(&self, cx: &PlanCx<'_>, size_bytes: u64) -> u64 {
        let measured = self.rates.lock().get(Method::CopyFileRange, size_bytes);
        let rate = measured.map(|rate| rate.bytes_per_sec).or_else(|| {
            let cost = cx.history.cost(Method::CopyFileRange, size_bytes)?;
            Some(cost.bytes_per_sec)
        });
        let wanted = rate.map_or(*STRIPE_BYTES.start(), |rate| (rate * STRIPE_SECS) as u64);
        let bounded = wanted.clamp(*STRIPE_BYTES.start(), *STRIPE_BYTES.end());
        bounded / STRIPE_ALIGN_BYTES * STRIPE_ALIGN_BYTES
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
            pack: Batch::new(FIRST_PACK_FILES),
            attributes: Batch::new(PACK_FILES),
            digests: Batch::new(PACK_FILES),
            window: Window::default(),
            ready: VecDeque::new(),
            next_id: 0,
            is_over: false,
        })
    }

    fn observe(&self, outcome: &Outcome) {
        if let Some(sample) = &outcome.sample {
            self.rates.lock().learn(sample);
        }
    }
}

/// Differences that will be one piece of work.
#[derive(Debug)]
struct Batch {
    diffs: Vec<Diff>,
    bytes: u64,
    diffs_max: usize,
}

impl Batch {
    fn new(diffs_max: usize) -> Self {
        Self {
            diffs: Vec::new(),
            bytes: 0,
            diffs_max,
        }
    }

    fn push(&mut self, diff: Diff) {
        self.bytes += diff.entry.size;
        self.diffs.push(diff);
    }

    /// Whether `size` more bytes would be too much.
    fn is_full_for(&self, size: u64) -> bool {
        !self.diffs.is_empty()
            && (self.diffs.len() >= self.diffs_max || self.bytes + size > PACK_BYTES)
    }

    fn take(&mut self) -> Vec<Diff> {
        self.bytes = 0;
        self.diffs_max = (self.diffs_max * 2).min(PACK_FILES);
        std::mem::take(&mut self.diffs)
    }
}

struct Plan<'a> {
    planner: &'a DefaultPlanner,
    cx: PlanCx<'a>,
    diffs: BoxStream<'a, Result<Diff>>,
    pack: Batch,
    attributes: Batch,
    digests: Batch,
    window: Window,
    ready: VecDeque<Result<WorkItem>>,
    next_id: u64,
    is_over: bool,
}

impl Plan<'_> {
    /// Puts a difference where it belongs; what is full becomes work.
    fn take(&mut self, diff: Diff) {
        match diff.kind {
            DiffKind::Attributes => {
                if self.attributes.diffs.len() >= PACK_FILES {
                    self.flush_attributes();
                }
                self.attributes.diffs.push(diff);
            }
            DiffKind::Digest => {
                if self.digests.is_full_for(diff.entry.size) {
                    self.flush_digests();
                }
                self.digests.push(diff);
            }
            _ if diff.entry.size <= PACKED_BYTES_MAX && !diff.entry.may_have_holes() => {
                if self.pack.is_full_for(diff.entry.size) {
                    self.flush_pack();
                }
                self.pack.push(diff);
            }
            _ => {
                self.window.push(diff);
                if self.window.is_full() {
                    self.flush_largest();
                }
            }
        }
    }

    /// Makes work of what there is, the largest file first. Called when no more is at hand: nothing
    /// waits in here while a worker is idle.
    fn flush(&mut self) {
        if self.window.len() > 0 {
            self.flush_largest();
        } else if !self.pack.diffs.is_empty() {
            self.flush_pack();
        } else if !self.digests.diffs.is_empty() {
            self.flush_digests();
        } else if !self.attributes.diffs.is_empty() {
            self.flush_attributes();
        }
    }

    fn flush_pack(&mut self) {
        let diffs = self.pack.take();
        self.emit(Work::Pack(diffs), "packed: small files travel together");
    }

    fn flush_attributes(&mut self) {
        let diffs = self.attributes.take();
        self.emit(Work::Attributes(diffs), "metadata only");
    }

    fn flush_digests(&mut self) {
        let diffs = self.digests.take();
        self.emit(Work::Digests(diffs), "compared by content");
    }

    fn flush_largest(&mut self) {
        let Some(diff) = self.window.pop() else {
            return;
        };
        let size = diff.entry.size;
        // A file that changed while it was read is read again in one go: its size may be another.
        if size < STRIPED_BYTES_MIN || self.cx.workers < 2 || diff.attempt > 0 {
            let reason = if diff.entry.may_have_holes() {
                "alone: it may have holes"
            } else {
                "alone: too large to pack"
            };
            return self.emit(Work::Whole(diff), reason);
        }
        let stripe = self.planner.stripe_bytes(&self.cx, size);
        let parts = size.div_ceil(stripe);
        let diff = Arc::new(diff);
        for part in 0..parts {
            let work = Work::Range {
                diff: Arc::clone(&diff),
                start: part * stripe,
                end: size.min((part + 1) * stripe),
                part: part as u32,
                parts: parts as u32,
            };
            self.emit(work, "striped: too large for one worker");
        }
    }

    fn emit(&mut self, work: Work, reason: &'static str) {
        let item = WorkItem::new(self.next_id, work, reason);
        self.next_id += 1;
        self.ready.push_back(Ok(item));
    }

    fn is_empty(&self) -> bool {
        self.window.len() == 0
            && self.pack.diffs.is_empty()
            && self.digests.diffs.is_empty()
            && self.attributes.diffs.is_empty()
    }
}

impl Stream for Plan<'_> {
    type Item = Result<WorkItem>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let plan = &mut *self;
        loop {
            if let Some(item) = plan.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            if plan.is_over {
                if plan.is_empty() {
                    return Poll::Ready(None);
                }
                plan.flush();
                continue;
            }
            match plan.diffs.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(diff))) => plan.take(diff),
                Poll::Ready(Some(Err(error))) => plan.ready.push_back(Err(error)),
                Poll::Ready(None) => plan.is_over = true,
                Poll::Pending if plan.is_empty() => return Poll::Pending,
                // Whoever polls has a free worker.
                Poll::Pending => plan.flush(),
            }
        }
    }
}
