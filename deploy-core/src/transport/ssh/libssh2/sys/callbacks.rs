//! Calls that send ahead of answers.
//!
//! libssh2 waits for the answer to each question before it sends the next one. With these, what is allowed to follow at
//! once can: a call is kept from reading answers that belong to others, and it is known how many packets it sent.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::transmute;

use libssh2_sys as raw;
use ssh2::Session;

use super::ffi;

/// Calls `call`, which finds nothing to read, whatever has come: it can only send.
pub(crate) fn sending_only<T>(session: &Session, call: impl FnOnce() -> T) -> T {
    let _deaf = Deaf::make(session);
    call()
}

/// Keeps a session from reading, until it is dropped.
struct Deaf<'a> {
    session: &'a Session,
    before: Option<ffi::Generic>,
}

impl<'a> Deaf<'a> {
    fn make(session: &'a Session) -> Deaf<'a> {
        // SAFETY: the callback has the form that its kind demands.
        let before = unsafe {
            exchange(session, ffi::CALLBACK_RECV, Some(transmute::<ffi::Receive, ffi::Generic>(receive_nothing)))
        };
        Deaf { session, before }
    }
}

impl Drop for Deaf<'_> {
    fn drop(&mut self) {
        // SAFETY: it was there before.
        unsafe { exchange(self.session, ffi::CALLBACK_RECV, self.before) };
    }
}

/// Puts a callback in the place of another, which is returned.
///
/// # Safety
///
/// The callback must have the form that its kind demands.
pub(super) unsafe fn exchange(session: &Session, kind: c_int, callback: Option<ffi::Generic>) -> Option<ffi::Generic> {
    let mut guard = session.raw();
    let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
    // SAFETY: the lock is held, and the caller keeps the rest.
    unsafe { ffi::libssh2_session_callback_set2(handle, kind, callback) }
}

unsafe extern "C" fn receive_nothing(
    _socket: c_int,
    _buffer: *mut c_void,
    _length: libc::size_t,
    _flags: c_int,
    _context: *mut *mut c_void,
) -> libc::ssize_t {
    -(libc::EAGAIN as libc::ssize_t)
}

/// Calls `call`, and counts the packets that are whole when it has sent.
pub(crate) fn counting_packets<T>(session: &Session, call: impl FnOnce() -> T) -> (T, usize) {
    let counter = Counter::start(session);
    let result = call();
    (result, counter.count())
}

thread_local! {
    /// What sends in the place of [`send_and_count`] else, and how many packets it has sent. The session's user pointer, which
    /// the callback gets, belongs to others.
    static COUNTED: Cell<Option<(ffi::Send, usize)>> = const { Cell::new(None) };
}

/// Counts what a session sends, until it is dropped. There is one at a time on a thread.
struct Counter<'a> {
    session: &'a Session,
    before: ffi::Send,
}

impl<'a> Counter<'a> {
    fn start(session: &'a Session) -> Counter<'a> {
        // SAFETY: every session has such a callback from its beginning, of this form; ours is of the same.
        let before = unsafe {
            let ours = transmute::<ffi::Send, ffi::Generic>(send_and_count);
            transmute::<Option<ffi::Generic>, ffi::Send>(exchange(session, ffi::CALLBACK_SEND, Some(ours)))
        };
        COUNTED.set(Some((before, 0)));
        Counter { session, before }
    }

    fn count(&self) -> usize {
        COUNTED.get().map_or(0, |(_, count)| count)
    }
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        // SAFETY: it was there before.
        unsafe {
            exchange(self.session, ffi::CALLBACK_SEND, Some(transmute::<ffi::Send, ffi::Generic>(self.before)));
        }
        COUNTED.set(None);
    }
}

unsafe extern "C" fn send_and_count(
    socket: c_int,
    buffer: *const c_void,
    length: libc::size_t,
    flags: c_int,
    context: *mut *mut c_void,
) -> libc::ssize_t {
    let Some((send, count)) = COUNTED.get() else { return -(libc::EAGAIN as libc::ssize_t) };
    // SAFETY: libssh2 calls us as it would have called `send`.
    let sent = unsafe { send(socket, buffer, length, flags, context) };
    let is_whole = usize::try_from(sent) == Ok(length);
    COUNTED.set(Some((send, count + usize::from(is_whole))));
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_sends_as_before_when_its_packets_were_counted() {
        let session = Session::new().unwrap();
        let before = Counter::start(&session).before;
        let ((), count) = counting_packets(&session, || ());
        let after = Counter::start(&session).before;
        assert!(std::ptr::fn_addr_eq(before, after) && count == 0);
    }
}
