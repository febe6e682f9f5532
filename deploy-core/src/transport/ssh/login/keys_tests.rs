use super::*;
use crate::transport::ssh::testing::{CERTIFICATE_OF_ONE, KEY_ONE, KEY_TWO, blob};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An Ed25519 key in OpenSSH's format; its passphrase is `secret`.
const OPENSSH: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDdyDWy1q
Ra8MS80ZWpLrl8AAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIC7MKKH4umt+FPqK
gj1ewV8eIlehPHpL9IlpUcq3J2vpAAAAkKA8dZkcPpeEepj9aBcBBBBDpvxveIqBzvKLJ6
D04LN3+K6IiPcdI6LeWhviSongPfUirn0Zy7dDfVhOgQDe38Hy47DJLLDANafcAmgnFJ4m
qaRR2cmGy4OGZWQ4EJm58iyNMa2gbDbT+oUl4e9Dw8OI8alDUe3jROiraa7EvVvmL8R+oJ
MakGm1njNZ200YlA==
-----END OPENSSH PRIVATE KEY-----
";

/// Its public half.
const OPENSSH_PUBLIC: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC7MKKH4umt+FPqKgj1ewV8eIlehPHpL9IlpUcq3J2vp enc";

/// An ECDSA key in PKCS#8, encrypted.
const PKCS8: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhczjd4TdiIIQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEJZoqaNk87KCMnAbnU1Y9XYEgZAX
kU//AntT7NK8wy0MMUsw5dp3BDWqa+LqV/4XlVZlEUK6sczm00Xf7XRBqkny+73W
lOFUu41AhBaE+122KfFBfBANN1owDVKSxwK3Dd4clx1m/R5u02iXF1QVtQrmi7TZ
ylePINh2OhNXP0sU3klxDRpeTBqoTLBBrXBnH1q782LNEktokpTaTdxJsDTW/2k=
-----END ENCRYPTED PRIVATE KEY-----
";

/// An ECDSA key in PEM, encrypted.
const PEM: &str = "\
-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,A9930821B865D1A1F49C850FB662F6F3

ubSmND0W3yv/0Aiar/vcYZSFnDo//tpE/c1vYUz4fJWqO7EK55r8JgLiG9H+rGGw
Rgy0XthMG0DnqtjLbaEebTzK60PxtVvWVxmLpkVL0WwqGkDpDWAUGBcNProOkDPc
KG5Ps6CwYbvyZZ6ohLTcWejnsoZPi55ojWero84suBQ=
-----END EC PRIVATE KEY-----
";

/// An ECDSA key in PEM.
const PLAIN_PEM: &str = "\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEICMDAWysvpAVc3zqg+oIP8vPNWDMCMJHRuzCt1+2cC3voAoGCCqGSM49
AwEHoUQDQgAECT3aool/wjfg69fBWZ8NKOMLvouci+iWDfMdlvHg9S2VKgYuW1of
DrsHjjA3BUD6RX9556orb3H1ipDNJ1dKWQ==
-----END EC PRIVATE KEY-----
";

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
