//! The refs of a repository, and which of them a name means.

use super::Resolved;
use super::mirror::Format;
use crate::error::{Error, nearest};

/// The refs of a repository, each with the commit that it means.
#[derive(Debug, Default)]
pub(super) struct Refs(Vec<(String, String)>);

impl Refs {
    /// Reads what `git ls-remote` writes. An annotated tag means the commit that it points to.
    pub(super) fn parse(listing: &str) -> Refs {
        let mut refs: Vec<(String, String)> = Vec::new();
        for (sha, name) in listing.lines().filter_map(|line| line.split_once('\t')) {
            if let Some(tag) = name.strip_suffix("^{}") {
                refs.retain(|(known, _)| known != tag);
            }
            refs.push((name.trim_end_matches("^{}").to_owned(), sha.to_owned()));
        }
        Refs(refs)
    }

    /// What `git ls-remote` has to be asked for to find out what `name` means.
    pub(super) fn wanted(name: &str) -> Vec<String> {
        let full = [
            name.to_owned(),
            format!("refs/heads/{name}"),
            format!("refs/tags/{name}"),
            format!("refs/tags/{name}^{{}}"),
        ];
        full.into_iter().chain([format!("{name}^{{}}")]).collect()
    }

    /// The commit that `name` means: a full ref, else a branch, else a tag.
    pub(super) fn pick(&self, name: &str) -> Option<Resolved> {
        let find = |full: &str| self.0.iter().find(|(reference, _)| reference == full);
        let [branch, tag] = [format!("refs/heads/{name}"), format!("refs/tags/{name}")];
        let full = if name == "HEAD" || name.starts_with("refs/") { find(name) } else { None };
        let (reference, sha) = full.or_else(|| find(&branch)).or_else(|| find(&tag))?;
        let ambiguous = full.is_none() && find(&branch).is_some() && find(&tag).is_some();
        let note = ambiguous.then(|| {
            format!("`{name}` is a branch and a tag: the branch is deployed; for the tag say refs/tags/{name}")
        });
        Some(Resolved { sha: sha.clone(), reference: Some(reference.clone()), note })
    }

    /// How the repository names its objects.
    pub(super) fn format(&self) -> Format {
        self.0.first().map_or(Format::Sha1, |(_, sha)| Format::of(sha))
    }

    /// The error that none of them is `name`.
    pub(super) fn unknown(&self, name: &str) -> Error {
        let short = |reference: &str| -> Option<String> {
            let short = reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix("refs/tags/"));
            short.map(str::to_owned)
        };
        let names: Vec<_> = self.0.iter().filter_map(|(reference, _)| short(reference)).collect();
        let error = Error::task(format!("the repository has no branch, tag or commit `{name}`"));
        // What a clone knows of the repository that it was made of: CI services make nothing else.
        let elsewhere = |reference: &str| {
            let (remote, branch) = reference.strip_prefix("refs/remotes/")?.split_once('/')?;
            (branch == name).then(|| remote.to_owned())
        };
        if let Some(remote) = self.0.iter().find_map(|(reference, _)| elsewhere(reference)) {
            return error
                .hint(format!("it is there as `{remote}/{name}` only: git fetch {remote} {name}:{name}"))
                .hint("or deploy what is checked out there: branch = \"HEAD\"");
        }
        if names.is_empty() && self.0.is_empty() {
            return error.hint("it has no branches at all: push one first");
        }
        if names.is_empty() {
            return error.hint("it has no branches of its own; to deploy what is checked out there: branch = \"HEAD\"");
        }
        let error = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        let more = if names.len() > 12 { ", …" } else { "" };
        error.hint(format!("it has {}{more}; has the branch been pushed?", names[..names.len().min(12)].join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "1111111\tHEAD\n2222222\trefs/heads/main\n3333333\trefs/heads/v1\n\
                           4444444\trefs/tags/v1\n5555555\trefs/tags/v2\n6666666\trefs/tags/v2^{}\n";

    fn sha(name: &str) -> Option<String> {
        Refs::parse(LISTING).pick(name).map(|resolved| resolved.sha)
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
        assert_eq!(sha("refs/tags/v2").as_deref(), Some("6666666"));
    }

    #[test]
    fn a_branch_wins_over_a_tag_and_says_so() {
        let resolved = Refs::parse(LISTING).pick("v1").unwrap();
        assert_eq!(resolved.sha, "3333333");
        assert!(resolved.note.is_some());
    }

    #[test]
    fn an_unknown_name_shows_near_ones() {
        let error = Refs::parse(LISTING).unknown("mian").to_string();
        assert!(error.contains("did you mean `main`?"), "{error}");
        let clone = "1111111\tHEAD\n1111111\trefs/remotes/origin/main\n1111111\trefs/remotes/origin/HEAD\n";
        let error = Refs::parse(clone).unknown("main").to_string();
        assert!(error.contains("git fetch origin main:main") && error.contains("branch = \"HEAD\""), "{error}");
        assert!(!error.contains("push one first"), "{error}");
        let error = Refs::parse(clone).unknown("other").to_string();
        assert!(error.contains("no branches of its own") && error.contains("branch = \"HEAD\""), "{error}");
        let error = Refs::default().unknown("main").to_string();
        assert!(error.contains("push one first"), "{error}");
    }
}
