//! What makes data harmless: it runs in another stage's, and not in one's own.

use std::path::Path;

use super::scene::{NONE, Shop};

const ANONYMISE: &str = "update people set email = 'nobody@example.com';";

/// A shop whose stages both have people, and SQL that makes them nobody.
fn shop() -> Shop {
    let mut shop = Shop::new(&["production", "staging"]);
    for stage in ["production", "staging"] {
        shop.own(stage, "create table people (id int, email text); insert into people values (1, 'ada@example.com')");
    }
    std::fs::write(shop.project.folder().join("anonymise.sql"), ANONYMISE).unwrap();
    shop.project.tables("[database]\nafter_restore = [\"anonymise.sql\"]");
    shop
}

fn restore(shop: &Shop, file: &Path, stage: &str, more: &[&str]) -> e2e::Output {
    let protected: &[_] = match stage {
        "production" => &["--into-protected", "--confirm", "production"],
        _ => &[],
    };
    let line = ["db", "backup", "restore", "--file", file.to_str().unwrap(), "--stage", stage, "--yes"];
    shop.project.xtask_with(&[&line, protected, more].concat())
}

fn email(shop: &Shop, stage: &str) -> String {
    shop.psql(stage, "select email from people")
}

#[test]
fn a_stages_own_backup_comes_back_as_it_was() {
    let shop = shop();
    for stage in ["production", "staging"] {
        let before = shop.contents(stage);
        let dump = shop.back_up(stage);
        let output = restore(&shop, &dump, stage, &[]).success();
        output.says("leaves   the stage's own data as it is: `anonymise.sql`");
        assert_eq!(before.differences(&shop.contents(stage)), NONE);
        let output = restore(&shop, &dump, stage, &["--sanitize"]).success();
        output.says("changes  the stage's own data by `anonymise.sql`");
        assert_eq!(email(&shop, stage), "nobody@example.com");
    }
}

#[test]
fn another_stages_data_is_sanitised_unless_the_stage_is_protected() {
    let shop = shop();
    let (production, staging) = (shop.back_up("production"), shop.back_up("staging"));
    let output = restore(&shop, &production, "staging", &[]).success();
    output.says("changes  the data of stage `production` by `anonymise.sql`");
    assert_eq!(email(&shop, "staging"), "nobody@example.com");
    restore(&shop, &staging, "production", &[]).success().says("--sanitize");
    assert_eq!(email(&shop, "production"), "ada@example.com");
    let _ = restore(&shop, &staging, "production", &["--sanitize"]).success();
    assert_eq!(email(&shop, "production"), "nobody@example.com");
}

#[test]
fn without_a_manifest_somebody_has_to_say_whose_data_it_is() {
    let shop = shop();
    let dump = shop.back_up("production");
    restore(&shop, &dump, "staging", &["--data-of", "staging"]).fails_with(2).says("says `production`");
    std::fs::remove_file(dump.with_extension("pgdump.json")).unwrap();
    let before = shop.before("staging");
    restore(&shop, &dump, "staging", &[]).fails_with(2).says("--data-of STAGE");
    restore(&shop, &dump, "staging", &["--data-of", "stagin"]).fails_with(2).says("staging");
    shop.is_as("staging", &before).unwrap();
    let _ = restore(&shop, &dump, "staging", &["--data-of", "staging"]).success();
    assert_eq!(email(&shop, "staging"), "ada@example.com");
    let _ = restore(&shop, &dump, "staging", &["--data-of", "production"]).success();
    assert_eq!(email(&shop, "staging"), "nobody@example.com");
}

/// A flag leads staging to production, and so production's data gets the name of staging.
#[test]
fn whose_data_it_is_goes_by_the_database_and_not_by_the_stages_name() {
    let shop = shop();
    let (role, port) = (shop.role("production").clone(), shop.cluster("production").port());
    let place = [format!("port={port}"), "name=shop_production".to_owned(), format!("user={}", role.name)];
    let flags: Vec<_> = place.iter().map(|pair| format!("--set=stages.staging.database.{pair}")).collect();
    let create: Vec<_> =
        ["db", "backup", "create", "--stage", "staging"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let dump = super::scene::printed_dump(&shop, &shop.project.xtask_with(&create).success());
    let before = shop.before("staging");
    restore(&shop, &dump, "staging", &[]).fails_with(2).says("was made of another database, `shop_production`");
    shop.is_as("staging", &before).unwrap();
    // A stage that leads to production's own database gets production's own data back as it was.
    let own = shop.back_up("production");
    let more: Vec<_> =
        ["--into-protected", "--confirm", "production"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    restore(&shop, &own, "staging", &more).success().says("leaves   the stage's own data as it is");
    assert_eq!(email(&shop, "production"), "ada@example.com");
    let staging = shop.back_up("staging");
    restore(&shop, &staging, "staging", &more).fails_with(2).says("was made of another database, `shop_staging`");
    assert_eq!(email(&shop, "production"), "ada@example.com");
}
