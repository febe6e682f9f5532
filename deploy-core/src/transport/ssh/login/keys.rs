//! Private key files, each read once per run, and opened once if it is encrypted.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh2::{Error as Fault, Session};

use super::key_container::Container;
use super::key_text;
use crate::transport::ssh::libssh2::format::{Reader, leading_name};
use crate::transport::ssh::libssh2::sys::pending;
use crate::ui::Ask;

/// How often a passphrase is asked for, as `ssh` does.
const PASSPHRASE_TRIES: usize = 3;

/// The key files that this run has read.
#[derive(Default)]
pub(crate) struct KeyRing {
    files: Mutex<HashMap<PathBuf, Arc<KeyFile>>>,
}

/// A private key file.
pub(crate) struct KeyFile {
    pub(crate) path: PathBuf,
    /// The public key, as SSH's protocol writes it, where it can be told without a passphrase.
    pub(crate) public: Option<Vec<u8>>,
    private: Result<String, String>,
    missing: bool,
    /// Its mode, where it is the user's own and others may read it.
    pub(crate) mode_for_others: Option<u32>,
    is_told: AtomicBool,
    encryption: Encryption,
    state: Mutex<State>,
}

/// A certificate, as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) path: PathBuf,
    /// The whole line.
    pub(crate) text: String,
    /// The certificate as SSH's protocol writes it.
    pub(crate) blob: Vec<u8>,
}

/// A private key that can be used: a text, and the passphrase for it if it is still encrypted.
#[derive(Clone)]
pub(crate) struct Unlocked {
    pub(crate) text: Arc<str>,
    pub(crate) passphrase: Option<String>,
}

impl Unlocked {
    /// Logs in with it, and with `certificate` where there is one; `Ok(None)` until the server has answered.
    pub(super) fn log_in(&self, session: &Session, user: &str, certificate: Option<&str>) -> Result<Option<()>, Fault> {
        pending(session.userauth_pubkey_memory(user, certificate, &self.text, self.passphrase.as_deref()))
    }
}

/// How a private key is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    None,
    /// OpenSSH's format, whose key derivation is slow on purpose: it is opened here, once.
    OpenSsh,
    /// PEM or PKCS#8, which libssh2 opens in no time: only the passphrase is kept.
    Pem,
}

enum State {
    Locked { tries: usize },
    Open(Unlocked),
    Useless(String),
}

impl KeyRing {
    /// The key file at `path`.
    pub(crate) fn file(&self, path: &Path) -> Arc<KeyFile> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(files.entry(path.to_owned()).or_insert_with(|| Arc::new(KeyFile::read(path))))
    }
}

impl KeyFile {
    fn read(path: &Path) -> KeyFile {
        let read = fs::read(path);
        let missing = matches!(&read, Err(error) if error.kind() == io::ErrorKind::NotFound);
        let mut private = read.map_err(|error| error.to_string()).and_then(|bytes| key_text::read(&bytes));
        let mut public = read_line(&with_suffix(path, ".pub")).map(|(_, blob)| blob);
        let mut encryption = Encryption::None;
        if let Ok(text) = &private {
            let (found, embedded) = inspect(text);
            encryption = found;
            public = embedded.or(public);
        }
        if let Some((_, blob)) = read_line(path) {
            public = Some(blob);
            private = Err("it is a public key, and the agent doesn't hold its private half".into());
        }
        let mode_for_others = if private.is_ok() { mode_for_others(path) } else { None };
        let (is_told, state) = (AtomicBool::new(false), Mutex::new(State::Locked { tries: 0 }));
        KeyFile { path: path.to_owned(), public, private, missing, mode_for_others, is_told, encryption, state }
    }

    /// Whether nobody has been told of its mode yet. From now on somebody has.
    pub(crate) fn is_told_first(&self) -> bool {
        !self.is_told.swap(true, Ordering::Relaxed)
    }

