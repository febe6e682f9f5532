//! Whether to go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{Error, ErrorKind};

/// Whether the run was told to stop: by Ctrl-C, or by SIGTERM. A cheap handle that every thread has.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Tells the run to stop.
    pub fn now(&self, kind: ErrorKind) {
        self.0.store(if kind == ErrorKind::Interrupted { 1 } else { 2 }, Ordering::SeqCst);
    }

    /// The error that a run which was told to stop ends with.
    pub fn requested(&self) -> Option<Error> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Error::new(ErrorKind::Interrupted, "interrupted")),
            _ => Some(Error::new(ErrorKind::Terminated, "terminated")),
        }
    }
}
