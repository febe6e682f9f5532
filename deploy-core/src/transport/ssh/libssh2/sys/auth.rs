//! Logging in.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use libssh2_sys as raw;
use ssh2::{Error, Session};

use super::code::{length, pending};
use super::ffi;

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
