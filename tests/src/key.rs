//! SSH keys.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sandbox::run_quietly;

/// A key pair in two files, `NAME` and `NAME.pub`.
#[derive(Clone, Debug)]
pub struct Key {
    path: PathBuf,
}

impl Key {
    /// A fresh Ed25519 key without a passphrase.
    pub fn ed25519(path: impl Into<PathBuf>) -> Key {
        Key::generate(path.into(), "ed25519", "")
    }

    /// A fresh key of `kind` (`ed25519`, `ecdsa`, `rsa`), encrypted unless `passphrase` is empty.
    pub fn generate(path: PathBuf, kind: &str, passphrase: &str) -> Key {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("the key's folder can be made");
        }
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(["-q", "-t", kind, "-N", passphrase, "-C", "e2e", "-f"]).arg(&path);
        run_quietly(keygen);
        Key { path }
    }

    /// The private key's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The public key: type, base64 and comment.
    pub fn public(&self) -> String {
        let path = self.path.with_extension("pub");
        fs::read_to_string(path).expect("the public key can be read").trim().to_owned()
    }
}