    /// Whether there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        self.missing
    }

    /// Whether somebody has to be asked for a passphrase before the key can be used.
    pub(crate) fn is_locked(&self) -> bool {
        self.encryption != Encryption::None && matches!(*self.state(), State::Locked { .. })
    }

    /// The key, ready for use. Asks for the passphrase when it is needed for the first time; others wait meanwhile.
    ///
    /// # Errors
    ///
    /// Why the key can't be used.
    pub(crate) fn unlock(&self, ask: &dyn Ask) -> Result<Unlocked, String> {
        let text = self.private.as_ref().map_err(Clone::clone)?;
        if self.public.as_deref().is_some_and(|blob| leading_name(blob).starts_with("sk-")) {
            return Err(format!("a FIDO key works through an agent: `ssh-add {}`", self.path.display()));
        }
        if self.encryption == Encryption::None {
            return Ok(Unlocked { text: text.as_str().into(), passphrase: None });
        }
        let mut state = self.state();
        while let State::Locked { tries } = *state {
            *state = self.try_to_unlock(text, tries, ask);
        }
        match &*state {
            State::Open(unlocked) => Ok(unlocked.clone()),
            State::Useless(reason) => Err(reason.clone()),
            State::Locked { .. } => Err("its passphrase is not known".into()),
        }
    }

    /// Forgets a passphrase that turned out to be wrong when the key was used.
    pub(crate) fn reject_passphrase(&self) {
        let mut state = self.state();
        if self.encryption == Encryption::Pem && matches!(*state, State::Open(_)) {
            *state = State::Useless("its passphrase is wrong".into());
        }
    }

    fn try_to_unlock(&self, text: &str, tries: usize, ask: &dyn Ask) -> State {
        if tries == PASSPHRASE_TRIES {
            return State::Useless(format!("its passphrase was wrong {PASSPHRASE_TRIES} times"));
        }
        let again = if tries > 0 { "That is not it. " } else { "" };
        let Some(passphrase) = ask.secret(&format!("{again}Passphrase for `{}`: ", self.path.display())) else {
            return State::Useless("it is encrypted, and there is no terminal to ask for its passphrase".into());
        };
        match self.encryption {
            Encryption::OpenSsh => match Container::parse(text).and_then(|key| key.open(&passphrase)) {
                Some(text) => State::Open(Unlocked { text: text.into(), passphrase: None }),
                None => State::Locked { tries: tries + 1 },
            },
            _ => State::Open(Unlocked { text: text.into(), passphrase: Some(passphrase) }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Certificate {
    /// Reads the certificate at `path`, if there is one.
    pub(crate) fn read(path: &Path) -> Option<Certificate> {
        let (text, blob) = read_line(path)?;
        leading_name(&blob).contains("-cert-v01@").then(|| Certificate { path: path.to_owned(), text, blob })
    }
}

/// Whether `certificate` is one for the key `public`: after its type and a nonce, it repeats the key's own fields.
pub(crate) fn certifies(certificate: &[u8], public: &[u8]) -> bool {
    let (mut outer, mut inner) = (Reader::new(certificate), Reader::new(public));
    let (Some(_type), Some(_nonce), Some(_)) = (outer.string(), outer.string(), inner.string()) else {
        return false;
    };
    let certified_type = leading_name(certificate).replace("-cert-v01@openssh.com", "");
    certified_type != leading_name(certificate)
        && certified_type == leading_name(public).replace("@openssh.com", "")
        && outer.rest().starts_with(inner.rest())
}

/// `path` with `suffix` appended to its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The mode of a file that is the user's own, and that others may read.
fn mode_for_others(path: &Path) -> Option<u32> {
    let about = fs::metadata(path).ok()?;
    let is_own = about.uid() == rustix::process::geteuid().as_raw();
    (is_own && about.mode() & 0o077 != 0).then_some(about.mode() & 0o7777)
}

fn read_line(path: &Path) -> Option<(String, Vec<u8>)> {
    parse_line(&fs::read_to_string(path).ok()?)
}

/// Understands a public key or certificate: `ssh-ed25519 AAAA… comment`.
fn parse_line(text: &str) -> Option<(String, Vec<u8>)> {
    let mut fields = text.split_whitespace();
    let kind = fields.next()?;
    let blob = STANDARD.decode(fields.next()?).ok()?;
    (leading_name(&blob) == kind).then(|| (text.trim().to_owned(), blob))
}

/// How a private key is protected, and the public key, if the format shows it.
fn inspect(text: &str) -> (Encryption, Option<Vec<u8>>) {
    if let Some(container) = Container::parse(text) {
        let encryption = if container.is_encrypted() { Encryption::OpenSsh } else { Encryption::None };
        return (encryption, Some(container.public));
    }
    let encrypted = text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED");
    (if encrypted { Encryption::Pem } else { Encryption::None }, None)
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
