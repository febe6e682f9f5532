//! Whether the server is the one that it should be.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::error::{self, Advice};
use super::known_hosts::{HostKey, KnownHosts, LookupName, Place, Verdict, lookup_name};
use crate::config::{HostKeyPolicy, Ssh};
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::transport::ssh::config::host::HostConfig;
use crate::ui::Ask;

/// What is known of a server's host keys, and what to do with a new one.
pub(crate) struct Trust<'a> {
    label: &'a str,
    files: Vec<PathBuf>,
    name: LookupName,
    known: KnownHosts,
    /// Where a new key is written down, and whether its name is hashed there.
    new: (Option<&'a PathBuf>, bool),
    policy: HostKeyPolicy,
    /// What SSH's configuration says instead, and whether it names the files.
    checking: Option<&'a str>,
    names_files: bool,
    one_at_a_time: &'a Mutex<()>,
}

impl<'a> Trust<'a> {
    /// Reads what is known of the server `label`.
    ///
    /// # Errors
    ///
    /// A known_hosts file that exists and can't be read.
    pub(crate) fn new(
        label: &'a str,
        config: &'a HostConfig,
        ssh: &Ssh,
        one_at_a_time: &'a Mutex<()>,
    ) -> Result<Trust<'a>> {
        let files = [&config.known_hosts_files[..], &config.global_known_hosts_files].concat();
        let name = lookup_name(&config.host, config.port, config.host_key_alias.as_deref());
        let new = (config.known_hosts_files.first(), config.hash_known_hosts);
        let (policy, checking) = (ssh.host_key_policy, config.host_key_checking.as_deref());
        let names_files = ssh.known_hosts_files.is_empty();
        Ok(Trust {
            label,
            known: read(label, &files, &name)?,
            files,
            name,
            new,
            policy,
            checking,
            names_files,
            one_at_a_time,
        })
    }

    /// The host key algorithms to offer, those of known keys first.
    pub(crate) fn algorithms(&self) -> String {
        self.known.algorithms(&self.name)
    }

    /// Accepts `key` or refuses the server.
    ///
    /// # Errors
    ///
    /// The key is changed, revoked, or unknown and not to be accepted.
    pub(crate) fn judge(&mut self, key: HostKey, ask: &dyn Ask, events: &Events) -> Result<HostKeyRecord> {
        if let Some(known) = self.check(&key)? {
            return Ok(known);
        }
        // Another login may have accepted the very same key a moment ago.
        let _turn = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        self.known = read(self.label, &self.files, &self.name)?;
        if let Some(known) = self.check(&key)? {
            return Ok(known);
        }
        self.accept(&key, ask, events)?;
        Ok(record(&key, None))
    }

    /// The record of a known key; `None` for one that may be accepted as new.
    fn check(&self, key: &HostKey) -> Result<Option<HostKeyRecord>> {
        match self.known.check(&self.name, key) {
            Verdict::Known(place) => Ok(Some(record(key, Some(place)))),
            Verdict::Changed(place) => Err(error::host_key_changed(self.label, &self.name.full, key, &place)),
            Verdict::Revoked(place) => Err(error::host_key_revoked(self.label, key, &place)),
            // A server that is known by another key doesn't become a new one by showing none of its known keys.
            Verdict::Unknown(other) if other.is_some() && self.policy != HostKeyPolicy::Ask => {
                Err(self.unknown(key, other.as_ref()))
            }
            Verdict::Unknown(_) => Ok(None),
        }
    }

    fn accept(&self, key: &HostKey, ask: &dyn Ask, events: &Events) -> Result<()> {
        // Where nothing is kept, each new login would take any key.
        if self.new.0.is_none_or(|file| error::keeps_nothing(file)) {
            return Err(self.unknown(key, None));
        }
        let agreed = match self.policy {
            HostKeyPolicy::Strict => false,
            HostKeyPolicy::AcceptNew => true,
            HostKeyPolicy::Ask => ask.confirm(&self.question(key)) == Some(true),
        };
        let Some(file) = self.new.0.filter(|_| agreed) else { return Err(self.unknown(key, None)) };
        KnownHosts::append(file, &self.name, self.new.1, key).map_err(|error| {
            Error::connection(format!("failed to write the host key of `{}` to `{}`", self.label, file.display()))
                .because(error)
                .hint(error::OTHER_FILE)
        })?;
        let (label, kind, fingerprint) = (self.label, key.kind(), key.fingerprint());
        let text = format!("{label}: new host key {kind} {fingerprint} written to {}", file.display());
        events.emit(Event::Note { step: None, server: None, text });
        Ok(())
    }

    fn question(&self, key: &HostKey) -> String {
        let other = match self.known.check(&self.name, key) {
            Verdict::Unknown(Some(place)) => format!("\nWARNING: {place} knows it by another type of key."),
            _ => String::new(),
        };
        let (label, kind, fingerprint) = (self.label, key.kind(), key.fingerprint());
        format!("The host key of `{label}` is not known. It is\n{kind} {fingerprint}{other}\nIs it the right one?")
    }

    fn unknown(&self, key: &HostKey, other: Option<&Place>) -> Error {
        let advice = Advice {
            name: &self.name.full,
            file: self.new.0,
            policy: self.policy,
            checking: self.checking,
            names_files: self.names_files,
        };
        error::host_key_unknown(self.label, key, other, &advice)
    }
}

/// The host key that a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyRecord {
    /// `ssh-ed25519`
    pub kind: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// Where it is known from, or `None` if it was accepted as new.
    pub known_from: Option<Place>,
}

impl fmt::Display for HostKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.fingerprint)?;
        match &self.known_from {
            Some(place) => write!(f, ", known from {place}"),
            None => f.write_str(", not known before"),
        }
    }
}

fn read(label: &str, files: &[PathBuf], name: &LookupName) -> Result<KnownHosts> {
    KnownHosts::read(files, name).map_err(|(file, error)| {
        Error::connection(format!("failed to read `{}` to check the host key of `{label}`", file.display()))
            .because(error)
    })
}

fn record(key: &HostKey, known_from: Option<Place>) -> HostKeyRecord {
    HostKeyRecord { kind: key.kind().into(), fingerprint: key.fingerprint(), known_from }
}
