use super::*;
use crate::transport::ssh::testing::{
    CERTIFICATE_OF_ONE, KEY_ONE, KEY_TWO, OPENSSH, OPENSSH_PUBLIC, PEM, PKCS8, PLAIN_PEM, blob,
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers every question for a passphrase with the next of these.
struct Answers(Vec<Option<&'static str>>, AtomicUsize);

impl Answers {
    fn new(answers: &[Option<&'static str>]) -> Answers {
        Answers(answers.to_vec(), AtomicUsize::new(0))
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }
}

impl Ask for Answers {
    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn secret(&self, _: &str) -> Option<String> {
        self.0.get(self.1.fetch_add(1, Ordering::SeqCst)).copied().flatten().map(str::to_owned)
    }

    fn confirm(&self, _: &str) -> Option<bool> {
        None
    }
}

fn key(text: &str) -> (tempfile::TempDir, KeyFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, text).unwrap();
    (folder, KeyFile::read(&path))
}

#[test]
fn the_format_tells_whether_a_key_is_encrypted() {
    assert_eq!(inspect(OPENSSH), (Encryption::OpenSsh, Some(blob(OPENSSH_PUBLIC))));
    assert_eq!(inspect(PKCS8), (Encryption::Pem, None));
    assert_eq!(inspect(PEM), (Encryption::Pem, None));
    assert_eq!(inspect(PLAIN_PEM), (Encryption::None, None));
    assert_eq!(inspect("nonsense"), (Encryption::None, None));
    assert_eq!(inspect("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END"), (Encryption::None, None));
}

#[test]
fn a_passphrase_is_asked_for_once() {
    let (_folder, key) = key(OPENSSH);
    let ask = Answers::new(&[Some("secret")]);
    assert!(key.is_locked());
    let unlocked = key.unlock(&ask).unwrap();
    assert!(unlocked.text.contains("OPENSSH PRIVATE KEY") && unlocked.passphrase.is_none());
    assert_eq!(inspect(&unlocked.text).0, Encryption::None, "it is kept open");
    assert!(!key.is_locked() && key.unlock(&ask).is_ok());
    assert_eq!(ask.asked(), 1);
}

#[test]
fn a_wrong_passphrase_is_asked_for_again_but_not_for_ever() {
    let (_folder, first) = key(OPENSSH);
    let ask = Answers::new(&[Some("wrong"), Some("secret")]);
    assert!(first.unlock(&ask).is_ok());
    assert_eq!(ask.asked(), 2);

    let (_folder, second) = key(OPENSSH);
    let ask = Answers::new(&[Some("a"), Some("b"), Some("c"), Some("secret")]);
    assert_eq!(second.unlock(&ask).err().unwrap(), "its passphrase was wrong 3 times");
    assert!(second.unlock(&ask).is_err());
    assert_eq!(ask.asked(), 3);
}

#[test]
fn without_a_terminal_an_encrypted_key_is_useless_and_nobody_is_asked_twice() {
    let (_folder, key) = key(PKCS8);
    let ask = Answers::new(&[None]);
    assert!(key.unlock(&ask).err().unwrap().contains("no terminal"));
    assert!(key.unlock(&ask).is_err());
    assert_eq!(ask.asked(), 1);
}

#[test]
fn the_passphrase_of_a_pem_key_is_kept_until_it_turns_out_wrong() {
    let (_folder, key) = key(PEM);
    let ask = Answers::new(&[Some("wrong")]);
    assert_eq!(key.unlock(&ask).unwrap().passphrase.as_deref(), Some("wrong"));
    key.reject_passphrase();
    assert_eq!(key.unlock(&ask).err().unwrap(), "its passphrase is wrong");
}

#[test]
fn a_plain_key_asks_nobody() {
    let (_folder, key) = key(PLAIN_PEM);
    let ask = Answers::new(&[]);
    assert_eq!(&*key.unlock(&ask).unwrap().text, PLAIN_PEM);
    assert_eq!(ask.asked(), 0);
}

#[test]
fn a_file_that_is_a_public_key_names_a_key_of_the_agent() {
    let (_folder, key) = key(KEY_ONE);
    assert_eq!(key.public, Some(blob(KEY_ONE)));
    assert!(key.unlock(&Answers::new(&[])).err().unwrap().contains("public key"));
}

#[test]
fn a_missing_file_says_so() {
    let key = KeyFile::read(Path::new("/nonexistent/key"));
    assert!(key.is_missing());
    assert!(key.unlock(&Answers::new(&[])).err().unwrap().contains("No such file"));
}

#[test]
fn a_certificate_is_told_from_a_key_and_knows_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cert.pub");
    fs::write(&path, CERTIFICATE_OF_ONE).unwrap();
    let certificate = Certificate::read(&path).unwrap();
    assert!(certifies(&certificate.blob, &blob(KEY_ONE)));
    assert!(!certifies(&certificate.blob, &blob(KEY_TWO)));
    assert!(!certifies(&blob(KEY_ONE), &blob(KEY_ONE)), "a key certifies nothing");
    assert!(!certifies(&certificate.blob, &[]));
    fs::write(&path, KEY_ONE).unwrap();
    assert_eq!(Certificate::read(&path), None);
}
