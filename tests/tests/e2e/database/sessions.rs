//! Sessions: what roles, databases and proxies do to them.

use std::fs;

use e2e::postgres::Bouncer;

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
