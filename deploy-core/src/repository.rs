//! The repository, as the controller sees it: which commit a name means, and packs of what servers lack.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use xshell::{Shell, cmd};

use crate::error::{Error, ErrorKind, Result, nearest};
use crate::task::Payload;

/// A repository and the mirror that the controller keeps of it.
pub(crate) struct Repository {
    /// What git is given: a relative path stands below the project's root.
    url: String,
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

/// One pack is made at a time: servers that lack the same objects share it.
static PACKING: Mutex<()> = Mutex::new(());

impl Repository {
    pub(crate) fn new(url: &str, root: &Path, work_dir: &Path) -> Repository {
        let url = match is_relative_path(url) {
            true => root.join(url).display().to_string(),
            false => url.to_owned(),
        };
        let cache = work_dir.join("git").join(format!("{:016x}.git", hash(&url)));
        Repository { url, root: root.to_owned(), cache }
    }

    /// Fails for a repository that only this machine can read.
    pub(crate) fn must_be_reachable_from_servers(&self) -> Result<()> {
        match self.url.starts_with(&*self.root.to_string_lossy()) {
            false => Ok(()),
            true => Err(Error::config(format!("servers can't fetch from `{}`, a folder of this machine", self.url))
                .hint("set git.strategy = \"push\", or a repo_url that servers can reach")),
        }
    }

    /// The commit that `name` means: `HEAD`, a branch, a tag (the commit that it points to), a full ref, or a commit.
    ///
    /// # Errors
    ///
    /// Of kind connection when the repository can't be asked, of kind task when it has no such name.
    pub(crate) fn resolve(&self, name: &str) -> Result<Resolved> {
        let shell = self.shell()?;
        let url = &self.url;
        let output =
            cmd!(shell, "git ls-remote --quiet -- {url}").env("GIT_TERMINAL_PROMPT", "0").quiet().ignore_status();
        let output = output.output().map_err(|error| Error::task("can't run `git`").because(error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::connection(format!("can't read the repository `{url}`"))
                .because(anyhow::anyhow!(said))
                .hint("try it by hand: git ls-remote"));
        }
        let refs = parse_refs(&String::from_utf8_lossy(&output.stdout));
        match pick(name, &refs) {
            Some(resolved) => Ok(resolved),
            None if is_commit_name(name) => self.resolve_commit(&shell, name, &refs),
            None => Err(unknown_name(name, &refs)),
        }
    }

    /// A commit that no ref names: the mirror has to have it.
    fn resolve_commit(&self, shell: &Shell, name: &str, refs: &[(String, String)]) -> Result<Resolved> {
        self.fetch(shell, &["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])?;
        let cache = &self.cache;
        let commit = format!("{name}^{{commit}}");
        let found = cmd!(shell, "git --git-dir={cache} rev-parse --quiet --verify --end-of-options {commit}");
        match found.quiet().ignore_stderr().read() {
            Ok(sha) => Ok(Resolved { sha: sha.trim().to_owned(), reference: None, note: None }),
            Err(_) if name.len() == 40 && self.fetch(shell, &[name]).is_ok() => {
                Ok(Resolved { sha: name.to_owned(), reference: None, note: None })
            }
            Err(_) => Err(unknown_name(name, refs)),
        }
    }

    /// Makes the controller's mirror have the commit.
    pub(crate) fn bring(&self, resolved: &Resolved) -> Result<()> {
        let shell = self.shell()?;
        if self.has(&shell, &resolved.sha) {
            return Ok(());
        }
        let refspec = match resolved.reference.as_deref() {
            Some(reference) if reference.starts_with("refs/") => format!("+{reference}:{reference}"),
            Some(reference) => format!("+{reference}:refs/deploy/{reference}"),
            None => return Ok(()),
        };
        self.fetch(&shell, &[&refspec])?;
        match self.has(&shell, &resolved.sha) {
            true => Ok(()),
            false => Err(Error::task(format!("`{}` has moved on while it was fetched", self.url)).hint("deploy again")),
        }
    }

    /// Verifies the commit's signature.
    pub(crate) fn verify(&self, sha: &str) -> Result<()> {
        let (shell, cache) = (self.shell()?, &self.cache);
        let output = cmd!(shell, "git --git-dir={cache} verify-commit {sha}").quiet().ignore_status().output();
        let output = output.map_err(|error| Error::task("can't run `git`").because(error))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::task(format!("commit {sha} has no good signature"))
                .detail(String::from_utf8_lossy(&output.stderr).trim().to_owned())
                .hint("sign it, or set git.verify_commit = false")),
        }
    }

