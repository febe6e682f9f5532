//! The repository, as the controller sees it: which commit a name means, and packs of what servers lack.
//!
//! Git asks nothing on the terminal: a run would be stopped in its middle by a question among its own output.

mod export;
mod git;
mod mirror;
mod pack;
mod refs;
#[cfg(test)]
mod tests;
mod url;

use std::path::{Path, PathBuf};

pub(crate) use self::git::git_version;
use self::mirror::{Format, Mirror};
use self::refs::Refs;
pub(crate) use self::url::Url;
use crate::error::{Error, Result};
use crate::task::Payload;

/// The folder for what git keeps on the controller. Git checks out no file below a folder of this name, so what stands there
/// was made here, and didn't come with a repository.
const OURS: &str = ".git";

/// A repository and the mirror that the controller keeps of it.
pub(crate) struct Repository {
    url: Url,
    root: PathBuf,
    cache: PathBuf,
}

/// A commit, and what it was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The commit, 40 (or 64) hexadecimal digits.
    pub(crate) sha: String,
    /// The ref that named it, unless a commit was asked for.
    pub(crate) reference: Option<String>,
    /// What the user should know about the choice.
    pub(crate) note: Option<String>,
}

/// How many files no commit has as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uncommitted {
    /// Files that git knows.
    changed: usize,
    /// Files and folders that it doesn't know.
    unknown: usize,
}

impl Uncommitted {
    /// Reads what `git status --porcelain -z` writes. Of a file that was renamed, its old name follows.
    fn parse(status: &[u8]) -> Uncommitted {
        let mut found = Uncommitted::default();
        let mut entries = status.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        while let Some(entry) = entries.next() {
            match entry {
                [b'?', ..] => found.unknown += 1,
                [b'R' | b'C', ..] => {
                    entries.next();
                    found.changed += 1;
                }
                _ => found.changed += 1,
            }
        }
        found
    }

    /// What is to be told about them, if there are any.
    pub(crate) fn note(self) -> Option<String> {
        let files = |count: usize| format!("{count} file{}", if count == 1 { "" } else { "s" });
        let said = match self {
            Uncommitted { changed: 0, unknown: 0 } => return None,
            Uncommitted { changed, unknown: 0 } => format!("{} with changes", files(changed)),
            Uncommitted { changed: 0, unknown } => format!("{} that git doesn't know", files(unknown)),
            Uncommitted { changed, unknown } => {
                format!("{} with changes and {unknown} that git doesn't know", files(changed))
            }
        };
        Some(format!("the repository has {said}: what isn't committed is not deployed"))
    }
}

impl Repository {
    /// The repository at `url`; a relative path starts at `root`. Its mirror is kept below `work_dir`.
    pub(crate) fn new(url: &str, root: &Path, work_dir: &Path) -> Repository {
        let url = Url::new(url, root);
        let cache = work_dir.join(OURS).join(format!("{:016x}", hash(url.address())));
        Repository { url, root: root.to_owned(), cache }
    }

    /// Where it is, without a login.
    pub(crate) fn address(&self) -> &str {
        self.url.address()
    }

    /// Fails for a repository that servers mustn't be told of, or can't reach: a folder, unless they are `here`.
    pub(crate) fn must_be_for_servers(&self, here: bool) -> Result<()> {
        if self.url.has_login() {
            return Err(Error::config("repo_url has a password or token, which every server would have to be told")
                .hint("set git.strategy = \"push\": then servers need no access to the repository")
                .hint("or take it out of repo_url, and let servers log in with a deploy key or a credential helper"));
        }
        if here || !Path::new(self.url.address()).starts_with(&self.root) {
            Ok(())
        } else {
            Err(Error::config(format!("servers can't fetch from `{}`, a folder of this machine", self.url))
                .hint("set git.strategy = \"push\", or a repo_url that servers can reach"))
        }
    }

    /// How many files of a repository that is a folder no commit has as they are. They are not deployed.
    pub(crate) fn uncommitted(&self) -> Result<Uncommitted> {
        if !self.url.is_path() {
            return Ok(Uncommitted::default());
        }
        let shell = git::shell(&self.root)?;
        let status = ["-C", self.url.address(), "status", "--porcelain", "-z", "--untracked-files=normal"];
        let output = git::output(&git::plain(&shell, &status).ignore_status())?;
        Ok(if output.status.success() { Uncommitted::parse(&output.stdout) } else { Uncommitted::default() })
    }

