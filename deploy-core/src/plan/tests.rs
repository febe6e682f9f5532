//! What is planned, in which order, where, and with how many waits.

use std::time::Duration;

use super::testing::{add_hooks, group, id, local, on_host, plan, registry, rolling, script, stage, stock};
use super::{Filter, Plan};
use crate::config::GitStrategy;
use crate::error::ErrorKind;
use crate::registry::Tasks;
use crate::task::{Phase, Servers, Task};

fn one() -> crate::config::Stage {
    stage(&["app1 app web db"])
}

fn three() -> crate::config::Stage {
    stage(&["app1 app", "app2 app", "db1 db no_release"])
}

fn refused(tasks: &Tasks, root: &str, stage: &crate::config::Stage) -> String {
    Plan::new(tasks, &id(root), stage, &Filter::default()).unwrap_err().to_string()
}

fn only(hosts: &[&str]) -> Filter {
    Filter { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), roles: Vec::new() }
}

mod order {
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
        assert!(
            text.starts_with("`h` is hooked after `a`, but runs before that is over, as a part of `all`"),
            "{text}"
        );
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
            [
                group("all", "a restart"),
                script("a", "app"),
                Task::open(id("restart"), "Restart it"),
                script("h", "app"),
            ],
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
    fn what_fills_an_open_task_keeps_what_was_added_to_it() {
        let mut tasks = registry([Task::open(id("restart"), "Restart it"), script("n", "app")], "");
        tasks.need(&id("restart"), id("n"));
        tasks.task(script("restart", "app"));
        assert_eq!(plan(&tasks, "restart", &one()).order(), ["n", "restart"]);
    }

    #[test]
    fn hooks_on_recipes_that_the_stage_does_not_configure_are_no_mistake() {
        let mut tasks = registry([group("all", "a"), script("a", "app"), script("mine", "app")], "mine after theirs");
        tasks.inert(|tasks| {
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
}

mod problems {
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
}

mod places {
    use super::*;

    fn hosts(plan: &Plan, task: &str) -> Vec<usize> {
        plan.steps.iter().find(|step| step.task.id.as_str() == task).unwrap().servers.clone()
    }

    fn on(servers: Servers) -> Tasks {
        registry([Task::script(id("t"), "", servers, |_| crate::script::Script::new())], "")
    }

    #[test]
    fn tasks_run_on_the_servers_of_their_roles() {
        let stage = stage(&["a app", "b web", "c app web", "d db no_release"]);
        assert_eq!(hosts(&plan(&on(Servers::all()), "t", &stage), "t"), [0, 1, 2, 3]);
        assert_eq!(hosts(&plan(&on(Servers::releases()), "t", &stage), "t"), [0, 1, 2]);
        assert_eq!(hosts(&plan(&on(Servers::role("web")), "t", &stage), "t"), [1, 2]);
        assert_eq!(hosts(&plan(&on(Servers::roles(["db", "app"])), "t", &stage), "t"), [0, 2, 3]);
    }

    #[test]
    fn the_primary_is_the_one_flagged_else_the_first() {
        let primary = || on(Servers::primary("db"));
        assert_eq!(hosts(&plan(&primary(), "t", &stage(&["a app", "b db", "c db primary"])), "t"), [2]);
        assert_eq!(hosts(&plan(&primary(), "t", &stage(&["a app", "b db", "c db"])), "t"), [1]);
    }

    #[test]
    fn filters_do_not_change_who_is_primary() {
        let tasks = registry([group("all", "t u"), script("t", "primary db"), script("u", "all")], "");
        let stage = stage(&["a db", "b db primary"]);
        let plan = Plan::new(&tasks, &id("all"), &stage, &only(&["a"])).unwrap();
        assert_eq!((hosts(&plan, "t"), hosts(&plan, "u")), (vec![], vec![0]));
        let error = Plan::new(&tasks, &id("t"), &stage, &only(&["a"])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("that the filters leave"), "{error}");
    }

    #[test]
    fn a_task_with_no_server_left_is_refused_though_its_prerequisites_run_here() {
        let tasks = registry([script("t", "db").needs([id("here")]), local("here")], "");
        let text = refused(&tasks, "t", &stage(&["a app"]));
        assert_eq!(text, "`t` needs a server with role `db`, and stage `production` has none");
    }

    #[test]
    fn code_that_would_run_on_a_primary_without_releases_is_refused() {
        let tasks = on(Servers::primary("db").with_releases());
        let text = refused(&tasks, "t", &stage(&["a app", "db1 db no_release"]));
        insta::assert_snapshot!(text, @r"
        `t` runs in a release on the primary server `db1`, which gets none
          hint: take `no_release = true` away, or make another server of the role `primary = true`
        ");
    }

    #[test]
    fn a_filter_names_hosts_and_roles_that_there_are() {
        let stage = stage(&["app1.example.com app", "db1.example.com db"]);
        let error = only(&["app1.exmaple.com"]).check(&stage).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("did you mean `app1.example.com`?"), "{error}");
        let nobody = Filter { hosts: vec!["app1.example.com".into()], roles: vec!["db".into()] };
        assert!(nobody.check(&stage).unwrap_err().to_string().contains("no server of stage `production`"));
        assert!(only(&["db1.example.com"]).check(&stage).is_ok());
    }
}

mod legs {
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
        assert!(
            matches!(several.legs[1], crate::plan::Leg::Rolling(1, rolling) if rolling.wait == Duration::from_secs(2))
        );
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
        let tasks = || {
            [group("all", "a point b"), group("point", ""), script("a", "app"), script("b", "app"), script("h", "db")]
        };
        assert_eq!(plan(&registry(tasks(), "h after point"), "all", &three()).shape(), "a (edge) | h b");
        assert_eq!(plan(&registry(tasks(), "h before point"), "all", &three()).shape(), "a h (edge) | b");
    }

    #[test]
    fn servers_that_take_no_part_are_not_waited_for() {
        let phases = [("x", "a"), ("y", "b")].map(|(name, task)| Phase { name, tasks: vec![id(task)] });
        let tasks = [
            Task::flow(id("flow"), "", phases, id("failed")),
            script("a", "app"),
            script("b", "app"),
            group("failed", ""),
        ];
        let tasks = registry(tasks, "");
        assert_eq!(plan(&tasks, "flow", &stage(&["app1 app", "db1 db"])).shape(), "a b");
        assert_eq!(plan(&tasks, "flow", &three()).shape(), "a | b");
        let filtered = Plan::new(&tasks, &id("flow"), &three(), &only(&["app2"])).unwrap();
        assert_eq!(filtered.shape(), "a b");
    }
}

mod stock_flows {
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
                panic!("{}: {error}", task.id());
            }
        }
    }
}

mod lock {
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
}
