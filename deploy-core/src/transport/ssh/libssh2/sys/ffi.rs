//! What libssh2-sys doesn't declare.

use std::ffi::{c_char, c_int, c_void};

use libssh2_sys as raw;

/// Signs `data`: leaves a malloc'ed signature behind `signature` and `length`, and returns zero.
pub(crate) type Sign = unsafe extern "C" fn(
    session: *mut raw::LIBSSH2_SESSION,
    signature: *mut *mut u8,
    length: *mut usize,
    data: *const u8,
    data_length: usize,
    context: *mut *mut c_void,
) -> c_int;

/// The kind of callback that gets the server's channels to a forwarded agent.
pub(crate) const CALLBACK_AUTH_AGENT: c_int = 7;

/// Gets such a channel, and a pointer to the pointer that belongs to the user of the session.
pub(crate) type AuthAgent = unsafe extern "C" fn(
    session: *mut raw::LIBSSH2_SESSION,
    channel: *mut raw::LIBSSH2_CHANNEL,
    context: *mut *mut c_void,
);

/// The kinds of callbacks that send to and receive from the socket.
pub(crate) const CALLBACK_SEND: c_int = 5;
pub(crate) const CALLBACK_RECV: c_int = 6;

/// Sends: how many bytes went out, or the negated number of an error. Gets a pointer to the pointer that belongs to the
/// user of the session.
pub(crate) type Send =
    unsafe extern "C" fn(c_int, *const c_void, libc::size_t, c_int, *mut *mut c_void) -> libc::ssize_t;

/// Receives, in the same way.
pub(crate) type Receive =
    unsafe extern "C" fn(c_int, *mut c_void, libc::size_t, c_int, *mut *mut c_void) -> libc::ssize_t;

/// Any callback: the caller casts.
pub(crate) type Generic = unsafe extern "C" fn();

unsafe extern "C" {
    pub(crate) fn libssh2_session_callback_set2(
        session: *mut raw::LIBSSH2_SESSION,
        kind: c_int,
        callback: Option<Generic>,
    ) -> Option<Generic>;
    pub(crate) fn libssh2_channel_has_exit_status(channel: *mut raw::LIBSSH2_CHANNEL) -> c_int;
    pub(crate) fn libssh2_userauth_publickey(
        session: *mut raw::LIBSSH2_SESSION,
        user: *const c_char,
        blob: *const u8,
        blob_length: usize,
        sign: Sign,
        context: *mut *mut c_void,
    ) -> c_int;
}
