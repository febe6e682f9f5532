//! What is wrong with a registration.

use insta::assert_snapshot;

use super::*;

#[test]
fn circles_through_hooks_prerequisites_and_steps_are_shown() {
    let tasks = || [group("a", "b"), script("b", "app").needs([id("c")]), script("c", "app"), script("d", "app")];
    let text = refused(&registry(tasks(), "a after c"), "a", &one());
    assert_eq!(text, "tasks run in a circle: `a` → `b` → `c` → `a`");
    let text = refused(&registry(tasks(), "d before b\nb before d"), "a", &one());
    assert_eq!(text, "tasks run in a circle: `b` → `d` → `b`");
    let text = refused(&registry(tasks(), "d after d"), "a", &one());
    assert_eq!(text, "tasks run in a circle: `d` → `d`");
}

#[test]
fn names_of_no_task_are_shown_with_near_ones() {
    let mut tasks = registry(
        [group("deploy:updated", "deplyo"), script("deploy:migrate", "db").needs([id("nothing_like_it")])],
        "deploy:migrate after deploy:updatd\ncache before deploy:updated",
    );
    tasks.need(&id("gone"), id("deploy:migrate"));
    insta::assert_snapshot!(tasks.check().join("\n"), @r"
    `deploy:migrate` is made a prerequisite of `gone`, which doesn't exist
    there is no task `cache`, though it is hooked before `deploy:updated`
    there is no task `deploy:updatd`, though `deploy:migrate` is hooked after it; did you mean `deploy:updated`?
    there is no task `nothing_like_it`, though `deploy:migrate` names it
    there is no task `deplyo`, though `deploy:updated` names it; did you mean `deploy:migrate`?
    ");
}

#[test]
fn two_tasks_of_one_id_are_a_problem() {
    let tasks = registry([script("a", "app"), script("a", "app")], "");
    assert_eq!(tasks.check(), ["the task `a` is registered twice"]);
}

#[test]
fn options_that_the_command_line_has_already_are_a_problem() {
    let option = |name| crate::task::Opt { name, value: None, about: "" };
    let tasks = registry([script("a", "app").option(option("plan")).option(option("x")).option(option("x"))], "");
    assert_eq!(
        tasks.check(),
        ["the option `--plan` of the task `a` is one that every task has", "the task `a` has two options `--x`"]
    );
}

#[test]
fn an_unknown_root_is_named_with_a_near_one() {
    let tasks = registry([script("cache:clear", "app")], "");
    let error = tasks.find("cache claer").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("did you mean `cache:clear`?"), "{error}");
    assert!(tasks.find("cache clear").is_ok() && tasks.find("cache:clear").is_ok());
}

#[test]
fn only_scripts_go_from_server_to_server() {
    let wait = std::time::Duration::ZERO;
    let tasks =
        registry([on_host("a", "app").rolling(1, wait), on_host("b", "app").limit(2), rolling("c", "app", 1)], "");
    let problems = tasks.check();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("`a` is rolling"), "{problems:?}");
}

#[test]
fn a_role_that_a_task_needs_must_be_there() {
    let mut tasks = stock(GitStrategy::Push);
    tasks.active("keeper", |tasks| tasks.task(script("keep:it", "all").needs_role("db")));
    let plan = |servers: &[&str]| Plan::new(&tasks, &id("keep:it"), &stage(servers), &Filter::default());
    plan(&["app1 app", "db1 db no_release"]).unwrap();
    assert_snapshot!(plan(&["app1 app"]).unwrap_err(), @r#"
    `keep:it` needs a server with the role `db`, and stage `production` has none
      hint: give one of [[stages.production.servers]] the role: roles = ["db"]
      hint: or turn the recipe off: [stages.production.recipes.keeper] enabled = false
    "#);
}
