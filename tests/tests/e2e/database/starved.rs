//! Disks that are full.

use std::process::Command;

use e2e::Mount;
use e2e::postgres::fill_with_bulk;

use super::scene::{NONE, Shop, list, name};

/// Moves the databases of a stage's server to a file system of `size`; its write-ahead log stays where it is.
fn squeeze(shop: &mut Shop, stage: &str, size: &str) -> Option<Mount> {
    let base = shop.cluster(stage).data_dir().join("base");
    let aside = shop.project.sandbox.join("base");
    shop.cluster_mut(stage).stop();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let mut cp = Command::new("cp");
        cp.arg("--archive").arg(format!("{}/.", from.display())).arg(to);
        assert!(cp.status().expect("cp runs").success());
    };
    std::fs::create_dir(&aside).expect("a folder can be made");
    copy(&base, &aside);
    let mount = Mount::tmpfs(&base, size);
    if mount.is_some() {
        copy(&aside, &base);
        shop.cluster(stage).own(&base);
    }
    shop.cluster_mut(stage).restart();
    mount
}

#[test]
fn a_database_servers_full_disk_leaves_the_live_database() {
    let mut shop = Shop::new(&["production", "staging"]);
    let production = (shop.cluster("production"), name("production"));
    fill_with_bulk(production.0, &production.1, shop.role("production"), 40);
    shop.mark("staging");
    let dump = shop.back_up("production");
    let Some(_mount) = squeeze(&mut shop, "staging", "size=64m") else { return };
    let before = shop.before("staging");
    shop.restore(&dump, "staging").fails_with(1).says("No space left on device");
    shop.is_as("staging", &before).unwrap();
    // Who may see where the data is sees that before anything is sent.
    shop.cluster("staging").psql("postgres", "grant pg_read_all_settings to staging_app");
    shop.restore(&dump, "staging")
        .fails_with(1)
        .says("doesn't fit the disk of the database server")
        .says("keep_replaced");
    shop.is_as("staging", &before).unwrap();
    let small = "create table small (id int); insert into small values (1); drop table small";
    shop.own("staging", small);
}

#[test]
fn a_full_disk_here_is_no_backup() {
    let mut shop = Shop::new(&["production"]);
    fill_with_bulk(shop.cluster("production"), &name("production"), shop.role("production"), 12);
    let folder = shop.project.sandbox.join("small disk");
    let Some(_mount) = Mount::tmpfs(&folder, "size=4m") else { return };
    shop.project.tables(&format!("[database]\nbackup_dir = {folder:?}"));
    let before = shop.before("production");
    let output = shop.project.xtask("db backup create --stage production").fails_with(1);
    output
        .says("No space left on device")
        .says("database.backup_dir")
        .says_not("a disk of the machine with the database");
    let left: Vec<_> = list(&folder).into_iter().filter(|name| name != ".gitignore").collect();
    assert_eq!(left, NONE);
    shop.is_as("production", &before).unwrap();
}

#[test]
fn a_servers_full_tmp_does_not_matter_or_is_said() {
    let shop = Shop::new(&["production", "staging"]);
    fill_with_bulk(shop.cluster("production"), &name("production"), shop.role("production"), 12);
    shop.mark("staging");
    let Some(_mount) = Mount::tmpfs(&shop.project.sandbox.join("tmp"), "size=2m,mode=1777") else { return };
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    let output = shop.restore(&dump, "staging");
    match output.ending().as_str() {
        "exit status: 0" => shop.is_quiet("staging").unwrap(),
        _ => {
            let _ = output.fails().says("make room");
            shop.is_as("staging", &before).unwrap();
        }
    }
}
