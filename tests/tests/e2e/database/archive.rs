//! The backups that are kept: listed, verified, thrown away.

use std::fs;
use std::path::Path;

use e2e::postgres::rows;
use serde_json::Value;

use super::scene::{NONE, Shop};

/// Copies a backup as if it had been made at another time.
fn backdate(dump: &Path, stamp: &str, stage: &str) {
    let folder = dump.parent().unwrap();
    let name = format!("{stamp}.{stage}.pgdump");
    fs::copy(dump, folder.join(&name)).unwrap();
    let manifest = fs::read_to_string(dump.with_extension("pgdump.json")).unwrap();
    fs::write(folder.join(format!("{name}.json")), manifest).unwrap();
}

#[test]
fn backups_are_listed_with_what_is_known_of_them() {
    let shop = Shop::new(&["production", "dev"]);
    shop.project.xtask("db backup list").success();
    shop.project.xtask("deploy production").success();
    let production = shop.back_up("production");
    let dev = shop.back_up("dev");
    fs::write(&dev, "cut off").unwrap();
    fs::write(shop.folder().join("notes.txt"), "not a backup").unwrap();
    let output = shop.project.xtask("db backup list").success();
    let head = &shop.project.repo.head()[..7];
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let line = |name: &str| {
        let line = output.stdout().lines().find(|line| line.contains(name));
        line.unwrap_or_else(|| panic!("`{name}` is not listed:\n{output}")).to_owned()
    };
    assert!(line(&name(&production)).contains(head), "{output}");
    assert_ne!(line(&name(&dev)), "");
    assert!(!output.stdout().contains("notes.txt"), "{output}");
    assert_eq!(shop.project.server("production1").sshd.log().matches("db backup list").count(), 0);
}

#[test]
fn the_list_is_json_too() {
    let shop = Shop::new(&["dev"]);
    let dump = shop.back_up("dev");
    let output = shop.project.xtask("db backup list --json").success();
    let name = dump.file_name().unwrap().to_str().unwrap();
    let list: Value = serde_json::from_str(output.stdout()).unwrap();
    let [entry] = &list.as_array().expect("a list")[..] else { panic!("one backup: {list}") };
    assert!(entry["file"].as_str().unwrap().ends_with(name), "{entry}");
    assert_eq!(entry["stage"], "dev");
    assert_eq!(entry["bytes"], fs::metadata(&dump).unwrap().len());
    assert_eq!(entry["manifest"]["database"], "shop_dev");
}

#[test]
fn a_backup_is_verified_without_and_with_a_database() {
    let mut shop = Shop::new(&["production", "dev"]);
    shop.fill("production", rows() / 10);
    let dump = shop.back_up("production");
    let before = shop.before("dev");
    let file = dump.to_str().unwrap();
    shop.project.xtask_with(&["db", "backup", "verify", "--file", file]).success();
    let deep = ["db", "backup", "verify", "--deep", "--file", file, "--stage", "dev"];
    shop.project.xtask_with(&deep).fails_with(2).says("protected stage `production`").says("--yes");
    let output = shop.project.xtask_with(&[&deep[..], &["--yes"]].concat()).success();
    let people =
        output.to_string().lines().any(|line| line.contains("people") && line.contains(&(rows() / 10).to_string()));
    assert!(people, "the rows of each table are counted:\n{output}");
    shop.is_as("dev", &before).unwrap();
    shop.cluster_mut("production").stop();
    shop.project.xtask("db backup verify").success();
}

/// One byte changed, and the manifest made to fit: only loading it shows.
#[test]
fn a_deep_verification_finds_what_a_checksum_can_not() {
    let shop = Shop::new(&["production", "dev"]);
    shop.fill("production", 500);
    let dump = shop.back_up("production");
    fs::remove_file(dump.with_extension("pgdump.json")).unwrap();
    let mut bytes = fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16].fill(0x55);
    fs::write(&dump, bytes).unwrap();
    let before = shop.before("dev");
    let deep = ["db", "backup", "verify", "--deep", "--file", dump.to_str().unwrap(), "--stage", "dev"];
    let _ = shop.project.xtask_with(&deep).fails_with(1);
    shop.is_as("dev", &before).unwrap();
}

/// Backups on mornings of January 2026, of two weeks and a day.
const STAMPS: [&str; 9] = [
    "20260101-100000",
    "20260101-110000",
    "20260102-100000",
    "20260103-100000",
    "20260104-100000",
    "20260105-100000",
    "20260112-100000",
    "20260113-100000",
    "20260114-100000",
];

#[test]
fn old_backups_go_by_days_and_weeks_for_each_stage() {
    let mut shop = Shop::new(&["dev", "staging"]);
    let dump = shop.back_up("dev");
    for stamp in STAMPS {
        backdate(&dump, stamp, "dev");
        backdate(&dump, stamp, "staging");
    }
    fs::remove_file(&dump).unwrap();
    fs::remove_file(dump.with_extension("pgdump.json")).unwrap();
    shop.project.tables("[database]\nkeep_last = 2\nkeep_daily = 3\nkeep_weekly = 3");
    let before = shop.backups();
    let _ = shop.project.xtask("db backup prune").fails().says("--yes");
    shop.project.xtask("db backup prune --dry-run").success();
    assert_eq!(shop.backups(), before);
    shop.project.xtask("db backup prune --yes").success().says("20260101-100000.dev.pgdump");
    // The last two, those of the last three days, and the last ones of three weeks.
    let kept = ["20260104-100000", "20260105-100000", "20260112-100000", "20260113-100000", "20260114-100000"];
    let expected: Vec<String> =
        kept.iter().flat_map(|stamp| ["dev", "staging"].map(|stage| format!("{stamp}.{stage}.pgdump"))).collect();
    assert_eq!(shop.backups(), expected);
    let manifests = fs::read_dir(shop.folder()).unwrap().flatten();
    let manifests = manifests.filter(|entry| entry.file_name().to_string_lossy().ends_with(".json")).count();
    assert_eq!(manifests, expected.len(), "each manifest goes with its dump");
}

#[test]
fn the_newest_backup_that_is_verified_is_never_thrown_away() {
    let mut shop = Shop::new(&["dev"]);
    let dump = shop.back_up("dev");
    let newer = shop.folder().join("20991231-100000.dev.pgdump");
    fs::write(&newer, "nobody knows what this is").unwrap();
    shop.project.tables("[database]\nkeep_last = 1\nkeep_daily = 0\nkeep_weekly = 0");
    shop.project.xtask("db backup prune --yes").success();
    assert!(dump.exists(), "{:?}", shop.backups());
}

#[test]
fn nothing_to_prune_is_no_failure() {
    let mut shop = Shop::new(&["dev"]);
    shop.project.tables("[database]\nkeep_last = 1");
    shop.project.xtask("db backup prune --yes").success();
    assert_eq!(shop.backups(), NONE);
}
