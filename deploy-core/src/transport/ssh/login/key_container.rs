//! The file format of OpenSSH's private keys (its `PROTOCOL.key`), as far as it takes to open one.
//!
//! What is inside is libssh2's business: an encrypted key is turned into the same key without encryption.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_cipher::{Cipher, Tag};

use crate::transport::ssh::libssh2::format::{Reader, put};

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// How many characters of base64 stand on a line.
const LINE: usize = 70;

/// A private key's container.
pub(crate) struct Container {
    cipher: String,
    derivation: String,
    options: Vec<u8>,
    /// The public key, as SSH's protocol writes it. It is never encrypted.
    pub(crate) public: Vec<u8>,
    private: Vec<u8>,
    tag: Option<Tag>,
}

impl Container {
    /// Understands a key file; `None` if it is of another format.
    pub(crate) fn parse(text: &str) -> Option<Container> {
        let body = text.trim_start().strip_prefix(BEGIN)?.split("-----END").next()?;
        let bytes = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
        let mut reader = Reader::new(bytes.strip_prefix(MAGIC)?);
        let mut name = || Some(String::from_utf8_lossy(reader.string()?).into_owned());
        let (cipher, derivation) = (name()?, name()?);
        let options = reader.string()?.to_vec();
        (reader.number()? == 1).then_some(())?;
        let (public, private) = (reader.string()?.to_vec(), reader.string()?.to_vec());
        Some(Container { cipher, derivation, options, public, private, tag: reader.rest().try_into().ok() })
    }

    /// Whether it takes a passphrase to open it.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.cipher != "none"
    }

    /// The same key without encryption, as the text of a file. `None`: that is not its passphrase.
    pub(crate) fn open(mut self, passphrase: &str) -> Option<String> {
        let cipher = Cipher::new(&self.cipher).ok()?;
        let (key_size, iv_size) = cipher.key_and_iv_size()?;
        let mut secret = vec![0; key_size + iv_size];
        self.derive(passphrase, &mut secret)?;
        let (key, iv) = secret.split_at(key_size);
        cipher.decrypt(key, iv, &mut self.private, self.tag).ok()?;
        let mut reader = Reader::new(&self.private);
        // Two copies of a random number stand before the key, to tell whether the passphrase was right.
        (reader.number()? == reader.number()?).then(|| self.unencrypted())
    }

    fn derive(&self, passphrase: &str, secret: &mut [u8]) -> Option<()> {
        let mut options = Reader::new(&self.options);
        let (salt, rounds) = (options.string()?, options.number()?);
        (self.derivation == "bcrypt").then_some(())?;
        bcrypt_pbkdf::bcrypt_pbkdf(passphrase, salt, rounds, secret).ok()
    }

    fn unencrypted(&self) -> String {
        let mut bytes = MAGIC.to_vec();
        for value in [&b"none"[..], b"none", b""] {
            put(&mut bytes, value);
        }
        bytes.extend(1_u32.to_be_bytes());
        put(&mut bytes, &self.public);
        put(&mut bytes, &self.private);
        let text = STANDARD.encode(bytes);
        let lines: Vec<&str> = (0..text.len()).step_by(LINE).map(|at| &text[at..text.len().min(at + LINE)]).collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }
}
