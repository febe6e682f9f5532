//! Secrets in text: passwords and tokens become stars, wherever they stand. There are always five, so that not even
//! the length of a secret is told.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

/// What stands in a secret's place.
pub(crate) const STARS: &str = "*****";

/// A shorter value is no password worth hiding, and its letters are in too many words.
const SHORTEST: usize = 6;

/// Parts of the names of what nobody should see, with letters left out that slips leave out.
const NAMES: [&str; 14] = [
    "passw",
    "pasw",
    "passphrase",
    "_pwd",
    "secret",
    "token",
    "credential",
    "signature",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "master_key",
    "encryption_key",
];

/// Whether `name`, of a key, a variable or a parameter, is or resembles the name of a secret.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = name.to_lowercase().replace('-', "_");
    name.ends_with("_KEY") || NAMES.iter().any(|part| plain.contains(part))
}

/// The values that this process knows to be secret.
static KNOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on `value` is shown nowhere, nor is any of its lines, nor as a shell reads it.
pub(crate) fn keep(value: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for line in value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST) {
        for plain in [line.to_owned(), line.replace("$$", "$")] {
            for shown in [plain.replace('\'', r"'\''"), plain] {
                if !known.contains(&shown) {
                    known.push(shown);
                }
            }
        }
    }
}

/// From now on what is secret in the value of something called `name` is shown nowhere.
pub(crate) fn keep_named(name: &str, value: &str) {
    if is_name(name) {
        keep(value);
    }
    keep_those_of(value);
}

/// From now on the passwords and tokens that stand in the address `url` are shown nowhere.
pub(crate) fn keep_those_of(url: &str) {
    for range in found(url.as_bytes()) {
        let login = &url[range];
        keep(login.split_once(':').map_or(login, |(_, password)| password));
    }
}

/// `text` with stars for its secrets.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    let found = find(text.as_bytes());
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(replace(text, &found))
}

/// Bytes with stars for the secrets in them.
pub(crate) fn mask_bytes(bytes: Vec<u8>) -> Vec<u8> {
    let mut masked = bytes;
    for range in find(&masked).into_iter().rev() {
        masked.splice(range, STARS.bytes());
    }
    masked
}

/// `text` with stars in the place of each of the `ranges`, which are in order.
pub(crate) fn replace(text: &str, ranges: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut end = 0;
    for range in ranges {
        masked.extend([&text[end..range.start], STARS]);
        end = range.end;
    }
    masked + &text[end..]
}

/// What looks like a secret in `text`, of an address.
fn found(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b':' if text[at..].starts_with(b"://") => found.extend(login(text, at)),
            b'?' | b'&' => found.extend(parameter(text, at + 1)),
            _ => {}
        }
    }
    found
}

/// Where secrets stand in `text`: in order, and apart from each other.
pub(crate) fn find(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = found(text);
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    found.extend(known.iter().flat_map(|value| occurrences(text, value.as_bytes())));
    apart(found)
}

/// The same ranges in order, those that overlap or touch as one.
pub(crate) fn apart(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match apart.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => apart.push(range),
        }
    }
    apart
}

/// The login in the URL whose `://` stands at `at`: a name with a password, and for the web a name alone, which may be a
/// token.
fn login(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + 3;
    let scheme = text[..at].rsplit(|byte| !is_of_scheme(*byte)).next().filter(|scheme| !scheme.is_empty())?;
    let word = text[start..].split(|byte| ends_word(*byte)).next()?;
    let authority = word.split(|byte| b"/?#".contains(byte)).next()?;
    // A slash that should have been written `%2F` is a part of the password.
    let authority = if has_port(authority) { authority } else { word };
    let length = authority.iter().rposition(|byte| *byte == b'@')?;
    let for_web = [b"http".as_slice(), b"https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    (for_web || authority[..length].contains(&b':')).then_some(start..start + length)
}

/// Whether nothing but a port, if anything, follows the host's name.
fn has_port(authority: &[u8]) -> bool {
    let host = authority.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    let Some(colon) = host.iter().rposition(|byte| *byte == b':') else { return true };
    authority.len() > host.len() || host.starts_with(b"[") || host[colon + 1..].iter().all(u8::is_ascii_digit)
}

/// The value of the parameter of a URL that begins at `start`, if its name says that it is secret.
fn parameter(text: &[u8], start: usize) -> Option<Range<usize>> {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let name = &text[start..start + text[start..].iter().take_while(|byte| is_of_name(byte)).count()];
    let value = start + name.len() + 1;
    text.get(value - 1).filter(|byte| **byte == b'=')?;
    let length = text[value..].iter().take_while(|byte| !ends_word(**byte) && !b"&#".contains(byte)).count();
    is_name(&String::from_utf8_lossy(name)).then_some(value..value + length)
}

fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

/// Whether a URL ends before `byte`.
fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte.is_ascii_control() || b"\"'`<>\\".contains(&byte)
}

