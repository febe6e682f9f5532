//! Deploys that fail: what was live goes on, from the page to the last asset.

use super::page::Page;
use super::shop::{ALONE, Shop};

/// The same release, page and assets as `before`, also in a process that boots now.
#[track_caller]
fn is_undisturbed(shop: &Shop, before: &Page) {
    let page = shop.visit("app1");
    assert_eq!(page, *before, "not even the process has changed");
    shop.xtask("deploy restart staging").success();
    let restarted = shop.visit("app1");
    assert_eq!(Page { process: before.process, ..restarted }, *before);
}

/// A shop that is open, and what it shows.
fn open() -> (Shop, Page) {
    let shop = Shop::on(&ALONE);
    shop.xtask("deploy staging").success();
    let page = shop.visit("app1");
    (shop, page)
}

#[test]
fn a_migration_that_fails_leaves_the_shop_open_and_its_schema_as_it_was() {
    let (shop, before) = open();
    shop.commit("broken", &["broken-migration"]);
    shop.xtask("deploy staging").fails_with(1).says("deploy:migrate").says("no_such_table");
    let columns =
        shop.database.psql("shop", "select count(*) from information_schema.columns where column_name = 'colour'");
    assert_eq!(columns, "0");
    is_undisturbed(&shop, &before);
}

#[test]
fn assets_that_do_not_compile_leave_the_shop_open() {
    let (shop, before) = open();
    shop.commit("broken", &["broken-asset"]);
    shop.xtask("deploy staging").fails_with(1).says("deploy:compile_assets").says("no_such_stylesheet");
    is_undisturbed(&shop, &before);
}

#[test]
fn a_release_that_does_not_boot_leaves_the_shop_open() {
    let (shop, before) = open();
    shop.commit("broken", &["broken-boot"]);
    shop.xtask("deploy staging").fails_with(1).says("deploy:migrate");
    is_undisturbed(&shop, &before);
}
