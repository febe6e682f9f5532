//! Servers and programs of different releases.

use std::process::Command;

use e2e::postgres::{Cluster, Release, compare, fill_with_bulk};

use super::scene::{NONE, Shop, name};

/// A shop whose `newer` and `older` stages have servers of these major releases, where `None` is the installed one.
fn shop(production: Option<u32>, staging: Option<u32>) -> Shop {
    let mut shop = Shop::new(&[]);
    shop.project.add_server_of("production", "production1", "app db");
    for (stage, major) in [("production", production), ("staging", staging)] {
        let sandbox = &shop.project.sandbox;
        let release = major.map_or_else(Release::installed, |major| Release::major(major, sandbox));
        let cluster = Cluster::start_release(sandbox, stage, release);
        shop.add(stage, cluster);
    }
    fill_with_bulk(shop.cluster("production"), &name("production"), shop.role("production"), 1);
    shop.mark("staging");
    shop
}

/// Has a stage use the programs of the release that its server runs.
fn use_own_programs(shop: &mut Shop, stage: &str) {
    let bin = shop.cluster(stage).release().bin().to_owned();
    shop.set(stage, &format!("bin_dir = {bin:?}"));
}

#[test]
fn a_server_that_is_newer_than_pg_dump_is_said() {
    let shop = shop(Some(17), None);
    let before = shop.before("production");
    let output = shop.project.xtask("db backup create --stage production").fails();
    output.says("17").says("15").says("pg_dump").says("bin_dir");
    shop.is_as("production", &before).unwrap();
    assert_eq!(shop.backups(), NONE);
}

#[test]
fn the_programs_of_the_servers_own_release_are_taken_when_told_where() {
    let mut shop = shop(Some(17), Some(17));
    use_own_programs(&mut shop, "production");
    use_own_programs(&mut shop, "staging");
    shop.project.xtask("db restore-from-prod --stage staging --yes").success();
    let [a, b] = ["production", "staging"].map(|stage| (shop.cluster(stage), name(stage)));
    assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE);
}

#[test]
fn a_dump_that_is_newer_than_pg_restore_is_said() {
    let mut shop = shop(Some(17), None);
    use_own_programs(&mut shop, "production");
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    shop.restore(&dump, "staging").fails().says("pg_restore").says("17");
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn an_older_server_is_backed_up_and_restored_to_a_newer_one() {
    let shop = shop(Some(14), None);
    shop.project.xtask("db restore-from-prod --stage staging --yes").success();
    let count = |stage: &str| shop.psql(stage, "select count(*), sum(length(noise)) from bulk");
    assert_eq!(count("staging"), count("production"));
}

/// Programs that are newer than the server begin with a setting that it doesn't know.
#[test]
fn newer_programs_back_up_and_restore_on_an_older_server() {
    for major in if e2e::full() { &[17, 18][..] } else { &[17] } {
        let mut shop = shop(None, None);
        let release = Release::major(*major, &shop.project.sandbox);
        for stage in ["production", "staging"] {
            shop.set(stage, &format!("bin_dir = {:?}", release.bin()));
        }
        let dump = shop.back_up("production");
        shop.project.xtask("db backup verify").success();
        let sql = shop.project.sandbox.join("shop.sql");
        let cluster = shop.cluster("production");
        let mut pg_dump = Command::new(release.program("pg_dump"));
        pg_dump.arg("-h").arg(cluster.socket_dir()).args(["-p", &cluster.port().to_string(), "-U", "postgres"]);
        assert!(pg_dump.arg("-f").arg(&sql).arg(name("production")).status().unwrap().success());
        let [a, b] = ["production", "staging"].map(|stage| (shop.cluster(stage), name(stage)));
        for option in ["createdb", "nocreatedb"] {
            b.0.psql("postgres", &format!("alter role staging_app {option}"));
            for file in [&dump, &sql] {
                let _ = shop.restore(file, "staging").success();
                assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE, "{major}, {option}");
                shop.psql("staging", "drop table bulk");
            }
        }
        // All other errors end it as ever.
        shop.own("production", "create table marks (id int)");
        let body = "create function mark(int) returns int immutable language plpgsql as 'begin return (select count(*) from marks); end'";
        shop.own("production", body);
        shop.own("production", "create index on bulk (mark(id))");
        let broken = shop.back_up("production");
        let before = shop.before("staging");
        b.0.psql("postgres", "alter role staging_app createdb");
        shop.restore(&broken, "staging")
            .fails()
            .says("`public.mark(integer)` names something")
            .says_not("unrecognized");
        shop.is_as("staging", &before).unwrap();
    }
}

/// Before version 15 everybody may make tables in the schema `public` of a new database.
#[test]
fn a_schema_public_that_was_closed_stays_closed_on_an_older_server_or_that_is_said() {
    let shop = shop(None, Some(14));
    let dump = shop.back_up("production");
    let open = "select has_schema_privilege('public', 'public', 'create')";
    let _ = shop
        .restore(&dump, "staging")
        .success()
        .says("opens    the schema `public`")
        .says("REVOKE CREATE ON SCHEMA public");
    assert_eq!(shop.psql("staging", open), "t");
    shop.cluster("staging").psql("postgres", "alter role staging_app superuser");
    let _ = shop.restore(&dump, "staging").success().says_not("opens    ");
    assert_eq!(shop.psql("staging", open), "f");
}
