//! Roles that may do more or less than the owner, and databases that have more than contents.

use e2e::postgres::{compare, identifier};

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
    output.says("log_min_duration_statement").says_not("statement_timeout");
    let now = shop.cluster("staging").properties("shop_staging");
    assert!(now.contains("statement_timeout") && now.contains("Größe"), "{now}");
}

#[test]
fn a_missing_maintenance_database_is_called_by_its_name() {
    let mut shop = shop();
    shop.set("staging", "maintenance_database = \"nowhere\"");
    let dump = shop.back_up("production");
    let output = shop.restore(&dump, "staging").fails_with(1);
    output.says("`nowhere`").says("maintenance_database");
}

#[test]
fn nothing_that_is_replaced_is_kept_where_that_is_asked_for() {
    let mut shop = shop();
    shop.set("staging", "keep_replaced = 0");
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.others("staging"), NONE);
    let _ = shop.project.xtask("db backup undo --stage staging --yes").fails_with(1).says("nothing to undo");
}

#[test]
fn a_template_is_replaced_too() {
    let mut shop = shop();
    shop.set("staging", "keep_replaced = 0");
    shop.cluster("staging").psql("postgres", "alter database shop_staging is_template true");
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.others("staging"), NONE);
    assert_same(&shop);
}

#[test]
fn production_comes_to_a_stage_that_has_no_database_yet() {
    let shop = shop();
    shop.cluster("staging").psql("postgres", "drop database shop_staging");
    shop.project.xtask("db restore-from-prod --stage staging").success();
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

#[test]
fn roles_and_locales_are_as_odd_as_they_are() {
    let mut shop = shop();
    let odd = r#"it's "the" a=b $x Größe"#;
    let cluster = shop.cluster("staging");
    let role = cluster.role(odd, &shop.password(), true);
    cluster.psql("postgres", "drop database shop_staging");
    cluster.psql(
        "postgres",
        &format!(
            "create database \"a=b\" owner {} template template0 locale_provider icu icu_locale 'de-DE' connection limit 3",
            identifier(odd)
        ),
    );
    let (port, password) = (cluster.port(), role.password.clone());
    shop.project.no_database("staging");
    shop.set("staging", &format!("adapter = \"postgresql\"\nhost = \"127.0.0.1\"\nport = {port}\nname = \"a=b\""));
    shop.set("staging", &format!("user = {odd:?}\npassword = {password:?}"));
    let dump = shop.back_up("production");
    let _ = shop.restore(&dump, "staging").success();
    let [a, b] = ["production", "staging"].map(|stage| shop.cluster(stage));
    assert_eq!(compare(a, "shop_production", b, "a=b"), NONE);
    assert_eq!(
        b.psql("postgres", "select daticulocale, datconnlimit from pg_database where datname = 'a=b'"),
        "de-DE|3"
    );
    let own = shop.back_up("staging");
    let _ = shop.restore(&own, "staging").success();
    shop.project.xtask("db backup undo --stage staging --yes").success();
    shop.project.xtask("db backup verify --deep --stage staging").success();
    b.psql("postgres", &format!("alter role {} nocreatedb", identifier(odd)));
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(compare(a, "shop_production", b, "a=b"), NONE);
}

#[test]
fn a_dump_is_found_by_any_path_that_leads_there() {
    let shop = shop();
    let dump = shop.back_up("production");
    let folder = shop.project.folder().join("some where");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(&dump, folder.join("my dump.pgdump")).unwrap();
    for (from, file) in [
        (&folder, "my dump.pgdump".to_owned()),
        (&folder, "./my dump.pgdump".to_owned()),
        (&folder, dump.file_name().unwrap().to_str().unwrap().to_owned()),
        (&folder, dump.display().to_string()),
        (&folder, "some where/my dump.pgdump".to_owned()),
    ] {
        let mut command = shop.project.command(&["db", "backup", "verify", "--stage", "staging", "--file", &file]);
        command.current_dir(from);
        let output = shop.project.sandbox.run(command).success();
        assert!(output.stdout().contains("right") || output.stdout().contains("complete"), "{output}");
    }
    for (line, says) in [
        ("db console staging --plan", "talk to the database `shop_staging`"),
        ("db backup undo --stage staging --plan", "put what was replaced last in the place of `shop_staging`"),
    ] {
        let _ = shop.project.xtask(line).success().says(says);
    }
}

/// Half of the rows would be anonymised, dumped or counted, and nobody would know.
#[test]
fn rows_that_are_hidden_from_the_role_are_a_failure_and_no_part_of_the_data() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.own(
        "production",
        "create table people (id int, email text); insert into people values (1, 'ada@example.com');
        alter table people enable row level security; alter table people force row level security",
    );
    let why = "ALTER ROLE … BYPASSRLS";
    shop.project.xtask("db backup create --stage production").fails_with(1).says(why);
    shop.cluster("production").psql("postgres", "alter role production_app bypassrls");
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    let deep = ["db", "backup", "verify", "--deep", "--yes", "--stage", "staging", "--file", dump.to_str().unwrap()];
    shop.project.xtask_with(&deep).fails_with(1).says(why);
    std::fs::write(shop.project.folder().join("fix.sql"), "update people set email = 'nobody';\n").unwrap();
    shop.set("staging", "after_restore = [\"fix.sql\"]");
    for option in ["createdb", "nocreatedb"] {
        shop.cluster("staging").psql("postgres", &format!("alter role staging_app {option}"));
        shop.restore(&dump, "staging").fails_with(1).says(why);
        shop.lives_as("staging", &before).unwrap();
    }
    shop.cluster("staging").psql("postgres", "alter role staging_app createdb bypassrls");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.psql("staging", "select email from people"), "nobody");
}

