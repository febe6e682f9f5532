//! Sessions: what roles, databases and proxies do to them.

use std::fs;

use e2e::Proxy;
use e2e::postgres::Bouncer;

use super::moments::{Moment, sleeps, sleepy};
use super::scene::{NONE, Shop, name};

/// A role that may do nothing for long.
const IMPATIENT: &str = "set statement_timeout = '300ms'; alter role staging_app set lock_timeout = '50ms';
    alter role staging_app set idle_in_transaction_session_timeout = '300ms';
    alter role staging_app set idle_session_timeout = '300ms'";

#[test]
fn time_outs_of_the_role_end_no_restore_and_no_sql_after_it() {
    let mut shop = Shop::new(&["staging"]);
    shop.own(
        "staging",
        "create function slow(int) returns int immutable language sql as 'select 1 from pg_sleep(0.6)'",
    );
    shop.own(
        "staging",
        "create table things (id int); insert into things values (1); create index on things (slow(id))",
    );
    fs::write(shop.project.folder().join("slow.sql"), "select pg_sleep(0.6);\n").unwrap();
    shop.set("staging", "after_restore = [\"slow.sql\"]");
    let dump = shop.back_up("staging");
    shop.cluster("staging").psql("postgres", &format!("alter role staging_app {IMPATIENT}"));
    let _ = shop.restore(&dump, "staging").success();
    let _ = shop.back_up("staging");
    shop.cluster("staging").psql("postgres", "alter role staging_app nocreatedb");
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.psql("staging", "select count(*) from things"), "1");
}

#[test]
fn a_proxy_that_hands_sessions_on_is_found_out_before_anything_is_set() {
    let mut shop = Shop::new(&["staging"]);
    shop.mark("staging");
    let dump = shop.back_up("staging");
    let direct = shop.cluster("staging").port();
    for settings in ["", "ignore_startup_parameters = options,extra_float_digits"] {
        let (cluster, role) = (shop.cluster("staging"), shop.role("staging").clone());
        let bouncer = Bouncer::start(&shop.project.sandbox, cluster, &name("staging"), &role, settings);
        shop.set("staging", &format!("port = {}", bouncer.port()));
        for line in [
            "db backup create --stage staging".to_owned(),
            format!("db backup restore --file {} --stage staging --yes", dump.display()),
        ] {
            shop.project.xtask(&line).fails().says("hands sessions on").says("the database server's own port");
        }
        shop.set("staging", &format!("port = {direct}"));
    }
    assert_eq!(shop.others("staging"), NONE);
    assert_eq!(shop.backups().len(), 1);
}

/// An administrator, or a proxy, ends the session that keeps the lock: another restore could begin.
#[test]
fn a_restore_ends_when_the_session_of_its_lock_does() {
    for moment in [Moment::Index, Moment::Sql] {
        let shop = sleepy(moment);
        let dump = shop.back_up("production");
        let before = shop.before("staging");
        let run = shop.project.start(&format!("db backup restore --file {} --stage staging --yes", dump.display()));
        sleeps(&shop, "staging");
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'restore by %'";
        assert_eq!(shop.cluster("staging").psql("postgres", end), "t");
        let _ = run.wait().fails().says("the session that keeps the lock");
        shop.is_as("staging", &before).unwrap_or_else(|error| panic!("{moment:?}: {error}"));
    }
}

#[test]
fn a_half_made_database_with_somebody_in_it_is_not_swept() {
    let shop = Shop::new(&["staging"]);
    shop.mark("staging");
    let dump = shop.back_up("staging");
    let cluster = shop.cluster("staging");
    let role = shop.role("staging");
    for name in ["shop_staging_restore_20200101000000", "shop_staging_restore_20200101000001"] {
        cluster.create(name, role);
    }
    std::thread::scope(|scope| {
        scope.spawn(move || cluster.try_psql_as(role, "shop_staging_restore_20200101000000", "select pg_sleep(100)"));
        sleeps(&shop, "staging");
        let _ = shop.restore(&dump, "staging").success().says("shop_staging_restore_20200101000001");
        cluster.psql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
    });
    let left = shop.others("staging").into_iter().filter(|name| name.contains("_restore_"));
    assert_eq!(left.collect::<Vec<_>>(), ["shop_staging_restore_20200101000000"]);
}

