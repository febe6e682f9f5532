//! `db:backup:prune`: backups that nothing keeps are removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::list;
use super::manifest::Manifest;
use super::store::Backup;
use crate::config::Retention;
use crate::error::{Error, Result};
use crate::task::Local;
use crate::ui::{several, size};

/// By how many seconds a name may be later than now: of two backups in one second, one is called by the next.
const SLACK: i64 = 60;

/// Shows what goes, asks, and removes it.
pub(super) fn prune(local: &Local<'_>) -> Result<()> {
    let mut by_stage: BTreeMap<String, Vec<Backup>> = BTreeMap::new();
    for backup in list::kept(local)? {
        by_stage.entry(backup.stage.clone()).or_default().push(backup);
    }
    let mut going = Vec::new();
    let now = Timestamp::now();
    for (stage, backups) in by_stage {
        let (backups, staying) = sort_out(backups, now);
        staying.into_iter().for_each(|why| local.note(why));
        match retention(local, &stage) {
            Some(retention) => going.extend(superfluous(&backups, retention).into_iter().cloned()),
            None => local.note(format!("no stage is called `{stage}` any more: its backups stay")),
        }
    }
    if going.is_empty() {
        local.note("every backup is kept by `keep_last`, `keep_daily` or `keep_weekly`");
        return Ok(());
    }
    for backup in &going {
        local.note(format!("goes: {} ({})", backup.name, size(backup.bytes)));
    }
    match local.confirm(&format!("Remove {}?", several(going.len() as u64, "backup"))) {
        Some(true) => {}
        Some(false) => return Err(Error::task("nothing was removed: the answer was no")),
        None => return Err(Error::usage("nobody is there to say whether backups may be removed").hint("add --yes")),
    }
    for backup in &going {
        let failed = |error| {
            Error::task(format!("failed to remove `{}`", backup.path.display())).because(anyhow::Error::from(error))
        };
        fs::remove_file(&backup.path).map_err(failed)?;
        let _ = fs::remove_file(Manifest::path_of(&backup.path));
    }
    let bytes = going.iter().map(|backup| backup.bytes).sum();
    local.note(format!("removed {}, {}", several(going.len() as u64, "backup"), size(bytes)));
    Ok(())
}

/// The backups that may go, and why others stay: what this tool didn't make, and what a clock that was ahead gave a name of
/// the future, which would stand for the newest one.
fn sort_out(backups: Vec<Backup>, now: Timestamp) -> (Vec<Backup>, Vec<String>) {
    let mut staying = Vec::new();
    let mut may_go = Vec::new();
    for backup in backups {
        let is_later = backup.time.as_second() > now.as_second() + SLACK;
        match (is_later, &backup.manifest) {
            (true, _) => {
                staying.push(format!("stays: {}, whose name is of the future, and counts for nothing", backup.name))
            }
            (false, None) => staying.push(format!("stays: {}, which has no manifest: who made it?", backup.name)),
            (false, Some(_)) => may_go.push(backup),
        }
    }
    (may_go, staying)
}

fn retention(local: &Local<'_>, stage: &str) -> Option<Retention> {
    local.config.stages.iter().find(|known| known.name == stage).map(|stage| stage.settings.database.retention)
}

/// Which of a stage's backups, the newest first, nothing keeps. The newest one that is verified always stays, and where
/// something was left out of that, the newest one that is whole.
fn superfluous(backups: &[Backup], retention: Retention) -> Vec<&Backup> {
    let mut kept: BTreeSet<&str> = backups.iter().take(retention.last).map(|backup| &*backup.name).collect();
    let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date().to_string();
    let week = |time: Timestamp| {
        let week = time.to_zoned(TimeZone::UTC).date().iso_week_date();
        format!("{}-{}", week.year(), week.week())
    };
    for counts in [Backup::is_verified, Backup::is_whole] {
        kept.extend(newest_of_each(backups, retention.daily, counts, day));
        kept.extend(newest_of_each(backups, retention.weekly, counts, week));
        kept.extend(backups.iter().find(|backup| counts(backup)).map(|backup| &*backup.name));
    }
    backups.iter().filter(|backup| !kept.contains(&*backup.name)).collect()
}

/// The newest backup that counts of each of the last `count` periods that have any.
fn newest_of_each(
    backups: &[Backup],
    count: usize,
    counts: fn(&Backup) -> bool,
    period: impl Fn(Timestamp) -> String,
) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let counting = backups.iter().filter(|backup| counts(backup));
    counting.filter(|backup| seen.insert(period(backup.time))).take(count).map(|backup| &*backup.name).collect()
}

#[cfg(test)]
#[path = "prune_tests.rs"]
mod tests;
