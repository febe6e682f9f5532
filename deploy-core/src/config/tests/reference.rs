//! `docs/CONFIGURATION.md` tells of every key that is read, and of no other.

use super::*;
use crate::config::keys;

const PAGE: &str = include_str!("../../../../docs/CONFIGURATION.md");

/// The part of the page below the heading `heading`.
fn section(heading: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section `{heading}`"));
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// The keys that have a row in the section's table.
fn described(heading: &str) -> Vec<&'static str> {
    let rows = section(heading).lines().filter_map(|line| line.strip_prefix("| `"));
    let mut keys: Vec<&str> = rows.filter_map(|row| row.split_once('`')).map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_page_describes_every_key_and_no_other() {
    for (heading, keys) in [
        ("Settings", keys::SETTINGS),
        ("Top level", keys::TOP),
        ("`[stages.NAME]`", keys::STAGE),
        ("`[[stages.NAME.servers]]`", keys::SERVER),
        ("`[git]`", keys::GIT),
        ("`[ssh]`", keys::SSH),
        ("`[database]`", keys::DATABASE),
        ("`[recipes.NAME]`", &["enabled"]),
        ("`[tasks.\"NAME\"]`", keys::TASK),
        ("`[commands.NAME]`", keys::COMMAND),
    ] {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        assert_eq!(described(heading), keys, "{heading}");
    }
}

#[test]
fn every_row_of_the_page_is_whole() {
    for row in PAGE.lines().filter(|line| line.starts_with("| `")) {
        assert_eq!(row.matches(" | ").count(), 3, "{row}");
    }
}

#[test]
fn the_example_of_the_page_is_good() {
    let (_, rest) = section("A complete example").split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let config = load(example);
    let labels: Vec<String> = config.stages.iter().flat_map(|stage| &stage.servers).map(Server::label).collect();
    assert_eq!(
        labels,
        [
            "deploy@staging.example.com",
            "deploy@app1.example.com",
            "deploy@app2.example.com",
            "deploy@db1.example.com",
            "localhost"
        ]
    );
    assert_eq!(config.stages[0].servers[0].deploy_to, "/var/www/shop");
    assert_eq!(config.commands[0].run, ["bundle", "exec", "rubocop"]);
}

#[test]
fn the_mistakes_that_the_page_shows_are_reported_like_that() {
    let text =
        "application = \"shop\"\nrepo_url = \".\"\n\nlinked_file = [\"config/database.yml\"]\nkeep_releases = \"5\"\n";
    let (_, rest) = PAGE.split_once("```text\nerror: ").unwrap();
    let (shown, _) = rest.split_once("\n```").unwrap();
    assert_eq!(errors(text), shown);
}
