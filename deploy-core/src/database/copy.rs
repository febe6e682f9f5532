//! `db:restore_from_prod`: production's data comes home.

use std::path::PathBuf;

use super::backup;
use super::consent::{self, Replacing};
use super::dump::Dump;
use super::manifest::{Manifest, Purpose};
use super::restore::{self, Restore};
use super::sanitise::{self, Origin};
use super::shield::Shield;
use super::site::{Site, database_of};
use crate::error::{Error, Result};
use crate::task::Local;
use crate::ui::{several, size};

/// Backs the source up, and restores it to the run's stage; or only that, from a backup that is here already.
pub(super) fn restore_from_prod(local: &Local<'_>) -> Result<()> {
    consent::must_be_meant(local)?;
    let keep = keep(local)?;
    let Some(file) = local.option("file") else { return from_source(local, keep) };
    let target = Site::open(local, local.stage)?;
    let dump = Dump::open(&super::find_backup(local, file)?, &*target.adapter)?;
    restore::replace(local, &target, &dump, &again(&target, file))?;
    tell_pending(local, &target)
}

/// The code of the stage may be ahead of the data that came.
fn tell_pending(local: &Local<'_>, target: &Site<'_>) -> Result<()> {
    let folders = if target.is_local() {
        vec![target.layout().current(), local.config.root.display().to_string()]
    } else {
        vec![target.layout().current()]
    };
    let found = target.run(vec![target.adapter.pending(&folders).into()], &mut |_, _| {})?;
    let pending = found.get("pending").and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    if pending > 0 {
        local.note(format!(
            "{} of the code there didn't run in this data yet: cargo xtask deploy migrate {}",
            several(pending, "migration"),
            target.stage.name
        ));
    }
    Ok(())
}

fn from_source(local: &Local<'_>, keep: bool) -> Result<()> {
    let name = &database_of(local.stage)?.source;
    let stage = local.config.stage(name).map_err(|error| {
        error.hint(
            "the stage whose data is copied is `[database] source`, and `production` where nothing says otherwise",
        )
    })?;
    if stage.name == local.stage.name {
        return Err(Error::usage(format!("the data of stage `{name}` would be copied to itself"))
            .hint("name another stage: --stage staging")
            .hint(format!(
                "to go back to an earlier backup: cargo xtask db backup restore --stage {name} --file FILE"
            )));
    }
    let source = Site::open(local, stage)?;
    let target = Site::open(local, local.stage)?;
    must_differ(&source, &target)?;
    target.must_take_writes()?;
    let shield = Shield::of(local, &target, Some(name))?;
    let sanitising = sanitise::decide(local, &target, &Origin::of(name, &target), &shield)?;
    let exclude = source.config.exclude.and(&target.config.exclude);
    let about = source.survey.size.map_or("which doesn't exist".to_owned(), size);
    let text = format!("stage `{name}`, {about} in {}\n{}", several(source.survey.tables, "table"), source.describe());
    let sets = restore::setting(&target, name, &source.survey.settings);
    let changes = restore::lacking(&exclude.words()).into_iter().chain(sets).chain(sanitising.lines).collect();
    consent::ask(local, shield, &Replacing { site: &target, source: text, changes })?;
    let (path, checked) = backup::create(local, &source, Purpose::Copy, &exclude)?;
    let kept = Kept { path: (!keep).then(|| path.clone()) };
    let dump = Dump::open(&path, &*target.adapter)?;
    let restore = Restore::of_whole(local, &target, &dump, checked)?.and_run(sanitising.texts);
    let again = format!("{}{}", again(&target, &dump.name()), sanitise::spelled(local));
    if keep { restore.again(again) } else { restore }.run()?;
    drop(kept);
    tell_pending(local, &target)
}

/// The command that goes on from the dump `file`.
fn again(target: &Site<'_>, file: &str) -> String {
    format!("cargo xtask db restore-from-prod --stage {} --file {file}", target.stage.name)
}

/// Whether the dump stays here: as the user says, else unless it has to be sanitised.
fn keep(local: &Local<'_>) -> Result<bool> {
    match (local.option("keep").is_some(), local.option("no-keep").is_some()) {
        (true, true) => Err(Error::usage("--keep and --no-keep contradict each other")),
        (false, false) => Ok(!database_of(local.stage)?.require_sanitize),
        (keep, _) => Ok(keep),
    }
}

/// A stage whose configuration leads to the source's own database by mistake is found out here.
fn must_differ(source: &Site<'_>, target: &Site<'_>) -> Result<()> {
    match (&source.survey.identity, &target.survey.identity) {
        (Some(one), Some(other)) if target.survey.size.is_some() && one.is_same(other) => {
            let (from, to) = (&source.stage.name, &target.stage.name);
            Err(Error::config(format!(
                "stages `{from}` and `{to}` have one and the same database: {}",
                target.describe()
            ))
            .hint(format!("give stage `{to}` a database of its own: [stages.{to}.database]")))
        }
        _ => Ok(()),
    }
}

/// A dump that is removed when the copy is over, however it ends.
struct Kept {
    path: Option<PathBuf>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
            let _ = std::fs::remove_file(Manifest::path_of(path));
        }
    }
}
