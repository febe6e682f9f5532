use deploy_core::task::When;

use super::*;

#[test]
fn what_is_pending_is_asked_and_migrated_in_one_go() {
    for shell in SHELLS {
        let site = site("").shell(shell);
        site.write("app1", "pending", "20260101 CreatePosts\n20260102 AddBody\n");
        let run = site.run("deploy");
        run.succeeded();
        assert_eq!(calls(&run), ["rake xtask:migrate"]);
        assert_eq!(run.fact("app1", "migrations_pending"), Some("2"));
        assert!(run.notes().contains(&"2 migrations ran"), "{:?}", run.notes());
    }
}

#[test]
fn it_runs_in_the_new_release_with_the_stage_for_its_environment() {
    let run = site("env = { DATABASE_URL = 'postgres:///shop' }").run("deploy");
    let call = &run.calls()[0];
    assert!(call.dir().ends_with(&format!("releases/{}", run.fact("app1", "release").unwrap())), "{}", call.dir());
    assert_eq!(call.var("RAILS_ENV"), Some("production"));
    assert_eq!(call.var("DATABASE_URL"), Some("postgres:///shop"));
}

#[test]
fn rails_env_is_what_is_said_nearest() {
    let environment = |site: Site| prepared(site).run("deploy:migrate").calls()[0].var("RAILS_ENV").map(str::to_owned);
    let own = Site::of::<Migrations>("rails_env = 'demo'");
    assert_eq!(environment(own).as_deref(), Some("demo"));
    let xtask = || Xtask::new().recipe::<Migrations>();
    let stage = Site::new(xtask(), "default_env = { RAILS_ENV = 'beta' }\n[recipes.migrations]");
    assert_eq!(environment(stage).as_deref(), Some("beta"));
    let both = "default_env = { RAILS_ENV = 'beta' }\n[recipes.migrations]\nrails_env = 'demo'";
    assert_eq!(environment(Site::new(xtask(), both)).as_deref(), Some("demo"));
}

#[test]
fn nothing_pending_is_said_and_skipped() {
    let run = site("").run("deploy");
    run.succeeded();
    assert_eq!(run.skipped("deploy:migrate", "app1"), Some("no migration is pending"));
    assert_eq!(run.fact("app1", "migrations_pending"), Some("0"));
}

#[test]
fn a_migration_that_fails_fails_the_deploy_and_the_old_version_stays_live() {
    let site = site("");
    site.write("app1", "broken", "");
    let run = site.run("deploy");
    let failure = run.failure();
    assert!(failure.contains("`deploy:migrate`: ended with status 1: `rake -E"), "{failure}");
    assert!(failure.contains("PG::UndefinedTable"), "{failure}");
    assert!(!run.order().contains(&"deploy:symlink:release"));
    assert!(site.read("app1", "current/REVISION").unwrap().ends_with("20260101000000\n"));
}

#[test]
fn the_primary_of_the_role_migrates_and_no_other() {
    let site = site("").servers(&["app1 app", "db1 db", "db2 db primary"]);
    site.write("db2", "pending", "20260101 CreatePosts\n");
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(run.calls().iter().map(|call| call.server()).collect::<Vec<_>>(), ["db2"]);
    let other = super::site("role = 'app'").servers(&["app1 app", "db1 db"]).run("deploy");
    assert_eq!(other.calls()[0].server(), "app1");
}

#[test]
fn a_stage_in_which_nobody_would_migrate_is_refused() {
    let run = site("").servers(&["app1 app"]).run("deploy");
    let failure = run.failure();
    assert!(failure.contains("no server of stage `production` has the role `db`: nobody would migrate"), "{failure}");
    assert!(failure.contains("[stages.production.recipes.migrations] enabled = false"), "{failure}");
    assert_eq!(run.calls(), [""; 0]);
}

#[test]
fn where_the_server_that_migrates_is_filtered_out_it_is_said() {
    let site = site("").servers(&["app1 app", "db1 db"]);
    let run = site.task("deploy").hosts(&["app1"]).run();
    run.succeeded();
    assert_eq!(run.calls(), [""; 0]);
    assert_eq!(run.notes()[0], "`db1`, which migrates, doesn't take part: the database stays as it is");
    let failure = site.task("deploy:migrations").hosts(&["app1"]).run().failure();
    assert!(failure.contains("`db1` migrates, and doesn't take part"), "{failure}");
}

