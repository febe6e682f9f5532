//! Restores by roles that may make no database: all in one transaction, which ends well or not at all.

use e2e::postgres::compare;

use super::scene::{NONE, Shop, name};

/// A shop whose staging can only be replaced in place.
fn shop() -> Shop {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 50);
    shop.mark("staging");
    shop.cluster("staging").psql("postgres", "alter role staging_app nocreatedb");
    shop
}

fn write(shop: &Shop, file: &str, sql: &str) {
    let path = shop.project.folder().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, sql).unwrap();
}

fn assert_same(shop: &Shop) {
    let [a, b] = ["production", "staging"].map(|stage| (shop.cluster(stage), name(stage)));
    assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE);
}

#[test]
fn files_of_the_same_name_all_run() {
    let mut shop = shop();
    write(&shop, "a/fix.sql", "update people set email = 'nobody' || id || '@example.com';\n");
    write(&shop, "b/fix.sql", "create table ran_last (stage text); insert into ran_last values (:'stage');\n");
    shop.set("staging", "after_restore = [\"a/fix.sql\", \"b/fix.sql\"]");
    let dump = shop.back_up("production");
    for option in ["nocreatedb", "createdb"] {
        shop.cluster("staging").psql("postgres", &format!("alter role staging_app {option}"));
        let _ = shop.restore(&dump, "staging").success();
        assert_eq!(shop.psql("staging", "select count(*) from people where email not like 'nobody%'"), "0", "{option}");
        assert_eq!(shop.psql("staging", "select * from ran_last"), "staging", "{option}");
    }
}

#[test]
fn rows_that_look_like_statements_are_rows() {
    let shop = shop();
    shop.own("production", "drop owned by production_app cascade; grant all on schema public to production_app");
    shop.own(
        "production",
        "create table notes (t text); insert into notes values ('BEGIN;'), ('x'), ('COMMIT;'), ('COMMIT;')",
    );
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.own("staging", "select string_agg(t, ' ') from notes"), "BEGIN; x COMMIT; COMMIT;");
}

#[test]
fn sql_that_ends_the_transaction_is_taken_back_with_all_the_rest() {
    let mut shop = shop();
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    shop.set("staging", "after_restore = [\"fix.sql\"]");
    for sql in ["commit;\nselect * from no_such_table;\n", "begin;\nselect 1;\ncommit;\n", "rollback;\n"] {
        write(&shop, "fix.sql", sql);
        let _ = shop.restore(&dump, "staging").fails_with(1);
        shop.is_as("staging", &before).map_err(|error| format!("{sql}: {error}")).unwrap();
    }
}

#[test]
fn a_program_that_dies_in_the_middle_is_taken_back() {
    let mut shop = shop();
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    let tools = shop.tools("staging");
    tools.replace(
        "pg_restore",
        "case $* in *--file=-*) \"$real\" \"$@\" | head -c 30000; kill -9 $$ ;; esac; exec \"$real\" \"$@\"",
    );
    let output = shop.restore(&dump, "staging").fails_with(1);
    output.says("as it was");
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn what_is_replaced_belongs_to_the_owner_that_is_configured() {
    let mut shop = shop();
    let login = shop.cluster("staging").role("login", &shop.password(), false);
    shop.cluster("staging").psql("postgres", "grant staging_app to login");
    shop.project.no_database("staging");
    let (port, password) = (shop.cluster("staging").port(), login.password.clone());
    shop.set(
        "staging",
        &format!("adapter = \"postgresql\"\nhost = \"127.0.0.1\"\nport = {port}\nname = \"shop_staging\""),
    );
    shop.set("staging", &format!("user = \"login\"\npassword = {password:?}\nowner = \"staging_app\""));
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    assert_same(&shop);
    let strangers = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relowner <> 'staging_app'::regrole";
    assert_eq!(shop.psql("staging", strangers), "0");
    shop.project.xtask("db backup undo --stage staging --yes").success();
    assert_eq!(shop.own("staging", "select name from old_things"), "old");
}

#[test]
fn an_extension_and_an_event_trigger_of_a_superuser_are_no_obstacle() {
    let shop = shop();
    for stage in ["production", "staging"] {
        shop.psql(stage, "create extension pg_stat_statements");
    }
    shop.psql("production", "create function noted() returns event_trigger language plpgsql as 'begin end'");
    shop.psql("production", "alter function noted() owner to production_app");
    shop.psql("production", "create event trigger notes on ddl_command_end execute function noted()");
    let dump = shop.back_up("production");
    let output = shop.restore(&dump, "staging").success();
    output.says("event triggers").says("notes");
    shop.psql("production", "drop event trigger notes");
    assert_same(&shop);
}

#[test]
fn a_dump_as_sql_with_large_objects_that_fails_at_its_end_changes_nothing() {
    let shop = shop();
    let path = shop.project.sandbox.join("plain.sql");
    let cluster = shop.cluster("production");
    let mut pg_dump = std::process::Command::new(cluster.release().program("pg_dump"));
    pg_dump.arg("-h").arg(cluster.socket_dir()).args([
        "-p",
        &cluster.port().to_string(),
        "-U",
        "postgres",
        "shop_production",
    ]);
    let output = pg_dump.output().unwrap();
    assert!(output.status.success());
    let text = [output.stdout.clone(), b"select * from no_such_table;\n".to_vec()].concat();
    let before = shop.before("staging");
    std::fs::write(&path, text).unwrap();
    let _ = shop.restore(&path, "staging").fails_with(1);
    shop.is_as("staging", &before).unwrap();
    std::fs::write(&path, output.stdout).unwrap();
    let _ = shop.restore(&path, "staging").success();
    assert_same(&shop);
}

/// Of these no list is kept: PostgreSQL is asked what the role still owns.
#[test]
fn whatever_the_role_owns_makes_room() {
    let shop = shop();
    for stage in ["production", "staging"] {
        let role = format!("{stage}_app");
        let grant =
            format!("create extension postgres_fdw; grant usage on foreign data wrapper postgres_fdw to {role}");
        shop.psql(stage, &grant);
        shop.own(
            stage,
            "create server elsewhere foreign data wrapper postgres_fdw;
            create operator === (leftarg = int, rightarg = int, function = int4eq);
            create conversion odd for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
            create publication outside;
            create user mapping for current_user server elsewhere options (user 'x')",
        );
    }
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    let servers = "select count(*) from pg_foreign_server where srvowner = 'staging_app'::regrole";
    assert_eq!(shop.psql("staging", servers), "1");
}

#[test]
fn a_table_of_another_role_is_named_before_anything_happens() {
    let shop = shop();
    let dump = shop.back_up("production");
    shop.psql("staging", "create table people (id int)");
    let before = shop.before("staging");
    let output = shop.restore(&dump, "staging").fails_with(1);
    output.says("`public.people` of `postgres`").says("ALTER ROLE staging_app CREATEDB");
    shop.is_as("staging", &before).unwrap();
    assert_eq!(shop.backups().len(), 1, "{:?}", shop.backups());
}
