//! Tables of recipes.

use insta::assert_snapshot;
use serde::Deserialize;

use super::*;
use crate::config::{RecipeTable, Time};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Migrations {
    command: String,
    role: Option<String>,
    jobs: u8,
    mode: Mode,
    env: std::collections::BTreeMap<String, String>,
    pair: (i64, f64),
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Always,
    Conditional,
    Tables(Vec<String>),
}

impl Default for Migrations {
    fn default() -> Migrations {
        Migrations {
            command: "rake db:migrate".to_owned(),
            role: None,
            jobs: 1,
            mode: Mode::default(),
            env: [].into(),
            pair: (0, 0.0),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[expect(dead_code, reason = "only whether it is there matters")]
    command: String,
}

fn read(more: &str) -> Migrations {
    stage(more).recipe("migrations").unwrap().read().unwrap()
}

/// What the user is told when the recipe reads its table.
fn refused(more: &str) -> String {
    stage(more).recipe("migrations").unwrap().read::<Migrations>().unwrap_err().to_string()
}

#[test]
fn a_recipe_without_a_table_is_off() {
    assert!(stage("").recipe("migrations").is_none());
    assert!(stage("[recipes.bundler]").recipe("migrations").is_none());
}

#[test]
fn an_empty_table_turns_a_recipe_on_with_its_defaults() {
    assert_eq!(read("[recipes.migrations]\nenabled = true"), Migrations::default());
}

#[test]
fn every_kind_of_value_is_read() {
    let text = r#"
[recipes.migrations]
command = "x"
role = "db"
jobs = 3
mode = { tables = ["a", "b"] }
env = { A = "1" }
pair = [1, 2]
"#;
    assert_eq!(
        read(text),
        Migrations {
            command: "x".to_owned(),
            role: Some("db".to_owned()),
            jobs: 3,
            mode: Mode::Tables(vec!["a".to_owned(), "b".to_owned()]),
            env: [("A".to_owned(), "1".to_owned())].into(),
            pair: (1, 2.0),
        }
    );
    assert_eq!(read("[recipes.migrations]\nmode = \"conditional\"").mode, Mode::Conditional);
}

#[test]
fn a_stage_changes_a_recipe_or_turns_it_off() {
    let text =
        "[recipes.migrations]\ncommand = \"a\"\njobs = 2\n[stages.production.recipes.migrations]\ncommand = \"b\"\n";
    let migrations = read(text);
    assert_eq!((migrations.command.as_str(), migrations.jobs), ("b", 2));
    assert!(stage(&format!("{text}enabled = false")).recipe("migrations").is_none());
    assert!(stage("[recipes.migrations]\nenabled = false").recipe("migrations").is_none());
}

#[test]
fn a_flag_changes_a_recipe() {
    let config = load_with(&with("[recipes.migrations]\n"), |request| {
        request.set.push("recipes.migrations.command=bin/migrate".to_owned());
    });
    let migrations: Migrations = config.stages[0].recipe("migrations").unwrap().read().unwrap();
    assert_eq!(migrations.command, "bin/migrate");
}

/// The stage of a tool whose bundle `rails` has the recipes `bundler` and `migrations`.
fn bundled(more: &str, set: &[&str]) -> Stage {
    let mut config = load_with(&with(more), |request| {
        request.recipes.push("rails".to_owned());
        request.bundles.insert("rails".to_owned(), vec!["bundler".to_owned(), "migrations".to_owned()]);
        request.set.extend(set.iter().map(|set| (*set).to_owned()));
    });
    config.stages.remove(0)
}

/// The names of the recipes that are on.
fn on(more: &str, set: &[&str]) -> Vec<String> {
    bundled(more, set).recipes.into_keys().collect()
}

#[test]
fn a_bundle_turns_its_recipes_on() {
    assert_eq!(on("[recipes.rails]", &[]), ["bundler", "migrations", "rails"]);
    assert_eq!(on("[stages.production.recipes.rails]", &[]), ["bundler", "migrations", "rails"]);
    assert_eq!(on("", &["recipes.rails.enabled=true"]), ["bundler", "migrations", "rails"]);
}

#[test]
fn a_recipe_of_a_bundle_is_turned_off_by_its_own_table() {
    assert_eq!(on("[recipes.rails]\n[recipes.bundler]\nenabled = false", &[]), ["migrations", "rails"]);
    assert_eq!(on("[recipes.rails]", &["recipes.migrations.enabled=false"]), ["bundler", "rails"]);
}

#[test]
fn a_bundle_that_is_off_turns_nothing_on() {
    assert_eq!(on("[recipes.rails]\nenabled = false", &[]), [""; 0]);
    assert_eq!(on("[recipes.rails]\nenabled = false\n[recipes.bundler]", &[]), ["bundler"]);
    assert_eq!(on("", &["recipes.bundler.enabled=true"]), ["bundler"]);
}

#[test]
fn the_recipes_of_a_bundle_are_tuned_by_their_own_tables() {
    let migrations =
        |more: &str, set: &[&str]| -> Migrations { bundled(more, set).recipe("migrations").unwrap().read().unwrap() };
    assert_eq!(migrations("[recipes.rails]", &[]), Migrations::default());
    assert_eq!(migrations("[recipes.rails]\n[recipes.migrations]\njobs = 3", &[]).jobs, 3);
    assert_eq!(migrations("[recipes.rails]", &["recipes.migrations.jobs=4"]).jobs, 4);
}

#[test]
fn a_mistake_in_the_table_of_a_recipe_of_a_bundle_is_shown_there() {
    let stage = bundled("[recipes.rails]\n[recipes.migrations]\ncomand = \"x\"\n", &[]);
    assert_snapshot!(stage.recipe("migrations").unwrap().read::<Migrations>().unwrap_err(), @r#"
    1 error in `deploy.toml`
    error: unknown key `comand`
     --> deploy.toml:6:1
      |
    6 | comand = "x"
      | ^^^^^^ did you mean `command`?
    "#);
}

#[test]
fn what_a_recipe_lacks_that_has_no_table_is_shown_at_its_bundle() {
    let stage = bundled("[recipes.rails]\n", &[]);
    assert_snapshot!(stage.recipe("migrations").unwrap().read::<Strict>().unwrap_err(), @"
    1 error in `deploy.toml`
    error: recipe `migrations` needs the key `command`
     --> deploy.toml:4:1
      |
    4 | [recipes.rails]
      | ^^^^^^^^^^^^^^^ expected `command = …` in the table `[recipes.migrations]`
    ");
}

#[derive(Debug, Deserialize)]
struct Timed {
    wait: Time,
}

#[test]
fn times_of_recipes_are_written_like_those_of_settings() {
    let wait = |text: &str| RecipeTable::from_toml("x", text).unwrap().read::<Timed>().map(|timed| timed.wait);
    assert_eq!(wait("wait = 5").unwrap(), Time::seconds(5));
    assert_eq!(wait("wait = \"2m\"").unwrap(), Time::seconds(120));
    assert_snapshot!(wait("wait = \"soon\"").unwrap_err(), @r#"
    1 error in `deploy.toml`
    error: wrong value in recipe `x`
     --> deploy.toml:1:8
      |
    1 | wait = "soon"
      |        ^^^^^^ expected a number of seconds, or a text such as "10s", "5m" or "500ms", found string "soon"
    "#);
    assert!(wait("wait = -1").unwrap_err().to_string().contains("found integer `-1`"));
}

#[test]
fn an_unknown_key_of_a_recipe_is_shown_with_the_nearest() {
    assert_snapshot!(refused("[recipes.migrations]\ncomand = \"x\"\n"), @r#"
    1 error in `deploy.toml`
    error: unknown key `comand`
     --> deploy.toml:5:1
      |
    5 | comand = "x"
      | ^^^^^^ did you mean `command`?
    "#);
}

#[test]
fn a_wrong_type_in_a_recipe_is_shown() {
    assert_snapshot!(refused("[recipes.migrations]\nrole = [\"db\"]\n"), @r#"
    1 error in `deploy.toml`
    error: wrong type in recipe `migrations`
     --> deploy.toml:5:8
      |
    5 | role = ["db"]
      |        ^^^^^^ expected a string, found an array
    "#);
    assert_snapshot!(refused("[recipes.migrations]\nenv = { A = 1 }\n"), @"
    1 error in `deploy.toml`
    error: wrong type in recipe `migrations`
     --> deploy.toml:5:13
      |
    5 | env = { A = 1 }
      |             ^ expected a string, found integer `1`
    ");
    assert_snapshot!(refused("[recipes.migrations]\njobs = 256\n"), @"
    1 error in `deploy.toml`
    error: wrong value in recipe `migrations`
     --> deploy.toml:5:8
      |
    5 | jobs = 256
      |        ^^^ expected a number from 0 to 255, found integer `256`
    ");
    assert_snapshot!(refused("[recipes.migrations]\npair = [1, 2, 3]\n"), @"
    1 error in `deploy.toml`
    error: wrong value in recipe `migrations`
     --> deploy.toml:5:8
      |
    5 | pair = [1, 2, 3]
      |        ^^^^^^^^^ invalid length 3, expected 2 elements in sequence
    ");
}

#[test]
fn an_unknown_word_in_a_recipe_is_shown_with_the_nearest() {
    assert_snapshot!(refused("[recipes.migrations]\nmode = \"conditonal\"\n"), @r#"
    1 error in `deploy.toml`
    error: unknown value `conditonal`
     --> deploy.toml:5:8
      |
    5 | mode = "conditonal"
      |        ^^^^^^^^^^^^ did you mean `conditional`?
    "#);
}

#[test]
fn a_missing_key_of_a_recipe_is_shown_at_its_table() {
    let stage = stage("[recipes.migrations]\n");
    assert_snapshot!(stage.recipe("migrations").unwrap().read::<Strict>().unwrap_err(), @"
    1 error in `deploy.toml`
    error: recipe `migrations` needs the key `command`
     --> deploy.toml:4:1
      |
    4 | [recipes.migrations]
      | ^^^^^^^^^^^^^^^^^^^^ expected `command = …` in the table `[recipes.migrations]`
    ");
}

#[test]
fn a_mistake_in_a_flag_for_a_recipe_is_shown_in_the_flag() {
    let config = load_with(&with("[recipes.migrations]\n"), |request| {
        request.set.push("recipes.migrations.jobs=many".to_owned());
    });
    let error = config.stages[0].recipe("migrations").unwrap().read::<Migrations>().unwrap_err();
    assert_snapshot!(error, @r#"
    1 error in the configuration
    error: wrong type in recipe `migrations`
     |
     | --set recipes.migrations.jobs=many
     |                               ^^^^ expected a number from 0 to 255, found string "many"
    "#);
}

#[test]
fn a_recipe_that_nobody_registered_is_shown() {
    assert_snapshot!(errors(&with("[recipes.bundlr]\n[recipes]\nmigrations = true\n[stages.production.recipes.zzz]\n")), @"
    3 errors in `deploy.toml`
    error: unknown recipe `bundlr`
     --> deploy.toml:4:10
      |
    4 | [recipes.bundlr]
      |          ^^^^^^ did you mean `bundler`?
      |
      = help: recipes are registered in `xtask/src/main.rs`

    error: wrong type of `migrations`
     --> deploy.toml:6:14
      |
    6 | migrations = true
      |              ^^^^ expected a table, found a boolean

    error: unknown recipe `zzz`
     --> deploy.toml:7:28
      |
    7 | [stages.production.recipes.zzz]
      |                            ^^^ no such recipe
      |
      = help: recipes are registered in `xtask/src/main.rs`
    ");
}

#[test]
fn a_recipe_reads_a_table_in_its_own_tests() {
    let table = RecipeTable::from_toml("migrations", "command = \"x\"").unwrap();
    assert_eq!(table.read::<Migrations>().unwrap().command, "x");
    let table = RecipeTable::from_toml("migrations", "comand = \"x\"").unwrap();
    assert!(table.read::<Migrations>().unwrap_err().to_string().contains("did you mean `command`?"));
}

#[test]
fn a_flag_turns_a_recipe_on_and_off_but_never_by_the_way() {
    let on = |text: &str, value: &str| {
        let config = load_with(&with(text), |request| request.set.push(value.to_owned()));
        config.stages[0].recipe("migrations").is_some()
    };
    assert!(!on("", "recipes.migrations.jobs=2"));
    assert!(on("", "recipes.migrations.enabled=true"));
    assert!(on("[recipes.migrations]", "recipes.migrations.jobs=2"));
    assert!(!on("[recipes.migrations]", "recipes.migrations.enabled=false"));
    assert!(on("[recipes.migrations]\nenabled = false", "stages.production.recipes.migrations.enabled=true"));
}

#[test]
fn a_recipe_refuses_the_texts_that_the_core_refuses() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    #[derive(Default)]
    struct Settings {
        command: String,
        flags: Vec<String>,
        env: std::collections::BTreeMap<String, String>,
        group: Option<std::num::NonZeroUsize>,
    }
    let read = |text: &str| crate::config::RecipeTable::from_toml("own", text).unwrap().read::<Settings>();
    for (text, label) in [
        ("command = \" \"", "expected a text that is not empty"),
        ("command = \"a\\nb\"", "expected one line of plain text"),
        ("flags = [\"a\", \"\\u0000\"]", "no program can be given a NUL character"),
        ("env = { A = \"\\u0000\" }", "no program can be given a NUL character"),
        ("env = { 'A; touch x' = \"y\" }", "no variable can be called so"),
        ("command = 2026-11-28", "found a date or time"),
        ("group = 0", "expected a number, 1 or more"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains("deploy.toml:1:") && error.contains(label), "{error}");
    }
    let good = read("command = \"rake\"\nflags = [\"-q\"]\nenv = { A = \"\", B = \"a\\nb\" }\ngroup = 1\n").unwrap();
    assert_eq!((good.command.as_str(), good.flags.len(), good.env["B"].as_str()), ("rake", 1, "a\nb"));
    assert_eq!((good.env["A"].as_str(), good.group.map(|group| group.get())), ("", Some(1)));
}
