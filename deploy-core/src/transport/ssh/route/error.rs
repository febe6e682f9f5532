//! What went wrong on the way to a server, in words that name the server, the step and the likely cause.

use libssh2_sys as raw;
use ssh2::{Error as Fault, MethodType, Session};

use super::proxy_command::ProxyProcess;
use crate::error::Error;
use crate::transport::ssh::libssh2::fault::{BABBLE, is_hang_up, reason};
use crate::transport::ssh::libssh2::sys::code;

/// The server `label` and we don't come to speak with each other.
pub(crate) fn handshake_failed(label: &str, session: &Session, fault: &Fault, proxy: Option<&ProxyProcess>) -> Error {
    let error = Error::connection(format!("failed to shake hands with `{label}`"));
    if let Some(complaint) = proxy.map(ProxyProcess::complaint).filter(|complaint| !complaint.is_empty()) {
        return error.because(anyhow::anyhow!("{}\nits ProxyCommand says: {complaint}", reason(fault)));
    }
    let error = error.because(anyhow::anyhow!(reason(fault)));
    match code(fault) {
        BABBLE => error.hint("is the port right, in deploy.toml or ~/.ssh/config? what listens there?"),
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
pub(crate) fn behind_jump_host(label: &str, jumps: &str, error: &Error) -> Error {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