    /// The commit that `name` means: `HEAD`, a branch, a tag (the commit that it points to), a full ref, or a commit.
    ///
    /// # Errors
    ///
    /// Of kind connection when the repository can't be asked, of kind task when it has no such name.
    pub(crate) fn resolve(&self, name: &str) -> Result<Resolved> {
        let refs = self.refs(&Refs::wanted(name))?;
        if let Some(resolved) = refs.pick(name) {
            return Ok(resolved);
        }
        let found = if is_commit_name(name) { self.resolve_commit(name)? } else { None };
        match found {
            Some(sha) => Ok(Resolved { sha, reference: None, note: None }),
            None => Err(self.refs(&[])?.unknown(name)),
        }
    }

    /// The refs that match `patterns`; all of them when there are none.
    fn refs(&self, patterns: &[String]) -> Result<Refs> {
        let shell = git::shell(&self.root)?;
        let args =
            ["ls-remote", "--quiet", "--", self.url.address()].into_iter().chain(patterns.iter().map(String::as_str));
        let output = git::output(&git::remote(&shell, &self.url, &args.collect::<Vec<_>>()).ignore_status())?;
        if output.status.success() {
            Ok(Refs::parse(&String::from_utf8_lossy(&output.stdout)))
        } else {
            Err(self.unreadable(&output))
        }
    }

    fn unreadable(&self, output: &std::process::Output) -> Error {
        let url = &self.url;
        let error = Error::connection(format!("can't read the repository `{url}`")).because(git::said(output));
        if String::from_utf8_lossy(&output.stderr).contains("dubious ownership") {
            error.hint(format!(
                "it is another user's, and git has to be told to trust it: git config --global --add safe.directory {url}"
            ))
        } else if url.is_path() {
            error.hint("see repo_url in deploy.toml")
        } else {
            error
                .hint(format!("try it by hand: git ls-remote {url}"))
                .hint("git asks nothing during a run: keys belong in ssh-agent, passwords in a credential helper")
        }
    }

