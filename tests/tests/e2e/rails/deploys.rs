//! Deploys, restarts and rollbacks, as a visitor sees them.

use super::shop::{ALONE, Shop};
use super::visitor::Visitor;

#[test]
fn a_shop_opens_and_changes() {
    let shop = Shop::on(&ALONE);
    shop.xtask("deploy staging").success();
    let first = shop.visit("app1");
    assert_eq!((first.edition.as_str(), &first.revision), ("first", &shop.project.repo.head()));
    assert_eq!(first.schema, "20260101000000");
    assert_eq!(first.products, ["Teapot", "Kettle"]);
    assert_eq!(shop.web("app1").get("/up").body, "ok");

    let revision = shop.commit("second", &["prices"]);
    shop.xtask("deploy staging").success();
    let second = shop.visit("app1");
    assert_eq!((second.edition.as_str(), &second.revision), ("second", &revision));
    assert_eq!(second.schema, "20260201000000");
    assert_eq!(second.products, ["Teapot at $1.00", "Kettle at $1.00"]);
    assert_ne!(second.stylesheet, first.stylesheet);
}

#[test]
fn a_restart_changes_the_process_and_the_page_stays_up() {
    let shop = Shop::on(&ALONE);
    shop.xtask("deploy staging").success();
    let before = shop.visit("app1");
    let visitor = Visitor::of(shop.web("app1").port());
    shop.xtask("deploy restart staging").success();
    let after = shop.visit("app1");
    visitor.leave().were_undisturbed();
    assert_ne!(after.process, before.process);
    assert_eq!(after.revision, before.revision);
}
