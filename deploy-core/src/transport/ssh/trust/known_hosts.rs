//! The host keys that the user trusts: OpenSSH's known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
//!
//! All of the format is understood but certificates: lines with `@cert-authority` are left out, and servers are asked
//! for plain keys.

use std::fmt;
use std::fs;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::transport::ssh::libssh2::format::leading_name;

/// Every line of the user's files that names a host and a key.
#[derive(Debug, Default)]
pub(crate) struct KnownHosts {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    revoked: bool,
    hosts: Hosts,
    key: HostKey,
}

/// Where an entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from one.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// The names of an entry.
#[derive(Debug)]
enum Hosts {
    /// Names with `*`, `?` and a leading `!`.
    Patterns(Vec<String>),
    /// One name's HMAC-SHA1.
    Hash { salt: Vec<u8>, hash: Vec<u8> },
}

/// A public host key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HostKey {
    /// The key as SSH's protocol writes it; begins with its type.
    blob: Vec<u8>,
}

/// What the files say about a server's key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is this server's key.
    Known(Place),
    /// This server has another key of this type.
    Changed(Place),
    /// The key must never be accepted.
    Revoked(Place),
    /// This server's keys are not known, or only keys of other types, the first of which stands here.
    Unknown(Option<Place>),
}

impl KnownHosts {
    /// Reads what the files that exist say of the server `name`. Lines that can't be understood are skipped, as OpenSSH does.
    ///
    /// # Errors
    ///
    /// A file that exists and can't be read, with its name: it could hold a revocation.
    pub(crate) fn read(files: &[PathBuf], name: &LookupName) -> Result<KnownHosts, (PathBuf, io::Error)> {
        // Hundreds of logins at a time each read files that may have thousands of lines.
        let is_named = |hosts: &Hosts| hosts.contain(&name.full) || hosts.contain(&name.bare);
        let mut known = KnownHosts::default();
        for file in files {
            match fs::read(file) {
                Ok(content) => known.add(file, &content, &is_named),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err((file.clone(), error)),
            }
        }
        Ok(known)
    }

    /// What the files say about `key` of the server `name`, which [`lookup_name`] made.
    pub(crate) fn check(&self, name: &LookupName, key: &HostKey) -> Verdict {
        let of_server = || self.entries.iter().filter(|entry| entry.hosts.contain(&name.full));
        // A server on a port of its own may also be known by its bare name, but nothing bad follows from that.
        let of_bare_name = || self.entries.iter().filter(|entry| entry.hosts.contain(&name.bare));
        let place = |entry: &Entry| entry.place.clone();

        if let Some(entry) = of_server().chain(of_bare_name()).find(|entry| entry.revoked && entry.key == *key) {
            return Verdict::Revoked(place(entry));
        }
        if let Some(entry) = of_server().chain(of_bare_name()).find(|entry| !entry.revoked && entry.key == *key) {
            return Verdict::Known(place(entry));
        }
        match of_server().find(|entry| !entry.revoked && entry.key.kind() == key.kind()) {
            Some(entry) => Verdict::Changed(place(entry)),
            None => Verdict::Unknown(of_server().find(|entry| !entry.revoked).map(place)),
        }
    }

    /// The host key algorithms to offer for this server: those of its known keys first, and never certificates, which
    /// nobody here would verify.
    pub(crate) fn algorithms(&self, name: &LookupName) -> String {
        let known = |kind: &str| {
            self.entries.iter().any(|entry| {
                !entry.revoked
                    && entry.key.kind() == kind
                    && (entry.hosts.contain(&name.full) || entry.hosts.contain(&name.bare))
            })
        };
        let (first, rest): (Vec<_>, Vec<_>) = ALGORITHMS.into_iter().partition(|(kind, _)| known(kind));
        first.into_iter().chain(rest).map(|(_, algorithm)| algorithm).collect::<Vec<_>>().join(",")
    }

    /// Makes `key` the known one of `name`: appends a line to `file` and touches nothing else in it.
    ///
    /// # Errors
    ///
    /// When the file can't be written.
    pub(crate) fn append(file: &Path, name: &LookupName, hashed: bool, key: &HostKey) -> io::Result<()> {
        if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut open = fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
        rustix::fs::flock(&open, rustix::fs::FlockOperation::LockExclusive)?;
        let mut line = key.line(&if hashed { hashed_name(&name.full)? } else { name.full.clone() }) + "\n";
        if !ends_with_newline(&mut open)? {
            line.insert(0, '\n');
        }
        open.write_all(line.as_bytes())
    }

