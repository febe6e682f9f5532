//! A backup before a deploy migrates.

use std::fs;

use super::scene::{NONE, Shop, list};

/// Migrations are files of SQL for psql; the server notes those that ran.
const RECIPE: &str = r#"
[recipes.migrations]
preset = "custom"
pending = 'for file in migrations/*; do grep -qxF "${file#*/}" ../../database || echo "${file#*/}"; done'
command = 'for file in migrations/*; do grep -qxF "${file#*/}" ../../database || { sh -eu "$file"; echo "${file#*/}" >>../../database; }; done'
"#;

/// A shop whose staging is backed up before it is migrated, with a migration that has run.
fn shop() -> Shop {
    let mut shop = Shop::new(&["staging"]);
    shop.mark("staging");
    shop.set("staging", "backup_before_migrate = true");
    shop.project.tables(RECIPE);
    shop.project.server("staging1").site.write("database", "");
    shop.project.repo.write("migrations/1_posts", "true\n").commit("posts");
    shop
}

#[test]
fn a_deploy_that_migrates_makes_a_backup_first() {
    let shop = shop();
    let output = shop.project.xtask("deploy staging").success();
    eprintln!("{output}");
    output.says("1 migration pending");
    assert_eq!(shop.project.server("staging1").site.read("database"), "1_posts\n");
    let [dump] = &*shop.backups() else { panic!("{:?}", shop.backups()) };
    let manifest = fs::read_to_string(shop.folder().join(format!("{dump}.json"))).unwrap();
    assert!(manifest.contains("\"before_migrate\""), "{manifest}");
    eprintln!("{}", shop.project.xtask("deploy staging").success());
    assert_eq!(shop.backups().len(), 1, "nothing was pending");
    eprintln!("{}", shop.project.xtask("deploy staging --plan").success());
    eprintln!("{}", shop.project.xtask("deploy staging --dry-run").success());
}

#[test]
fn without_the_backup_nothing_is_migrated() {
    let mut shop = shop();
    let tools = shop.tools("staging");
    tools.replace(
        "pg_dump",
        "case $* in *--format*) echo 'pg_dump: error: no luck' >&2; exit 1 ;; esac; exec \"$real\" \"$@\"",
    );
    let output = shop.project.xtask("deploy staging").fails_with(1);
    eprintln!("{output}");
    output.says("no luck").says("before_migrate");
    assert_eq!(shop.project.server("staging1").site.read("database"), "");
    assert_eq!(list(&shop.project.server("staging1").site.path().join("releases")), NONE);
    assert_eq!(shop.backups(), NONE);
}
