//! Backups: what is in them, what is beside them, what is none.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use e2e::postgres::{Cluster, compare, fill_with_bulk, rows};
use regex::Regex;
use serde_json::Value;

use super::scene::{NONE, Shop, list, name, printed_dump};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Loads a dump by PostgreSQL's own program into a database called `copy`.
pub(super) fn load(cluster: &Cluster, dump: &Path) {
    cluster.psql("postgres", "create database copy template template0");
    let mut restore = Command::new(cluster.release().program("pg_restore"));
    restore.args(["--no-owner", "--no-acl", "--exit-on-error", "-U", "postgres", "-d", "copy", "-h"]);
    restore.arg(cluster.socket_dir()).args(["-p", &cluster.port().to_string()]).arg(dump);
    let output = restore.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_backup_is_what_pg_restore_reads_and_has_everything() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", rows());
    let before = shop.before("production");
    let dump = shop.back_up("production");
    load(shop.cluster("staging"), &dump);
    assert_eq!(compare(shop.cluster("production"), &name("production"), shop.cluster("staging"), "copy"), NONE);
    shop.is_as("production", &before).unwrap();
}

#[test]
fn the_name_of_the_backup_is_all_that_standard_output_has() {
    let shop = Shop::new(&["production"]);
    let output = shop.project.xtask("db backup create --stage production").success();
    assert_eq!(output.stdout().lines().count(), 1, "{output}");
    let dump = printed_dump(&shop, &output);
    let file = dump.file_name().unwrap().to_str().unwrap();
    assert!(Regex::new(r"^20\d{6}-\d{6}\.production\.pgdump$").unwrap().is_match(file), "{file}");
    assert_eq!(shop.backups(), [file]);
}

#[test]
fn backups_are_for_their_owner_alone_and_not_for_git() {
    let shop = Shop::new(&["production"]);
    let dump = shop.back_up("production");
    let manifest = dump.with_extension("pgdump.json");
    assert_eq!((mode(&shop.folder()), mode(&dump), mode(&manifest)), (0o700, 0o600, 0o600));
    let git = |arguments: &[&str]| {
        let mut git = shop.project.sandbox.command("git");
        git.args(arguments).current_dir(shop.project.folder());
        shop.project.sandbox.run(git).success()
    };
    let _ = git(&["init", "--quiet"]);
    assert!(!git(&["status", "--porcelain", "--untracked-files=all"]).stdout().contains("backups/2"));
}