fn occurrences(text: &[u8], value: &[u8]) -> Vec<Range<usize>> {
    let starts = text.windows(value.len()).enumerate();
    starts
        .filter(|(_, part)| part[0] == value[0] && *part == value)
        .map(|(start, part)| start..start + part.len())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_in_addresses_are_stars() {
        for (text, masked) in [
            ("at postgres://ann:pw@db/shop.", "at postgres://*****@db/shop."),
            ("HTTPS://ann:p@ss@git/x", "HTTPS://*****@git/x"),
            ("https://ghp_token@git/x", "https://*****@git/x"),
            ("ssh://git@host:22/x, ssh://git:pw@host/x", "ssh://git@host:22/x, ssh://*****@host/x"),
            ("'postgres://u:pa/ss@db/x'", "'postgres://*****@db/x'"),
            ("https://host:8443/a@b http://[::1]/a@b", "https://host:8443/a@b http://[::1]/a@b"),
        ] {
            assert_eq!(mask(text), masked);
            assert_eq!(mask(masked), masked, "twice is as good as once");
            assert_eq!(mask_bytes(text.into()), masked.as_bytes());
        }
    }

    #[test]
    fn secret_parameters_are_stars() {
        for (text, masked) in [
            ("https://h/x?a=1&access_token=t0&b=2", "https://h/x?a=1&access_token=*****&b=2"),
            ("h?TOKEN=abc password=12", "h?TOKEN=***** password=12"),
            ("postgres:///d?password=x%20y\"", "postgres:///d?password=*****\""),
            ("is it a token? yes & no", "is it a token? yes & no"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn names_of_secrets_are_known_and_others_left_alone() {
        for name in [
            "password",
            "PASSWD",
            "pasword",
            "DB_PWD",
            "SECRET_KEY_BASE",
            "api-token",
            "API_KEY",
            "apiKey",
            "STRIPE_KEY",
            "RAILS_MASTER_KEY",
            "AWS_ACCESS_KEY_ID",
            "credentials",
            "ssh_passphrase",
            "X-Amz-Signature",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["PWD", "host_key_policy", "keep_releases", "identity_files", "env_key", "RAILS_ENV", "PATH", "monkey"]
        {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn what_is_secret_by_its_name_or_in_an_address_is_stars_wherever_it_stands() {
        keep_named("SHOP_TOKEN", "it's-$$kept-by-name");
        keep_named("CACHE_URL", "redis://:kept-in-url@cache/0");
        keep_named("GREETING", "shown-all-the-same");
        let text = "it's-$$kept-by-name 'it'\\''s-$$kept-by-name' it's-$kept-by-name 'it'\\''s-$kept-by-name' kept-in-url shown-all-the-same";
        assert_eq!(mask(text), "***** '*****' ***** '*****' ***** shown-all-the-same");
    }

    #[test]
    fn what_is_known_to_be_secret_is_stars_wherever_it_stands() {
        keep("kept-in-a-test\nsecond line of it\n");
        keep("two");
        assert_eq!(mask("x=kept-in-a-test!, second line of it, two"), "x=*****!, *****, two");
        assert_eq!(mask_bytes(b"\xff kept-in-a-testkept-in-a-test".into()), b"\xff *****");
    }
}
