//! How many servers may be inside of a limited task at a time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::event::StepNo;

use crate::conversation::Stop;

/// How many servers are inside of each limited task.
#[derive(Default)]
pub(in crate::run) struct Limits {
    inside: Mutex<BTreeMap<StepNo, usize>>,
    left: Condvar,
}

impl Limits {
    /// Returns when fewer than `limit` servers are inside of `step`, or the run is told to stop; calls `waiting` until then.
    fn enter(&self, step: StepNo, limit: usize, stop: &Stop, waiting: &mut dyn FnMut()) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        while inside.get(&step).copied().unwrap_or(0) >= limit && stop.requested().is_none() {
            let waited = self.left.wait_timeout(inside, Duration::from_millis(200));
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
            waiting();
        }
        *inside.entry(step).or_default() += 1;
    }

    fn leave(&self, step: StepNo) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&step) {
            *count = count.saturating_sub(1);
        }
        self.left.notify_all();
    }
}

/// One program's way through limited tasks: what it entered it leaves, however it ends.
pub(in crate::run) struct Visit<'g> {
    limits: &'g Limits,
    inside: Cell<Option<StepNo>>,
}

impl<'g> Visit<'g> {
    pub(in crate::run) fn new(limits: &'g Limits) -> Visit<'g> {
        Visit { limits, inside: Cell::new(None) }
    }

    pub(in crate::run) fn enter(&self, step: StepNo, limit: usize, stop: &Stop, waiting: &mut dyn FnMut()) {
        self.limits.enter(step, limit, stop, waiting);
        self.inside.set(Some(step));
    }

    pub(in crate::run) fn leave(&self) {
        if let Some(step) = self.inside.take() {
            self.limits.leave(step);
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
