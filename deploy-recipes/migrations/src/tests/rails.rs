//! Against rake and Active Record themselves, with a database in a file.

use super::*;

const APPLICATION: &str = r#"
require "rails"
require "active_record/railtie"
puts "noise of the application"
class Shop < Rails::Application
  config.load_defaults Rails.version[/\d+\.\d+/]
  config.eager_load = false
  config.secret_key_base = "none"
end
"#;

const DATABASES: &str = "production:\n  adapter: sqlite3\n  database: <%= ENV['HOME'] %>/deploy/shop.sqlite3\n";

/// A stage whose one release has the migration `CreatePosts`.
fn site(table: &str) -> Site {
    let site = Site::of::<Migrations>(table);
    site.file("Rakefile", "require_relative 'config/application'\nRails.application.load_tasks\n");
    site.file("config/application.rb", APPLICATION);
    site.file("config/environment.rb", "require_relative 'application'\nRails.application.initialize!\n");
    site.file("config/database.yml", DATABASES);
    site.file("log/.keep", "");
    migration(&site, "20260101000000_create_posts", "create_table(:posts) { |table| table.string :title }");
    site.release("20260101000000");
    site
}

fn migration(site: &Site, name: &str, change: &str) {
    let (_, words) = name.split_once('_').unwrap();
    let class: String = words.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let text = format!("class {class} < ActiveRecord::Migration[5.2]\n  def change\n    {change}\n  end\nend\n");
    site.file(&format!("db/migrate/{name}.rb"), &text);
}

fn pending(site: &Site) -> Option<String> {
    let run = site.run("deploy:migrate:pending");
    run.succeeded();
    run.fact("app1", "pending_migrations").map(str::to_owned)
}

#[test]
fn a_deploy_migrates_what_the_database_lacks_and_nothing_twice() {
    let site = site("");
    assert_eq!(pending(&site).as_deref(), Some("20260101000000 CreatePosts"));
    let run = site.run("deploy");
    run.succeeded();
    assert!(run.output().iter().any(|line| line.contains("CreatePosts: migrated")), "{:?}", run.output());
    assert_eq!(run.fact("app1", "migrations_pending"), Some("1"));
    assert_eq!(pending(&site).as_deref(), Some(""));
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(run.skipped("deploy:migrate", "app1"), Some("no migration is pending"));
}

/// The files are those of the release that is live: comparing folders would find nothing to do.
#[test]
fn a_database_that_was_replaced_by_an_older_one_is_migrated() {
    let site = site("");
    site.run("deploy").succeeded();
    std::fs::remove_file(site.path("app1", "shop.sqlite3")).unwrap();
    let run = site.run("deploy:migrations");
    run.succeeded();
    assert_eq!(run.fact("app1", "pending_migrations"), Some("20260101000000 CreatePosts"));
}

#[test]
fn a_migration_that_fails_leaves_the_old_version_live() {
    let site = site("");
    migration(&site, "20260102000000_break_posts", "add_column :nowhere, :body, :text");
    let run = site.run("deploy");
    assert!(run.failure().contains("no such table: nowhere"), "{}", run.failure());
    assert!(run.failure().contains("in the database already: 20260101000000 CreatePosts"), "{}", run.failure());
    assert!(site.read("app1", "current/REVISION").unwrap().ends_with("20260101000000\n"));
    // The one before it has run: what is pending is asked of the database.
    assert_eq!(site.run("deploy:migrate:pending").fact("app1", "migrations_pending"), Some("0"));
}

#[test]
fn a_rollback_names_what_the_older_release_does_not_know() {
    let site = site("");
    site.run("deploy:migrate").succeeded();
    migration(&site, "20260102000000_add_body", "add_column :posts, :body, :text");
    site.run("deploy").succeeded();
    let failure = site.run("deploy:rollback").failure();
    assert!(failure.contains("release 20260101000000 doesn't know: 20260102000000 add_body"), "{failure}");
    site.task("deploy:rollback").answer("yes").run().succeeded();
    // The way forward again: nothing is asked, and nothing is left to migrate.
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(run.fact("app1", "migrations_pending"), Some("0"));
}

