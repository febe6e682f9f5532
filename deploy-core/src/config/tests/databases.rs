//! `[database]`, at the top and in stages.

use super::*;
use crate::config::{ConnectionSource, Database, Secret};

/// A file with `top` in its `[database]`, and `stage` in that of the stage `qa`.
fn file(top: &str, stage: &str) -> String {
    format!(
        "application = \"shop\"\nrepo_url = \".\"\n[database]\n{top}\n[stages.qa]\ntransport = \"local\"\n\
         [stages.qa.database]\n{stage}\n"
    )
}

fn database(top: &str, stage: &str) -> Database {
    load(&file(top, stage)).stages[0].settings.database.clone()
}

#[test]
fn a_stage_without_a_table_has_no_database() {
    let config = load("application = \"shop\"\nrepo_url = \".\"\n[stages.qa]\ntransport = \"local\"\n");
    assert!(!config.stages[0].settings.database.is_configured());
}

#[test]
fn the_defaults_are_those_that_the_page_names() {
    let database = database("name = \"shop\"", "");
    assert_eq!((database.keep_replaced, database.compress, &*database.source), (1, 0, "production"));
    assert_eq!((database.retention.last, database.retention.daily, database.retention.weekly), (5, 7, 4));
    assert_eq!(database.maintenance_database, "postgres");
    assert!(database.backup_dir.ends_with("backups") && database.backup_dir.is_absolute());
    assert!(database.connection.is_none() && !database.require_sanitize && !database.backup_before_migrate);
}

#[test]
fn parts_of_a_stage_stand_over_those_of_the_top() {
    let database = database("rails = \"config/database.yml\"\nuser = \"shop\"\nname = \"shop\"", "name = \"shop_qa\"");
    assert_eq!(database.connection, Some(ConnectionSource::Rails("config/database.yml".into(), "qa".into())));
    assert_eq!(database.parts.name.as_deref(), Some("shop_qa"));
    assert_eq!(database.parts.user.as_deref(), Some("shop"));
}

#[test]
fn a_stage_that_says_where_its_connection_comes_from_begins_anew() {
    let database = database("rails = \"config/database.yml\"\nuser = \"shop\"", "url_env = \"QA_URL\"");
    assert_eq!(database.connection, Some(ConnectionSource::UrlEnv("QA_URL".into())));
    assert_eq!(database.parts.user, None);
}

#[test]
fn a_flag_that_says_where_the_connection_comes_from_stands_over_the_file() {
    let config = load_with(&file("rails = \"config/database.yml\"", ""), |request| {
        request.set = vec!["database.url=postgresql://h/n".into()];
    });
    let database = config.stages[0].settings.database.clone();
    assert_eq!(database.connection, Some(ConnectionSource::Url(Secret::new("postgresql://h/n"))));
}

#[test]
fn two_sources_in_one_table_are_a_mistake() {
    let errors = errors(&file("url_env = \"A\"\nrails = \"config/database.yml\"", ""));
    assert!(errors.contains("both `url_env` and `rails` say where the connection comes from"), "{errors}");
}

#[test]
fn the_section_of_database_yml_follows_from_the_applications_environment() {
    let section = |more: &str, stage: &str| {
        let text = format!(
            "application = \"shop\"\nrepo_url = \".\"\n{more}\n[database]\nrails = \"config/database.yml\"\n\
             [stages.{stage}]\ntransport = \"local\"\n"
        );
        match load(&text).stages[0].settings.database.clone().connection {
            Some(ConnectionSource::Rails(_, section)) => section,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(section("", "dev"), "development");
    assert_eq!(section("", "staging"), "staging");
    assert_eq!(section("default_env = { RAILS_ENV = \"production\" }", "staging"), "production");
}

#[test]
fn wrong_values_are_shown_where_they_stand() {
    let errors = errors(&file(
        "adapter = \"oracle\"\nurl_env = \"a b\"\ncompress = 11\nbin_dir = \"bin\"\nkeep_dayly = 3\nkeep_last = 0",
        "",
    ));
    for problem in [
        "`adapter` can't be `oracle`",
        "`*****` can't be the name of an environment variable",
        "`compress` is out of range",
        "`bin_dir` is relative",
        "unknown key `keep_dayly`",
        "did you mean `keep_daily`?",
        "`keep_last` is out of range",
    ] {
        assert!(errors.contains(problem), "{problem}\n{errors}");
    }
}

#[test]
fn passwords_are_shown_nowhere() {
    let database = database("url = \"postgresql://u:hunter2@h/n\"", "password = \"hunter3\"");
    assert!(!format!("{database:?}").contains("hunter"));
}

#[test]
fn what_is_left_out_says_what_it_is() {
    let database = database("exclude = [\"schema:audit\", \"extension:pg_cron\"]\nexclude_data = \"events_*\"", "");
    assert_eq!(database.exclude.words(), ["schema:audit", "extension:pg_cron", "data:events_*"]);
    let errors = errors(&file("exclude = [\"audit\"]", ""));
    assert!(errors.contains("`audit` doesn't say what is left out") && errors.contains("schema:NAME"), "{errors}");
}

#[test]
fn what_two_stages_leave_out_is_left_out_once() {
    let both = database("exclude = \"table:a\"", "")
        .exclude
        .and(&database("exclude = [\"table:a\", \"table:b\"]", "").exclude);
    assert_eq!(both.words(), ["table:a", "table:b"]);
}

#[test]
fn where_flags_lead_a_protected_stage_elsewhere_the_files_own_is_kept() {
    let text = file("name = \"shop\"\nport = 5433", "").replace("[stages.qa]\n", "[stages.qa]\nprotected = true\n");
    let elsewhere = |flag: &str| {
        let config = load_with(&text, |request| request.set = vec![flag.into()]);
        let databases = config.led_elsewhere.into_iter().map(|stage| stage.settings.database.parts);
        databases.map(|parts| (parts.name, parts.port)).collect::<Vec<_>>()
    };
    let own = [(Some("shop".to_owned()), Some(5433))];
    assert_eq!(elsewhere("stages.qa.database.port=5434"), own);
    assert_eq!(elsewhere("database.url=postgresql://h/n"), own);
    assert_eq!(elsewhere("database.password=secret"), []);
    assert_eq!(elsewhere("keep_releases=3"), []);
}