#[test]
fn the_manifest_tells_what_was_backed_up() {
    let shop = Shop::new(&["production"]);
    shop.fill("production", 200);
    shop.project.xtask("deploy production").success();
    let dump = shop.back_up("production");
    let text = fs::read_to_string(dump.with_extension("pgdump.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["stage"], "production");
    assert_eq!(manifest["database"], "shop_production");
    assert_eq!(manifest["bytes"], fs::metadata(&dump).unwrap().len());
    assert_eq!(manifest["revision"], shop.project.repo.head());
    assert!(manifest["server_version"].as_str().unwrap().contains(shop.cluster("production").release().version()));
    assert!(manifest["schema"].to_string().contains("20261231235959"), "{text}");
    let mut sum = Command::new("sha256sum");
    let sum = String::from_utf8(sum.arg(&dump).output().unwrap().stdout).unwrap();
    assert_eq!(manifest["sha256"], sum.split(' ').next().unwrap());
    assert!(!text.contains(&shop.secret()), "{text}");
}

#[test]
fn the_stage_is_dev_unless_another_is_named() {
    let shop = Shop::new(&["dev"]);
    shop.fill("dev", 100);
    let before = shop.before("dev");
    let output = shop.project.xtask("db backup create").success();
    let dump = printed_dump(&shop, &output);
    assert!(dump.to_str().unwrap().ends_with(".dev.pgdump"));
    load(shop.cluster("dev"), &dump);
    assert_eq!(compare(shop.cluster("dev"), "shop_dev", shop.cluster("dev"), "copy"), NONE);
    shop.cluster("dev").psql("postgres", "drop database copy");
    shop.is_as("dev", &before).unwrap();
}

#[test]
fn backups_can_be_kept_elsewhere() {
    let mut shop = Shop::new(&["production"]);
    let elsewhere = shop.project.sandbox.join("elsewhere/and deeper");
    shop.project.tables(&format!("[database]\nbackup_dir = {elsewhere:?}"));
    shop.project.xtask("db backup create --stage production").success();
    let names = list(&elsewhere);
    assert!(names.iter().any(|name| name.ends_with(".production.pgdump")), "{names:?}");
    assert_eq!(mode(&elsewhere), 0o700);
    assert!(!shop.folder().exists());
}

#[test]
fn two_backups_in_one_second_have_two_names() {
    let shop = Shop::new(&["dev"]);
    let runs: Vec<_> = (0..3).map(|_| shop.project.start("db backup create")).collect();
    for run in runs {
        let _ = run.wait().success();
    }
    assert_eq!(shop.backups().len(), 3, "{:?}", list(&shop.folder()));
}

/// What a broken `pg_dump` does, and a word that the message has.
const BROKEN: [(&str, &str); 5] = [
    ("\"$real\" \"$@\" | head -c 60000; exit 1", "pg_dump"),
    ("\"$real\" \"$@\"; exit 1", "pg_dump"),
    ("\"$real\" \"$@\" | head -c 60000", "pg_dump"),
    ("\"$real\" \"$@\" | head -c 60000; kill -KILL $$", "KILL"),
    ("case \"$*\" in *--version*) exec \"$real\" \"$@\" ;; esac; echo 'out of luck' >&2; exit 1", "out of luck"),
];

#[test]
fn a_dump_that_failed_or_was_cut_off_is_no_backup() {
    let mut shop = Shop::new(&["production"]);
    shop.fill("production", 2000);
    let before = shop.before("production");
    let tools = shop.tools("production");
    for (script, word) in BROKEN {
        tools.replace("pg_dump", script);
        shop.project.xtask("db backup create --stage production").fails().says(word);
        let left: Vec<_> = list(&shop.folder()).into_iter().filter(|name| name != ".gitignore").collect();
        assert_eq!(left, NONE, "{script}");
        shop.is_as("production", &before).unwrap();
    }
}

#[test]
fn events_of_a_backup_are_json() {
    let shop = Shop::new(&["production"]);
    fill_with_bulk(shop.cluster("production"), &name("production"), shop.role("production"), 8);
    let events = shop.project.xtask("db backup create --stage production --format json").success().json();
    assert_eq!(events.first().unwrap()["type"], "started");
    let finished = events.last().unwrap();
    assert_eq!(finished["type"], "finished");
    assert!(events.iter().any(|event| event.to_string().contains(&shop.backups()[0])), "{events:#?}");
}

#[test]
fn a_dry_run_and_a_plan_make_no_backup() {
    let shop = Shop::new(&["production"]);
    for option in ["--dry-run", "--plan"] {
        shop.project.xtask(&format!("db backup create --stage production {option}")).success().says_not(&shop.secret());
    }
    assert_eq!(shop.backups(), NONE);
    assert_eq!(shop.project.server("production1").sshd.connections(), 0);
}

/// A pipe can't be gone back in, a file can: `pg_dump` then says where each table's data begins, which `pg_restore` finds
/// the large tables by.
#[test]
fn a_backup_is_byte_for_byte_what_pg_dump_writes_to_a_file() {
    let shop = Shop::new(&["production"]);
    shop.fill("production", 500);
    let dump = fs::read(shop.back_up("production")).unwrap();
    let (cluster, file) = (shop.cluster("production"), shop.project.sandbox.join("by hand.dump"));
    let mut pg_dump = Command::new(cluster.release().program("pg_dump"));
    pg_dump.args(["-Fc", "-Z0", "-U", "postgres", "-d", &name("production"), "-h"]).arg(cluster.socket_dir());
    assert!(pg_dump.args(["-p", &cluster.port().to_string(), "-f"]).arg(&file).status().unwrap().success());
    let by_hand = fs::read(&file).unwrap();
    assert_eq!(dump.len(), by_hand.len());
    let differ: Vec<_> = (0..dump.len()).filter(|at| dump[*at] != by_hand[*at]).collect();
    // The first lines have the time.
    assert!(differ.iter().all(|at| *at < 64), "{differ:?}");
}

/// What `~/.bashrc` prints without a terminal stands in no dump.
#[test]
fn what_rc_files_print_is_no_part_of_a_dump() {
    let mut shop = Shop::new(&["staging"]);
    shop.fill("staging", 10);
    let noisy = r#"ForceCommand printf 'Welcome to \033[1mshop\n\nPGDMP'; exec sh -c "$SSH_ORIGINAL_COMMAND""#;
    shop.project.server_mut("staging1").sshd.set_option(noisy);
    let output = shop.project.xtask("db backup create --stage staging").success();
    shop.project.xtask("db backup verify --deep --stage staging").success();
    output.says("a file such as ~/.bashrc on the server prints `Welcome to \\u{1b}[1mshop` before every command");
}
