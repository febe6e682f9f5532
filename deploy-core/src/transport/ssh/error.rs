//! What went wrong on the way to a server, in words that name the server, the step and the likely cause.

use std::path::PathBuf;

use libssh2_sys as raw;
use ssh2::{Error as Fault, MethodType, Session};

use super::known_hosts::{HostKey, Place};
use super::proxy_command::ProxyProcess;
use super::sys::code;
use crate::error::Error;
use crate::script::quote;

/// Whether `fault` ends the whole connection, and not just one channel or one attempt to log in.
pub(super) fn ends_connection(fault: &Fault) -> bool {
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
pub(super) fn is_hang_up(fault: &Fault) -> bool {
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
pub(super) fn reason(fault: &Fault) -> String {
    match code(fault) {
        raw::LIBSSH2_ERROR_TIMEOUT | raw::LIBSSH2_ERROR_SOCKET_TIMEOUT => "no answer in time".into(),
        _ if is_hang_up(fault) => "the server closed the connection".into(),
        code => format!("{} (libssh2 error {code})", fault.message().to_lowercase()),
    }
}

/// The connection to the server `label` ended for `reason`.
pub(super) fn lost(label: &str, reason: &str) -> Error {
    Error::connection(format!("lost the connection to `{label}`: {reason}"))
}

/// The server `label` doesn't run a command, although the connection is fine.
pub(super) fn command_failed(label: &str, fault: &Fault) -> Error {
    let error = Error::connection(format!("`{label}` doesn't run the command"));
    match code(fault) {
        raw::LIBSSH2_ERROR_CHANNEL_FAILURE => error
            .because(anyhow::anyhow!("the server opens no session: {}", fault.message().to_lowercase()))
            .hint("does `MaxSessions` or `ForceCommand` in the server's sshd_config forbid it?"),
        raw::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED => {
            error.because(anyhow::anyhow!("the server refuses to run commands for this user"))
        }
        raw::LIBSSH2_ERROR_INVAL | raw::LIBSSH2_ERROR_OUT_OF_BOUNDARY => {
            error.because(anyhow::anyhow!("the command is too long for SSH (about 34 kB)"))
        }
        _ => error.because(anyhow::anyhow!(reason(fault))),
    }
}

/// The server `label` gives a command no terminal, although the connection is fine.
pub(super) fn terminal_refused(label: &str, fault: &Fault) -> Error {
    Error::connection(format!("`{label}` gives us no terminal"))
        .because(anyhow::anyhow!(reason(fault)))
        .hint("does `PermitTTY no` in the server's sshd_config, or `no-pty` or `restrict` before the key in its authorized_keys, forbid it?")
        .hint("without a terminal here, none is asked for there: pipe in what you would type")
}

/// The server `label` and we don't come to speak with each other.
pub(super) fn handshake_failed(label: &str, session: &Session, fault: &Fault, proxy: Option<&ProxyProcess>) -> Error {
    let error = Error::connection(format!("failed to shake hands with `{label}`"));
    if let Some(complaint) = proxy.map(ProxyProcess::complaint).filter(|complaint| !complaint.is_empty()) {
        return error.because(anyhow::anyhow!("{}\nits ProxyCommand says: {complaint}", reason(fault)));
    }
    let error = error.because(anyhow::anyhow!(reason(fault)));
    match code(fault) {
        raw::LIBSSH2_ERROR_KEX_FAILURE | raw::LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE => {
            let ours = |kind| session.supported_algs(kind).unwrap_or_default().join(", ");
            error
                .detail(format!(
                    "we offer for the key exchange: {}\nfor the host key: {}\nfor encryption: {}",
                    ours(MethodType::Kex),
                    ours(MethodType::HostKey),
                    ours(MethodType::CryptCs)
                ))
                .hint("both sides have no algorithm in common: is the server older than OpenSSH 7.2?")
        }
        _ if is_hang_up(fault) => error.hint(
            "is it an SSH server? it may also be too busy, or keep us out: `MaxStartups` and `PerSourcePenalties` in its \
             sshd_config, fail2ban, hosts.deny",
        ),
        _ => error,
    }
}

/// The server `label` stands behind jump hosts, the last of which can't be used because of `error`.
pub(super) fn behind_jump_host(label: &str, jumps: &str, error: &Error) -> Error {
    let own = Error::new(error.kind(), format!("failed to reach `{label}` through the jump host `{jumps}`"));
    let causes = [vec![error.message().to_owned()], error.causes()].concat();
    let cause =
        causes.into_iter().rev().map(anyhow::Error::msg).reduce(|inner, outer| inner.context(outer.to_string()));
    let own = match cause {
        Some(cause) => own.because(cause),
        None => own,
    };
    let own = own.hints(error.hint_texts().iter().cloned());
    match error.detail_text() {
        Some(detail) => own.detail(detail),
        None => own,
    }
}

/// The server shows another key than the one that is known.
pub(super) fn host_key_changed(label: &str, name: &str, key: &HostKey, place: &Place) -> Error {
    let (file, name) = (word(&place.file.display().to_string()), word(name));
    Error::connection(format!("the host key of `{label}` has changed"))
        .detail(format!(
            "it shows {} {}\n{place} has another key of this type\nsomebody may be listening in, or the server was set up anew",
            key.kind(),
            key.fingerprint()
        ))
        .hint(format!("ask the server's administrator for its fingerprint; if it is the one above, forget the old key with\nssh-keygen -f {file} -R {name}"))
}

/// The server shows a key that somebody has marked as stolen.
pub(super) fn host_key_revoked(label: &str, key: &HostKey, place: &Place) -> Error {
    Error::connection(format!("the host key of `{label}` is revoked"))
        .detail(format!("it shows {} {}\n{place} revokes this key", key.kind(), key.fingerprint()))
        .hint("do not log in there before its administrator has given it a new host key")
}

/// The server shows a key that nobody has vouched for.
pub(super) fn host_key_unknown(
    label: &str,
    name: &str,
    key: &HostKey,
    other: Option<&Place>,
    file: Option<&PathBuf>,
) -> Error {
    let file = file.map_or_else(|| "~/.ssh/known_hosts".into(), |file| word(&file.display().to_string()));
    let other = other.map(|place| format!("\nof this server only a key of another type is known, at {place}"));
    Error::connection(format!("the host key of `{label}` is not known"))
        .detail(format!("it shows {} {}{}", key.kind(), key.fingerprint(), other.unwrap_or_default()))
        .hint(format!(
            "if that is the server's fingerprint (`ssh-keygen -lf` of its key file says so), make it known with\necho {} >> {file}",
            word(&key.line(name))
        ))
        .hint("`host_key_policy = \"ask\"` or `\"accept-new\"` under [ssh] in deploy.toml accepts new keys, but no changed ones")
}

/// `text` as one word of a command to type.
fn word(text: &str) -> String {
    String::from_utf8_lossy(&quote(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_to_type_survive_spaces() {
        let place = Place { file: "/my files/known_hosts".into(), line: 3 };
        let error = host_key_changed("app", "[app]:2222", &HostKey::new(b""), &place).to_string();
        assert!(error.contains("ssh-keygen -f '/my files/known_hosts' -R '[app]:2222'"), "{error}");
    }

    #[test]
    fn the_story_of_a_jump_host_is_told_behind_the_servers_name() {
        let inner =
            Error::connection("no key fits").because(anyhow::anyhow!("refused")).hint("try another").detail("tried");
        let error = behind_jump_host("app", "bastion", &inner);
        assert_eq!(
            error.to_string(),
            "failed to reach `app` through the jump host `bastion`\ntried\n  cause: no key fits\n  cause: refused\n  hint: try another"
        );
    }

    #[test]
    fn only_faults_of_one_channel_leave_the_connection_alone() {
        let fault = crate::transport::ssh::sys::fault;
        assert!(!ends_connection(&fault(raw::LIBSSH2_ERROR_CHANNEL_FAILURE)));
        assert!(!ends_connection(&fault(raw::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)));
        assert!(ends_connection(&fault(raw::LIBSSH2_ERROR_SOCKET_RECV)));
        assert!(ends_connection(&fault(raw::LIBSSH2_ERROR_INVALID_MAC)));
        assert_eq!(reason(&fault(raw::LIBSSH2_ERROR_SOCKET_DISCONNECT)), "the server closed the connection");
        assert_eq!(reason(&fault(raw::LIBSSH2_ERROR_TIMEOUT)), "no answer in time");
    }
}
