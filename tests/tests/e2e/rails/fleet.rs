//! Two application servers and a database server.

use super::page::Page;
use super::shop::Shop;
use super::visitor::{Visitor, Visits};

const FLEET: [(&str, &str); 3] = [("app1", "app web"), ("app2", "app web"), ("db1", "db")];

fn visit(shop: &Shop) -> [Page; 2] {
    ["app1", "app2"].map(|name| shop.visit(name).of_any_process())
}

#[test]
fn each_server_does_what_its_roles_say_and_restarts_in_its_turn() {
    let shop = Shop::on(&FLEET);
    shop.xtask("deploy staging").success();
    let before = visit(&shop);
    assert_eq!((&before[0].revision, &before[0].stylesheet), (&before[1].revision, &before[1].stylesheet));
    assert_eq!(before[0].schema, "20260101000000", "the database server migrated");
    let compiled = |name: &str| shop.project.server(name).site.list("shared/public/assets").len();
    assert!(compiled("app1") > 0 && compiled("app1") == compiled("app2"));
    assert_eq!(compiled("db1"), 0, "it serves no pages");

    let second = shop.commit("second", &["prices"]);
    let visitors = ["app1", "app2"].map(|name| Visitor::of(shop.web(name).port()));
    shop.xtask("deploy staging").success();
    let after = visit(&shop);
    let visits = visitors.map(Visitor::leave);
    visits.iter().for_each(Visits::were_undisturbed);
    assert_eq!((after[0].edition.as_str(), after[1].edition.as_str()), ("second", "second"));
    let changed = visits.each_ref().map(|visits| visits.first_of(&second).expect("it restarted"));
    let last = visits[1].last_of(&before[1].revision).expect("it was there");
    assert!(changed[0] < last, "the second server still serves what was live while the first one has restarted");
    assert!(changed[0] < changed[1], "the second server restarts when the first one is well");

    shop.commit("broken", &["broken-server"]);
    shop.xtask("deploy staging").fails_with(1).says("restart").says("deploy@app1");
    assert_eq!(shop.web("app1").get("/").status, 500);
    assert_eq!(shop.visit("app2").of_any_process(), after[1], "no server restarts after one that isn't well");
    shop.xtask("deploy rollback staging").success();
    assert_eq!(visit(&shop), after);
}
