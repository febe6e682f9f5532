//! Every conversation of a run: kept alive while nobody talks, and ended with the run.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::conversation::Slot;
use crate::error::Error;

/// How often it is looked whether a server has to be told that we are here.
const LOOK: Duration = Duration::from_millis(250);

/// The conversations of a run.
#[derive(Default)]
pub(super) struct Pulse {
    slots: Mutex<Vec<Arc<Slot>>>,
    over: Mutex<bool>,
    changed: Condvar,
}

impl Pulse {
    /// Room for one more conversation.
    pub(super) fn slot(&self) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&slot));
        slot
    }

    /// Tells the servers that we are here, until the run is over. Calls `look` now and then.
    pub(super) fn beat(&self, look: &mut dyn FnMut()) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            self.all().iter().for_each(|slot| slot.beat());
            look();
            over = self.changed.wait_timeout(over, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends every conversation, and waits until the servers have given up what they hold. Returns what is wrong with each.
    pub(super) fn end(&self) -> Vec<Result<(), Error>> {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
        part(&self.all())
    }

    fn all(&self) -> Vec<Arc<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Ends these conversations, all at once. Returns how each ended that was there.
pub(super) fn part(slots: &[Arc<Slot>]) -> Vec<Result<(), Error>> {
    let leaving: Vec<_> = slots.iter().filter_map(|slot| slot.begin_end()).collect();
    leaving.into_iter().map(|conversation| conversation.part()).collect()
}
