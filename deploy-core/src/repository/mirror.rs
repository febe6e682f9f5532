//! The controller's own mirror of a repository: a cache, which may be removed at any time.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use xshell::Shell;

use super::url::Url;
use super::{git, must_be_id};
use crate::error::{Error, Result};

/// How a repository names its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Sha1,
    Sha256,
}

impl Format {
    /// That of a repository with the object `sha`.
    pub(super) fn of(sha: &str) -> Format {
        if sha.len() == 64 { Format::Sha256 } else { Format::Sha1 }
    }

    /// As git calls it.
    fn name(self) -> &'static str {
        match self {
            Format::Sha1 => "sha1",
            Format::Sha256 => "sha256",
        }
    }

    /// What a repository's `config` says.
    fn in_config(config: &str) -> Format {
        let is_sha256 = |line: &str| {
            let (key, value) = line.split_once('=').unwrap_or_default();
            key.trim().eq_ignore_ascii_case("objectformat") && value.trim() == "sha256"
        };
        if config.lines().any(is_sha256) { Format::Sha256 } else { Format::Sha1 }
    }
}

/// The mirror, for as long as nobody else may use it.
pub(super) struct Mirror {
    pub(super) shell: Shell,
    dir: PathBuf,
    /// Held, since several controllers may run on one machine.
    _lock: File,
}

impl Mirror {
    /// Waits until the mirror below `cache` is free.
    pub(super) fn open(root: &Path, cache: &Path) -> Result<Mirror> {
        let failed = |error| {
            Error::task(format!("can't use the cache `{}`", cache.display())).because(anyhow::Error::from(error))
        };
        fs::create_dir_all(cache).map_err(failed)?;
        if !is_ours(cache).map_err(failed)? {
            return Err(Error::task(format!("the cache `{}` belongs to somebody else", cache.display()))
                .hint("what stands there can't be trusted: remove it, or deploy as the user who made it"));
        }
        let lock = File::create(cache.join("lock")).map_err(failed)?;
        // Where a file system has no locks, two runs at once are the user's to avoid.
        let _ = lock.lock();
        let mirror = Mirror { shell: git::shell(root)?, dir: cache.join("mirror.git"), _lock: lock };
        if !mirror.is_as_made() {
            mirror.remove()?;
        }
        Ok(mirror)
    }

    /// Whether the mirror's settings are those that `git init` writes. Others might name programs.
    fn is_as_made(&self) -> bool {
        let has_more = ["config.worktree", "commondir", "objects/info/alternates"]
            .iter()
            .any(|name| fs::symlink_metadata(self.dir.join(name)).is_ok());
        match fs::read_to_string(self.dir.join("config")) {
            Ok(config) => !has_more && is_plain(&config),
            Err(_) => !self.dir.exists(),
        }
    }

