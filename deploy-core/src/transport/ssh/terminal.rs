//! The terminal that a command on a server runs on.

use std::sync::{Arc, Mutex, PoisonError};

use super::waker::Waker;
use crate::ui::{Size, Window};

/// What the owner thread has to know of a command's terminal.
pub(super) struct Terminal {
    pub(super) window: Window,
    resize: Arc<Mutex<Option<Size>>>,
}

/// Tells a command on a terminal that this has another size now.
pub struct Resizer {
    resize: Arc<Mutex<Option<Size>>>,
    waker: Arc<Waker>,
}

impl Terminal {
    pub(super) fn new(window: Window) -> Terminal {
        Terminal { window, resize: Arc::default() }
    }

    pub(super) fn resizer(&self, waker: &Arc<Waker>) -> Resizer {
        Resizer { resize: Arc::clone(&self.resize), waker: Arc::clone(waker) }
    }

    /// The size that the command has not been told of yet.
    pub(super) fn take_resize(&self) -> Option<Size> {
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

/// The numbers of two modes of a terminal (RFC 4254, section 8, and RFC 8160).
const END: u8 = 0;
const IUTF8: u8 = 42;

/// The settings of `window` that servers don't have by themselves, as SSH writes them.
pub(super) fn modes(window: &Window) -> Vec<u8> {
    match window.utf8 {
        true => vec![IUTF8, 0, 0, 0, 1, END],
        false => vec![END],
    }
}
