//! Production's data in another stage.

use super::shop::{ALONE, Shop};

/// What an older release of the shop has made of its database, with a product that only production sells.
const PRODUCTION: &str = "
create table schema_migrations (version varchar primary key);
insert into schema_migrations values ('20260101000000');
create table ar_internal_metadata
    (key varchar primary key, value varchar, created_at timestamp(6) not null, updated_at timestamp(6) not null);
insert into ar_internal_metadata values ('environment', 'production', now(), now());
create table products
    (id bigserial primary key, name varchar not null, created_at timestamp(6) not null, updated_at timestamp(6) not null);
insert into products (name, created_at, updated_at) values ('Samovar', now(), now());
";

/// The files of both releases are the same, and so would a comparison of folders have it that nothing is to be done.
#[test]
fn a_deploy_migrates_what_a_restored_database_lacks() {
    let mut shop = Shop::on(&ALONE);
    let production = shop.add_production();
    shop.database.psql_as(shop.role(), &production, PRODUCTION);
    // Only the application itself can tell.
    let file = shop.project.repo.path().join("config/database.yml");
    let text = std::fs::read_to_string(file).unwrap();
    let asks = text.replace("ENV.fetch(\"DATABASE_NAME\")", "Rails.application.class.module_parent_name.downcase");
    assert_ne!(asks, text);
    shop.project.repo.write("config/database.yml", &asks);
    shop.commit("second", &["prices"]);
    shop.xtask("deploy staging").success();
    let before = shop.visit("app1");
    assert_eq!(before.products, ["Teapot at $1.00", "Kettle at $1.00"]);

    shop.xtask("db restore-from-prod --stage staging --yes").success();
    shop.xtask("deploy staging").success();
    let after = shop.visit("app1");
    assert_eq!((&after.revision, &after.schema), (&before.revision, &before.schema));
    assert_eq!(after.products, ["Samovar at $1.00"]);
}
