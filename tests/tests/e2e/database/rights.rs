//! Roles that may do more or less than the owner, and databases that have more than contents.

use e2e::postgres::compare;

use super::scene::{NONE, Shop, name};

fn shop() -> Shop {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 50);
    shop.mark("staging");
    shop
}

fn assert_same(shop: &Shop) {
    let [a, b] = ["production", "staging"].map(|stage| (shop.cluster(stage), name(stage)));
    assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE);
}

#[test]
fn a_superuser_restores_for_the_owner() {
    let mut shop = shop();
    shop.psql("production", "create function noted() returns event_trigger language plpgsql as 'begin end'");
    shop.psql("production", "alter function noted() owner to production_app");
    shop.psql("production", "create event trigger notes on ddl_command_end execute function noted()");
    shop.psql("production", "comment on event trigger notes is 'ours'");
    shop.psql("production", "create extension pg_stat_statements; comment on extension pg_stat_statements is 'ours'");
    shop.cluster("staging").psql("postgres", "create role \"the boss\" superuser login password 'x y'");
    shop.project.no_database("staging");
    let port = shop.cluster("staging").port();
    shop.set(
        "staging",
        &format!("adapter = \"postgresql\"\nhost = \"127.0.0.1\"\nport = {port}\nname = \"shop_staging\""),
    );
    shop.set("staging", "user = \"the boss\"\npassword = \"x y\"\nowner = \"staging_app\"");
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    assert_same(&shop);
    let strangers = "select count(*) from pg_class where relnamespace = 'public'::regnamespace
        and relowner <> 'staging_app'::regrole and relname not like 'pg_stat_statements%'";
    assert_eq!(shop.psql("staging", strangers), "0");
    assert_eq!(
        shop.psql("staging", "select count(*) from pg_largeobject_metadata where lomowner <> 'staging_app'::regrole"),
        "0"
    );
    shop.own("staging", "select count(*) from people");
}

#[test]
fn an_extension_that_takes_a_superuser_is_said_with_what_helps() {
    let shop = shop();
    shop.psql("production", "create extension pg_stat_statements");
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    let output = shop.restore(&dump, "staging").fails_with(1);
    eprintln!("{output}");
    output.says("pg_stat_statements").says("superuser").says("`owner`");
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn settings_that_take_a_superuser_are_named_and_the_others_stay() {
    let shop = shop();
    shop.cluster("staging").psql(
        "postgres",
        "alter database shop_staging set log_min_duration_statement = 5;
         alter database shop_staging set search_path = public, \"$user\", \"Größe\";
         alter database shop_staging set statement_timeout = '5min';
         alter database shop_staging connection limit 20",
    );
    let dump = shop.back_up("production");
    let output = shop.restore(&dump, "staging").success();
    eprintln!("{output}");
    output.says("log_min_duration_statement").says_not("statement_timeout");
    let now = shop.cluster("staging").properties("shop_staging");
    eprintln!("{now}");
    assert!(now.contains("statement_timeout") && now.contains("Größe"), "{now}");
}

#[test]
fn a_missing_maintenance_database_is_called_by_its_name() {
    let mut shop = shop();
    shop.set("staging", "maintenance_database = \"nowhere\"");
    let dump = shop.back_up("production");
    let output = shop.restore(&dump, "staging").fails_with(1);
    eprintln!("{output}");
    output.says("`nowhere`").says("maintenance_database");
}

#[test]
fn nothing_that_is_replaced_is_kept_where_that_is_asked_for() {
    let mut shop = shop();
    shop.set("staging", "keep_replaced = 0");
    let dump = shop.back_up("production");
    let output = shop.restore(&dump, "staging").success();
    eprintln!("{output}");
    assert_eq!(shop.others("staging"), NONE);
    eprintln!("{}", shop.project.xtask("db backup undo --stage staging --yes").fails_with(1).says("nothing to undo"));
}

#[test]
fn a_template_is_replaced_too() {
    let mut shop = shop();
    shop.set("staging", "keep_replaced = 0");
    shop.cluster("staging").psql("postgres", "alter database shop_staging is_template true");
    let dump = shop.back_up("production");
    eprintln!("{}", shop.restore(&dump, "staging").success());
    assert_same(&shop);
}

#[test]
fn production_comes_to_a_stage_that_has_no_database_yet() {
    let shop = shop();
    shop.cluster("staging").psql("postgres", "drop database shop_staging");
    eprintln!("{}", shop.project.xtask("db restore-from-prod --stage staging").success());
    assert_same(&shop);
    assert_eq!(shop.others("staging"), NONE);
}

#[test]
fn sql_files_may_be_long_and_have_transactions_but_are_text() {
    let mut shop = shop();
    let dump = shop.back_up("production");
    let file = shop.project.folder().join("fix.sql");
    shop.set("staging", "after_restore = [\"fix.sql\"]");
    let long = format!(
        "begin;\nupdate people set email = 'x' || id || '@example.com';\ncommit;\n-- {}\n",
        "é".repeat(3_000_000)
    );
    std::fs::write(&file, long).unwrap();
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.psql("staging", "select count(*) from people where email not like 'x%'"), "0");
    for bytes in [&b"select 1;\0\n"[..], b"select '\xff';\n"] {
        std::fs::write(&file, bytes).unwrap();
        let output = shop.restore(&dump, "staging").fails_with(1);
        eprintln!("{output}");
        output.says("fix.sql").says("UTF-8");
    }
}

#[test]
fn a_server_needs_neither_zstd_nor_gzip() {
    let mut shop = shop();
    let before = shop.contents("production");
    for without in [&["zstd"][..], &["zstd", "gzip"]] {
        let folder = shop.project.sandbox.join(format!("bin{}", without.len()));
        std::fs::create_dir_all(&folder).unwrap();
        for bin in ["/usr/bin", "/bin"] {
            for entry in std::fs::read_dir(bin).unwrap().flatten() {
                let name = entry.file_name();
                if !without.iter().any(|program| name == *program) {
                    let _ = std::os::unix::fs::symlink(entry.path(), folder.join(name));
                }
            }
        }
        for server in ["staging1", "production1"] {
            shop.project.server_mut(server).sshd.set_env("PATH", folder.to_str().unwrap());
        }
        shop.project.xtask("db restore-from-prod --stage staging --yes").success();
        assert_eq!(before.differences(&shop.contents("staging")), NONE, "{without:?}");
    }
}
