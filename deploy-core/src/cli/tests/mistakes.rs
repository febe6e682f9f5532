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
    error: unrecognized subcommand 'delpoy'

      tip: a similar subcommand exists: 'deploy'

    Usage: cargo xtask [OPTIONS] <COMMAND>

    For more information, try '--help'.
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
    assert_snapshot!(refused("deploy"), @r"
    error: the following required arguments were not provided:
      <STAGE>

    Usage: cargo xtask deploy <STAGE>

    For more information, try '--help'.
    ");
}

#[test]
fn flags_that_a_task_does_not_have_are_refused() {
    assert!(refused("deploy staging --release 1").contains("unexpected argument '--release'"));
    assert!(refused("deploy rollback staging --branch main").contains("unexpected argument '--branch'"));
    assert!(refused("deploy staging --plan --dry-run").contains("cannot be used with"));
    assert!(refused("deploy staging --format fancy").contains("fancy"));
}
