//! What a file is that should hold a private key. Keys that went through a secret of a CI service come out in many shapes,
//! and libssh2 says the same of all of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key_container::Container;

/// What the first bytes of a key without its first line are, in OpenSSH's format.
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The text of a private key.
///
/// # Errors
///
/// What the file is instead, and what makes a key of it.
pub(super) fn read(bytes: &[u8]) -> Result<String, String> {
    let flaw = |text: &str| Err(text.to_owned());
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return flaw("it is UTF-16, as Windows writes it: save it as plain text, in UTF-8 without a byte order mark");
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return flaw("it begins with a byte order mark: save it in UTF-8 without one");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return flaw("it is no text, so it is no private key") };
    // Newlines of Windows do no harm.
    let text = text.trim_end().replace("\r\n", "\n") + "\n";
    match kind_of(text.trim()).or_else(|| flaw_of(text.trim())) {
        Some(flaw) => Err(flaw),
        None => Ok(text),
    }
}

/// What a file is that is of another kind than a private key that we can use.
fn kind_of(text: &str) -> Option<String> {
    let begins = |with: &str| text.starts_with(with);
    let kind = if text.is_empty() {
        "it is empty: is the secret that it was written from set, and visible to this job?"
    } else if begins("PuTTY-User-Key-File") {
        "it is a key in PuTTY's format: puttygen FILE -O private-openssh -o NEW"
    } else if begins("---- BEGIN SSH2 PUBLIC KEY") {
        "it is a public key in the format of SSH2: the private half is needed"
    } else if begins("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
        "it is a private key in the format of SSH2: ssh-keygen -i -f FILE > NEW"
    } else if begins("-----BEGIN PUBLIC KEY") || begins("-----BEGIN RSA PUBLIC KEY") {
        "it is a public key: the private half is needed"
    } else if begins("-----BEGIN CERTIFICATE") {
        "it is a certificate: the private key is needed"
    } else {
        return None;
    };
    Some(kind.to_owned())
}

/// What became of a private key on its way.
fn flaw_of(text: &str) -> Option<String> {
    let Some(begin) = text.find("-----BEGIN ") else { return headless(text) };
    let flaw = if text.contains("\\n") {
        "its newlines are written as `\\n`: printf '%b' \"$KEY\" makes newlines of them"
    } else if text.starts_with(['"', '\'']) {
        "it stands in quotes: write it without them"
    } else if !text.contains("-----END ") {
        "it is cut off: its last line, which begins with -----END, is missing"
    } else if !text[begin..].contains('\n') {
        "its newlines have become blanks: put the variable in quotes where it is written, printf '%s\\n' \"$KEY\""
    } else if !is_whole(&text[begin..]) {
        "it is damaged or cut off: what stands between its first and its last line is no whole key"
    } else {
        return None;
    };
    Some(flaw.to_owned())
}

/// A file without a first line, unless it is a public key on a line.
fn headless(text: &str) -> Option<String> {
    let bytes = decoded(text).unwrap_or_default();
    let flaw = if bytes.starts_with(MAGIC) {
        "its first and its last line are missing: -----BEGIN OPENSSH PRIVATE KEY----- and -----END OPENSSH PRIVATE KEY-----"
    } else if bytes.windows(10).any(|bytes| bytes == b"-----BEGIN") {
        "it is a private key in base64: base64 -d FILE > NEW"
    } else {
        "it holds no private key"
    };
    Some(flaw.to_owned())
}

/// Whether what stands between the first and the last line can be a key, as far as its format tells.
fn is_whole(text: &str) -> bool {
    if text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return Container::parse(text).is_some();
    }
    let lines = text.lines().skip(1).take_while(|line| !line.starts_with("-----END "));
    // What is encrypted in PEM's own way has lines with a colon first.
    let is_encrypted = text.lines().nth(1).is_some_and(|line| line.contains(':'));
    let body: String = lines.filter(|line| !line.contains(':')).collect();
    decoded(&body).is_some_and(|bytes| !bytes.is_empty() && (is_encrypted || is_whole_der(&bytes)))
}

/// Whether DER has as many bytes as its first ones say.
fn is_whole_der(bytes: &[u8]) -> bool {
    let [0x30, first, rest @ ..] = bytes else { return false };
    let count = usize::from(*first).saturating_sub(0x80);
    if *first < 0x80 {
        return rest.len() == usize::from(*first);
    }
    if count > 4 || rest.len() < count {
        return false;
    }
    let (length, body) = rest.split_at(count);
    body.len() == length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::testing::{OPENSSH, PEM, PKCS8, PLAIN_PEM};

    #[track_caller]
    fn is_named(text: &str, flaw: &str) {
        let said = read(text.as_bytes()).expect_err("no private key");
        assert!(said.contains(flaw), "{said}");
    }

    #[test]
    fn keys_of_every_format_are_keys_with_newlines_of_windows_too() {
        for key in [OPENSSH, PKCS8, PEM, PLAIN_PEM] {
            assert_eq!(read(key.as_bytes()).as_deref(), Ok(key));
            assert_eq!(read(key.replace('\n', "\r\n").as_bytes()).as_deref(), Ok(key));
            assert!(read(key.trim_end().as_bytes()).is_ok(), "without the last newline");
        }
    }

    #[test]
    fn what_a_secret_makes_of_a_key_is_named() {
        for key in [OPENSSH, PKCS8, PEM, PLAIN_PEM] {
            is_named(&key.trim_end().replace('\n', " "), "have become blanks");
            is_named(&key.replace('\n', "\\n"), "written as `\\n`");
            is_named(&STANDARD.encode(key), "in base64");
            is_named(&format!("\"{key}\""), "in quotes");
            is_named(&format!("\u{feff}{key}"), "byte order mark");
            is_named(&key[..key.len() / 2], "its last line");
            let lines: Vec<_> = key.lines().collect();
            if key != PEM {
                let short = [&lines[..lines.len() - 2], &lines[lines.len() - 1..]].concat().join("\n");
                is_named(&short, "damaged or cut off");
            }
        }
        let body: Vec<_> = OPENSSH.lines().filter(|line| !line.starts_with('-')).collect();
        is_named(&body.join("\n"), "first and its last line are missing");
        let utf16: Vec<u8> = format!("\u{feff}{OPENSSH}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(read(&utf16).unwrap_err().contains("UTF-16"));
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        is_named("", "it is empty");
        is_named(" \n", "it is empty");
        is_named("***", "no private key");
        is_named("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "PuTTY's");
        is_named("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n", "SSH2");
        is_named("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "a public key");
        is_named("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a certificate");
    }
}
