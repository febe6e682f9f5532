//! `db:backup:list`: what is kept on this machine.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::{Backup, Store};
use crate::error::Result;
use crate::task::Local;
use crate::task::names::beginning;
use crate::ui::{several, size};

/// Prints the backups of the stage that was asked for; else of all stages.
pub(super) fn list(local: &Local<'_>) -> Result<()> {
    let backups = kept(local)?;
    local.print(&match local.option("json") {
        Some(_) => format!("{:#}\n", Value::from(backups.iter().map(as_json).collect::<Vec<_>>())),
        None => as_text(&backups, Timestamp::now()),
    });
    Ok(())
}

/// The backups in the folders of all stages, the newest first; where a stage was asked for, those of that stage.
pub(super) fn kept(local: &Local<'_>) -> Result<Vec<Backup>> {
    let mut backups = Vec::new();
    for folder in folders(local) {
        backups.extend(Store::new(folder).backups()?);
    }
    if let Some(stage) = local.option("stage") {
        backups.retain(|backup| backup.stage == stage);
    }
    backups.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.name.cmp(&b.name)));
    Ok(backups)
}

/// The folders of backups, each once.
pub(super) fn folders(local: &Local<'_>) -> BTreeSet<PathBuf> {
    local.config.stages.iter().map(|stage| stage.settings.database.backup_dir.clone()).collect()
}

fn as_text(backups: &[Backup], now: Timestamp) -> String {
    if backups.is_empty() {
        return "no backups are kept here; `cargo xtask db backup create --stage STAGE` makes one\n".to_owned();
    }
    let heads = ["BACKUP", "STAGE", "AGE", "SIZE", "REVISION", "STATE"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(heads).chain(backups.iter().map(|backup| row(backup, now))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(backup: &Backup, now: Timestamp) -> [String; 6] {
    let manifest = backup.manifest.as_ref();
    let revision = manifest.and_then(|manifest| manifest.revision.as_ref());
    [
        backup.name.clone(),
        backup.stage.clone(),
        age(now.as_second() - backup.time.as_second()),
        size(backup.bytes),
        revision.map_or("-".to_owned(), |revision| beginning(revision, 10).to_owned()),
        state(backup).to_owned(),
    ]
}

fn state(backup: &Backup) -> &'static str {
    match (&backup.manifest, backup.is_verified()) {
        (None, _) => "unknown",
        (Some(_), true) if !backup.is_whole() => "partial",
        (Some(_), true) => "verified",
        (Some(_), false) => "damaged",
    }
}

fn as_json(backup: &Backup) -> Value {
    json!({
        "file": backup.path, "stage": backup.stage, "created": backup.time.to_string(), "bytes": backup.bytes,
        "state": state(backup), "manifest": backup.manifest,
    })
}

/// How long ago something was: `3 days`.
fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    several(count.unsigned_abs(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_the_unit_that_says_most() {
        let shown = [1, 59, 60, 7200, 172_799, 172_800].map(age);
        assert_eq!(shown, ["1 second", "59 seconds", "1 minute", "2 hours", "47 hours", "2 days"]);
    }

    #[test]
    fn a_revision_that_is_no_commit_is_shown_up_to_a_character() {
        let manifest = serde_json::from_value(json!({
            "stage": "staging", "database": "shop", "purpose": "backup", "created": "2026-11-22T10:15:00Z", "by": "ada",
            "bytes": 1, "sha256": "", "seconds": 1.0, "server_version": "17", "database_bytes": 1, "tables": 1,
            "revision": "revisión-ñ-de-otro", "schema": null,
        }));
        let backup = Backup {
            path: PathBuf::from("x"),
            name: "x".into(),
            stage: "staging".into(),
            time: Timestamp::UNIX_EPOCH,
            bytes: 1,
            manifest: Some(manifest.unwrap()),
        };
        assert!(as_text(&[backup], Timestamp::UNIX_EPOCH).contains(" revisión-ñ  "));
    }

    #[test]
    fn where_nothing_is_kept_it_says_how_to_make_a_backup() {
        assert!(as_text(&[], Timestamp::UNIX_EPOCH).contains("cargo xtask db backup create"));
    }
}
