//! Why a server's host key is not accepted, and what to type.

use std::path::PathBuf;

use super::known_hosts::{HostKey, Place};
use crate::error::Error;
use crate::script::quote;

/// The server shows another key than the one that is known.
pub(crate) fn host_key_changed(label: &str, name: &str, key: &HostKey, place: &Place) -> Error {
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
pub(crate) fn host_key_revoked(label: &str, key: &HostKey, place: &Place) -> Error {
    Error::connection(format!("the host key of `{label}` is revoked"))
        .detail(format!("it shows {} {}\n{place} revokes this key", key.kind(), key.fingerprint()))
        .hint("do not log in there before its administrator has given it a new host key")
}

/// The server shows a key that nobody has vouched for.
pub(crate) fn host_key_unknown(
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
}
