//! Databases that are in use.

use e2e::postgres::{Load, compare};

use super::backup::load;
use super::moments::{Moment, sleeps, sleepy};
use super::scene::{NONE, Shop, name};

#[test]
fn a_backup_under_load_is_of_one_moment() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 5000);
    Load::prepare(shop.cluster("production"), &name("production"), shop.role("production"));
    let clients = Load::start(shop.cluster("production"), &name("production"), shop.role("production"), 4);
    clients.wait_for(200);
    let dump = shop.back_up("production");
    clients.wait_for(50);
    let report = clients.stop();
    assert!(report.reconnects.iter().all(|times| *times == 0) && report.refused.concat().is_empty(), "{report:?}");
    load(shop.cluster("staging"), &dump);
    Load::check(shop.cluster("staging"), "copy").unwrap();
    let booked = shop.cluster("staging").psql("copy", "select count(*) from bookings");
    assert!(booked.parse::<usize>().unwrap() >= 200, "{booked}");
}

#[test]
fn clients_of_the_live_database_reconnect_once_and_lose_nothing_else() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 500);
    for stage in ["production", "staging"] {
        Load::prepare(shop.cluster(stage), &name(stage), shop.role(stage));
    }
    let dump = shop.back_up("production");
    let clients = Load::start(shop.cluster("staging"), &name("staging"), shop.role("staging"), 4);
    clients.wait_for(200);
    let _ = shop.restore(&dump, "staging").success();
    clients.wait_for(200);
    let report = clients.stop();
    assert!(report.reconnects.iter().all(|times| *times <= 1), "{report:?}");
    // Who comes back before the swap is over waits for it, and hears once that the database was renamed.
    for told in &report.refused {
        assert!(told.len() <= 1 && told.iter().all(|told| told.contains("does not exist")), "{report:?}");
    }
    Load::check(shop.cluster("staging"), &name("staging")).unwrap();
    let [kept] = &shop.others("staging")[..] else { panic!("one is kept: {:?}", shop.others("staging")) };
    Load::check(shop.cluster("staging"), kept).unwrap();
    let before = shop.cluster("staging").psql(kept, "select count(*) from bookings").parse::<usize>().unwrap();
    let after = shop.psql("staging", "select count(*) from bookings").parse::<usize>().unwrap();
    assert!(before >= 200 && after >= 200 && before + after >= report.bookings, "{before} and {after}: {report:?}");
}

#[test]
fn somebody_in_a_transaction_does_not_keep_the_swap_from_happening() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 50);
    shop.mark("staging");
    let dump = shop.back_up("production");
    let (cluster, role) = (shop.cluster("staging"), shop.role("staging"));
    let in_a_transaction = "begin; lock table old_things; select pg_sleep(100)";
    std::thread::scope(|scope| {
        let client = scope.spawn(move || cluster.try_psql_as(role, "shop_staging", in_a_transaction));
        sleeps(&shop, "staging");
        let _ = shop.restore(&dump, "staging").success();
        let error = client.join().unwrap().unwrap_err();
        assert!(error.contains("terminating connection"), "{error}");
    });
    assert_eq!(compare(shop.cluster("production"), &name("production"), cluster, &name("staging")), NONE);
}

#[test]
fn sessions_that_may_not_be_ended_are_named_and_nothing_changes() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 50);
    shop.mark("staging");
    let dump = shop.back_up("production");
    let cluster = shop.cluster("staging");
    let before = shop.contents("staging");
    std::thread::scope(|scope| {
        scope.spawn(move || cluster.try_psql("shop_staging", "select pg_sleep(100)"));
        sleeps(&shop, "staging");
        let output = shop.restore(&dump, "staging").fails();
        cluster.psql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
        let _ = output.says("postgres");
    });
    assert_eq!(before.differences(&shop.contents("staging")), NONE);
    assert_eq!(shop.others("staging"), NONE);
    let _ = shop.restore(&dump, "staging").success();
}

#[test]
fn of_two_restores_at_once_one_waits_or_is_refused() {
    let mut shop = sleepy(Moment::Sql);
    let dump = shop.back_up("production");
    let line = format!("db backup restore --file {} --stage staging --yes", dump.display());
    let before = shop.before("staging");
    let first = shop.project.start(&line);
    sleeps(&shop, "staging");
    shop.set("staging", "after_restore = []");
    shop.restore(&dump, "staging").fails().says("shop_staging").says("restored already");
    let still =
        shop.cluster("staging").psql("postgres", "select count(*) from pg_stat_activity where wait_event = 'PgSleep'");
    assert_eq!(still, "1", "the first goes on");
    first.signal(rustix::process::Signal::INT);
    let _ = first.wait().fails_with(130);
    shop.is_as("staging", &before).unwrap();
    let _ = shop.restore(&dump, "staging").success();
}

#[test]
fn two_restores_in_one_instant_leave_one_whole_database() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 200);
    shop.mark("staging");
    let dump = shop.back_up("production");
    let line = format!("db backup restore --file {} --stage staging --yes", dump.display());
    let runs = [shop.project.start(&line), shop.project.start(&line)];
    let endings = runs.map(|run| run.wait().ending());
    assert!(endings.contains(&"exit status: 0".to_owned()), "{endings:?}");
    shop.is_quiet("staging").unwrap();
    assert_eq!(
        compare(shop.cluster("production"), &name("production"), shop.cluster("staging"), &name("staging")),
        NONE
    );
    let halves = shop.others("staging").into_iter().filter(|name| name.contains("_restore_"));
    assert_eq!(halves.collect::<Vec<_>>(), NONE);
}
