//! Which servers tasks run on.

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