    /// A git command on the mirror.
    pub(super) fn git(&self, args: &[&str]) -> xshell::Cmd<'_> {
        let dir = format!("--git-dir={}", self.dir.display());
        git::plain(&self.shell, &[&[dir.as_str()], args].concat())
    }

    /// What a command writes when it reads `input`, without the newline at its end; nothing when it fails. What is read is no
    /// option, which an argument might be: not every command of git knows a mark before those that aren't.
    pub(super) fn ask(&self, args: &[&str], input: String) -> Result<Option<String>> {
        let output = git::output(&self.git(args).stdin(input).ignore_status())?;
        Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned()))
    }

    /// The commit that `name`, a ref or hexadecimal digits, means, if the mirror has it.
    pub(super) fn commit(&self, name: &str) -> Result<Option<String>> {
        if !self.dir.exists() {
            return Ok(None);
        }
        let found = self.ask(&["cat-file", "--batch-check=%(objectname)"], format!("{name}^{{commit}}\n"))?;
        Ok(found.filter(|id| must_be_id(id).is_ok()))
    }

    /// Whether the mirror has the commit `sha` with all of its files.
    pub(super) fn has_whole(&self, sha: &str) -> Result<bool> {
        Ok(self.dir.exists()
            && self.ask(&["rev-list", "--objects", "--quiet", "--no-walk", "--stdin"], format!("{sha}\n"))?.is_some())
    }

    /// Fetches `refspecs`; where that fails, into a new mirror, in case the old one is damaged.
    pub(super) fn fetch(&self, url: &Url, format: Format, refspecs: &[&str]) -> Result<()> {
        let had_one = self.dir.exists();
        let Err(error) = self.fetch_only(url, format, refspecs) else { return Ok(()) };
        if had_one { self.fetch_anew(url, format, refspecs).map_err(|_| error) } else { Err(error) }
    }

    /// Fetches `refspecs` into a new mirror, which takes the old one's place.
    pub(super) fn fetch_anew(&self, url: &Url, format: Format, refspecs: &[&str]) -> Result<()> {
        let fresh = self.dir.with_extension("new");
        let _ = fs::remove_dir_all(&fresh);
        self.fetch_into(&fresh, url, format, refspecs)?;
        self.remove()?;
        let failed = |error| Error::task("can't replace the mirror").because(anyhow::Error::from(error));
        fs::rename(&fresh, &self.dir).map_err(failed)
    }

    /// Removes the mirror: the next fetch makes a new one.
    pub(super) fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if self.dir.exists() => {
                Err(Error::task(format!("can't remove `{}`", self.dir.display())).because(anyhow::Error::from(error)))
            }
            _ => Ok(()),
        }
    }

    /// Fetches `refspecs`, and nothing else happens when that fails.
    pub(super) fn fetch_only(&self, url: &Url, format: Format, refspecs: &[&str]) -> Result<()> {
        // The other side's repository may have been made anew, with other names for everything.
        let config = fs::read_to_string(self.dir.join("config"));
        if config.is_ok_and(|config| Format::in_config(&config) != format) {
            self.remove()?;
        }
        self.fetch_into(&self.dir, url, format, refspecs)
    }

    fn fetch_into(&self, dir: &Path, url: &Url, format: Format, refspecs: &[&str]) -> Result<()> {
        let failed = |output| Error::task(format!("can't fetch from `{url}`")).because(git::said(&output));
        if !dir.join("HEAD").exists() {
            let text = dir.display().to_string();
            let format = format!("--object-format={}", format.name());
            let init = ["init", "--quiet", "--bare", "--template=", &format, "--", &text];
            let made = git::output(&git::plain(&self.shell, &init).ignore_status())?;
            made.status.success().then_some(()).ok_or_else(|| failed(made))?;
        }
        let git_dir = format!("--git-dir={}", dir.display());
        let fetch = ["--prune", "--no-tags", "--", url.address()];
        let fetch = git::fetch(&self.shell, url, &git_dir, &[&fetch, refspecs].concat());
        let fetched = git::output(&fetch.ignore_status())?;
        fetched.status.success().then_some(()).ok_or_else(|| failed(fetched))
    }
}

/// Whether the folder is the user's own, and no symlink.
fn is_ours(folder: &Path) -> io::Result<bool> {
    let about = fs::symlink_metadata(folder)?;
    Ok(about.is_dir() && about.uid() == rustix::process::geteuid().as_raw())
}

/// Whether a repository's `config` has only what `git init --bare` writes, none of which names a program or a file.
fn is_plain(config: &str) -> bool {
    const PLAIN: [&str; 11] = [
        "bare",
        "denynonfastforwards",
        "filemode",
        "ignorecase",
        "logallrefupdates",
        "objectformat",
        "precomposeunicode",
        "refstorage",
        "repositoryformatversion",
        "sharedrepository",
        "symlinks",
    ];
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    config.lines().map(str::trim).filter(|line| !line.is_empty()).all(|line| match line {
        "[core]" | "[extensions]" | "[receive]" => true,
        line => !line.ends_with('\\') && PLAIN.contains(&key(line).as_str()),
    })
}
