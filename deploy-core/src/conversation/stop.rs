//! Whether to go on.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::error::{Error, ErrorKind};

/// Whether the run was told to stop: by Ctrl-C, or by SIGTERM. A cheap handle that every thread has.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Request>);

#[derive(Debug, Default)]
struct Request {
    kind: AtomicU8,
    since: OnceLock<Instant>,
}

impl Stop {
    /// Tells the run to stop.
    pub fn now(&self, kind: ErrorKind) {
        self.0.since.get_or_init(Instant::now);
        self.0.kind.store(if kind == ErrorKind::Interrupted { 1 } else { 2 }, Ordering::SeqCst);
    }

    /// The error that a run which was told to stop ends with.
    pub fn requested(&self) -> Option<Error> {
        match self.0.kind.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Error::new(ErrorKind::Interrupted, "interrupted")),
            _ => Some(Error::new(ErrorKind::Terminated, "terminated")),
        }
    }

    /// When it was told so first.
    pub fn since(&self) -> Option<Instant> {
        self.0.since.get().copied()
    }
}
