//! Wakes a thread that sleeps in `poll`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that sits in the sleeper's set of descriptors. There is one for each server, and files are few: where the system
/// has counters to wait for, it is one of these, and elsewhere a pipe.
pub(crate) struct Waker {
    sleeper: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    caller: OwnedFd,
    /// Whether a wake-up is under way already: then another one is free.
    awake: AtomicBool,
}

impl Waker {
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> std::io::Result<Waker> {
        use rustix::event::{EventfdFlags, eventfd};

        let sleeper = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Waker { sleeper, awake: AtomicBool::new(false) })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> std::io::Result<Waker> {
        use std::os::unix::net::UnixStream;

        let (sleeper, caller) = UnixStream::pair()?;
        sleeper.set_nonblocking(true)?;
        caller.set_nonblocking(true)?;
        Ok(Waker { sleeper: sleeper.into(), caller: caller.into(), awake: AtomicBool::new(false) })
    }

    /// Wakes the sleeper, or keeps it from falling asleep.
    pub(crate) fn wake(&self) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            let _ = rustix::io::write(self.caller(), &1_u64.to_ne_bytes());
        }
    }

    /// Takes the wake-ups so far. What they announced has to be looked at after this call.
    pub(crate) fn take(&self) {
        // In this order: a call between the two finds `awake` set, and its news is looked at below.
        let _ = rustix::io::read(&self.sleeper, &mut [0; 8]);
        self.awake.store(false, Ordering::SeqCst);
    }

    /// Readable when somebody called [`Waker::wake`].
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.sleeper.as_fd()
    }

    #[cfg(target_os = "linux")]
    fn caller(&self) -> BorrowedFd<'_> {
        self.sleeper.as_fd()
    }

    #[cfg(not(target_os = "linux"))]
    fn caller(&self) -> BorrowedFd<'_> {
        self.caller.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn is_awake(waker: &Waker) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(waker.fd(), PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    }

    #[test]
    fn any_number_of_wake_ups_is_taken_at_once_and_the_next_one_counts_again() {
        let waker = Waker::new().unwrap();
        assert!(!is_awake(&waker));
        waker.wake();
        waker.wake();
        assert!(is_awake(&waker));
        waker.take();
        assert!(!is_awake(&waker));
        waker.wake();
        assert!(is_awake(&waker));
    }
}
