//! Symlinks in what was built here.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use deploy_core::error::Error;

/// Fails where the way from `root` to its folder `name`, or a symlink in that, leads out of it: what is sent would be
/// somebody else's files, or a link to them.
pub(crate) fn must_stay_inside(root: &Path, name: &str) -> anyhow::Result<()> {
    let folder = root.join(name);
    let way = folder.ancestors().take_while(|way| *way != root);
    let found = way.into_iter().find(|way| way.is_symlink()).map(Path::to_owned);
    match found.map_or_else(|| leads_out(&folder, &folder), |link| Ok(Some(link)))? {
        None => Ok(()),
        Some(link) => {
            let target = fs::read_link(&link).unwrap_or_default();
            let shown = link.strip_prefix(root).unwrap_or(&link).display();
            Err(Error::task(format!("`{shown}` is a symlink to `{}`, out of what is sent", target.display()))
                .hint("have the build copy the files, or take the symlink out of the repository")
                .into())
        }
    }
}

/// A symlink below `folder` that leads out of `root`.
fn leads_out(root: &Path, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
    for entry in entries {
        let entry = entry.with_context(|| format!("can't read `{}`", folder.display()))?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_symlink() && !stays(root, folder, &fs::read_link(&path)?) {
            return Ok(Some(path));
        }
        if kind.is_dir()
            && let Some(link) = leads_out(root, &path)?
        {
            return Ok(Some(link));
        }
    }
    Ok(None)
}

/// Whether a link in `folder` to `target` stays below `root`, by its text.
fn stays(root: &Path, folder: &Path, target: &Path) -> bool {
    let mut depth = folder.strip_prefix(root).map_or(0, |below| below.components().count());
    target.components().all(|part| match part {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::ParentDir if depth > 0 => {
            depth -= 1;
            true
        }
        Component::CurDir => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Whether a build with this link is refused.
    fn is_refused(link: &str, target: &str) -> bool {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("public/assets/img")).unwrap();
        fs::create_dir_all(root.path().join("secret/assets")).unwrap();
        let link = root.path().join(link);
        let _ = fs::remove_dir_all(&link);
        symlink(target, link).unwrap();
        must_stay_inside(root.path(), "public/assets").is_err()
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        for (link, target) in [
            ("public", "secret"),
            ("public/assets", "../secret"),
            ("public/assets/a", "/etc"),
            ("public/assets/a", "../a"),
            ("public/assets/img/a", "../../index.html"),
            ("public/assets/a", "img/../../x"),
        ] {
            assert!(is_refused(link, target), "{link} -> {target}");
        }
    }

    #[test]
    fn links_that_stay_are_sent() {
        for (link, target) in [("public/assets/a", "img"), ("public/assets/img/a", "../b"), ("secret/x", "/etc")] {
            assert!(!is_refused(link, target), "{link} -> {target}");
        }
    }
}
