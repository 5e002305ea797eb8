//! A plan of one fault, followed by the threads of one test.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use rustix::io::Errno;

use super::Site;

/// What happens instead of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails with this number, and does nothing.
    Error(Errno),
    /// It moves less than it was asked for.
    Short,
}

/// Which call fails how; and what was called at all.
pub(crate) struct Plan {
    /// The site, and which of its calls, from 1.
    fault: Option<(String, usize, Fault)>,
    /// Told at the moment of the fault.
    on_fault: Box<dyn Fn() + Send + Sync>,
    /// What can never be done.
    lacks: &'static [(&'static str, Errno)],
    calls: Mutex<BTreeMap<&'static str, usize>>,
    is_met: AtomicBool,
}

impl Plan {
    /// Nothing fails; calls are counted.
    pub(crate) fn counting() -> Self {
        Self {
            fault: None,
            on_fault: Box::new(|| ()),
            lacks: &[],
            calls: Mutex::default(),
            is_met: AtomicBool::new(false),
        }
    }

    /// The call number `nth` at the site of that name fails.
    pub(crate) fn failing(site: &str, nth: usize, fault: Fault) -> Self {
        Self {
            fault: Some((site.to_owned(), nth, fault)),
            ..Self::counting()
        }
    }

    /// Besides, the sites in `lacks` always fail, as where the kernel cannot do it.
    pub(crate) fn lacking(self, lacks: &'static [(&'static str, Errno)]) -> Self {
        Self { lacks, ..self }
    }

    /// Calls `told` when the fault happens.
    pub(crate) fn telling(mut self, told: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_fault = Box::new(told);
        self
    }

    /// How often each site was passed.
    pub(crate) fn calls(&self) -> BTreeMap<&'static str, usize> {
        self.calls.lock().clone()
    }

    /// Whether the fault has happened.
    pub(crate) fn is_met(&self) -> bool {
        self.is_met.load(Ordering::Relaxed)
    }

    fn pass(&self, Site(site): Site) -> Option<Fault> {
        let nth = {
            let mut calls = self.calls.lock();
            let nth = calls.entry(site).or_default();
            *nth += 1;
            *nth
        };
        match &self.fault {
            Some((planned, at, fault)) if planned == site && *at == nth => {
                self.is_met.store(true, Ordering::Relaxed);
                (self.on_fault)();
                Some(*fault)
            }
            _ => {
                let lacking = self.lacks.iter().find(|(lacking, _)| *lacking == site);
                lacking.map(|(_, errno)| Fault::Error(*errno))
            }
        }
    }
}

thread_local! {
    static PLAN: RefCell<Option<Arc<Plan>>> = const { RefCell::new(None) };
}

/// Makes this thread follow `plan`.
pub(crate) fn follow(plan: &Arc<Plan>) {
    PLAN.set(Some(Arc::clone(plan)));
}

fn fault_at(site: Site) -> Option<Fault> {
    let plan = PLAN.with_borrow(Clone::clone);
    plan.and_then(|plan| plan.pass(site))
}

pub(in super::super) fn pass(site: Site) -> Result<(), Errno> {
    match fault_at(site) {
        Some(Fault::Error(errno)) => Err(errno),
        Some(Fault::Short) | None => Ok(()),
    }
}

pub(in super::super) fn length(site: Site, wanted: usize) -> Result<usize, Errno> {
    match fault_at(site) {
        Some(Fault::Error(errno)) => Err(errno),
        Some(Fault::Short) => Ok(wanted.div_ceil(2)),
        None => Ok(wanted),
    }
}
