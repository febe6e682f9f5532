//! A commit's files on the controller, for what is built there.

use std::path::Path;

use crate::error::Result;
use crate::repository::Repository;
use crate::task::Local;

use super::archive::deployed_folder;

/// Makes `folder` hold the files of `commit`, or of its folder `repo_tree`, exactly as a release would: what stood there
/// before is gone, and nothing that isn't committed gets in.
///
/// # Errors
///
/// When the repository can't be read, doesn't have the commit, or `folder` can't be written.
pub fn checkout(local: &Local<'_>, commit: &str, folder: &Path) -> Result<()> {
    let settings = &local.stage.settings;
    let repository = Repository::new(&settings.repo_url, &local.config.root, &local.config.work_dir);
    repository.export(commit, deployed_folder(settings), folder)
}
