//! The few calls to libssh2 that ssh2 doesn't offer, and the only unsafe code of the workspace.
//!
//! ssh2 owns the session. Its channels are not used: they free themselves without the session's lock, can't tell a
//! missing exit status from a zero, and the server's own channels (a forwarded agent) don't come as one. [`Channel`]
//! is all of these. It is neither `Send` nor `Sync`, so the compiler keeps it on the thread that owns the session.
//!
//! All calls are meant for a session in non-blocking mode; `Ok(None)` says that the call would block and must be
//! repeated, with the same arguments, before anything else that sends.

#![expect(unsafe_code, reason = "libssh2's C interface; every block says why it is sound")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::{self, NonNull};

use libssh2_sys as raw;
use ssh2::{Error, ErrorCode, Session};

/// The error of `call` on this session, or `None` while the call has to be repeated.
pub(crate) fn pending<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if code(&error) == raw::LIBSSH2_ERROR_EAGAIN => Ok(None),
        Err(error) => Err(error),
    }
}

/// libssh2's number for `error`.
pub(crate) fn code(error: &Error) -> c_int {
    match error.code() {
        ErrorCode::Session(code) | ErrorCode::SFTP(code) => code,
    }
}

/// An error with libssh2's number `code`, worded by ssh2.
pub(crate) fn fault(code: c_int) -> Error {
    Error::from_errno(ErrorCode::Session(code))
}

/// The number of standard error among the extended streams (RFC 4254, section 5.2).
const EXTENDED_DATA_STDERR: c_int = 1;

/// A channel of a session. Dropping it frees it; see [`Channel::close`] for the polite way.
pub(crate) struct Channel {
    raw: NonNull<raw::LIBSSH2_CHANNEL>,
    session: Session,
}

/// Which of a channel's two streams to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Data: standard output.
    Out,
    /// Extended data: standard error.
    Err,
}

impl Channel {
    /// Opens a channel of type `kind`, whose open request carries `message`.
    ///
    /// A session can have one open in flight: it must be repeated until it is through before another one begins.
    pub(crate) fn open(
        session: &Session,
        kind: &str,
        window: u32,
        packet: u32,
        message: &[u8],
    ) -> Result<Option<Channel>, Error> {
        let mut guard = session.raw();
        let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
        // SAFETY: the guard holds the session's lock, and pointers and lengths belong together. libssh2 copies the
        // type; the message is sent along with its header, from the slice that the repeated call brings again.
        let channel = unsafe {
            raw::libssh2_channel_open_ex(
                handle,
                kind.as_ptr().cast(),
                length(kind.as_bytes())?,
                window,
                packet,
                message.as_ptr().cast(),
                length(message)?,
            )
        };
        match NonNull::new(channel) {
            Some(raw) => Ok(Some(Channel { raw, session: session.clone() })),
            None => pending(Err(Error::last_session_error_raw(handle).unwrap_or_else(Error::unknown))),
        }
    }

    /// Asks for a program: `exec` with its command, once per channel.
    pub(crate) fn exec(&mut self, command: &str) -> Result<Option<()>, Error> {
        let length = length(command.as_bytes())?;
        self.call(|channel| {
            // SAFETY: as for every call below: `channel` lives as long as `self`, the lock is held, and pointers and
            // lengths belong together.
            unsafe {
                raw::libssh2_channel_process_startup(channel, c"exec".as_ptr(), 4, command.as_ptr().cast(), length)
            }
        })
    }

    /// Asks that the agent be forwarded to this channel's command. A server grants it once per connection, then to all.
    pub(crate) fn forward_agent(&mut self) -> Result<Option<()>, Error> {
        // SAFETY: see `exec`.
        self.call(|channel| unsafe { raw::libssh2_channel_request_auth_agent(channel) })
    }

