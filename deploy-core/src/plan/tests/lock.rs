//! Where the stage's lock is taken.

use super::*;

#[test]
fn the_lock_comes_before_all_else_on_a_server_and_only_where_something_runs() {
    let plan = plan(&stock(GitStrategy::Push), "deploy", &three());
    let first = plan.steps.iter().find(|step| !step.is_local()).unwrap();
    assert_eq!((first.task.id.as_str(), first.servers.as_slice()), ("deploy:lock", &[0, 1][..]));
}

#[test]
fn a_run_without_anything_on_servers_takes_none() {
    let mut tasks = stock(GitStrategy::Push);
    tasks.task(local("here"));
    assert_eq!(plan(&tasks, "here", &three()).order(), ["here"]);
}
