//! libssh2's numbers for what went wrong.

use std::ffi::{c_int, c_uint};

use libssh2_sys as raw;
use ssh2::{Error, ErrorCode};

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

/// The length of `data` as libssh2 wants it.
pub(super) fn length(data: &[u8]) -> Result<c_uint, Error> {
    c_uint::try_from(data.len()).map_err(|_| fault(raw::LIBSSH2_ERROR_INVAL))
}