#[test]
fn deploy_migrations_is_a_deploy_that_surely_migrates() {
    for on_deploy in [true, false] {
        let site = site(&format!("on_deploy = {on_deploy}"));
        site.write("app1", "pending", "20260101 CreatePosts\n");
        let run = site.run("deploy:migrations");
        run.succeeded();
        assert_eq!(calls(&run), ["rake xtask:migrate"]);
        assert_eq!(site.read("app1", "current/REVISION").unwrap().len(), 41);
        let run = site.run("deploy");
        run.succeeded();
        assert_eq!(run.calls().len(), usize::from(on_deploy));
    }
}

#[test]
fn both_flows_have_the_same_order_tree_and_number_of_round_trips() {
    let site = site("").servers(&["app1 app db", "app2 app"]);
    let own = ["deploy:migrate:check_role", "deploy:migrate:check_server"];
    let order = |flow| site.order(flow).into_iter().filter(|id| !own.contains(&id.as_str())).collect::<Vec<_>>();
    assert_eq!(order("deploy:migrations"), order("deploy"));
    assert_eq!(site.tree("deploy:migrations"), site.tree("deploy"));
    assert!(
        site.tree("deploy").contains("  deploy:updated\n    [after]\n      deploy:migrate\n"),
        "{}",
        site.tree("deploy")
    );
    for host in ["app1", "app2"] {
        assert_eq!(site.execs("deploy:migrations", host), site.execs("deploy", host));
    }
}

/// A recipe that gives `deploy` an option.
#[derive(Default, Deserialize)]
struct Notice {}

impl Recipe for Notice {
    const NAME: &'static str = "notice";

    fn register(self, tasks: &mut Tasks) {
        let quietly = deploy_core::task::Opt { name: "quietly", value: None, about: "Tell nobody" };
        tasks.option(&flow::DEPLOY, quietly);
        let notice = TaskId::new("notice");
        tasks.task(Task::script(notice.clone(), "Tell everybody", Servers::all(), |cx| match cx.option("quietly") {
            None => Script::new().run(Cmd::new("tell")),
            Some(_) => Script::new(),
        }));
        tasks.hook(When::After(flow::DEPLOY), notice);
    }
}

#[test]
fn options_and_hooks_of_deploy_hold_for_deploy_migrations() {
    let xtask = Xtask::new().recipe::<Migrations>().recipe::<Notice>();
    let site = prepared(Site::new(xtask, "[recipes.migrations]\n[recipes.notice]"));
    site.program("tell", "");
    assert_eq!(calls(&site.run("deploy:migrations")).last().unwrap(), "tell");
    let run = site.task("deploy:migrations").switch("quietly").run();
    run.succeeded();
    assert_eq!(calls(&run), ["rake xtask:migrate"]);
}

#[test]
fn on_a_single_server_it_costs_no_round_trip_and_on_several_one_of_a_deploy() {
    let (with, without) = (site(""), Site::new(Xtask::new(), ""));
    let more = |flow: &str, host: &str, with: &Site, without: &Site| with.execs(flow, host) - without.execs(flow, host);
    for flow in ["deploy", "deploy:rollback"] {
        assert_eq!(more(flow, "app1", &with, &without), 0, "{flow}");
    }
    let servers = ["app1 app", "db1 db"];
    let (with, without) = (with.servers(&servers), without.servers(&servers));
    // The database changes only when every server has the release.
    assert_eq!(more("deploy", "db1", &with, &without), 1);
    for (flow, host) in [("deploy", "app1"), ("deploy:rollback", "app1"), ("deploy:rollback", "db1")] {
        assert_eq!(more(flow, host, &with, &without), 0, "{flow} on {host}");
    }
}

#[test]
fn what_was_asked_before_is_not_asked_again() {
    let site = site("");
    let run = site.task("deploy:migrate").fact("migrations_pending", "0").run();
    assert_eq!((run.calls().len(), run.skipped("deploy:migrate", "app1")), (0, Some("no migration is pending")));
    let run = site.task("deploy:migrate").fact("migrations_pending", "3").run();
    assert_eq!(calls(&run), ["rake db:migrate"]);
}

