//! What dumps leave out, and what is found in a database that no restore could bring back.

use super::scene::{NONE, Shop};

fn rows(shop: &Shop, stage: &str, table: &str) -> String {
    shop.psql(stage, &format!("select count(*) from {table}"))
}

#[test]
fn what_is_left_out_is_noted_and_a_restore_says_so() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.mark("production");
    shop.own("production", "create table events (id int); insert into events values (1); create table logs (id int)");
    shop.psql("production", "create schema audit; create table audit.log (id int)");
    let refused = shop.project.xtask("db backup create --stage production").fails();
    refused.says("may not read `audit.log`").says("pg_read_all_data").says("exclude = [\"schema:NAME\"");
    assert_eq!(shop.backups(), NONE);
    shop.set("production", "exclude = [\"schema:audit\", \"table:public.logs\"]\nexclude_data = [\"events\"]");
    let dump = shop.back_up("production");
    shop.project.xtask("db backup list").success().says("partial");
    shop.project.xtask("db backup verify").success().says("lacks `schema:audit`");
    let output = shop.restore(&dump, "staging").success();
    output.says("lacks    `data:events`, `schema:audit`, `table:public.logs`");
    assert_eq!((&*rows(&shop, "staging", "events"), &*rows(&shop, "staging", "old_things")), ("0", "1"));
    assert_eq!(shop.psql("staging", "select to_regclass('logs') is null, to_regnamespace('audit') is null"), "t|t");
    // A copy leaves out what either stage says.
    shop.set("staging", "exclude = [\"table:old_*\"]");
    shop.project.xtask("db restore-from-prod --stage staging --yes").success().says("`table:old_*`");
    assert_eq!(shop.psql("staging", "select to_regclass('old_things') is null, to_regclass('events') is null"), "t|f");
}

/// The jobs of `pg_cron` are kept in the one database that the server's configuration names.
#[test]
fn an_extension_that_lives_in_one_database_is_told_and_can_be_left_out() {
    let mut shop = Shop::new(&["production"]);
    let settings = "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'shop_production'";
    shop.cluster_mut("production").set(settings);
    shop.mark("production");
    shop.psql("production", "create extension pg_cron; alter role production_app superuser");
    shop.psql("production", "select cron.schedule('tidy', '0 4 * * *', 'vacuum')");
    shop.project.xtask("db backup create --stage production").success().says("`pg_cron` lives in one database");
    shop.project.xtask("db backup verify").success().says("exclude = [\"extension:pg_cron\"]");
    let deep = "db backup verify --deep --stage production";
    shop.project.xtask(deep).fails().says("lives in one database of its server only").says("exclude = ");
    shop.set("production", "exclude = \"extension:pg_cron\"");
    shop.project.xtask(deep).success().says("old_things");
    let _ = shop.back_up("production");
    shop.project.xtask(deep).success();
    shop.project.xtask("db backup verify").success().says("lacks `extension:pg_cron`");
}

#[test]
fn what_works_only_with_a_search_path_is_told_when_it_is_backed_up() {
    let shop = Shop::new(&["production", "staging"]);
    shop.mark("production");
    shop.own(
        "production",
        "create function mark(int) returns int immutable language plpgsql as 'begin return (select count(*) + 1 from old_things); end';
        create function fine(int) returns int immutable language plpgsql as 'begin return (select count(*) from public.old_things); end';
        create table things (n int check (mark(n) > 0), m int generated always as (mark(n)) stored);
        create index odd on things (mark(n)); create index even on things (fine(n)) where mark(n) > 0;
        create materialized view seen as select mark(n) from things;
        insert into things values (1); refresh materialized view seen",
    );
    let mut output = shop.project.xtask("db backup create --stage production").success();
    let dump = super::scene::printed_dump(&shop, &output);
    for what in
        ["the index public.odd", "the index public.even", "the check things_n_check", "the column m of public.things"]
    {
        output = output.says(&format!("can't be restored: {what}"));
    }
    output.says("the materialized view public.seen").says("relation \"old_things\" does not exist");
    shop.project.xtask("db backup verify").success().says("the index public.odd works only with a search_path");
    let before = shop.before("staging");
    shop.restore(&dump, "staging").fails().says("`public.mark(integer)` names something without its schema");
    shop.is_as("staging", &before).unwrap();
    shop.own("production", "alter function mark(int) set search_path = public");
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
}