    /// Asks for a terminal for the command that is to come. `modes` are the settings of it that differ from the server's
    /// own (RFC 4254, section 8).
    pub(crate) fn request_terminal(
        &mut self,
        kind: &str,
        modes: &[u8],
        columns: u16,
        rows: u16,
    ) -> Result<Option<()>, Error> {
        let (kind_length, modes_length) = (length(kind.as_bytes())?, length(modes)?);
        self.call(|channel| {
            // SAFETY: see `exec`; libssh2 copies both.
            unsafe {
                raw::libssh2_channel_request_pty_ex(
                    channel,
                    kind.as_ptr().cast(),
                    kind_length,
                    modes.as_ptr().cast(),
                    modes_length,
                    columns.into(),
                    rows.into(),
                    0,
                    0,
                )
            }
        })
    }

    /// Tells the size of the terminal anew. After `Ok(None)`, what is repeated is the size of the first call.
    pub(crate) fn resize_terminal(&mut self, columns: u16, rows: u16) -> Result<Option<()>, Error> {
        self.call(|channel| {
            // SAFETY: see `exec`.
            unsafe { raw::libssh2_channel_request_pty_size_ex(channel, columns.into(), rows.into(), 0, 0) }
        })
    }

    /// Reads one of the streams. `Ok(None)` when nothing is there now, `Ok(Some(0))` at its end.
    ///
    /// Any read, also one into an empty buffer, takes in everything that the socket has, for all channels.
    pub(crate) fn read(&mut self, side: Side, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let stream = match side {
            Side::Out => 0,
            Side::Err => EXTENDED_DATA_STDERR,
        };
        self.transfer(|channel| {
            // SAFETY: see `exec`.
            unsafe { raw::libssh2_channel_read_ex(channel, stream, buffer.as_mut_ptr().cast(), buffer.len()) }
        })
    }

    /// Sends the beginning of `data`; returns how much of it. After `Ok(None)`, repeat it with the same data.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<Option<usize>, Error> {
        self.transfer(|channel| {
            // SAFETY: see `exec`.
            unsafe { raw::libssh2_channel_write_ex(channel, 0, data.as_ptr().cast(), data.len()) }
        })
    }

    /// Says that no more data will be sent.
    pub(crate) fn send_eof(&mut self) -> Result<Option<()>, Error> {
        // SAFETY: see `exec`.
        self.call(|channel| unsafe { raw::libssh2_channel_send_eof(channel) })
    }

    /// Whether the server said that no more data will come, and all that came was read.
    pub(crate) fn eof(&self) -> bool {
        let _guard = self.session.raw();
        // SAFETY: see `exec`.
        unsafe { raw::libssh2_channel_eof(self.raw.as_ptr()) == 1 }
    }

    /// Closes our side and waits for the server's close, which it holds back until it has told how the command ended.
    ///
    /// `libssh2_channel_close` alone takes the next packet of any channel for the server's close.
    pub(crate) fn close(&mut self) -> Result<Option<()>, Error> {
        // SAFETY: see `exec`.
        if self.call(|channel| unsafe { raw::libssh2_channel_close(channel) })?.is_none() {
            return Ok(None);
        }
        if !self.eof() {
            // The command goes on and nobody listens: there is nothing to wait for.
            return Ok(Some(()));
        }
        // SAFETY: see `exec`.
        self.call(|channel| unsafe { raw::libssh2_channel_wait_closed(channel) })
    }

    /// The exit status, if the server sent one.
    pub(crate) fn exit_status(&self) -> Option<i32> {
        let _guard = self.session.raw();
        // SAFETY: see `exec`.
        unsafe {
            (ffi::libssh2_channel_has_exit_status(self.raw.as_ptr()) == 1)
                .then(|| raw::libssh2_channel_get_exit_status(self.raw.as_ptr()))
        }
    }

    /// The signal that ended the command (`KILL`), if the server sent one.
    pub(crate) fn exit_signal(&self) -> Option<String> {
        let mut guard = self.session.raw();
        let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
        let (mut name, mut length) = (ptr::null_mut::<c_char>(), 0);
        // SAFETY: libssh2 accepts null for what isn't wanted; the name is a copy that ends in NUL and is ours to free.
        unsafe {
            raw::libssh2_channel_get_exit_signal(
                self.raw.as_ptr(),
                &raw mut name,
                &raw mut length,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
            if name.is_null() {
                return None;
            }
            let signal = CStr::from_ptr(name).to_string_lossy().into_owned();
            raw::libssh2_free(handle, name.cast::<c_void>());
            Some(signal)
        }
    }

    fn call(&mut self, call: impl FnOnce(*mut raw::LIBSSH2_CHANNEL) -> c_int) -> Result<Option<()>, Error> {
        Ok(self.transfer(|channel| call(channel) as libc::ssize_t)?.map(|_| ()))
    }

    /// Runs a call that returns a number of bytes or an error's number, under the session's lock.
    fn transfer(
        &mut self,
        call: impl FnOnce(*mut raw::LIBSSH2_CHANNEL) -> libc::ssize_t,
    ) -> Result<Option<usize>, Error> {
        let mut guard = self.session.raw();
        let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
        let result = call(self.raw.as_ptr());
        match usize::try_from(result) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => pending(Err(Error::from_session_error_raw(handle, result as c_int))),
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let _guard = self.session.raw();
        // SAFETY: nothing else has the pointer. If it would block, libssh2 keeps the channel and frees it with the
        // session, which this channel keeps alive.
        unsafe { raw::libssh2_channel_free(self.raw.as_ptr()) };
    }
}

