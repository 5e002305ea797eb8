//! What runs on this machine measured: read before a run, added to after it, never sent anywhere.

use std::sync::Arc;

use blit_contract::{
    Descriptor, Diff, History, NoHistory, Outcome, PlanCx, Planner, Result, Sample, WorkItem,
};
use futures_core::stream::BoxStream;
use parking_lot::Mutex;

/// The measurements of earlier runs, and of this one.
pub(crate) struct Memory {
    is_on: bool,
    /// What earlier runs measured.
    pub(crate) history: Arc<dyn History>,
    samples: Arc<Mutex<Vec<Sample>>>,
}

impl Memory {
    /// Reads what there is.
    pub(crate) fn load(is_on: bool) -> Self {
        Self {
            is_on,
            history: Arc::new(NoHistory),
            samples: Arc::default(),
        }
    }

    /// The same planner, whose measurements are kept for the end of the run.
    pub(crate) fn listen_to(&self, planner: Arc<dyn Planner>) -> Arc<dyn Planner> {
        match self.is_on {
            true => Arc::new(Listening {
                planner,
                samples: Arc::clone(&self.samples),
            }),
            false => planner,
        }
    }
}

/// A planner whose measurements are kept.
#[derive(Debug)]
struct Listening {
    planner: Arc<dyn Planner>,
    samples: Arc<Mutex<Vec<Sample>>>,
}

#[deny(clippy::missing_trait_methods)]
impl Planner for Listening {
    fn descriptor(&self) -> &Descriptor {
        self.planner.descriptor()
    }

    fn plan<'a>(
        &'a self,
        cx: PlanCx<'a>,
        diffs: BoxStream<'a, Result<Diff>>,
    ) -> BoxStream<'a, Result<WorkItem>> {
        self.planner.plan(cx, diffs)
    }

    fn observe(&self, outcome: &Outcome) {
        self.samples.lock().extend(outcome.sample);
        self.planner.observe(outcome);
    }
}
