//! Why a server's host key is not accepted, and what to type.

use std::path::{Path, PathBuf};

use super::known_hosts::{HostKey, Place};
use crate::config::HostKeyPolicy;
use crate::error::Error;
use crate::script::quote;

/// The server shows another key than the one that is known.
pub(crate) fn host_key_changed(label: &str, name: &str, key: &HostKey, place: &Place) -> Error {
    Error::connection(format!("the host key of `{label}` has changed"))
        .detail(format!(
            "it shows {} {}\n{place} has another key of this type\nsomebody may be listening in, or the server was set up anew",
            key.kind(),
            key.fingerprint()
        ))
        .hint(format!(
            "ask the server's administrator for its fingerprint; if it is the one above, forget the old key with\n{}",
            forget(place, name)
        ))
}

/// The server shows a key that somebody has marked as stolen.
pub(crate) fn host_key_revoked(label: &str, key: &HostKey, place: &Place) -> Error {
    Error::connection(format!("the host key of `{label}` is revoked"))
        .detail(format!("it shows {} {}\n{place} revokes this key", key.kind(), key.fingerprint()))
        .hint("do not log in there before its administrator has given it a new host key")
}

/// What advice about an unknown key depends on.
pub(crate) struct Advice<'a> {
    /// The server's name in known_hosts.
    pub(crate) name: &'a str,
    /// The file that gets new keys.
    pub(crate) file: Option<&'a PathBuf>,
    pub(crate) policy: HostKeyPolicy,
    /// `StrictHostKeyChecking`, as SSH's configuration has it.
    pub(crate) checking: Option<&'a str>,
    /// Whether it is SSH's configuration that names the files.
    pub(crate) names_files: bool,
}

/// What to write where a file that gets new keys is none.
pub(crate) const OTHER_FILE: &str =
    "name a file that can be written in deploy.toml, under [ssh]: known_hosts_files = [\"~/.ssh/known_hosts\"]";

/// Whether what is written to `file` is gone.
pub(crate) fn keeps_nothing(file: &Path) -> bool {
    file == Path::new("/dev/null")
}

/// The server shows a key that nobody has vouched for.
pub(crate) fn host_key_unknown(label: &str, key: &HostKey, other: Option<&Place>, advice: &Advice<'_>) -> Error {
    let other_text = other.map(|place| format!("\nof this server only a key of another type is known, at {place}"));
    let error = Error::connection(format!("the host key of `{label}` is not known")).detail(format!(
        "it shows {} {}{}",
        key.kind(),
        key.fingerprint(),
        other_text.unwrap_or_default()
    ));
    let usable = advice.file.filter(|file| !keeps_nothing(file));
    let error = if usable.is_none() { error.hint(advice.nothing_is_kept()) } else { error };
    let file = usable.map_or_else(|| "~/.ssh/known_hosts".into(), |file| word(&file.display().to_string()));
    let error = error.hint(format!(
        "if that is the server's fingerprint (`ssh-keygen -lf` of its key file says so), make it known with\necho {} >> {file}",
        word(&key.line(advice.name))
    ));
    error.hints(advice.on_policy(other, usable.is_some()))
}

impl Advice<'_> {
    /// The setting that decides that no host key is kept, and the one to write.
    fn nothing_is_kept(&self) -> String {
        let value = self.file.map_or("none", |_| "/dev/null");
        let setting = if self.names_files {
            format!("`UserKnownHostsFile {value}` in SSH's configuration")
        } else {
            format!("`known_hosts_files` under [ssh] in deploy.toml names {value}, which")
        };
        format!("{setting} keeps no host key, and what can't be recognised is not deployed to\n{OTHER_FILE}")
    }

    /// What the policy can do about it, if anything.
    fn on_policy(&self, other: Option<&Place>, keeps: bool) -> Option<String> {
        let not_followed = match self.checking {
            Some(checking @ ("no" | "off" | "false" | "accept-new")) => format!(
                "`StrictHostKeyChecking {checking}` in SSH's configuration isn't followed: for deploys, deploy.toml decides\n"
            ),
            _ => String::new(),
        };
        match (self.policy, other) {
            (_, None) if !keeps => None,
            (HostKeyPolicy::Strict, None) => Some(format!(
                "{not_followed}`host_key_policy = \"ask\"` or `\"accept-new\"` under [ssh] in deploy.toml accepts new keys, but no changed ones"
            )),
            (HostKeyPolicy::Strict | HostKeyPolicy::AcceptNew, Some(place)) => Some(format!(
                "a server that is known isn't taken for a new one; where its key was replaced, forget the old one with\n{}",
                forget(place, self.name)
            )),
            _ => None,
        }
    }
}

/// The command that takes `name` out of the file of `place`.
fn forget(place: &Place, name: &str) -> String {
    format!("ssh-keygen -f {} -R {}", word(&place.file.display().to_string()), word(name))
}

/// `text` as one word of a command to type.
fn word(text: &str) -> String {
    String::from_utf8_lossy(&quote(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(advice: &Advice<'_>, other: Option<&Place>) -> String {
        host_key_unknown("app", &HostKey::new(b""), other, advice).to_string()
    }

    #[test]
    fn advice_follows_what_is_configured() {
        let (file, null) = (PathBuf::from("/home/me/.ssh/known_hosts"), PathBuf::from("/dev/null"));
        let plain =
            |policy| Advice { name: "app", file: Some(&file), policy, checking: Some("ask"), names_files: true };
        let strict = unknown(&plain(HostKeyPolicy::Strict), None);
        assert!(strict.contains(">> /home/me/.ssh/known_hosts") && strict.contains("\"accept-new\""), "{strict}");
        assert!(!strict.contains("StrictHostKeyChecking"), "{strict}");
        let asked = unknown(&plain(HostKeyPolicy::Ask), None);
        assert!(!asked.contains("host_key_policy"), "who was asked has the policy already: {asked}");
        let lenient = Advice { checking: Some("accept-new"), ..plain(HostKeyPolicy::Strict) };
        let lenient = unknown(&lenient, None);
        assert!(
            lenient.contains("`StrictHostKeyChecking accept-new` in SSH's configuration isn't followed"),
            "{lenient}"
        );

        let nowhere = Advice { file: Some(&null), ..plain(HostKeyPolicy::AcceptNew) };
        let nowhere = unknown(&nowhere, None);
        assert!(nowhere.contains("`UserKnownHostsFile /dev/null` in SSH's configuration keeps no"), "{nowhere}");
        assert!(nowhere.contains("known_hosts_files = ") && !nowhere.contains(">> /dev/null"), "{nowhere}");
        let own = Advice { file: Some(&null), names_files: false, ..plain(HostKeyPolicy::AcceptNew) };
        assert!(unknown(&own, None).contains("`known_hosts_files` under [ssh] in deploy.toml names /dev/null"));

        let place = Place { file: file.clone(), line: 3 };
        let other = unknown(&plain(HostKeyPolicy::AcceptNew), Some(&place));
        assert!(other.contains("ssh-keygen -f /home/me/.ssh/known_hosts -R app"), "{other}");
        assert!(!other.contains("accept-new"), "who has it isn't told to set it: {other}");
    }

    #[test]
    fn commands_to_type_survive_spaces() {
        let place = Place { file: "/my files/known_hosts".into(), line: 3 };
        let error = host_key_changed("app", "[app]:2222", &HostKey::new(b""), &place).to_string();
        assert!(error.contains("ssh-keygen -f '/my files/known_hosts' -R '[app]:2222'"), "{error}");
    }
}
