//! Restores: into a database beside the live one, which then takes its place.

use e2e::postgres::{compare, rows};

use super::scene::{NONE, Shop, name};

/// A shop whose production has everything, and whose staging has something old.
fn shop(rows: usize) -> Shop {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", rows);
    shop.mark("staging");
    shop
}

#[test]
fn a_restore_is_no_different_from_what_was_backed_up() {
    let shop = shop(rows());
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    let [a, b] = ["production", "staging"].map(|stage| (shop.cluster(stage), name(stage)));
    assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE);
    shop.is_quiet("staging").unwrap();
}

#[test]
fn everything_belongs_to_the_stages_own_role() {
    let shop = shop(100);
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    let foreign = "select relname, relowner::regrole from pg_class c
        where relnamespace::regnamespace::text !~ '^(pg_|information_schema)' and relowner <> 'staging_app'::regrole
            and not exists (select from pg_depend d where d.objid = c.oid and deptype = 'e')
        union all select proname, proowner::regrole from pg_proc p
        where pronamespace = 'public'::regnamespace and proowner <> 'staging_app'::regrole
            and not exists (select from pg_depend d where d.objid = p.oid and deptype in ('e', 'i'))
        union all select nspname, nspowner::regrole from pg_namespace where nspname ~ '^[A-Z]' and nspowner <> 'staging_app'::regrole
        union all select 'large object', lomowner::regrole from pg_largeobject_metadata where lomowner <> 'staging_app'::regrole
        union all select datname, datdba::regrole from pg_database where datname = current_database() and datdba <> 'staging_app'::regrole";
    assert_eq!(shop.psql("staging", foreign), "");
    assert_eq!(
        shop.psql("staging", "select rolname from pg_roles where rolname in ('reporting', 'production_app')"),
        ""
    );
    shop.own("staging", "create table ours (x integer); drop table ours; refresh materialized view totals");
}

#[test]
fn the_replaced_database_is_kept_and_can_be_had_back() {
    let shop = shop(100);
    let old = shop.contents("staging");
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    let new = shop.contents("staging");
    let [kept] = &shop.others("staging")[..] else { panic!("one is kept: {:?}", shop.others("staging")) };
    assert!(
        kept.starts_with("shop_staging_before_20") && kept.len() == "shop_staging_before_20261122101500".len(),
        "{kept}"
    );
    shop.project.xtask("db backup undo --stage staging --yes").success();
    assert_eq!(old.differences(&shop.contents("staging")), NONE);
    assert_eq!(shop.others("staging").len(), 1);
    shop.project.xtask("db backup undo --stage staging --yes").success();
    assert_eq!(new.differences(&shop.contents("staging")), NONE);
    shop.is_quiet("staging").unwrap();
}

#[test]
fn nothing_to_undo_is_said() {
    let shop = shop(10);
    let before = shop.before("staging");
    shop.project.xtask("db backup undo --stage staging --yes").fails().says("nothing to undo");
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn as_many_replaced_databases_are_kept_as_asked_for() {
    let mut shop = shop(10);
    let dump = shop.back_up("production");
    for (keep, expected) in [(None, 1), (None, 1), (Some(2), 2), (Some(2), 2), (Some(0), 0)] {
        if let Some(keep) = keep {
            shop.set("staging", &format!("keep_replaced = {keep}"));
        }
        let _ = shop.restore(&dump, "staging").success();
        assert_eq!(shop.others("staging").len(), expected, "{keep:?}: {:?}", shop.others("staging"));
    }
}

/// Clocks are put back, and two restores may end within a second.
#[test]
fn a_replaced_database_of_a_later_time_is_not_in_the_way() {
    let shop = shop(10);
    let dump = shop.back_up("production");
    shop.cluster("staging").psql("postgres", "create database shop_staging_before_20990101000000 owner staging_app");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.others("staging"), ["shop_staging_before_20990101000001"]);
}

#[test]
fn what_is_said_of_the_database_itself_stays() {
    let shop = shop(10);
    shop.cluster("staging").psql(
        "postgres",
        "create role guest login; alter database shop_staging set work_mem = '7MB';
        alter database shop_staging set search_path = public, \"$user\", 'Größe';
        alter role staging_app in database shop_staging set timezone = 'Europe/Berlin';
        alter database shop_staging connection limit 33; comment on database shop_staging is 'it''s \"ours\"';
        revoke connect on database shop_staging from public; grant connect, temporary on database shop_staging to guest",
    );
    let before = shop.cluster("staging").properties("shop_staging");
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.cluster("staging").properties("shop_staging"), before);
}

