use std::path::PathBuf;

use super::*;
use crate::database::manifest::Purpose;

/// A backup of the time `time`; `verified`: with a manifest that fits.
fn backup(time: &str, verified: bool) -> Backup {
    let time: Timestamp = format!("{time}:00Z").parse().unwrap();
    let manifest = verified.then(|| Manifest {
        stage: "qa".into(),
        database: "shop".into(),
        purpose: Purpose::Backup,
        created: time.to_string(),
        by: "ada".into(),
        bytes: 1,
        sha256: String::new(),
        seconds: 1.0,
        server_version: "15.18".into(),
        database_bytes: 1,
        tables: 1,
        revision: None,
        schema: None,
        system: String::new(),
        settings: Vec::new(),
        invalid_indexes: None,
        excluded: Vec::new(),
        warnings: Vec::new(),
    });
    Backup { path: PathBuf::new(), name: time.to_string(), stage: "qa".into(), time, bytes: 1, manifest }
}

fn backups(times: &[&str]) -> Vec<Backup> {
    times.iter().map(|time| backup(time, true)).collect()
}

/// The times of those that go.
fn going(backups: &[Backup], last: usize, daily: usize, weekly: usize) -> Vec<String> {
    let retention = Retention { last, daily, weekly };
    superfluous(backups, retention).into_iter().map(|backup| backup.name[..16].to_owned()).collect()
}

#[test]
fn the_newest_ones_stay() {
    let backups = backups(&["2026-11-22T10:00", "2026-11-22T09:00", "2026-11-22T08:00"]);
    assert_eq!(going(&backups, 2, 0, 0), ["2026-11-22T08:00"]);
}

#[test]
fn of_each_day_the_newest_one_stays() {
    let backups = backups(&["2026-11-22T10:00", "2026-11-22T09:00", "2026-11-21T09:00", "2026-11-20T09:00"]);
    assert_eq!(going(&backups, 1, 2, 0), ["2026-11-22T09:00", "2026-11-20T09:00"]);
}

#[test]
fn days_without_a_backup_do_not_count() {
    let backups = backups(&["2026-11-22T10:00", "2026-10-01T09:00", "2026-09-01T09:00"]);
    assert_eq!(going(&backups, 1, 2, 0), ["2026-09-01T09:00"]);
}

#[test]
fn weeks_begin_on_mondays() {
    // 2026-11-22 is a Sunday.
    let backups = backups(&["2026-11-23T10:00", "2026-11-22T10:00", "2026-11-16T10:00", "2026-11-15T10:00"]);
    assert_eq!(going(&backups, 1, 0, 3), ["2026-11-16T10:00"]);
}

#[test]
fn the_newest_verified_one_always_stays() {
    let backups =
        [backup("2026-11-22T10:00", false), backup("2026-11-21T10:00", false), backup("2026-11-20T10:00", true)];
    assert_eq!(going(&backups, 1, 0, 0), ["2026-11-21T10:00"]);
}

#[test]
fn one_that_is_not_verified_stands_for_no_day() {
    let backups = [backup("2026-11-22T10:00", false), backup("2026-11-22T09:00", true)];
    assert!(going(&backups, 1, 1, 0).is_empty());
}

#[test]
fn names_of_the_future_count_for_nothing_and_stay() {
    let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
    let all = backups(&["2027-01-01T10:00", "2026-03-09T10:00", "2026-03-08T10:00"]);
    let (may_go, staying) = sort_out(all, now);
    let retention = Retention { last: 1, daily: 0, weekly: 0 };
    let names: Vec<_> = superfluous(&may_go, retention).into_iter().map(|backup| backup.name.clone()).collect();
    assert_eq!(names, ["2026-03-08T10:00:00Z"]);
    assert!(staying[0].contains("2027-01-01"), "{staying:?}");
}

#[test]
fn what_has_no_manifest_was_made_by_somebody_else() {
    let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
    let (may_go, staying) = sort_out(vec![backup("2026-03-09T10:00", false)], now);
    assert!(may_go.is_empty() && staying[0].contains("no manifest"), "{staying:?}");
}