    /// The pack of the objects that a mirror with `tips` lacks for `sha`; nothing if it lacks none.
    ///
    /// Only tips that the controller knows count as common. A shallow mirror gets the whole commit.
    pub(crate) fn pack(&self, sha: &str, tips: &[&str], shallow: bool) -> Result<Option<Payload>> {
        let _alone = PACKING.lock().unwrap_or_else(PoisonError::into_inner);
        let shell = self.shell()?;
        if !shallow && tips.contains(&sha) {
            return Ok(None);
        }
        let known: Vec<_> = match shallow {
            true => Vec::new(),
            false => self.known(&shell, tips)?,
        };
        let packs = self.cache.with_extension("packs");
        let name = format!("{sha}-{:016x}.pack", hash(&format!("{shallow}{}", known.join(" "))));
        let file = packs.join(name);
        if !file.exists() && !self.write_pack(&shell, sha, &known, shallow, &file)? {
            return Ok(None);
        }
        let bytes = std::fs::metadata(&file).map_err(|error| Error::task("can't read a pack").because(error))?.len();
        Ok(Some(Payload { file, bytes }))
    }

    /// Returns false when there is nothing to send.
    fn write_pack(&self, shell: &Shell, sha: &str, known: &[String], shallow: bool, file: &Path) -> Result<bool> {
        let failed = |error: anyhow::Error| Error::task("can't make a pack of what servers lack").because(error);
        let io = |error: std::io::Error| failed(error.into());
        let packs = self.cache.with_extension("packs");
        let cache = &self.cache;
        let limit: &[&str] = if shallow { &["--max-count=1"] } else { &[] };
        let not: Vec<_> = known.iter().map(|tip| format!("^{tip}")).collect();
        let objects = cmd!(shell, "git --git-dir={cache} rev-list --objects {limit...} {sha} {not...}");
        let objects = objects.quiet().read().map_err(|error| failed(error.into()))?;
        if objects.is_empty() {
            return Ok(false);
        }
        // What was sent before will hardly be asked for again.
        let _ = std::fs::remove_dir_all(&packs);
        std::fs::create_dir_all(&packs).map_err(io)?;
        let pack =
            cmd!(shell, "git --git-dir={cache} pack-objects --stdout --delta-base-offset -q").stdin(objects + "\n");
        let bytes = pack.quiet().output().map_err(|error| failed(error.into()))?.stdout;
        let temporary = tempfile::NamedTempFile::new_in(&packs).map_err(io)?;
        std::fs::write(temporary.path(), bytes).map_err(io)?;
        temporary.persist(file).map_err(|error| failed(error.into()))?;
        Ok(true)
    }

    /// Those of `tips` that the controller's mirror has.
    fn known(&self, shell: &Shell, tips: &[&str]) -> Result<Vec<String>> {
        let cache = &self.cache;
        let input = tips.iter().map(|tip| format!("{tip}^{{commit}}\n")).collect::<String>();
        let check = cmd!(shell, "git --git-dir={cache} cat-file --batch-check=%(objectname)").stdin(input);
        let found = check.quiet().read().map_err(|error| Error::task("can't read the mirror").because(error))?;
        let mut known: Vec<_> = found.lines().filter(|line| is_commit_name(line)).map(str::to_owned).collect();
        known.sort_unstable();
        known.dedup();
        Ok(known)
    }

    fn has(&self, shell: &Shell, sha: &str) -> bool {
        let (cache, commit) = (&self.cache, format!("{sha}^{{commit}}"));
        self.cache.exists()
            && cmd!(shell, "git --git-dir={cache} cat-file -e {commit}").quiet().ignore_stderr().run().is_ok()
    }

    fn fetch(&self, shell: &Shell, refspecs: &[&str]) -> Result<()> {
        let (url, cache) = (&self.url, &self.cache);
        let failed = |error: xshell::Error| Error::task(format!("can't fetch from `{url}`")).because(error);
        if !cache.join("HEAD").exists() {
            cmd!(shell, "git init --quiet --bare -- {cache}").quiet().run().map_err(failed)?;
        }
        let fetch =
            cmd!(shell, "git --git-dir={cache} fetch --quiet --no-tags --no-write-fetch-head -- {url} {refspecs...}");
        let output = fetch.env("GIT_TERMINAL_PROMPT", "0").quiet().ignore_status().output().map_err(failed)?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(Error::new(ErrorKind::Task, format!("can't fetch from `{url}`")).because(anyhow::anyhow!(said)))
            }
        }
    }

    fn shell(&self) -> Result<Shell> {
        let shell = Shell::new().map_err(|error| Error::task("can't run commands here").because(error))?;
        shell.change_dir(&self.root);
        Ok(shell)
    }
}

