//! The flows of this crate.

use super::*;

fn execs(strategy: GitStrategy, root: &str, servers: usize) -> usize {
    let servers: Vec<_> = (0..servers).map(|number| format!("app{number} app")).collect();
    let stage = stage(&servers.iter().map(String::as_str).collect::<Vec<_>>());
    let plan = plan(&stock(strategy), root, &stage);
    (0..stage.servers.len()).map(|server| plan.execs_on(server)).max().unwrap()
}

#[test]
fn both_flows_stay_within_their_budget_of_commands() {
    for strategy in [GitStrategy::Push, GitStrategy::Fetch] {
        for flow in ["deploy", "deploy:rollback"] {
            assert!(execs(strategy, flow, 1) <= 3, "{flow} {strategy:?}: {}", execs(strategy, flow, 1));
            assert!(execs(strategy, flow, 5) <= 6, "{flow} {strategy:?}: {}", execs(strategy, flow, 5));
        }
    }
}

#[test]
fn the_registration_has_no_problems() {
    assert_eq!(stock(GitStrategy::Push).check(), Vec::<String>::new());
}

#[test]
fn a_deploy_runs_these_tasks() {
    let plan = plan(&stock(GitStrategy::Push), "deploy", &three());
    insta::assert_snapshot!(plan.shape().replace(" | ", "\n"), @r"
    local:git:resolve
    local:deploy:ensure_stage
    deploy:lock deploy:check:directories deploy:check:releases deploy:check:linked_dirs deploy:check:make_linked_dirs deploy:check:linked_files git:check
    local:deploy:new_release
    git:update git:create_release deploy:set_current_revision deploy:symlink:linked_files deploy:symlink:linked_dirs
    deploy:symlink:release
    deploy:mark_published
    deploy:cleanup deploy:log_revision
    ");
}

#[test]
fn a_rollback_runs_these_tasks_and_needs_no_repository() {
    let plan = plan(&stock(GitStrategy::Push), "deploy:rollback", &three());
    insta::assert_snapshot!(plan.shape().replace(" | ", "\n"), @r"
    local:deploy:ensure_stage
    deploy:lock deploy:check:directories deploy:check:releases deploy:check:linked_dirs deploy:check:make_linked_dirs deploy:check:linked_files
    local:deploy:choose_release
    deploy:revert_release
    deploy:symlink:release
    deploy:mark_published
    deploy:cleanup_rollback deploy:log_revision
    ");
    assert!(!plan.order().iter().any(|task| task.starts_with("git:")));
}

#[test]
fn every_task_can_be_planned_alone() {
    let tasks = stock(GitStrategy::Fetch);
    for task in tasks.iter().filter(|task| task.is_filled()) {
        if let Err(error) = Plan::new(&tasks, task.id(), &three(), &Filter::default()) {
            let is_hook_point = error.message().ends_with("is a hook point, and nothing is hooked on it");
            assert!(is_hook_point && task.about().ends_with("a hook point"), "{}: {error}", task.id());
        }
    }
}