    fn add(&mut self, file: &Path, content: &[u8], is_wanted: &dyn Fn(&Hosts) -> bool) {
        let lines = content.split(|byte| *byte == b'\n').enumerate();
        self.entries.extend(
            lines.filter_map(|(index, line)| Entry::parse(file, index + 1, std::str::from_utf8(line).ok()?, is_wanted)),
        );
    }
}

/// Key types and the algorithms that prove them, in the order of preference where nothing is known.
const ALGORITHMS: [(&str, &str); 6] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512"),
    ("ssh-rsa", "rsa-sha2-256"),
];

/// A server's names in known_hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookupName {
    /// The name with its port, where that is not 22.
    pub(crate) full: String,
    /// The name alone.
    bare: String,
}

/// The names under which to look up `host` with `port`, or its `HostKeyAlias`, which has no port.
pub(crate) fn lookup_name(host: &str, port: u16, alias: Option<&str>) -> LookupName {
    let bare = alias.unwrap_or(host).to_lowercase();
    let full = if alias.is_some() || port == 22 { bare.clone() } else { format!("[{bare}]:{port}") };
    LookupName { full, bare }
}

impl Entry {
    /// What `line` says, if it names hosts that are wanted.
    fn parse(file: &Path, number: usize, line: &str, is_wanted: &dyn Fn(&Hosts) -> bool) -> Option<Entry> {
        let mut fields = line.split_ascii_whitespace();
        let mut hosts = fields.next().filter(|field| !field.starts_with('#'))?;
        let revoked = hosts == "@revoked";
        if revoked {
            hosts = fields.next()?;
        } else if hosts.starts_with('@') {
            return None;
        }
        let hosts = Hosts::parse(hosts).filter(is_wanted)?;
        let kind = fields.next()?;
        let key = HostKey { blob: STANDARD.decode(fields.next()?).ok()? };
        (key.kind() == kind).then_some(())?;
        Some(Entry { place: Place { file: file.to_owned(), line: number }, revoked, hosts, key })
    }
}

impl Hosts {
    fn parse(field: &str) -> Option<Hosts> {
        let Some(hashed) = field.strip_prefix("|1|") else {
            return Some(Hosts::Patterns(field.to_lowercase().split(',').map(str::to_owned).collect()));
        };
        let (salt, hash) = hashed.split_once('|')?;
        Some(Hosts::Hash { salt: STANDARD.decode(salt).ok()?, hash: STANDARD.decode(hash).ok()? })
    }

    fn contain(&self, name: &str) -> bool {
        match self {
            Hosts::Hash { salt, hash } => *hash == hash_name(salt, name),
            Hosts::Patterns(patterns) => pattern_list_matches(patterns.iter().map(String::as_str), name),
        }
    }
}

/// Whether `name` matches one of `patterns`, and none of those that begin with `!`.
pub(crate) fn pattern_list_matches<'a>(patterns: impl IntoIterator<Item = &'a str>, name: &str) -> bool {
    let mut matched = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(excluded) if glob_matches(excluded.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => matched |= glob_matches(pattern.as_bytes(), name.as_bytes()),
        }
    }
    matched
}

/// Whether `name` matches `pattern`, in which `*` is any text and `?` any one character.
pub(crate) fn glob_matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|start| glob_matches(rest, &name[start..])),
        ([expected, pattern @ ..], [byte, name @ ..]) => {
            (expected == byte || *expected == b'?') && glob_matches(pattern, name)
        }
        _ => false,
    }
}

/// `name` as ssh writes it with `HashKnownHosts yes`.
fn hashed_name(name: &str) -> io::Result<String> {
    let mut salt = [0; 20];
    getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash_name(&salt, name))))
}

/// Whether a line appended to `file` would begin a line of its own.
fn ends_with_newline(file: &mut fs::File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if file.seek(io::SeekFrom::End(0))? > 0 && file.metadata()?.is_file() {
        file.seek(io::SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last == [b'\n'])
}

fn hash_name(salt: &[u8], name: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes keys of any length");
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl HostKey {
    /// The key whose encoding in SSH's protocol is `blob`.
    pub(crate) fn new(blob: &[u8]) -> HostKey {
        HostKey { blob: blob.to_owned() }
    }

    /// The key's type, `ssh-ed25519`; empty if the key is garbage.
    pub(crate) fn kind(&self) -> &str {
        leading_name(&self.blob)
    }

    /// The fingerprint as `ssh` shows it: `SHA256:…`.
    pub(crate) fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// The line that makes this the known key of `name`.
    pub(crate) fn line(&self, name: &str) -> String {
        format!("{name} {} {}", self.kind(), STANDARD.encode(&self.blob))
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.fingerprint())
    }
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