/// Whether `url` is a path that doesn't start at the root: no scheme, and no `host:`.
fn is_relative_path(url: &str) -> bool {
    !url.starts_with('/') && !url.contains(':')
}

/// Each ref with the commit that it means: an annotated tag is peeled.
fn parse_refs(listing: &str) -> Vec<(String, String)> {
    let mut refs: Vec<(String, String)> = Vec::new();
    for (sha, name) in listing.lines().filter_map(|line| line.split_once('\t')) {
        match name.strip_suffix("^{}") {
            Some(tag) => refs.retain(|(known, _)| known != tag),
            None => {}
        }
        refs.push((name.trim_end_matches("^{}").to_owned(), sha.to_owned()));
    }
    refs
}

/// The commit that `name` means among `refs`: a branch before a tag.
fn pick(name: &str, refs: &[(String, String)]) -> Option<Resolved> {
    let find = |full: &str| refs.iter().find(|(reference, _)| reference == full);
    let [branch, tag] = [format!("refs/heads/{name}"), format!("refs/tags/{name}")];
    let full = if name == "HEAD" || name.starts_with("refs/") { find(name) } else { None };
    let (reference, sha) = full.or_else(|| find(&branch)).or_else(|| find(&tag))?;
    let ambiguous = full.is_none() && find(&branch).is_some() && find(&tag).is_some();
    let note = ambiguous
        .then(|| format!("`{name}` is a branch and a tag: the branch is deployed; for the tag say refs/tags/{name}"));
    Some(Resolved { sha: sha.clone(), reference: Some(reference.clone()), note })
}

fn is_commit_name(name: &str) -> bool {
    (7..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unknown_name(name: &str, refs: &[(String, String)]) -> Error {
    let short = |reference: &str| {
        let short = reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix("refs/tags/"));
        short.map(str::to_owned)
    };
    let names: Vec<_> = refs.iter().filter_map(|(reference, _)| short(reference)).collect();
    let error = Error::task(format!("the repository has no branch, tag or commit `{name}`"));
    let error = match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    };
    let more = if names.len() > 12 { ", …" } else { "" };
    error.hint(format!("it has {}{more}; has the branch been pushed?", names[..names.len().min(12)].join(", ")))
}

/// FNV-1a: a short name for a folder, stable over versions of the compiler.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "1111111\tHEAD\n2222222\trefs/heads/main\n3333333\trefs/heads/v1\n\
                           4444444\trefs/tags/v1\n5555555\trefs/tags/v2\n6666666\trefs/tags/v2^{}\n";

    fn sha(name: &str) -> Option<String> {
        pick(name, &parse_refs(LISTING)).map(|resolved| resolved.sha)
    }

    #[test]
    fn names_mean_branches_tags_and_full_refs() {
        assert_eq!(sha("main").as_deref(), Some("2222222"));
        assert_eq!(sha("HEAD").as_deref(), Some("1111111"));
        assert_eq!(sha("refs/tags/v1").as_deref(), Some("4444444"));
        assert_eq!(sha("mian"), None);
    }

    #[test]
    fn an_annotated_tag_means_its_commit() {
        assert_eq!(sha("v2").as_deref(), Some("6666666"));
    }

    #[test]
    fn a_branch_wins_over_a_tag_and_says_so() {
        let resolved = pick("v1", &parse_refs(LISTING)).unwrap();
        assert_eq!(resolved.sha, "3333333");
        assert!(resolved.note.is_some());
    }

    #[test]
    fn an_unknown_name_shows_near_ones() {
        let error = unknown_name("mian", &parse_refs(LISTING)).to_string();
        assert!(error.contains("did you mean `main`?"), "{error}");
    }

    #[test]
    fn only_paths_without_a_root_are_relative() {
        assert!(is_relative_path(".") && is_relative_path("../app"));
        assert!(!is_relative_path("/srv/app.git") && !is_relative_path("git@host:app.git"));
        assert!(!is_relative_path("https://host/app.git"));
    }
}
