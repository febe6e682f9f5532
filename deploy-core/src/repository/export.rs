//! A commit's files, on the controller.

use std::fs;
use std::path::Path;
use std::process::Output;

use xshell::cmd;

use super::mirror::Mirror;
use super::{Repository, git};
use crate::error::{Error, Result};

impl Repository {
    /// Makes `folder` hold the files of the commit `sha`, or of its folder `tree`, by `git archive`, as on servers.
    pub(crate) fn export(&self, sha: &str, tree: Option<&str>, folder: &Path) -> Result<()> {
        super::must_be_id(sha)?;
        if !self.mirror()?.has_whole(sha)? {
            let resolved = self.resolve(sha)?;
            self.bring(&resolved, true)?;
        }
        let failed =
            |error| Error::task(format!("can't write `{}`", folder.display())).because(anyhow::Error::from(error));
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(failed)?;
        }
        fs::create_dir_all(folder).map_err(failed)?;
        let packed = tempfile::NamedTempFile::new_in(folder.parent().unwrap_or(folder)).map_err(failed)?;
        unpack(&self.mirror()?, sha, tree, packed.path(), folder)
    }
}

fn unpack(mirror: &Mirror, sha: &str, tree: Option<&str>, packed: &Path, folder: &Path) -> Result<()> {
    let failed =
        |output: Output| Error::task(format!("can't read the files of commit {sha}")).because(git::said(&output));
    let output = format!("--output={}", packed.display());
    let archive = mirror.git(&["archive", "--format=tar", &output, "--", sha]);
    let (archive, depth) = match tree {
        None => (archive, 0),
        Some(path) => {
            let depth = path.split('/').filter(|name| !matches!(*name, "" | ".")).count();
            (archive.arg(path), depth)
        }
    };
    let archived = git::output(&archive.ignore_status())?;
    archived.status.success().then_some(()).ok_or_else(|| failed(archived))?;
    let strip = format!("--strip-components={depth}");
    let extract = cmd!(mirror.shell, "tar -x -f {packed} -C {folder} {strip}").quiet().ignore_status();
    let extracted = extract.output().map_err(|error| Error::task("can't run `tar`").because(error))?;
    extracted.status.success().then_some(()).ok_or_else(|| failed(extracted))
}