fn length(data: &[u8]) -> Result<c_uint, Error> {
    c_uint::try_from(data.len()).map_err(|_| fault(raw::LIBSSH2_ERROR_INVAL))
}

/// Where the channels arrive that a server opens to a forwarded agent. Without one, libssh2 refuses them.
pub(crate) struct AgentChannels {
    session: Session,
    /// A box of ours that libssh2 has a pointer to.
    arrived: NonNull<Arrived>,
}

type Arrived = Vec<NonNull<raw::LIBSSH2_CHANNEL>>;

impl AgentChannels {
    /// Accepts such channels on `session` from now on.
    pub(crate) fn accept(session: &Session) -> AgentChannels {
        let arrived = NonNull::from(Box::leak(Box::new(Arrived::new())));
        let mut guard = session.raw();
        let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
        // SAFETY: the lock is held. The session's user pointer is free, since nobody else gave it one, and what it
        // points to lives until `drop` takes it back. The callback has the form that its kind demands.
        unsafe {
            *raw::libssh2_session_abstract(handle) = arrived.as_ptr().cast();
            let callback = std::mem::transmute::<ffi::AuthAgent, ffi::Generic>(channel_arrived);
            ffi::libssh2_session_callback_set2(handle, ffi::CALLBACK_AUTH_AGENT, Some(callback));
        }
        drop(guard);
        AgentChannels { session: session.clone(), arrived }
    }

    /// The channels that arrived since the last call.
    pub(crate) fn take(&mut self) -> Vec<Channel> {
        // SAFETY: only libssh2 adds to it, in calls that are made on this thread, and none is under way.
        let arrived = std::mem::take(unsafe { self.arrived.as_mut() });
        arrived.into_iter().map(|raw| Channel { raw, session: self.session.clone() }).collect()
    }
}

impl Drop for AgentChannels {
    fn drop(&mut self) {
        let mut guard = self.session.raw();
        let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
        // SAFETY: as in `accept`; after that nobody has a pointer to the box any more. What arrived and was not taken is
        // freed with the session.
        unsafe {
            ffi::libssh2_session_callback_set2(handle, ffi::CALLBACK_AUTH_AGENT, None);
            *raw::libssh2_session_abstract(handle) = ptr::null_mut();
            drop(Box::from_raw(self.arrived.as_ptr()));
        }
    }
}

