//! Tasks whose stage is an option.

use super::*;
use crate::cli::Chosen;
use crate::plan::testing::config;

fn with_backups() -> Tasks {
    let mut tasks = tasks();
    let file = Opt { name: "file", value: Some("FILE"), about: "The backup" };
    tasks.task(local("db:backup:create").stage_option("dev"));
    tasks.task(local("db:backup:restore_from").stage_option("dev").option(file));
    tasks.task(local("db:backup:list").any_stage());
    tasks
}

fn parsed(line: &str) -> Result<RunRequest, String> {
    match parse(&args(&line.split(' ').collect::<Vec<_>>()), &with_backups(), &[], &[]) {
        Ok(Parsed::Request(Request::Run(request))) => Ok(*request),
        Ok(Parsed::Request(other)) => panic!("{line}: {other:?}"),
        Ok(Parsed::Clap(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn chosen(line: &str) -> Chosen {
    parsed(line).unwrap_or_else(|error| panic!("{line}: {error}")).stage
}

fn refused(line: &str) -> String {
    parsed(line).expect_err(line)
}

#[test]
fn where_no_stage_is_named_the_task_knows_one() {
    assert_eq!(chosen("db backup create"), Chosen::Default("dev"));
    assert_eq!(chosen("db backup list"), Chosen::First);
}

#[test]
fn it_is_named_by_an_option_or_a_word_in_every_spelling() {
    for line in [
        "db backup restore-from --stage staging",
        "db backup restore-from --stage=staging",
        "db backup restore_from staging",
        "db:backup:restore_from --stage staging",
        "db:backup:restore-from staging",
        "db --verbose backup:restore_from --stage staging",
    ] {
        let request = parsed(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(request.task.as_str(), "db:backup:restore_from", "{line}");
        assert_eq!(request.stage, Chosen::Named("staging".into()), "{line}");
    }
    assert_eq!(chosen("db backup create --stage db:backup:list"), Chosen::Named("db:backup:list".into()));
}

#[test]
fn the_task_sees_whether_a_stage_was_named() {
    let option = |line: &str| parsed(line).unwrap().options.get("stage").cloned();
    assert_eq!(option("db backup list"), None);
    assert_eq!(option("db backup create"), None);
    assert_eq!(option("db backup list staging").as_deref(), Some("staging"));
    assert_eq!(option("db backup create --stage dev").as_deref(), Some("dev"));
    assert_eq!(option("cache clear staging"), None, "here a stage has to be named");
}

#[test]
fn two_stages_are_refused() {
    assert_snapshot!(refused("db backup create dev --stage staging"), @r"
    `db:backup:create` takes one stage, and there are 2: `dev` and `staging`
      hint: name it by `--stage` or by a word, not by both
    ");
    assert_snapshot!(refused("db backup create dev staging"), @r"
    `db:backup:create` takes one stage, and there are 2: `dev` and `staging`
      hint: run it for one stage after the other
      hint: `cargo xtask db backup create --help` explains it
    ");
}

#[test]
fn where_the_stage_is_a_word_it_may_be_an_option_too() {
    for line in ["deploy --stage staging", "deploy --stage=staging --plan", "deploy:rollback --yes --stage staging"] {
        assert_eq!(chosen(line), Chosen::Named("staging".into()), "{line}");
    }
    assert!(refused("deploy staging --stage production").contains("takes one stage, and there are 2"));
    assert!(refused("db backup --stage staging").contains("there is no command `db backup staging`"));
    assert!(refused("deploy --stage").contains("--stage"));
}

#[test]
fn the_assignments_of_rake_and_capistrano_are_answered_with_options() {
    assert_snapshot!(refused("db:backup:create stage=dev"), @r"
    options begin with `--`, and `stage=dev` doesn't
      hint: did you mean `--stage dev`?
    ");
    assert_snapshot!(refused("db backup restore-from stage=dev file=x.pgdump"), @r"
    options begin with `--`, and `stage=dev` doesn't
      hint: did you mean `--stage dev --file x.pgdump`?
    ");
    assert_snapshot!(refused("db backup restore-from --stage dev FILE=x.pgdump"), @r"
    options begin with `--`, and `FILE=x.pgdump` doesn't
      hint: did you mean `--file x.pgdump`?
    ");
    assert_snapshot!(refused("deploy stage=staging BRANCH=v2"), @r"
    options begin with `--`, and `stage=staging` doesn't
      hint: did you mean `staging --branch v2`?
    ");
    assert_snapshot!(refused("deploy:rollback production ROLLBACK_RELEASE=20261122101500"), @r"
    options begin with `--`, and `ROLLBACK_RELEASE=20261122101500` doesn't
      hint: did you mean `--release 20261122101500`?
    ");
    assert_snapshot!(refused("db backup create verbose=1"), @r"
    options begin with `--`, and `verbose=1` doesn't
      hint: `cargo xtask db backup create --help` lists its options
    ");
}

#[test]
fn a_default_that_is_not_there_is_told_with_what_is() {
    let config = config();
    let find = |chosen: Chosen| chosen.find(config).map(|stage| stage.name.clone()).map_err(|error| error.to_string());
    assert_eq!(find(Chosen::First).as_deref(), Ok("production"));
    assert_eq!(find(Chosen::Default("production")).as_deref(), Ok("production"));
    assert_snapshot!(find(Chosen::Default("dev")).unwrap_err(), @r"
    no stage is named, and there is no stage `dev`
      hint: name one by `--stage`: the only stage is `production`
    ");
    assert_snapshot!(find(Chosen::Named("producton".into())).unwrap_err(), @r"
    unknown stage `producton`
      hint: did you mean `production`?
    ");
}

#[test]
fn help_and_lists_show_the_option() {
    let Ok(Parsed::Clap(help)) = parse(&args(&["db", "backup", "create", "--help"]), &with_backups(), &[], &[]) else {
        panic!("help");
    };
    let help = help.to_string();
    let shown: Vec<_> =
        help.lines().filter(|line| line.contains("Usage") || line.to_lowercase().contains("stage")).collect();
    assert_snapshot!(shown.join("\n"), @r"
    Usage: cargo xtask db backup create [OPTIONS]
          --stage <STAGE>     The stage, as in [stages.STAGE] of deploy.toml [default: dev]
          --lock-wait <TIME>  Wait this long, such as 5m, for another run to free the stage's lock
    ");
    let request = ListRequest { pattern: Some("db:backup".into()), ..list() };
    assert_snapshot!(as_text(&with_backups(), &[], &request), @r"
    cargo xtask db backup create [--stage STAGE]        # db:backup:create
    cargo xtask db backup list [--stage STAGE]          # db:backup:list
    cargo xtask db backup restore-from [--stage STAGE]  # db:backup:restore_from
    ");
    let json: serde_json::Value = serde_json::from_str(&as_json(&with_backups(), &request)).unwrap();
    let stages: Vec<_> = json.as_array().unwrap().iter().map(|task| task["stage"].to_string()).collect();
    assert_snapshot!(stages.join("\n"), @r#"
    {"as":"option","default":"dev","required":false}
    {"as":"option","default":"dev","required":false}
    {"as":"option","required":false}
    "#);
}