#[test]
fn a_rollback_between_releases_of_one_schema_asks_nothing() {
    let site = site("");
    site.run("deploy").succeeded();
    let run = site.task("deploy:rollback").run();
    run.succeeded();
    assert_eq!((run.questions().len(), run.fact("app1", "newer_migrations")), (0, Some("")));
}

#[test]
fn migrations_that_were_cleared_away_are_no_news() {
    let site = site("");
    migration(&site, "20250101000000_create_drafts", "create_table(:drafts)");
    site.run("deploy").succeeded();
    site.without("db/migrate/20250101000000_create_drafts.rb");
    site.run("deploy").succeeded();
    site.run("deploy").succeeded();
    let run = site.run("deploy:rollback");
    run.succeeded();
    assert_eq!(run.fact("app1", "newer_migrations"), Some(""));
}

#[test]
fn the_status_is_that_of_rails() {
    let site = site("");
    let run = site.run("deploy:migrate:status");
    assert!(run.failure().contains("Schema migrations table does not exist yet"), "{}", run.failure());
    site.run("deploy:migrate").succeeded();
    let run = site.run("deploy:migrate:status");
    run.succeeded();
    let row = run.printed().lines().find(|line| line.contains("20260101000000")).expect("a row").to_owned();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["up", "20260101000000", "Create", "posts"]);
}

#[test]
fn every_database_of_the_environment_counts() {
    let two = "production:\n  primary:\n    adapter: sqlite3\n    database: <%= ENV['HOME'] %>/deploy/shop.sqlite3\n  \
               logs:\n    adapter: sqlite3\n    database: <%= ENV['HOME'] %>/deploy/logs.sqlite3\n    migrations_paths: db/logs_migrate\n";
    let site = site("");
    site.file("config/database.yml", two);
    site.file(
        "db/logs_migrate/20260103000000_create_lines.rb",
        "class CreateLines < ActiveRecord::Migration[5.2]\n  def change\n    create_table(:lines)\n  end\nend\n",
    );
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(run.fact("app1", "pending_migrations"), Some("20260101000000 CreatePosts\n20260103000000 CreateLines"));
    assert_eq!(pending(&site).as_deref(), Some(""));
}

#[test]
fn older_code_is_refused_over_a_newer_database_and_what_nobody_knows_is_no_reason() {
    let site = site("");
    migration(&site, "20260102000000_add_body", "add_column :posts, :body, :text");
    site.run("deploy").succeeded();
    site.without("db/migrate/20260102000000_add_body.rb");
    let failure = site.run("deploy").failure();
    assert!(failure.contains("and the live one does: 20260102000000 add_body"), "{failure}");
    site.task("deploy").switch("allow-newer-schema").run().succeeded();
    // The live release doesn't know it any more.
    site.run("deploy").succeeded();
}

/// As Rails 8 has them for its queue, cache and cable.
#[test]
fn an_empty_database_that_has_a_schema_file_and_no_migrations_is_prepared() {
    let two = "production:\n  primary:\n    adapter: sqlite3\n    database: <%= ENV['HOME'] %>/deploy/shop.sqlite3\n  \
               cable:\n    adapter: sqlite3\n    database: <%= ENV['HOME'] %>/deploy/cable.sqlite3\n    migrations_paths: db/cable_migrate\n";
    let site = site("");
    site.file("config/database.yml", two);
    site.file("db/cable_schema.rb", "ActiveRecord::Schema.define(version: 1) do\n  create_table(:messages)\nend\n");
    let run = site.run("deploy");
    run.succeeded();
    let expected = "20260101000000 CreatePosts\ncable_schema.rb for the database cable, which is empty";
    assert_eq!(run.fact("app1", "pending_migrations"), Some(expected));
    assert_eq!(pending(&site).as_deref(), Some(""));
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(run.skipped("deploy:migrate", "app1"), Some("no migration is pending"));
}
