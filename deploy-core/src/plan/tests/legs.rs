//! What is fused, and where everybody waits.

use super::*;

#[test]
fn scripts_are_fused_until_something_needs_the_controller() {
    let tasks = [
        group("all", "a b here c talk d"),
        script("a", "app"),
        script("b", "app"),
        local("here"),
        script("c", "app"),
        on_host("talk", "app"),
        script("d", "app"),
    ];
    assert_eq!(plan(&registry(tasks, ""), "all", &three()).shape(), "a b | local:here | c | host:talk | d");
}

#[test]
fn what_is_fed_begins_a_leg() {
    let tasks =
        [group("all", "a fed b"), script("a", "app"), script("fed", "app").feed(|_| Ok(None)), script("b", "app")];
    assert_eq!(plan(&registry(tasks, ""), "all", &one()).shape(), "a | fed b");
}

#[test]
fn a_task_without_servers_makes_nobody_wait() {
    let tasks = [
        group("all", "a talk fed b"),
        script("a", "app"),
        on_host("talk", "web"),
        script("fed", "web").feed(|_| Ok(None)),
        script("b", "app"),
    ];
    assert_eq!(plan(&registry(tasks, ""), "all", &three()).legs.len(), 1);
}

#[test]
fn rolling_tasks_go_group_by_group_where_there_are_more_servers_than_a_group_has() {
    let tasks = [group("all", "a r b"), script("a", "app"), rolling("r", "app", 1), script("b", "app")];
    let tasks = registry(tasks, "");
    let several = plan(&tasks, "all", &three());
    assert_eq!(several.shape(), "a | rolling1:r | b");
    assert!(matches!(several.legs[1], crate::plan::Leg::Rolling(1, rolling) if rolling.wait == Duration::from_secs(2)));
    assert_eq!(plan(&tasks, "all", &one()).shape(), "a r b");
    let pairs = registry([group("all", "a r"), script("a", "app"), rolling("r", "app", 2)], "");
    assert_eq!(plan(&pairs, "all", &three()).shape(), "a r");
}

#[test]
fn an_edge_between_tasks_on_different_servers_is_a_barrier() {
    let tasks = || [group("all", "a b"), script("a", "app"), script("b", "app"), script("h", "db")];
    let after = registry(tasks(), "h after a");
    assert_eq!(plan(&after, "all", &three()).shape(), "a (edge) | h b");
    assert_eq!(plan(&after, "all", &one()).shape(), "a h b");
    assert_eq!(plan(&registry(tasks(), "h before b"), "all", &three()).shape(), "a h (edge) | b");
    let needs = [group("all", "x a"), script("x", "db"), script("a", "app").needs([id("n")]), script("n", "db")];
    assert_eq!(plan(&registry(needs, ""), "all", &three()).shape(), "x n (edge) | a");
}

#[test]
fn steps_of_a_group_on_different_servers_need_not_wait() {
    let tasks = [group("all", "a h b"), script("a", "app"), script("b", "app"), script("h", "db")];
    assert_eq!(plan(&registry(tasks, ""), "all", &three()).shape(), "a h b");
}

#[test]
fn an_edge_to_or_from_a_group_counts_the_servers_of_what_is_in_it() {
    let tasks = || {
        [
            group("all", "a g b"),
            group("g", "h"),
            script("a", "app"),
            script("h", "db"),
            script("b", "app"),
            script("x", "app"),
        ]
    };
    assert_eq!(plan(&registry(tasks(), "x after g"), "all", &three()).shape(), "a h (edge) | x b");
    assert_eq!(plan(&registry(tasks(), "x before g"), "all", &three()).shape(), "a x (edge) | h b");
    let hooked = [group("all", "a b"), group("g", "h"), script("a", "app"), script("h", "db"), script("b", "app")];
    assert_eq!(plan(&registry(hooked, "g after a"), "all", &three()).shape(), "a (edge) | h b");
}

#[test]
fn an_empty_hook_point_stands_for_everything_before_it() {
    let tasks =
        || [group("all", "a point b"), group("point", ""), script("a", "app"), script("b", "app"), script("h", "db")];
    assert_eq!(plan(&registry(tasks(), "h after point"), "all", &three()).shape(), "a (edge) | h b");
    assert_eq!(plan(&registry(tasks(), "h before point"), "all", &three()).shape(), "a h (edge) | b");
}

#[test]
fn servers_that_take_no_part_are_not_waited_for() {
    let phases = [("x", "a"), ("y", "b")].map(|(name, task)| Phase { name, tasks: vec![id(task)] });
    let tasks =
        [Task::flow(id("flow"), "", phases, id("failed")), script("a", "app"), script("b", "app"), group("failed", "")];
    let tasks = registry(tasks, "");
    assert_eq!(plan(&tasks, "flow", &stage(&["app1 app", "db1 db"])).shape(), "a b");
    assert_eq!(plan(&tasks, "flow", &three()).shape(), "a | b");
    let filtered = Plan::new(&tasks, &id("flow"), &three(), &only(&["app2"])).unwrap();
    assert_eq!(filtered.shape(), "a b");
}
