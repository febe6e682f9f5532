//! What the user is told of a wrong line.

use super::*;

#[test]
fn a_misspelt_task_is_answered_with_a_near_one() {
    assert_snapshot!(refused("deploy rolback staging"), @r"
    there is no task `deploy:rolback`
      hint: did you mean `cargo xtask deploy rollback staging`?
      hint: `cargo xtask tasks deploy` lists what there is
    ");
    assert_snapshot!(refused("deploy check linked-fils staging"), @r"
    `deploy:check` takes one stage, and there are 2: `linked-fils` and `staging`
      hint: run it for one stage after the other
      hint: did you mean `cargo xtask deploy check linked-files staging`?
      hint: `cargo xtask tasks deploy:check` lists what there is
    ");
    assert_snapshot!(refused("delpoy staging"), @r"
    there is no command `delpoy`
      hint: did you mean `cargo xtask deploy staging`?
      hint: `cargo xtask tasks` lists what there is
    ");
    assert_snapshot!(refused("cache waarm staging"), @r"
    there is no command `cache waarm`
      hint: did you mean `cargo xtask cache warm staging`?
      hint: `cargo xtask tasks` lists what there is
    ");
    assert_snapshot!(refused("zzz"), @r"
    there is no command `zzz`
      hint: `cargo xtask tasks` lists what there is
    ");
}

#[test]
fn the_stage_comes_last() {
    assert_snapshot!(refused("deploy staging rollback"), @r"
    the stage comes last, and `staging` comes before `rollback`
      hint: did you mean `cargo xtask deploy rollback staging`?
    ");
    assert_snapshot!(refused("staging deploy:rollback"), @r"
    the stage comes last, and `staging` comes first
      hint: did you mean `cargo xtask deploy rollback staging`?
    ");
    assert_snapshot!(refused("staging deploy rollback"), @r"
    the stage comes last, and `staging` comes first
      hint: did you mean `cargo xtask deploy rollback staging`?
    ");
}

#[test]
fn one_stage_at_a_time() {
    assert_snapshot!(refused("deploy staging production"), @r"
    `deploy` takes one stage, and there are 2: `staging` and `production`
      hint: run it for one stage after the other
      hint: did you mean `cargo xtask deploy starting production`?
      hint: `cargo xtask tasks deploy` lists what there is
    ");
}

/// What the user is told of a wrong line where these are the stages.
fn refused_with(stages: &[&str], line: &str) -> String {
    let stages: Vec<_> = stages.iter().map(|stage| (*stage).to_owned()).collect();
    match parse(&args(&line.split(' ').collect::<Vec<_>>()), &tasks(), &commands(), &stages) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{line}"),
    }
}

#[test]
fn a_stage_that_is_missing_is_answered_with_those_there_are() {
    let stages = ["staging", "production"];
    assert_snapshot!(refused_with(&stages, "deploy"), @r"
    `deploy` needs a stage
      hint: did you mean `cargo xtask deploy staging`?
      hint: the stages are `staging`, `production`
    ");
    assert_snapshot!(refused_with(&["live"], "deploy rollback --release 20261122101500"), @r"
    `deploy rollback` needs a stage
      hint: did you mean `cargo xtask deploy rollback live`?
    ");
    assert_snapshot!(refused_with(&stages, "doctor --json"), @r"
    `doctor` needs a stage
      hint: did you mean `cargo xtask doctor staging`?
      hint: the stages are `staging`, `production`
    ");
    assert_snapshot!(refused("deploy"), @r"
    `deploy` needs a stage
      hint: did you mean `cargo xtask deploy STAGE`?
    ");
}

#[test]
fn the_end_of_a_name_is_answered_with_the_whole() {
    let stages = ["staging", "production"];
    assert_snapshot!(refused_with(&stages, "rollback production"), @r"
    there is no command `rollback`
      hint: did you mean `cargo xtask deploy rollback production`?
      hint: `cargo xtask tasks` lists what there is
    ");
    assert!(refused_with(&stages, "status staging").contains("`cargo xtask deploy status staging`"));
    assert!(refused_with(&stages, "unlock").contains("`cargo xtask deploy unlock staging`"));
    assert!(refused_with(&stages, "rolback production").contains("`cargo xtask deploy rollback production`"));
}

#[test]
fn a_stage_alone_is_answered_with_a_deploy() {
    assert_snapshot!(refused_with(&["staging"], "staging"), @r"
    `staging` is a stage, and what is to be done there isn't said
      hint: did you mean `cargo xtask deploy staging`?
      hint: `cargo xtask tasks` lists what there is
    ");
}

#[test]
fn flags_that_a_task_does_not_have_are_refused() {
    assert!(refused("deploy staging --release 1").contains("unexpected argument '--release'"));
    assert!(refused("deploy rollback staging --branch main").contains("unexpected argument '--branch'"));
    assert!(refused("deploy staging --plan --dry-run").contains("cannot be used with"));
    assert!(refused("deploy staging --format fancy").contains("fancy"));
}
