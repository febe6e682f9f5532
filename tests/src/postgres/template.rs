//! The data of a fresh server.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use super::release::Release;
use crate::binary::target_folder;
use crate::sandbox::run_quietly;
use crate::user::User;

/// Makes `data` the data of a fresh server that `user` runs.
///
/// `initdb` takes seconds, so it is done once for each release and kept in the target directory.
pub(super) fn copy(release: &Release, user: Option<&User>, data: &Path) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let template = target_folder().join(format!("e2e/postgresql-{}", release.version()));
    let guard = ONE_AT_A_TIME.lock().expect("unpoisoned");
    if !template.exists() {
        initialise(release, user, data);
        keep(data, &template);
        return;
    }
    drop(guard);
    duplicate(&template, data);
    if let Some(user) = user {
        user.own(data);
    }
}

pub(super) fn initialise(release: &Release, user: Option<&User>, data: &Path) {
    let mut initdb = Command::new(release.program("initdb"));
    initdb.env_clear().env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir(data.parent().expect("it stands in one"));
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
    // Small, so that there is little to copy.
    initdb.arg("--wal-segsize=1").arg("--pgdata").arg(data);
    run_quietly(match user {
        Some(user) => user.command(&initdb),
        None => initdb,
    });
}

/// Another process may have been faster, which is as well.
fn keep(data: &Path, template: &Path) {
    let folder = template.parent().expect("it stands in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    let work = tempfile::tempdir_in(folder).expect("a temporary folder can be made");
    duplicate(data, &work.path().join("data"));
    let _ = fs::rename(work.path().join("data"), template);
}

pub(super) fn duplicate(from: &Path, to: &Path) {
    let mut cp = Command::new("cp");
    cp.args(["--archive", "--reflink=auto", "--no-target-directory"]).arg(from).arg(to);
    run_quietly(cp);
}