    /// A commit that no ref names: the mirror has to have it.
    fn resolve_commit(&self, name: &str) -> Result<Option<String>> {
        let mirror = self.mirror()?;
        if let Some(sha) = mirror.commit(&kept(name))? {
            return Ok(Some(sha));
        }
        let format = if name.len() == 64 { Format::Sha256 } else { self.refs(&[])?.format() };
        mirror.fetch(&self.url, format, &["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])?;
        let found = match mirror.commit(name)? {
            None if name.len() >= 40 && mirror.fetch_only(&self.url, format, &[name]).is_ok() => mirror.commit(name)?,
            found => found,
        };
        if let Some(sha) = &found {
            git::output(&mirror.git(&["update-ref", "--", &kept(sha), sha]).ignore_status())?;
        }
        Ok(found)
    }

    /// Makes the controller's mirror have the commit, with all of its files, and with its history unless `shallow`.
    pub(crate) fn bring(&self, resolved: &Resolved, shallow: bool) -> Result<()> {
        let sha = resolved.sha.as_str();
        must_be_id(sha)?;
        let mirror = self.mirror()?;
        let reference = kept(sha);
        let has = |with_history: bool| -> Result<bool> {
            Ok(mirror.has_whole(sha)? && (!with_history || mirror.commit(&reference)?.is_some()))
        };
        if has(true)? {
            return Ok(());
        }
        let refspec = format!("+{}:{reference}", resolved.reference.as_deref().unwrap_or(sha));
        let format = Format::of(sha);
        mirror.fetch(&self.url, format, &[&refspec]).map_err(|error| self.explain_partial(error))?;
        let has_moved = mirror.commit(&reference)?.is_some_and(|found| found != sha);
        if !has(false)? && !has_moved {
            mirror.fetch_anew(&self.url, format, &[&refspec])?;
        }
        match (has(!shallow)?, has(false)?) {
            (true, _) => Ok(()),
            (_, true) => Err(Error::task(format!("`{}` is a shallow clone: it lacks the history", self.url))
                .hint("complete it there: git fetch --unshallow (in CI, fetch-depth: 0)")
                .hint("or deploy without history: git.shallow = true")),
            _ => Err(Error::task(format!("`{}` has moved on while it was fetched", self.url)).hint("deploy again")),
        }
    }

    /// `error`, which a folder that is a partial clone explains: it has not all files of what it serves.
    fn explain_partial(&self, error: Error) -> Error {
        let is_partial = || -> Result<bool> {
            let shell = git::shell(&self.root)?;
            let look = ["-C", self.url.address(), "config", "--get-regexp", "^remote\\..*\\.promisor$"];
            Ok(git::output(&git::plain(&shell, &look).ignore_status())?.status.success())
        };
        if self.url.is_path() && is_partial().unwrap_or(false) {
            error
                .hint(format!("`{}` is a partial clone; complete it there: git fetch --refetch --no-filter", self.url))
                .hint("in CI, check out without a filter")
        } else {
            error
        }
    }

    /// Verifies the commit's signature.
    pub(crate) fn verify(&self, sha: &str) -> Result<()> {
        let mirror = self.mirror()?;
        must_be_id(sha)?;
        let output = git::output(&mirror.git(&["verify-commit", "--", sha]).ignore_status())?;
        if output.status.success() {
            Ok(())
        } else {
            Err(Error::task(format!("commit {sha} has no good signature"))
                .detail(String::from_utf8_lossy(&output.stderr).trim().to_owned())
                .hint("sign it, or set git.verify_commit = false"))
        }
    }

    /// The pack of the objects that a mirror with the commits `has` lacks for `sha`; nothing if it lacks none.
    ///
    /// Only commits that the controller knows count as common. With `shallow`, history counts on neither side. For a mirror
    /// that has none, it is an archive of the pack and its index.
    pub(crate) fn pack(&self, sha: &str, has: &[&str], shallow: bool) -> Result<Option<Payload>> {
        must_be_id(sha)?;
        let mirror = self.mirror()?;
        if has.is_empty() {
            return pack::indexed(&mirror, &self.cache.join("packs"), sha, shallow).map(Some);
        }
        if has.contains(&sha) {
            return Ok(None);
        }
        let known = known(&mirror, has)?;
        if !shallow && !known.is_empty() && is_included(&mirror, sha, &known)? {
            return Ok(None);
        }
        pack::pack(&mirror, &self.cache.join("packs"), sha, &known, shallow).map(Some)
    }

    fn mirror(&self) -> Result<Mirror> {
        Mirror::open(&self.root, &self.cache)
    }
}

/// The ref that keeps a commit in a mirror. Names of branches won't do: an old `a` stands in the way of `a/b`.
fn kept(sha: &str) -> String {
    format!("refs/deploy/{sha}")
}

/// Those of `commits` that the mirror has.
fn known(mirror: &Mirror, commits: &[&str]) -> Result<Vec<String>> {
    let names = commits.iter().filter(|name| is_commit_name(name));
    let input = names.map(|name| format!("{name}^{{commit}}\n")).collect::<String>();
    let check = mirror.git(&["cat-file", "--batch-check=%(objectname)"]).stdin(input).ignore_status();
    let output = git::output(&check)?;
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut known: Vec<_> = found.lines().filter(|line| is_commit_name(line)).map(str::to_owned).collect();
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

/// Whether the history of `known` has `sha`.
fn is_included(mirror: &Mirror, sha: &str, known: &[String]) -> Result<bool> {
    let input = [format!("{sha}\n")].into_iter().chain(known.iter().map(|commit| format!("^{commit}\n")));
    let found = mirror.ask(&["rev-list", "--max-count=1", "--stdin"], input.collect())?;
    Ok(found.is_some_and(|commits| commits.is_empty()))
}

/// Fails for what isn't a commit's id in full: git would take a dash for an option.
fn must_be_id(sha: &str) -> Result<()> {
    if matches!(sha.len(), 40 | 64) && is_commit_name(sha) {
        Ok(())
    } else {
        Err(Error::task(format!("`{sha}` is no commit's id")))
    }
}

fn is_commit_name(name: &str) -> bool {
    (4..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// FNV-1a: a short name for a folder, stable over versions of the compiler.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
