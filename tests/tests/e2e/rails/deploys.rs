//! Deploys, restarts and rollbacks, as a visitor sees them.

use super::shop::{ALONE, Shop};
use super::visitor::Visitor;

#[test]
fn a_shop_opens_restarts_changes_and_goes_back() {
    let shop = Shop::on(&ALONE);
    shop.xtask("deploy staging").success();
    let first = shop.visit("app1");
    assert_eq!((first.edition.as_str(), &first.revision), ("first", &shop.project.repo.head()));
    assert_eq!(first.schema, "20260101000000");
    assert_eq!(first.products, ["Teapot", "Kettle"]);
    assert_eq!(shop.web("app1").get("/up").body, "ok");

    let visitor = Visitor::of(shop.web("app1").port());
    shop.xtask("deploy restart staging").success();
    let restarted = shop.visit("app1");
    visitor.leave().were_undisturbed();
    assert_ne!(restarted.process, first.process);
    assert_eq!(restarted.revision, first.revision);

    let revision = shop.commit("second", &["prices"]);
    shop.xtask("deploy staging").success();
    let second = shop.visit("app1");
    assert_eq!((second.edition.as_str(), &second.revision), ("second", &revision));
    assert_eq!(second.schema, "20260201000000");
    assert_eq!(second.products, ["Teapot at $1.00", "Kettle at $1.00"]);
    assert_ne!(second.stylesheet, first.stylesheet);

    // The code of the first release doesn't know the second one's migration.
    shop.xtask("deploy rollback staging").fails_with(1).says("add_price_to_products").says("--allow-newer-schema");
    assert_eq!(shop.visit("app1").of_any_process(), second.clone().of_any_process());
    shop.xtask("deploy rollback staging --allow-newer-schema").success();
    let back = shop.visit("app1");
    assert_eq!((&back.edition, &back.revision, &back.products), (&first.edition, &first.revision, &first.products));
    assert_eq!((&back.stylesheet, &back.script), (&first.stylesheet, &first.script));
    assert_eq!(back.schema, second.schema, "a rollback doesn't touch the database");
}

#[test]
fn migrations_wait_for_their_command_where_deploys_do_not_migrate() {
    let mut shop = Shop::on(&ALONE);
    shop.project.tables("[recipes.migrations]\non_deploy = false");
    shop.xtask("deploy migrations staging").success();
    assert_eq!(shop.visit("app1").schema, "20260101000000");

    shop.commit("second", &["stock"]);
    shop.xtask("deploy staging").success();
    let second = shop.visit("app1");
    assert_eq!((second.edition.as_str(), second.schema.as_str()), ("second", "20260101000000"));

    shop.xtask("deploy migrations staging").success();
    let third = shop.visit("app1");
    assert_eq!((third.edition.as_str(), third.schema.as_str()), ("second", "20260301000000"));

    // As after a restore: the files of both releases are the same, and the database is older.
    shop.database.psql(
        "shop",
        "alter table products drop column stock; delete from schema_migrations where version = '20260301000000'",
    );
    assert_eq!(shop.visit("app1").schema, "20260101000000");
    shop.xtask("deploy migrations staging").success();
    assert_eq!(shop.visit("app1").schema, "20260301000000");
}
