//! Where it stands, and its table.

use super::*;

#[test]
fn deploys_and_rollbacks_restart_after_they_published() {
    Xtask::new().recipe::<Passenger>().check().unwrap();
    for flow in ["deploy", "deploy:rollback"] {
        let order = site("", MODERN, WORKS).order(flow);
        let at = |id: &str| order.iter().position(|known| known == id).unwrap_or_else(|| panic!("no {id}: {order:?}"));
        assert!(at("deploy:symlink:release") < at("passenger:restart"));
        assert!(at("passenger:check") < at("deploy:symlink:release"));
    }
}

#[test]
fn deploy_toml_can_still_fill_the_restart() {
    let site = modern("[tasks.\"deploy:restart\"]\nrun = 'true'", WORKS);
    assert_eq!(site.order("deploy:restart")[1..], ["deploy:restart", "passenger:restart"]);
}

/// The servers that restart with `table`, of three with the application and one with the database, in order.
fn servers(table: &str) -> Vec<String> {
    let site = site(table, MODERN, WORKS).servers(&["app1 app", "app2 app", "app3 app", "db1 db"]);
    site.release("20260101000000");
    let run = site.run("deploy:restart");
    run.succeeded();
    let restarts = run.calls().iter().filter(|call| call.args()[0] == "restart-app");
    restarts.map(|call| call.server().to_owned()).collect()
}

#[test]
fn servers_of_the_roles_restart_one_group_after_the_other() {
    assert_eq!(servers("wait = 0"), ["app1", "app2", "app3"]);
    assert_eq!(servers("wait = 0\nroles = ['db']"), ["db1"]);
    let mut pairs = servers("wait = 0\ngroup = 2");
    pairs[..2].sort();
    assert_eq!(pairs, ["app1", "app2", "app3"]);
    let mut all = servers("rolling = false");
    all.sort();
    assert_eq!(all, ["app1", "app2", "app3"]);
}

#[test]
fn a_wrong_method_is_shown_with_the_nearest() {
    let refusal = refusal::<Passenger>("method = 'tuch'");
    assert!(refusal.contains("did you mean `touch`?"), "{refusal}");
}

#[test]
fn the_table_of_settings_is_complete() {
    check_table::<Passenger>(include_str!("../lib.rs"));
}
