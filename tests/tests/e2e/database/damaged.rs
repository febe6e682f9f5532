//! Backups that lost something where they were kept.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::Terminal;

use super::scene::Shop;

/// A shop, a backup of its production, and a copy of it that a test may damage.
fn shop_with_backup() -> (Shop, PathBuf) {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 1000);
    shop.mark("staging");
    let dump = shop.back_up("production");
    (shop, dump)
}

/// Changes the bytes of a file, which keeps its manifest.
fn damage(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_backup_that_was_cut_off_is_refused() {
    let (shop, dump) = shop_with_backup();
    let before = shop.before("staging");
    let whole = fs::read(&dump).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 3000, 100, 0] {
        fs::write(&dump, &whole[..length]).unwrap();
        shop.restore(&dump, "staging").fails_with(1).says(dump.file_name().unwrap().to_str().unwrap());
        shop.is_as("staging", &before).map_err(|error| format!("{length} bytes: {error}")).unwrap();
        let _ = shop.project.xtask_with(&["db", "backup", "verify", "--file", dump.to_str().unwrap()]).fails_with(1);
    }
}

#[test]
fn a_single_flipped_bit_is_found() {
    let (shop, dump) = shop_with_backup();
    let before = shop.before("staging");
    let whole = fs::read(&dump).unwrap();
    for at in [7, whole.len() / 3, whole.len() / 2, whole.len() - 2] {
        fs::write(&dump, &whole).unwrap();
        damage(&dump, |bytes| bytes[at] ^= 1);
        shop.restore(&dump, "staging").fails_with(1).says("damaged");
        shop.is_as("staging", &before).map_err(|error| format!("byte {at}: {error}")).unwrap();
        let _ = shop.project.xtask_with(&["db", "backup", "verify", "--file", dump.to_str().unwrap()]).fails_with(1);
    }
    fs::write(&dump, &whole).unwrap();
    let _ = shop.project.xtask_with(&["db", "backup", "verify", "--file", dump.to_str().unwrap()]).success();
    let _ = shop.restore(&dump, "staging").success();
}

#[test]
fn without_a_manifest_a_dump_that_was_cut_off_is_refused_too() {
    let (shop, dump) = shop_with_backup();
    fs::remove_file(dump.with_extension("pgdump.json")).unwrap();
    let before = shop.before("staging");
    let whole = fs::read(&dump).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 3000] {
        fs::write(&dump, &whole[..length]).unwrap();
        let _ = shop.restore(&dump, "staging").fails_with(1);
        shop.is_as("staging", &before).map_err(|error| format!("{length} bytes: {error}")).unwrap();
    }
    fs::write(&dump, &whole).unwrap();
    let _ = shop.restore(&dump, "staging").success();
}

#[test]
fn a_manifest_that_is_none_is_named() {
    let (shop, dump) = shop_with_backup();
    let manifest = dump.with_extension("pgdump.json");
    fs::write(&manifest, "{ not json").unwrap();
    let before = shop.before("staging");
    shop.restore(&dump, "staging").fails().says(manifest.file_name().unwrap().to_str().unwrap());
    shop.is_as("staging", &before).unwrap();
}

/// The file that was checked and asked about is the one that is loaded, or none.
#[test]
fn a_dump_that_is_replaced_while_somebody_is_asked_is_not_loaded() {
    for stage in ["staging", "dev"] {
        let shop = Shop::new(&[stage]);
        shop.own(stage, "create table things (id int)");
        let other = shop.back_up(stage);
        shop.own(stage, "create table right_things (id int)");
        let dump = shop.back_up(stage);
        shop.mark(stage);
        let before = shop.before(stage);
        let restore = ["db", "backup", "restore", "--file", dump.to_str().unwrap(), "--stage", stage];
        let terminal = Terminal::start(&shop.project.command(&restore), &shop.project.sandbox);
        terminal.wait_for("[y/N]");
        // Written to in place: the same file, another length.
        fs::write(&dump, fs::read(&other).unwrap()).unwrap();
        terminal.type_in("y\r");
        terminal.ends_with(1);
        shop.is_as(stage, &before).unwrap_or_else(|error| panic!("{stage}: {error}"));
    }
}