/// Who may do what with which object, who owns what, and what is published: a line each.
const RIGHTS: &str = "
select 'relation', c.oid::regclass::text, a::text from pg_class c, unnest(relacl) a
    where relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
union all select 'column', attrelid::regclass || '.' || attname, a::text from pg_attribute, unnest(attacl) a
    where attrelid >= 16384
union all select 'function', p.oid::regprocedure::text, a::text from pg_proc p, unnest(proacl) a where p.oid >= 16384
union all select 'schema', nspname, a::text from pg_namespace, unnest(nspacl) a where nspname !~ '^(pg_|information)'
union all select 'default', defaclobjtype::text || defaclnamespace::regnamespace, a::text
    from pg_default_acl, unnest(defaclacl) a
union all select 'large object', oid::text, a::text from pg_largeobject_metadata, unnest(lomacl) a
union all select 'owner', c.oid::regclass::text, relowner::regrole::text from pg_class c
    where relkind in ('r', 'p', 'v', 'm', 'S') and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
union all select 'publication', pubname, pubinsert::text from pg_publication
order by 1, 2, 3";

#[test]
fn a_stages_own_backup_brings_back_who_may_do_what() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 10);
    shop.psql(
        "production",
        "create function secret() returns int language sql security definer as 'select 1';
        alter function secret() owner to production_app;
        revoke execute on function secret() from public; grant execute on function secret() to reporting;
        revoke all on schema public from public; grant usage, create on schema public to reporting;
        create table theirs (id int); alter table theirs owner to reporting; grant select on theirs to production_app;
        grant reporting to production_app; alter role production_app bypassrls",
    );
    shop.own("production", "create publication outside for table people");
    let before = shop.psql("production", RIGHTS);
    assert!(before.contains("publication|outside") && before.contains("owner|theirs|reporting"), "{before}");
    let dump = shop.back_up("production");
    let line = ["db", "backup", "restore", "--stage", "production", "--into-protected", "--confirm", "production"];
    let line = [&line[..], &["--file", dump.to_str().unwrap()]].concat();
    for option in ["createdb", "nocreatedb"] {
        shop.cluster("production").psql("postgres", &format!("alter role production_app {option}"));
        // What belongs to another role is in the way of a restore in place.
        shop.psql("production", "drop table theirs");
        shop.project.xtask_with(&line).success();
        assert_eq!(shop.psql("production", RIGHTS), before, "{option}");
    }
    // Of another stage's only what everybody may do.
    let _ = shop.restore(&dump, "staging").success();
    let open = "select has_function_privilege('public', 'secret()', 'execute'), has_schema_privilege('public', 'public', 'usage')";
    assert_eq!(shop.psql("staging", open), "f|f");
}

