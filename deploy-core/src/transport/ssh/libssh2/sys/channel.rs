//! Channels.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use libssh2_sys as raw;
use ssh2::{Error, Session};

use super::code::{length, pending};
use super::ffi;

/// The number of standard error among the extended streams (RFC 4254, section 5.2).
const EXTENDED_DATA_STDERR: c_int = 1;

/// A channel of a session. Dropping it frees it; see [`Channel::close`] for the polite way.
pub(crate) struct Channel {
    pub(super) raw: NonNull<raw::LIBSSH2_CHANNEL>,
    pub(super) session: Session,
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