#[test]
fn sql_files_run_before_anybody_sees_the_data() {
    let mut shop = shop(200);
    let sql = "update people set email = 'nobody' || id || '@example.com';\nselect 'it''s a \\\\ $1';\n";
    std::fs::write(shop.project.folder().join("sanitise.sql"), sql).unwrap();
    std::fs::write(shop.project.folder().join("then this.sql"), "update orders set total = 1, note = 'x';\n").unwrap();
    shop.set("staging", "after_restore = [\"sanitise.sql\", \"then this.sql\"]");
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.psql("staging", "select count(*) from people where email not like 'nobody%'"), "0");
    assert_eq!(shop.psql("staging", "select distinct total from \"Top Ten\""), "1.00", "materialised views are fresh");
    assert_eq!(shop.psql("staging", "select ispopulated from pg_matviews where matviewname = 'not_yet'"), "f");
    assert_eq!(shop.psql("production", "select count(*) from people where email like 'nobody%'"), "0");
}

#[test]
fn an_sql_file_that_fails_leaves_the_live_database_as_it_was() {
    let mut shop = shop(50);
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    std::fs::write(shop.project.folder().join("bad.sql"), "select 1;\nselect * from no_such_table;\n").unwrap();
    shop.set("staging", "after_restore = [\"bad.sql\"]");
    let failed = shop.restore(&dump, "staging").fails_with(1);
    let failed = failed.says("bad.sql:2: relation \"no_such_table\" does not exist").says("is as it was");
    let failed = failed.says("go on from it: cargo xtask db backup restore --stage staging --file");
    assert!(!failed.to_string().contains("`pg_"), "{failed}");
    shop.is_as("staging", &before).unwrap();
    shop.set("staging", "after_restore = [\"missing.sql\"]");
    shop.restore(&dump, "staging").fails().says("missing.sql");
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn a_role_that_may_make_no_database_restores_in_one_transaction() {
    let shop = shop(100);
    shop.cluster("staging").psql("postgres", "alter role staging_app nocreatedb");
    let old = shop.contents("staging");
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    let [a, b] = ["production", "staging"].map(|stage| (shop.cluster(stage), name(stage)));
    assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE);
    assert_eq!(shop.others("staging"), NONE);
    shop.project.xtask("db backup undo --stage staging --yes").success();
    assert_eq!(old.differences(&shop.contents("staging")), NONE);
}

#[test]
fn without_a_database_of_its_own_a_failed_restore_changes_nothing_either() {
    let mut shop = shop(50);
    shop.cluster("staging").psql("postgres", "alter role staging_app nocreatedb");
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    std::fs::write(shop.project.folder().join("bad.sql"), "select * from no_such_table;\n").unwrap();
    shop.set("staging", "after_restore = [\"bad.sql\"]");
    shop.restore(&dump, "staging").fails_with(1).says("bad.sql");
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn an_extension_that_can_not_be_had_is_named() {
    let shop = shop(10);
    shop.psql("production", "create extension pageinspect");
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    shop.restore(&dump, "staging").fails_with(1).says("pageinspect");
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn names_that_want_quotes_are_quoted() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 20);
    let odd = r#"Straße "7"; it's -- 100% \x $1"#;
    shop.cluster("staging").create(odd, shop.role("staging"));
    shop.set("staging", &format!("name = {odd:?}"));
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(compare(shop.cluster("production"), "shop_production", shop.cluster("staging"), odd), NONE);
    shop.project.xtask("db backup undo --stage staging --yes").success();
    assert_eq!(shop.cluster("staging").psql(odd, "select count(*) from pg_tables where schemaname = 'public'"), "0");
}

#[test]
fn a_name_that_leaves_no_room_for_the_stamp_is_refused_before_anything_happens() {
    let mut shop = shop(10);
    let long = "x".repeat(60);
    shop.cluster("staging").create(&long, shop.role("staging"));
    let dump = shop.back_up("production");
    shop.set("staging", &format!("name = {long:?}"));
    shop.restore(&dump, "staging").fails().says(&long).says("bytes");
    assert_eq!(shop.cluster("staging").databases().len(), 2);
}