#[test]
fn what_would_keep_the_database_from_being_replaced_is_said_before_anything_is_loaded() {
    let mut shop = Shop::new(&["staging"]);
    shop.mark("staging");
    let dump = shop.back_up("staging");
    shop.cluster_mut("staging").set("max_prepared_transactions = 5\nwal_level = logical\nmax_wal_senders = 4");
    shop.own("staging", "begin; insert into old_things values (2, 'x'); prepare transaction 'order 66'");
    let refused = shop.restore(&dump, "staging").fails();
    refused.says("transactions are prepared").says("COMMIT PREPARED 'order 66'");
    assert_eq!(shop.others("staging"), NONE);
    shop.own("staging", "rollback prepared 'order 66'");
    shop.psql("staging", "create subscription prices connection 'dbname=x' publication y with (connect = false)");
    shop.psql("staging", "alter subscription prices enable");
    shop.restore(&dump, "staging").fails().says("subscribes to others").says("ALTER SUBSCRIPTION prices DISABLE");
    assert_eq!(shop.others("staging"), NONE);
    shop.psql("staging", "alter subscription prices disable");
    shop.psql("staging", "select pg_create_logical_replication_slot('changes', 'pgoutput')");
    let _ = shop.restore(&dump, "staging").success().says("`changes` stay with what is replaced");
}

#[test]
fn as_many_jobs_load_as_the_role_may_have_sessions() {
    let mut shop = Shop::new(&["staging"]);
    shop.fill("staging", 50);
    shop.set("staging", "jobs = 8");
    let dump = shop.back_up("staging");
    shop.cluster("staging").psql("postgres", "alter role staging_app connection limit 5");
    let _ = shop.restore(&dump, "staging").success();
}

/// An advisory lock is one of the database that a session is in, and restores may begin from different ones.
#[test]
fn restores_by_way_of_different_databases_see_each_others_lock() {
    let shop = sleepy(Moment::Sql);
    let dump = shop.back_up("production");
    let line = format!("db backup restore --file {} --stage staging --yes", dump.display());
    let run = shop.project.start(&line);
    sleeps(&shop, "staging");
    let other = format!("{line} --set stages.staging.database.maintenance_database=template1");
    shop.project.xtask(&other).fails_with(5).says("is being restored already").says("restore by");
    let end = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'";
    shop.cluster("staging").psql("postgres", end);
    let _ = run.wait().fails();
}

#[test]
fn of_more_tables_than_one_transaction_can_lock_it_is_said_what_to_set() {
    let mut shop = Shop::new(&["production"]);
    shop.cluster_mut("production").set("max_locks_per_transaction = 10\nmax_connections = 12\nautovacuum = off");
    shop.own("production", "select format('create table t%s ()', n) from generate_series(1, 3000) n \\gexec");
    let output = shop.project.xtask("db backup create --stage production").fails();
    output
        .says("no room for so many locks")
        .says("ALTER SYSTEM SET max_locks_per_transaction = 512")
        .says_not("CREATEDB");
    shop.cluster_mut("production").set("max_locks_per_transaction = 512");
    let _ = shop.back_up("production");
}

/// What a firewall, or a balancer, does with connections that it takes for dead. The lock's own is kept alive.
#[test]
fn a_proxy_that_drops_silent_connections_takes_no_lock_away() {
    if !e2e::full() {
        return;
    }
    let mut shop = Shop::new(&["staging"]);
    shop.mark("staging");
    let dump = shop.back_up("staging");
    let proxy = Proxy::to(shop.cluster("staging").port());
    proxy.cut_silent(std::time::Duration::from_secs(8));
    shop.set("staging", &format!("port = {}\nafter_restore = [\"slow.sql\"]", proxy.port()));
    fs::write(shop.project.folder().join("slow.sql"), "select pg_sleep(4);\n".repeat(6)).unwrap();
    let line = format!("db backup restore --file {} --stage staging --yes --sanitize", dump.display());
    let _ = shop.project.xtask(&line).success();
    // A session that says nothing for longer is cut, and the live database stays.
    fs::write(shop.project.folder().join("slow.sql"), "select pg_sleep(20);\n").unwrap();
    let before = shop.before("staging");
    let _ = shop.project.xtask(&line).fails();
    shop.lives_as("staging", &before).unwrap();
}
