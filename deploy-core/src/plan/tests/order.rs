//! The order of tasks.

use super::*;

#[test]
fn hooks_and_prerequisites_stand_around_a_task_in_the_order_of_registration() {
    let tasks = [
        script("task", "app").needs([id("needed")]),
        script("needed", "app"),
        script("first", "app"),
        script("second", "app"),
        script("third", "app"),
        script("fourth", "app"),
    ];
    let tasks = registry(tasks, "first before task\nsecond before task\nthird after task\nfourth after task");
    assert_eq!(plan(&tasks, "task", &one()).order(), ["first", "second", "needed", "task", "third", "fourth"]);
}

#[test]
fn hooks_work_at_every_level() {
    let tasks = [
        group("flow", "phase"),
        group("phase", "step"),
        script("step", "app"),
        script("hook", "app"),
        script("hook:of_hook", "app"),
        script("around", "app"),
    ];
    let tasks = registry(tasks, "hook before step\nhook:of_hook before hook\naround after flow");
    assert_eq!(plan(&tasks, "flow", &one()).order(), ["hook:of_hook", "hook", "step", "around"]);
}

#[test]
fn a_task_runs_once_however_often_it_is_needed() {
    let tasks = [
        group("all", "a b"),
        script("a", "app").needs([id("c")]),
        script("b", "app").needs([id("c")]),
        script("c", "app"),
    ];
    assert_eq!(plan(&registry(tasks, "c before b"), "all", &one()).order(), ["c", "a", "b"]);
}

#[test]
fn a_hook_on_several_tasks_runs_before_the_first_or_after_the_last_of_them() {
    let tasks = || [group("all", "a b"), script("a", "app"), script("b", "app"), script("h", "app")];
    let before = registry(tasks(), "h before b\nh before a");
    assert_eq!(plan(&before, "all", &one()).order(), ["h", "a", "b"]);
    let after = registry(tasks(), "h after a\nh after b");
    assert_eq!(plan(&after, "all", &one()).order(), ["a", "b", "h"]);
    assert_eq!(plan(&after, "a", &one()).order(), ["a", "h"], "what takes no part is not waited for");
}

#[test]
fn a_hook_that_would_come_too_early_is_refused() {
    let tasks = [group("all", "h a"), script("a", "app"), script("h", "app")];
    let text = refused(&registry(tasks, "h after a"), "all", &one());
    assert!(text.starts_with("`h` is hooked after `a`, but runs before that is over, as a part of `all`"), "{text}");
    let tasks = [group("all", "a"), script("a", "app")];
    let text = refused(&registry(tasks, "a after all"), "all", &one());
    assert!(text.contains("`a` is hooked after `all`"), "{text}");
}

#[test]
fn a_task_may_leave_others_out() {
    let tasks = [
        group("back", "a b").without([id("a")]),
        group("forth", "a b"),
        script("a", "app"),
        script("b", "app"),
        script("hook", "app"),
    ];
    let tasks = registry(tasks, "hook after a");
    assert_eq!(plan(&tasks, "back", &one()).order(), ["b"], "with its hooks");
    assert_eq!(plan(&tasks, "forth", &one()).order(), ["a", "hook", "b"]);
}

#[test]
fn an_open_task_takes_part_once_somebody_fills_it() {
    let mut tasks = registry(
        [group("all", "a restart"), script("a", "app"), Task::open(id("restart"), "Restart it"), script("h", "app")],
        "h after restart",
    );
    assert_eq!(plan(&tasks, "all", &one()).order(), ["a"]);
    let text = refused(&tasks, "restart", &one());
    assert!(text.contains("nothing is registered on `restart`") && text.contains("deploy.toml"), "{text}");
    tasks.task(script("restart", "app"));
    assert_eq!(plan(&tasks, "all", &one()).order(), ["a", "restart", "h"]);
    assert_eq!(tasks.get(&id("restart")).unwrap().about(), "Restart it");
}

#[test]
fn steps_fill_an_open_task_and_leave_room_for_a_body() {
    let mut tasks = registry(
        [Task::open(id("restart"), "Restart it"), script("web", "app"), script("worker", "db"), script("h", "app")],
        "h after restart",
    );
    tasks.step(&id("restart"), id("web"));
    tasks.step(&id("restart"), id("worker"));
    assert_eq!(plan(&tasks, "restart", &one()).order(), ["web", "worker", "h"]);
    tasks.task(script("restart", "app"));
    assert_eq!(plan(&tasks, "restart", &one()).order(), ["restart", "web", "worker", "h"]);
    tasks.task(script("restart", "app"));
    assert_eq!(tasks.check(), ["the task `restart` is registered twice"]);
}

#[test]
fn a_step_of_a_task_that_does_not_exist_is_a_problem() {
    let mut tasks = registry([script("web", "app")], "");
    tasks.step(&id("restrat"), id("web"));
    assert_eq!(tasks.check(), ["`web` is made a part of `restrat`, which doesn't exist"]);
}

#[test]
fn what_fills_an_open_task_keeps_what_was_added_to_it() {
    let mut tasks = registry([Task::open(id("restart"), "Restart it"), script("n", "app")], "");
    tasks.need(&id("restart"), id("n"));
    tasks.task(script("restart", "app"));
    assert_eq!(plan(&tasks, "restart", &one()).order(), ["n", "restart"]);
}

#[test]
fn hooks_on_recipes_that_the_stage_does_not_configure_are_no_mistake() {
    let mut tasks = registry([group("all", "a"), script("a", "app"), script("mine", "app")], "mine after theirs");
    tasks.inert("theirs", |tasks| {
        tasks.task(script("theirs", "app"));
        add_hooks(tasks, "theirs after a");
    });
    assert_eq!(tasks.check(), Vec::<String>::new());
    assert_eq!(plan(&tasks, "all", &one()).order(), ["a"]);
}

#[test]
fn what_failed_is_followed_by_tasks_that_the_flow_has_as_well() {
    let phases = [Phase { name: "switch", tasks: vec![id("a")] }];
    let tasks = [
        Task::flow(id("flow"), "", phases, id("failed")),
        script("a", "app"),
        group("failed", ""),
        script("page:enable", "app"),
        script("page:disable", "app"),
    ];
    let hooks = "page:enable before a\npage:disable after flow\npage:disable after failed";
    let plan = plan(&registry(tasks, hooks), "flow", &one());
    assert_eq!(plan.order(), ["page:enable", "a", "page:disable"]);
    assert_eq!(plan.failure_legs.len(), 1);
    assert_eq!(plan.steps[plan.failure_legs[0].steps()[0]].task.id.as_str(), "page:disable");
}

#[test]
fn a_flow_that_is_a_part_of_something_keeps_its_failure_path() {
    let phases = [Phase { name: "switch", tasks: vec![id("a")] }];
    let tasks = [
        group("more", "b flow"),
        script("b", "app"),
        Task::flow(id("flow"), "", phases, id("failed")),
        script("a", "app"),
        script("failed", "app"),
    ];
    let tasks = registry(tasks, "");
    assert_eq!(plan(&tasks, "more", &one()).failure_legs.len(), 1);
    assert!(plan(&tasks, "a", &one()).failure_legs.is_empty(), "a part of a flow has none");
}
