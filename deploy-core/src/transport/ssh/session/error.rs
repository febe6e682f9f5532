//! What went wrong with a server that is logged in to.

use libssh2_sys as raw;
use ssh2::Error as Fault;

use crate::error::Error;
use crate::transport::server::LONGEST_COMMAND;
use crate::transport::ssh::libssh2::fault::reason;
use crate::transport::ssh::libssh2::sys::code;

/// The connection to the server `label` ended for `reason`.
pub(crate) fn lost(label: &str, reason: &str) -> Error {
    Error::connection(format!("lost the connection to `{label}`: {reason}"))
}

/// The server `label` doesn't run a command, although the connection is fine.
pub(crate) fn command_failed(label: &str, fault: &Fault) -> Error {
    let error = Error::connection(format!("`{label}` doesn't run the command"));
    match code(fault) {
        raw::LIBSSH2_ERROR_CHANNEL_FAILURE => error
            .because(anyhow::anyhow!("the server opens no session: {}", fault.message().to_lowercase()))
            .hint("does `MaxSessions` or `ForceCommand` in the server's sshd_config forbid it?"),
        raw::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED => {
            error.because(anyhow::anyhow!("the server refuses to run commands for this user"))
        }
        _ => error.because(anyhow::anyhow!(reason(fault))),
    }
}

/// A command of so many `bytes` can't be sent to the server `label`.
pub(crate) fn too_long(label: &str, bytes: usize) -> Error {
    Error::connection(format!("`{label}` doesn't run the command"))
        .because(anyhow::anyhow!("it is too long: {bytes} bytes, where SSH takes {LONGEST_COMMAND}"))
}

/// The server `label` gives a command no terminal, although the connection is fine.
pub(crate) fn terminal_refused(label: &str, fault: &Fault) -> Error {
    Error::connection(format!("`{label}` gives us no terminal"))
        .because(anyhow::anyhow!(reason(fault)))
        .hint("does `PermitTTY no` in the server's sshd_config, or `no-pty` or `restrict` before the key in its authorized_keys, forbid it?")
        .hint("without a terminal here, none is asked for there: pipe in what you would type")
}