#[test]
fn a_dump_as_sql_brings_back_who_may_do_what() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 10);
    shop.psql(
        "production",
        "create function secret() returns int language sql security definer as 'select 1';
        alter function secret() owner to production_app; revoke execute on function secret() from public;
        create role \"it's\"; grant execute on function secret() to \"it's\"; create publication outside for table people;
        alter publication outside owner to production_app; alter role production_app bypassrls",
    );
    let before = shop.psql("production", RIGHTS);
    let file = shop.project.sandbox.join("plain.sql");
    let cluster = shop.cluster("production");
    let mut pg_dump = std::process::Command::new(cluster.release().program("pg_dump"));
    pg_dump.arg("-h").arg(cluster.socket_dir()).args(["-p", &cluster.port().to_string(), "-U", "postgres"]);
    assert!(pg_dump.arg("-f").arg(&file).arg("shop_production").status().unwrap().success());
    let line = ["db", "backup", "restore", "--stage", "production", "--into-protected", "--confirm", "production"];
    let line = [&line[..], &["--data-of", "production", "--file", file.to_str().unwrap()]].concat();
    for option in ["createdb", "nocreatedb"] {
        cluster.psql("postgres", &format!("alter role production_app {option}"));
        shop.project.xtask_with(&line).success();
        assert_eq!(shop.psql("production", RIGHTS), before, "{option}");
    }
    for option in ["createdb", "nocreatedb"] {
        shop.cluster("staging").psql("postgres", &format!("alter role staging_app {option} bypassrls"));
        let _ = shop.restore(&file, "staging").success();
        assert_eq!(
            shop.psql("staging", "select has_function_privilege('public', 'secret()', 'execute')"),
            "f",
            "{option}"
        );
    }
    // What can't be brought is said, in place too.
    shop.psql("production", "alter role \"it's\" rename to gone");
    let output = shop.project.xtask_with(&line).success();
    output.says("could not be brought, run it when you can: GRANT ALL ON FUNCTION public.secret() TO \"it's\";");
}

#[test]
fn rights_of_roles_that_are_missing_are_told_before_the_question() {
    let shop = Shop::new(&["staging"]);
    shop.cluster("staging").psql("postgres", "create role guest");
    shop.own("staging", "create table a (id int); grant select on a to guest; create table b (id int)");
    let dump = shop.back_up("staging");
    shop.own("staging", "drop table a");
    shop.cluster("staging").psql("postgres", "drop role guest");
    let output = shop.restore(&dump, "staging").success();
    output
        .says("loses    what roles may do that are missing: `guest`")
        .says("GRANT SELECT ON TABLE public.a TO guest;");
}

#[test]
fn what_sessions_begin_with_comes_into_a_new_database_and_where_it_is_asked_for() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.mark("production");
    shop.cluster("production").psql(
        "postgres",
        "create role web; alter database shop_production set search_path to shop, \"it's\", public;
        alter database shop_production set timezone to 'Asia/Tokyo'; alter role web in database shop_production set work_mem to '1MB'",
    );
    let settings = |shop: &Shop| {
        shop.psql("staging", "select array_to_string(setconfig, ';') from pg_db_role_setting s join pg_database d on d.oid = setdatabase where setrole = 0 and datname = 'shop_staging'")
    };
    let own = "TimeZone=UTC;application_name=mine";
    shop.cluster("staging").psql(
        "postgres",
        "alter database shop_staging set timezone to 'UTC'; alter database shop_staging set application_name to 'mine'",
    );
    let dump = shop.back_up("production");
    let output = shop.restore(&dump, "staging").success();
    output
        .says("settings that this one lacks")
        .says("database.settings = \"source\"")
        .says("SET TimeZone TO 'Asia/Tokyo';");
    assert_eq!(settings(&shop), own);
    let theirs = "search_path=shop, \"it's\", public";
    shop.set("staging", "settings = \"source\"");
    for option in ["createdb", "nocreatedb"] {
        shop.cluster("staging").psql("postgres", &format!("alter role staging_app {option}"));
        shop.cluster("staging").psql(
            "postgres",
            "alter database shop_staging set timezone to 'UTC'; alter database shop_staging reset search_path",
        );
        let output = shop.restore(&dump, "staging").success();
        output
            .says("sets     what sessions begin with as in stage `production`: `work_mem`, `TimeZone`, `search_path`")
            .says_not("lacks; to give")
            .says("IN DATABASE \"shop_staging\" SET work_mem TO")
            .says("(the role web is missing)");
        let now = settings(&shop);
        assert!(
            now.contains("TimeZone=Asia/Tokyo") && now.contains(theirs) && now.contains("application_name=mine"),
            "{now}"
        );
    }
    shop.cluster("staging").psql("postgres", "alter role staging_app createdb");
    shop.cluster("staging").psql("postgres", "drop database shop_staging");
    let output =
        shop.project.xtask("db restore-from-prod --stage staging --yes --set stages.staging.database.settings=target");
    let _ = output.success();
    assert!(settings(&shop).contains(theirs), "{}", settings(&shop));
}
