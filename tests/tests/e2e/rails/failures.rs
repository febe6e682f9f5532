//! Deploys that fail: what was live goes on, from the page to the last asset.

use super::page::Page;
use super::shop::{ALONE, Shop};

/// What is wrong with a release, the task that finds it out, and what the error says.
const BROKEN: [(&str, &str, &str); 4] = [
    ("broken-migration", "deploy:migrate", "no_such_table"),
    ("broken-asset", "deploy:compile_assets", "no_such_stylesheet"),
    ("broken-boot", "deploy:migrate", "this release does not boot"),
    ("broken-class", "deploy:boot", "uninitialized constant Discount::NoSuchModule"),
];

/// A shop that is open, and what it shows.
fn open() -> (Shop, Page) {
    let shop = Shop::on(&ALONE);
    shop.xtask("deploy staging").success();
    let page = shop.visit("app1").of_any_process();
    (shop, page)
}

/// The same release with the same assets as `before`, in a process that was there and in one that boots now.
#[track_caller]
fn is_undisturbed(shop: &Shop, before: &Page) {
    assert_eq!(shop.visit("app1").of_any_process(), *before);
    shop.xtask("deploy restart staging").success();
    assert_eq!(shop.visit("app1").of_any_process(), *before);
}

#[test]
fn bad_releases_leave_the_shop_open() {
    let (shop, page) = open();
    let good = shop.project.repo.head();
    for (change, task, said) in BROKEN {
        shop.commit(change, &[change]);
        shop.xtask("deploy staging").fails_with(1).says(task).says(said);
        is_undisturbed(&shop, &page);
        shop.project.repo.git(&["reset", "--quiet", "--hard", &good]);
    }
    let columns = "select column_name from information_schema.columns where table_name = 'products'";
    let columns = shop.database.psql("shop", columns);
    assert!(!columns.contains("colour"), "half a migration was left: {columns}");
}

/// Releases share their assets, and the list of those that are current.
#[test]
fn a_failure_after_the_assets_were_compiled_leaves_the_shop_open() {
    let (mut shop, page) = open();
    shop.commit("second", &[]);
    shop.project.tables("[tasks.\"go:wrong\"]\nrun = \"exit 3\"\nbefore = \"deploy:publishing\"");
    shop.xtask("deploy staging").fails_with(1).says("go:wrong");
    is_undisturbed(&shop, &page);
}

/// What only a request finds out can't be known before there is one: the error names the server, and the way back is open.
#[test]
fn a_release_that_starts_and_answers_nothing_is_found_out_and_rolled_back() {
    let (shop, page) = open();
    shop.commit("broken", &["broken-server"]);
    shop.xtask("deploy staging").fails_with(1).says("restart").says("deploy@app1").says("/up");
    assert_eq!(shop.web("app1").get("/").status, 500);
    shop.xtask("deploy rollback staging").success();
    assert_eq!(shop.visit("app1").of_any_process(), page);
}
