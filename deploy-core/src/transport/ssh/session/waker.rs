//! Wakes a thread that sleeps in `poll`.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

/// A socket pair whose one end sits in the sleeper's set of descriptors.
pub(crate) struct Waker {
    sleeper: UnixStream,
    caller: UnixStream,
    /// Whether a wake-up is under way already: then another one is free.
    awake: AtomicBool,
}

impl Waker {
    pub(crate) fn new() -> std::io::Result<Waker> {
        let (sleeper, caller) = UnixStream::pair()?;
        sleeper.set_nonblocking(true)?;
        caller.set_nonblocking(true)?;
        Ok(Waker { sleeper, caller, awake: AtomicBool::new(false) })
    }

    /// Wakes the sleeper, or keeps it from falling asleep.
    pub(crate) fn wake(&self) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            let _ = (&self.caller).write(&[1]);
        }
    }

    /// Takes the wake-ups so far. What they announced has to be looked at after this call.
    pub(crate) fn take(&self) {
        // In this order: a call between the two finds `awake` set, and its news is looked at below.
        let _ = (&self.sleeper).read(&mut [0; 16]);
        self.awake.store(false, Ordering::SeqCst);
    }

    /// Readable when somebody called [`Waker::wake`].
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.sleeper.as_fd()
    }
}
