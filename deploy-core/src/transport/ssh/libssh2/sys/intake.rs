//! Whether libssh2 has taken anything in. Whoever reads from one channel takes in what comes for all of them, so that another
//! channel may have something to read although nothing waits in the socket any more.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::transmute;

use ssh2::Session;

use super::callbacks::exchange;
use super::ffi;

thread_local! {
    /// What receives for the session that this thread owns, and whether it got anything.
    static RECEIVE: Cell<Option<ffi::Receive>> = const { Cell::new(None) };
    static HAS_RECEIVED: Cell<bool> = const { Cell::new(false) };
}

/// Notes what a session takes in, until it is dropped. A thread can have one.
pub(crate) struct Intake {
    session: Session,
    before: Option<ffi::Generic>,
}

impl Intake {
    /// Begins to note what `session` takes in, in calls that are made on this thread.
    pub(crate) fn watch(session: &Session) -> Intake {
        // SAFETY: every session has this callback from its beginning, of this form; ours is of the same.
        let before = unsafe {
            let ours = transmute::<ffi::Receive, ffi::Generic>(receive_and_note);
            let before = exchange(session, ffi::CALLBACK_RECV, Some(ours));
            RECEIVE.set(before.map(|before| transmute::<ffi::Generic, ffi::Receive>(before)));
            before
        };
        Intake { session: session.clone(), before }
    }

    /// Whether anything was taken in since the last call.
    pub(crate) fn take(&self) -> bool {
        HAS_RECEIVED.replace(false)
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        // SAFETY: it was there before.
        unsafe { exchange(&self.session, ffi::CALLBACK_RECV, self.before) };
        RECEIVE.set(None);
    }
}

unsafe extern "C" fn receive_and_note(
    socket: c_int,
    buffer: *mut c_void,
    length: libc::size_t,
    flags: c_int,
    context: *mut *mut c_void,
) -> libc::ssize_t {
    let Some(receive) = RECEIVE.get() else { return -(libc::EAGAIN as libc::ssize_t) };
    // SAFETY: it is what libssh2 would have called, with what it was called with.
    let received = unsafe { receive(socket, buffer, length, flags, context) };
    if received > 0 {
        HAS_RECEIVED.set(true);
    }
    received
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_is_taken_in_is_noted_once() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut session = Session::new().unwrap();
        session.set_tcp_stream(ours);
        session.set_blocking(false);
        let intake = Intake::watch(&session);
        let _ = session.handshake();
        assert!(!intake.take(), "nothing has come");
        theirs.write_all(b"SSH-2.0-test\r\n").unwrap();
        let _ = session.handshake();
        assert!(intake.take());
        let _ = session.handshake();
        assert!(!intake.take());
    }
}