#[test]
fn how_many_are_pending_can_be_asked_alone() {
    let site = site("");
    site.write("app1", "pending", "20260101 CreatePosts\n");
    let run = site.run("deploy:migrate:pending");
    run.succeeded();
    assert_eq!(calls(&run), ["rake xtask:pending"]);
    assert_eq!(run.fact("app1", "migrations_pending"), Some("1"));
    assert_eq!(run.fact("app1", "pending_migrations"), Some("20260101 CreatePosts"));
    assert_eq!(run.notes(), ["1 migration pending"]);
}

#[test]
fn the_status_is_the_answer_of_its_task() {
    let run = site("").run("deploy:migrate:status");
    run.succeeded();
    assert_eq!(run.printed(), "up 1 Create posts\n");
}

#[test]
fn a_release_that_is_older_than_the_database_is_refused_unless_that_is_allowed() {
    for shell in SHELLS {
        let site = site("").shell(shell);
        site.write("app1", "pending", "newer 20260102 AddPrice\nnewer 20260103 DropName\n");
        for task in ["deploy", "deploy:migrations"] {
            let run = site.run(task);
            let failure = run.failure();
            assert!(failure.contains("and the live one does: 20260102 AddPrice, 20260103 DropName"), "{failure}");
            assert!(failure.contains("cargo xtask deploy production --allow-newer-schema"), "{failure}");
            assert_eq!(run.calls()[0].var("XTASK_NEWER"), Some("refuse"));
        }
        site.write("app1", "pending", "");
        let run = site.task("deploy").switch("allow-newer-schema").run();
        run.succeeded();
        assert_eq!(run.calls()[0].var("XTASK_NEWER"), None);
    }
}

#[test]
fn a_failure_says_what_is_in_the_database_already() {
    let fails = TaskId::new("fails");
    let xtask = Xtask::new()
        .recipe::<Migrations>()
        .task(Task::script(fails.clone(), "Fail", Servers::all(), |_| Script::new().run(Cmd::new("false"))))
        .hook(When::After(MIGRATE), fails);
    let site = prepared(Site::new(xtask, "[recipes.migrations]"));
    site.write("app1", "pending", "20260101 CreatePosts\n20260102 AddBody\n");
    let run = site.run("deploy");
    assert!(run.failure().contains("`fails`"), "{}", run.failure());
    let said = "2 migrations ran before that, and stay in the database: 20260101 CreatePosts, 20260102 AddBody";
    assert!(run.notes().contains(&said), "{:?}", run.notes());
    site.write("app1", "pending", "");
    assert!(!site.run("deploy").notes().iter().any(|note| note.contains("before that")));
}

#[test]
fn migrations_can_come_after_all_else_that_fails_before_the_switch() {
    let site = site("last = true");
    site.write("app1", "pending", "20260101 CreatePosts\n");
    let order = site.order("deploy");
    let at = |id: &str| order.iter().position(|known| known == id).unwrap();
    assert_eq!(at("deploy:migrate") + 1, at("deploy:symlink:release"));
    for task in ["deploy:rollback", "deploy:publishing", "deploy:symlink:release"] {
        assert!(!site.order(task).iter().any(|id| id == "deploy:migrate"), "{task}");
    }
    for task in ["deploy", "deploy:migrations"] {
        let run = site.run(task);
        run.succeeded();
        assert_eq!(calls(&run), ["rake xtask:migrate"]);
    }
    let several = super::site("last = true").servers(&["app1 app", "db1 db"]);
    several.write("db1", "pending", "20260101 CreatePosts\n");
    several.run("deploy").succeeded();
    several.write("db1", "broken", "");
    let run = several.run("deploy");
    assert!(run.failure().contains("PG::UndefinedTable"), "{}", run.failure());
    assert!(!run.order().contains(&"deploy:symlink:release"), "no server has switched");
    let off = super::site("last = true\non_deploy = false");
    assert_eq!(calls(&off.run("deploy")), [""; 0]);
    assert_eq!(calls(&off.run("deploy:migrations")), ["rake xtask:migrate"]);
}
