//! What an error of libssh2 means: for the connection, and in words.

use std::ffi::c_int;

use libssh2_sys as raw;
use ssh2::Error as Fault;

use super::sys::code;

/// What is made of a server that talks a lot, and nothing of it is SSH.
pub(crate) const BABBLE: c_int = raw::LIBSSH2_ERROR_OUT_OF_BOUNDARY;

/// Whether `fault` ends the whole connection, and not just one channel or one attempt to log in.
pub(crate) fn ends_connection(fault: &Fault) -> bool {
    !matches!(
        code(fault),
        raw::LIBSSH2_ERROR_CHANNEL_FAILURE
            | raw::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED
            | raw::LIBSSH2_ERROR_CHANNEL_UNKNOWN
            | raw::LIBSSH2_ERROR_CHANNEL_CLOSED
            | raw::LIBSSH2_ERROR_CHANNEL_EOF_SENT
            | raw::LIBSSH2_ERROR_INVAL
            | raw::LIBSSH2_ERROR_OUT_OF_BOUNDARY
    )
}

/// Whether `fault` says that the other side hung up.
pub(crate) fn is_hang_up(fault: &Fault) -> bool {
    matches!(
        code(fault),
        raw::LIBSSH2_ERROR_SOCKET_DISCONNECT
            | raw::LIBSSH2_ERROR_SOCKET_RECV
            | raw::LIBSSH2_ERROR_SOCKET_SEND
            | raw::LIBSSH2_ERROR_BANNER_RECV
            | raw::LIBSSH2_ERROR_BANNER_SEND
    )
}

/// Why a connection ended, in a few words.
pub(crate) fn reason(fault: &Fault) -> String {
    match code(fault) {
        raw::LIBSSH2_ERROR_TIMEOUT | raw::LIBSSH2_ERROR_SOCKET_TIMEOUT => "no answer in time".into(),
        BABBLE => "it talks a lot, and nothing of it is SSH".into(),
        _ if is_hang_up(fault) => "the server closed the connection".into(),
        code => format!("{} (libssh2 error {code})", fault.message().to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::libssh2::sys::fault;

    #[test]
    fn only_faults_of_one_channel_leave_the_connection_alone() {
        assert!(!ends_connection(&fault(raw::LIBSSH2_ERROR_CHANNEL_FAILURE)));
        assert!(!ends_connection(&fault(raw::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)));
        assert!(ends_connection(&fault(raw::LIBSSH2_ERROR_SOCKET_RECV)));
        assert!(ends_connection(&fault(raw::LIBSSH2_ERROR_INVALID_MAC)));
        assert_eq!(reason(&fault(raw::LIBSSH2_ERROR_SOCKET_DISCONNECT)), "the server closed the connection");
        assert_eq!(reason(&fault(raw::LIBSSH2_ERROR_TIMEOUT)), "no answer in time");
    }
}
