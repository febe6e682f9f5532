//! The terminal that a command on a server runs on.

use std::sync::{Arc, Mutex, PoisonError};

use super::waker::Waker;
use crate::ui::{Size, Window};

/// What the owner thread has to know of a command's terminal.
pub(crate) struct Terminal {
    pub(crate) window: Window,
    resize: Arc<Mutex<Option<Size>>>,
}

/// Tells a command on a terminal that this has another size now.
pub struct Resizer {
    resize: Arc<Mutex<Option<Size>>>,
    waker: Arc<Waker>,
}

impl Terminal {
    pub(crate) fn new(window: Window) -> Terminal {
        Terminal { window, resize: Arc::default() }
    }

    pub(crate) fn resizer(&self, waker: &Arc<Waker>) -> Resizer {
        Resizer { resize: Arc::clone(&self.resize), waker: Arc::clone(waker) }
    }

    /// The size that the command has not been told of yet.
    pub(crate) fn take_resize(&self) -> Option<Size> {
        self.resize.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Resizer {
    /// Tells `size`. Of several that come faster than they can be sent, the last one counts.
    pub fn resize(&self, size: Size) {
        *self.resize.lock().unwrap_or_else(PoisonError::into_inner) = Some(size);
        self.waker.wake();
    }
}
