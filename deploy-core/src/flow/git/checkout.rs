//! A commit's files on the controller, for what is built there.

use std::path::Path;

use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::task::Local;

use super::archive::deployed_folder;

/// Makes `folder` hold the files of `commit`, or of its folder `repo_tree`, exactly as a release would: what stood there
/// before is gone, and nothing that isn't committed gets in.
///
/// # Errors
///
/// When the repository can't be read, doesn't have the commit, `folder` can't be written, or a symlink leads the way from
/// the work folder to it elsewhere: a repository may have brought that.
pub fn checkout(local: &Local<'_>, commit: &str, folder: &Path) -> Result<()> {
    must_be_here(&local.config.work_dir, folder)?;
    let settings = &local.stage.settings;
    let repository = Repository::new(&settings.repo_url, &local.config.root, &local.config.work_dir);
    repository.export(commit, deployed_folder(settings), folder)
}

/// Fails where `folder`, or one between it and `work_dir`, is a symlink.
fn must_be_here(work_dir: &Path, folder: &Path) -> Result<()> {
    let between = folder.ancestors().take_while(|way| way.starts_with(work_dir) && *way != work_dir);
    match between.into_iter().find(|way| way.is_symlink()) {
        None => Ok(()),
        Some(link) => {
            Err(Error::task(format!("`{}` is a symlink, and what it leads to would be removed", link.display()))
                .hint(format!("remove the symlink: rm '{}'", link.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_symlink_leads_from_the_work_folder_to_a_checkout() {
        let root = tempfile::tempdir().unwrap();
        let work = root.path().join("target/deploy");
        fs::create_dir_all(&work).unwrap();
        assert!(must_be_here(&work, &work.join("assets/staging")).is_ok());
        symlink(root.path(), work.join("assets")).unwrap();
        let error = must_be_here(&work, &work.join("assets/staging")).unwrap_err();
        assert!(error.message().contains("/target/deploy/assets` is a symlink"), "{error}");
        // Where the user has put the whole of it is the user's business.
        symlink(&work, root.path().join("linked")).unwrap();
        let linked = root.path().join("linked");
        assert!(must_be_here(&linked, &linked.join("other/staging")).is_ok());
    }
}