/// Only remembers the channel: nothing of libssh2 may be called from inside it.
unsafe extern "C" fn channel_arrived(
    _session: *mut raw::LIBSSH2_SESSION,
    channel: *mut raw::LIBSSH2_CHANNEL,
    context: *mut *mut c_void,
) {
    // SAFETY: `AgentChannels::accept` put its list there, and nobody looks at it during this call.
    let arrived = unsafe { (*context).cast::<Arrived>().as_mut() };
    if let (Some(arrived), Some(channel)) = (arrived, NonNull::new(channel)) {
        arrived.push(channel);
    }
}

/// Signs the data that a server wants signed. Returns the signature without its algorithm's name, or `None`.
pub(crate) type Signer<'a> = &'a mut dyn FnMut(&[u8]) -> Option<Vec<u8>>;

/// Logs in as `user` with the public key or certificate `blob`, for which `sign` signs.
pub(crate) fn log_in_with_key(
    session: &Session,
    user: &CStr,
    blob: &[u8],
    mut sign: Signer<'_>,
) -> Result<Option<()>, Error> {
    let mut guard = session.raw();
    let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
    let mut context: *mut c_void = (&raw mut sign).cast();
    // SAFETY: the lock is held, pointers and lengths belong together, and `sign_callback` gets the `Signer` back that
    // `context` points to, only during this call.
    let result = unsafe {
        ffi::libssh2_userauth_publickey(
            handle,
            user.as_ptr(),
            blob.as_ptr(),
            blob.len(),
            sign_callback,
            &raw mut context,
        )
    };
    if result == 0 { Ok(Some(())) } else { pending(Err(Error::from_session_error_raw(handle, result))) }
}

unsafe extern "C" fn sign_callback(
    _session: *mut raw::LIBSSH2_SESSION,
    signature: *mut *mut u8,
    length: *mut usize,
    data: *const u8,
    data_length: usize,
    context: *mut *mut c_void,
) -> c_int {
    // SAFETY: `log_in_with_key` put a pointer to its `Signer` there, and libssh2 calls back from inside that call.
    let (sign, data) =
        unsafe { (&mut *(*context).cast::<Signer<'_>>(), std::slice::from_raw_parts(data, data_length)) };
    let signed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sign(data)));
    let Ok(Some(signed)) = signed else { return -1 };
    // SAFETY: libssh2 frees the signature with free(3), as the session has no allocator of its own; the copy fits.
    unsafe {
        let copy = libc::malloc(signed.len().max(1)).cast::<u8>();
        if copy.is_null() {
            return -1;
        }
        ptr::copy_nonoverlapping(signed.as_ptr(), copy, signed.len());
        *signature = copy;
        *length = signed.len();
    }
    0
}

/// What a server wants of a user.
pub(crate) enum Demand {
    /// One of these ways to log in, as it writes them: `publickey,password`.
    OneOf(String),
    /// Nothing: the user is logged in.
    Nothing,
}

/// Asks the server how `user` may log in.
pub(crate) fn ask_for_methods(session: &Session, user: &CStr) -> Result<Option<Demand>, Error> {
    let mut guard = session.raw();
    let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
    // SAFETY: the lock is held; the list belongs to the session, ends in NUL, and is copied at once.
    unsafe {
        let list = raw::libssh2_userauth_list(handle, user.as_ptr(), length(user.to_bytes())?);
        if !list.is_null() {
            return Ok(Some(Demand::OneOf(CStr::from_ptr(list).to_string_lossy().into_owned())));
        }
        if raw::libssh2_userauth_authenticated(handle) == 1 {
            return Ok(Some(Demand::Nothing));
        }
        pending(Err(Error::last_session_error_raw(handle).unwrap_or_else(Error::unknown)))
    }
}

/// What libssh2-sys doesn't declare.
mod ffi {
    use super::{c_char, c_int, c_void, raw};

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
}
