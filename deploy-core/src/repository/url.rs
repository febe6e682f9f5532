//! Where a repository is, and what must not be shown of that.

use std::fmt;
use std::path::{Path, PathBuf};

/// `repo_url`, with what it says about logging in taken out.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    address: String,
    login: Option<Login>,
}

/// A name and a password, or a token, that stood in a URL.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

impl Url {
    /// Reads `url`. A relative path starts at `root`.
    pub(crate) fn new(url: &str, root: &Path) -> Url {
        if is_relative_path(url) {
            // Without the dot of `.`: it would be another name than the one that the user trusts.
            let path: PathBuf = root.join(url).components().collect();
            return Url { address: path.display().to_string(), login: None };
        }
        split_login(url).unwrap_or(Url { address: url.to_owned(), login: None })
    }

    /// What git is told: nothing secret stands in it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether the URL says how to log in.
    pub(crate) fn has_login(&self) -> bool {
        self.login.is_some()
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Whether it is a folder of this machine.
    pub(crate) fn is_path(&self) -> bool {
        self.address.starts_with('/')
    }

    /// Whether git reaches it through `ssh`.
    pub(super) fn is_ssh(&self) -> bool {
        match self.address.split_once("://") {
            Some((scheme, _)) => scheme.to_lowercase().contains("ssh"),
            None => !self.is_path(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// Whether `url` is a path that doesn't start at the root: no scheme, and no `host:`.
fn is_relative_path(url: &str) -> bool {
    !url.starts_with('/') && !url.contains(':')
}

/// Takes `user:password@`, or `token@`, out of a URL for HTTP. For SSH a user is no secret.
fn split_login(url: &str) -> Option<Url> {
    let is_web = |scheme: &str| ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| is_web(scheme))?;
    let host_ends = rest.find('/').unwrap_or(rest.len());
    let (login, host) = rest[..host_ends].rsplit_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let login = Login { user: decode(user), password: decode(password) };
    Some(Url { address: format!("{scheme}://{host}{}", &rest[host_ends..]), login: Some(login) })
}

/// Takes `%40` for `@`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => (bytes.push(byte), rest = &tail[2..]),
            None => (bytes.push(*first), rest = tail),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::new(text, Path::new("/project"))
    }

    #[test]
    fn only_paths_without_a_root_are_relative() {
        assert_eq!(url(".").address(), "/project");
        assert_eq!(url("../app").address(), "/project/../app");
        assert_eq!(url("-x").address(), "/project/-x");
        for absolute in ["/srv/app.git", "git@host:app.git", "https://host/app.git", "ext::sh -c true"] {
            assert_eq!(url(absolute).address(), absolute);
        }
    }

    #[test]
    fn a_login_is_taken_out_of_a_web_address() {
        let parsed = url("https://ann:p%40ss:word@git.example.com:8443/a@b/shop.git");
        assert_eq!(parsed.to_string(), "https://git.example.com:8443/a@b/shop.git");
        let login = parsed.login().unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("ann", "p@ss:word"));
        assert_eq!(url("https://ghp_token@github.com/a/b").to_string(), "https://github.com/a/b");
        assert_eq!(url("HTTPS://ann:pw@git/shop").to_string(), "HTTPS://git/shop");
        assert!(!url("https://github.com/a@b").has_login());
    }

    #[test]
    fn a_user_of_ssh_is_no_secret() {
        for address in ["git@host:app.git", "ssh://git@host:22/app.git"] {
            assert_eq!(url(address).to_string(), address);
            assert!(url(address).is_ssh());
        }
        assert!(!url("https://host/x").is_ssh() && !url("/srv/x").is_ssh() && !url(".").is_ssh());
    }
}
