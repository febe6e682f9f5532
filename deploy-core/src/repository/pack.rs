//! Packs of what a server's mirror lacks.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use xshell::cmd;

use super::mirror::Mirror;
use super::{git, hash};
use crate::error::{Error, Result};
use crate::task::Payload;

/// How long a pack is kept: several servers, and several runs, may lack the same objects.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The pack of the objects that a mirror with the commits `known` lacks for `sha`. It is thin: what it has may be
/// written as the difference from what the other side has, so that a small change in a large folder stays small.
///
/// With `shallow` it has the commit without its history, whether the other side has any history or not.
pub(super) fn pack(mirror: &Mirror, packs: &Path, sha: &str, known: &[String], shallow: bool) -> Result<Payload> {
    let failed = |error| Error::task("can't make a pack of what servers lack").because(anyhow::Error::from(error));
    let revisions = revisions(sha, known, shallow);
    let file = packs.join(format!("{sha}-{:016x}.pack", hash(&revisions)));
    if !file.exists() {
        fs::create_dir_all(packs).map_err(failed)?;
        remove_old(packs);
        write(mirror, &revisions, shallow, packs, &file)?;
    }
    let bytes = fs::metadata(&file).map_err(failed)?.len();
    Ok(Payload { file, bytes })
}

/// The pack of all objects of `sha`, for a mirror that has none, in an archive with its index: computing it means looking at
/// each object, which one machine can do for all. Git compares the checksums of both when it opens them.
pub(super) fn indexed(mirror: &Mirror, packs: &Path, sha: &str, shallow: bool) -> Result<Payload> {
    let failed = |error| Error::task("can't make a pack of what servers lack").because(anyhow::Error::from(error));
    let revisions = revisions(sha, &[], shallow);
    let file = packs.join(format!("{sha}-{:016x}.tar", hash(&revisions)));
    if !file.exists() {
        fs::create_dir_all(packs).map_err(failed)?;
        remove_old(packs);
        let folder = tempfile::tempdir_in(packs).map_err(failed)?;
        let base = folder.path().join("pack");
        let base = base.to_string_lossy();
        let args = ["pack-objects", "--revs", "--delta-base-offset", "-q"].into_iter();
        let args = args.chain(shallow.then_some("--shallow")).chain([&*base]);
        pack_objects(mirror, &args.collect::<Vec<_>>(), &revisions, Stdio::piped())?;
        archive(mirror, folder.path(), &file)?;
    }
    let bytes = fs::metadata(&file).map_err(failed)?.len();
    Ok(Payload { file, bytes })
}

/// Makes an archive of the pack in `folder` and of its index.
fn archive(mirror: &Mirror, folder: &Path, file: &Path) -> Result<()> {
    let failed = |error: anyhow::Error| Error::task("can't make an archive of a pack").because(error);
    let names = fs::read_dir(folder).map_err(|error| failed(error.into()))?.flatten().map(|entry| entry.file_name());
    let is_wanted = |name: &OsString| [".pack", ".idx"].iter().any(|end| name.to_string_lossy().ends_with(end));
    let names: Vec<_> = names.filter(is_wanted).collect();
    let made = folder.join("archive");
    let tar = cmd!(mirror.shell, "tar -c -f {made} -C {folder} -- {names...}").quiet().ignore_status();
    let output = tar.output().map_err(|error| Error::task("can't run `tar`").because(error))?;
    output.status.success().then_some(()).ok_or_else(|| failed(git::said(&output)))?;
    fs::rename(&made, file).map_err(|error| failed(error.into()))
}

/// What `git pack-objects --revs` reads.
fn revisions(sha: &str, known: &[String], shallow: bool) -> String {
    let mut lines = Vec::new();
    if shallow {
        lines.extend(known.iter().map(String::as_str).chain([sha]).map(|commit| format!("--shallow {commit}\n")));
    }
    lines.push(format!("{sha}\n"));
    lines.extend(known.iter().map(|commit| format!("^{commit}\n")));
    lines.concat()
}

fn write(mirror: &Mirror, revisions: &str, shallow: bool, packs: &Path, file: &Path) -> Result<()> {
    let failed = |error: anyhow::Error| Error::task("can't make a pack of what servers lack").because(error);
    let io = |error: std::io::Error| failed(error.into());
    let mut args = vec!["pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q"];
    args.extend(shallow.then_some("--shallow"));
    let temporary = tempfile::NamedTempFile::new_in(packs).map_err(io)?;
    let output = Stdio::from(File::create(temporary.path()).map_err(io)?);
    pack_objects(mirror, &args, revisions, output)?;
    temporary.persist(file).map(drop).map_err(|error| failed(error.into()))
}

/// Runs `git pack-objects`; a mirror from which it can't make a pack is removed.
fn pack_objects(mirror: &Mirror, args: &[&str], revisions: &str, output: Stdio) -> Result<()> {
    let failed = |error: anyhow::Error| Error::task("can't make a pack of what servers lack").because(error);
    let io = |error: std::io::Error| failed(error.into());
    let mut input = tempfile::tempfile().map_err(io)?;
    input.write_all(revisions.as_bytes()).and_then(|()| input.rewind()).map_err(io)?;
    let output = Command::from(mirror.git(args)).stdin(Stdio::from(input)).stdout(output).output().map_err(io)?;
    if !output.status.success() {
        mirror.remove()?;
        return Err(
            failed(git::said(&output)).hint("the controller's mirror was damaged, and is removed: deploy again")
        );
    }
    Ok(())
}

/// Removes packs that nobody will ask for any more. Failing that, the disk is a little fuller.
fn remove_old(packs: &Path) {
    let is_old = |path: &Path| -> std::io::Result<bool> {
        let made = fs::metadata(path)?.modified()?;
        Ok(SystemTime::now().duration_since(made).is_ok_and(|age| age > KEPT))
    };
    for entry in fs::read_dir(packs).into_iter().flatten().flatten() {
        if is_old(&entry.path()).unwrap_or(false) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
