//! Private key files, each read once per run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::wire_format::Reader;
use crate::ui::Ask;

/// The key files that this run has read, ready for use.
#[derive(Default)]
pub(super) struct KeyRing {
    files: Mutex<HashMap<PathBuf, Arc<KeyFile>>>,
}

/// A private key file as it stands on disk.
pub(super) struct KeyFile {
    /// The public key, as SSH's protocol writes it, where it can be told without a passphrase.
    pub(super) public: Option<Vec<u8>>,
    private: io::Result<String>,
    encrypted: bool,
    /// What opens it, once somebody was asked; the refusal is remembered too.
    passphrase: Mutex<Option<Option<String>>>,
}

impl KeyRing {
    /// The key file at `path`.
    pub(super) fn file(&self, path: &Path) -> Arc<KeyFile> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(files.entry(path.to_owned()).or_insert_with(|| Arc::new(KeyFile::read(path))))
    }
}

impl KeyFile {
    fn read(path: &Path) -> KeyFile {
        let private = fs::read_to_string(path);
        let public = read_public(&with_suffix(path, ".pub"));
        let (mut encrypted, mut embedded) = (false, None);
        if let Ok(text) = &private {
            (encrypted, embedded) = inspect(text);
        }
        KeyFile { public: public.or(embedded), private, encrypted, passphrase: Mutex::default() }
    }

    /// Whether there is no such file.
    pub(super) fn is_missing(&self) -> bool {
        matches!(&self.private, Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// The private key's text and its passphrase, which is asked for once.
    ///
    /// # Errors
    ///
    /// Why the key can't be used.
    pub(super) fn open(&self, path: &Path, ask: &dyn Ask) -> Result<(&str, Option<String>), String> {
        let text = self.private.as_ref().map_err(|error| error.to_string())?;
        if !self.encrypted {
            return Ok((text, None));
        }
        let mut passphrase = self.passphrase.lock().unwrap_or_else(PoisonError::into_inner);
        let question = || ask.secret(&format!("Passphrase for `{}`: ", path.display()));
        match passphrase.get_or_insert_with(question) {
            Some(passphrase) => Ok((text, Some(passphrase.clone()))),
            None => Err("it is encrypted, and there is no terminal to ask for its passphrase".into()),
        }
    }
}

/// `path` with `suffix` appended to its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The key or certificate in a file of one line, `ssh-ed25519 AAAA… comment`.
pub(super) fn read_public(path: &Path) -> Option<Vec<u8>> {
    let text = fs::read_to_string(path).ok()?;
    STANDARD.decode(text.split_whitespace().nth(1)?).ok()
}

/// Whether a private key is encrypted, and the public key, if the format shows it.
fn inspect(text: &str) -> (bool, Option<Vec<u8>>) {
    let openssh = text.trim_start().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----");
    match openssh.and_then(|body| inspect_openssh(body.split("-----END").next()?)) {
        Some((encrypted, public)) => (encrypted, Some(public)),
        None => (text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED"), None),
    }
}

/// The header of OpenSSH's own format: magic, cipher, key derivation and its options, count, public key.
fn inspect_openssh(body: &str) -> Option<(bool, Vec<u8>)> {
    let bytes = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
    let mut reader = Reader::new(bytes.strip_prefix(b"openssh-key-v1\0")?);
    let cipher = reader.string()?;
    reader.string()?;
    reader.string()?;
    (reader.number()? == 1).then_some(())?;
    Some((cipher != b"none", reader.string()?.to_vec()))
}
