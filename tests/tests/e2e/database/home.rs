//! Production's data in other stages.

use std::fs;

use e2e::postgres::{Cluster, compare, rows};

use super::scene::{NONE, Shop, list, name};

fn assert_same(shop: &Shop, stage: &str) {
    let [a, b] = ["production", stage].map(|stage| (shop.cluster(stage), name(stage)));
    assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE);
}

#[test]
fn production_comes_to_staging_and_home_in_one_command() {
    let shop = Shop::new(&["production", "staging", "dev"]);
    shop.fill("production", rows());
    for stage in ["staging", "dev"] {
        shop.mark(stage);
        let production = shop.before("production");
        let output = shop.project.xtask(&format!("db restore-from-prod --stage {stage} --yes")).success();
        assert_same(&shop, stage);
        shop.is_as("production", &production).unwrap();
        shop.is_quiet(stage).unwrap();
        let output = output.says("shop_production").says(&name(stage));
        let shown = output.to_string();
        let places = ["from ", "into ", "replaces "].map(|word| shown.find(word));
        assert!(places.is_sorted() && places[0].is_some(), "the plan comes first:\n{shown}");
        assert_eq!(shop.others(stage).len(), 1);
    }
}

#[test]
fn what_will_happen_is_shown_before_anything_does() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 100);
    shop.mark("staging");
    let before = shop.before("staging");
    let output = shop.project.xtask("db restore-from-prod --stage staging").fails().says("--yes");
    let output = output.says("shop_production").says("shop_staging");
    assert!(!output.to_string().contains(&shop.secret()), "{output}");
    shop.is_as("staging", &before).unwrap();
    assert_eq!(shop.backups(), NONE);
}

#[test]
fn the_dump_stays_or_goes_as_told() {
    let shop = Shop::new(&["production", "dev"]);
    shop.fill("production", 50);
    shop.project.xtask("db restore-from-prod --stage dev --yes --no-keep").success();
    assert_eq!(shop.backups(), NONE);
    let left: Vec<_> = list(&shop.folder()).into_iter().filter(|name| name != ".gitignore").collect();
    assert_eq!(left, NONE);
    shop.project.xtask("db restore-from-prod --stage dev --yes --keep").success();
    assert_eq!(shop.backups().len(), 1);
    assert_same(&shop, "dev");
}

#[test]
fn a_backup_that_is_here_already_is_taken_instead() {
    let mut shop = Shop::new(&["production"]);
    // A server that calls itself something else, as servers do that are no copies of each other.
    let mut cluster = Cluster::start(&shop.project.sandbox, "dev");
    cluster.renew();
    shop.add("dev", cluster);
    shop.fill("production", 50);
    let dump = shop.back_up("production");
    let then = shop.contents("production");
    shop.cluster_mut("production").stop();
    let file = dump.to_str().unwrap();
    shop.project.xtask_with(&["db", "restore-from-prod", "--stage", "dev", "--yes", "--file", file]).success();
    assert_eq!(then.differences(&shop.contents("dev")), NONE);
    assert_eq!(shop.backups().len(), 1);
}

#[test]
fn where_data_must_be_sanitised_it_is_or_nothing_happens() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 50);
    shop.mark("staging");
    shop.set("staging", "require_sanitize = true");
    let before = shop.before("staging");
    shop.project.xtask("db restore-from-prod --stage staging --yes").fails().says("after_restore");
    shop.is_as("staging", &before).unwrap();
    assert_eq!(shop.backups(), NONE);
    fs::write(shop.project.folder().join("sanitise.sql"), "update people set name = 'Somebody';").unwrap();
    shop.set("staging", "after_restore = [\"sanitise.sql\"]");
    shop.project.xtask("db restore-from-prod --stage staging --yes").success();
    assert_eq!(shop.psql("staging", "select distinct name from people"), "Somebody");
    assert_eq!(shop.psql("staging", "select count(*) from totals where name <> 'Somebody'"), "0");
    assert_eq!(shop.backups(), NONE, "the dump has what was to be taken out");
    shop.project.xtask("db restore-from-prod --stage staging --yes --keep").success();
    assert_eq!(shop.backups().len(), 1);
}

#[test]
fn production_is_not_its_own_target() {
    let shop = Shop::new(&["production"]);
    shop.mark("production");
    let before = shop.before("production");
    let forced = "db restore-from-prod --stage production --yes --into-protected --confirm production";
    let _ = shop.project.xtask(forced).fails();
    shop.is_as("production", &before).unwrap();
}

#[test]
fn two_stages_with_one_database_are_noticed() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.mark("production");
    let port = shop.cluster("production").port();
    shop.set("staging", &format!("port = {port}\nname = \"shop_production\"\nuser = \"production_app\""));
    let before = shop.before("production");
    let _ = shop.project.xtask("db restore-from-prod --stage staging --yes").fails();
    shop.is_as("production", &before).unwrap();
}

#[test]
fn a_dump_that_fails_drops_nothing() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 2000);
    shop.mark("staging");
    let tools = shop.tools("production");
    tools.replace("pg_dump", "\"$real\" \"$@\" | head -c 60000; exit 1");
    let before = shop.before("staging");
    let _ = shop.project.xtask("db restore-from-prod --stage staging --yes").fails();
    shop.is_as("staging", &before).unwrap();
    assert_eq!(shop.backups(), NONE);
}

#[test]
fn migrations_that_the_data_lacks_are_told() {
    let shop = Shop::new(&["production", "dev"]);
    let migrated = "create table schema_migrations (version text primary key);
        insert into schema_migrations values ('20260101000000'), ('9')";
    shop.own("production", migrated);
    let folder = shop.project.folder().join("db/migrate");
    fs::create_dir_all(&folder).unwrap();
    for version in ["20260101000000", "20260202000000", "20260303000000"] {
        fs::write(folder.join(format!("{version}_change.rb")), "").unwrap();
    }
    let output = shop.project.xtask("db restore-from-prod --stage dev --yes").success();
    let output = output.says("2 migrations of the code there didn't run in this data yet");
    let _ = output.says("cargo xtask deploy migrate dev");
    let manifest = shop.folder().join(shop.backups().remove(0)).with_extension("pgdump.json");
    let manifest = fs::read_to_string(manifest).unwrap();
    assert!(manifest.contains("\"version\": \"20260101000000\"") && manifest.contains("\"set\""), "{manifest}");
}

/// A dump has no settings of its database, and the same data is read in another way without them.
#[test]
fn settings_of_the_source_that_the_target_lacks_are_named() {
    let shop = Shop::new(&["production", "dev"]);
    shop.mark("production");
    shop.cluster("production").psql(
        "postgres",
        "alter database shop_production set search_path = shop, public; alter database shop_production set timezone = 'Asia/Tokyo';
        alter role production_app in database shop_production set jit = off",
    );
    shop.cluster("dev").psql("postgres", "alter database shop_dev set timezone = 'Asia/Tokyo'");
    let output = shop.project.xtask("db restore-from-prod --stage dev --yes").success();
    let output = output.says("ALTER DATABASE \"shop_dev\" SET search_path TO shop, public;");
    let output = output.says("ALTER ROLE \"production_app\" IN DATABASE \"shop_dev\" SET jit TO 'off';");
    assert!(!output.to_string().contains("Tokyo"), "{output}");
}
