use serde::Deserialize;

use super::*;
use crate::prelude::*;
use crate::task::{Opt, ServerCx};

/// A recipe that does a little of everything.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Greeter {
    word: String,
}

const GREET: TaskId = TaskId::new("greet");
const ASK: TaskId = TaskId::new("ask");

impl Recipe for Greeter {
    const NAME: &'static str = "greeter";

    fn register(self, tasks: &mut Tasks) {
        let loud = Opt { name: "loud", value: None, about: "Shout" };
        let greet = move |cx: &ServerCx<'_>| {
            let greeting = Cmd::new("greet").arg(&self.word).args(cx.option("loud"));
            sh!("if [ ! -e name ]; then deploy_skip 'nobody is there'; fi")
                .run(greeting.env("TO", "all"))
                .then(sh!("deploy_fact greeted {}\ndeploy_note 'hello'", &cx.server.host))
        };
        tasks.task(Task::script(GREET, "Greet", Servers::releases(), greet).dir(Dir::Release).option(loud));
        tasks.task(Task::local(ASK, "Ask", |local| {
            let answer = local.confirm("really?");
            local.set("answer", format!("{answer:?}"));
            local.print("asked\n");
            Ok(())
        }));
        tasks.hook(When::After(flow::UPDATED), GREET);
    }
}

fn site() -> Site {
    let site = Site::of::<Greeter>("word = 'good day'");
    site.program("greet", "cat name");
    site.file("name", "Ada\n");
    site
}

#[test]
fn a_task_runs_in_the_live_release_and_calls_are_noted() {
    let site = site();
    site.release("20260101000000");
    let run = site.run("greet");
    run.succeeded();
    assert_eq!(run.calls(), ["greet 'good day'"]);
    let call = &run.calls()[0];
    assert_eq!((call.server(), call.program(), call.var("TO")), ("app1", "greet", Some("all")));
    assert_eq!(call.args(), ["good day"]);
    assert_eq!(call.dir(), site.path("app1", "current").display().to_string());
    assert_eq!(run.fact("app1", "greeted"), Some("app1"));
    assert_eq!(run.notes(), ["hello"]);
    assert_eq!(run.output(), ["Ada"]);
    assert_eq!(run.skipped("greet", "app1"), None);
}

#[test]
fn a_deploy_makes_a_release_of_the_files_on_each_server_that_gets_one() {
    let site = site().servers(&["app1 app", "app2 app", "db1 db no_release"]);
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(run.calls().len(), 2);
    assert_eq!(run.calls_on("app2"), ["greet 'good day'"]);
    for host in ["app1", "app2"] {
        assert_eq!(site.read(host, "current/name").as_deref(), Some("Ada\n"));
        assert_eq!(site.read(host, "current/REVISION").unwrap().trim_end().len(), 40);
        assert!(site.read(host, ".deploy/releases").unwrap().contains("\tpublished\t"));
        assert!(site.read(host, ".deploy/lock").is_none());
    }
    assert!(!site.path("db1", "").exists());
}

#[test]
fn releases_can_be_gone_back_to() {
    let site = site();
    site.release("20260101000000");
    site.without("name");
    site.release("20260102000000");
    assert_eq!(site.read("app1", "current/name"), None);
    let run = site.run("deploy:rollback");
    run.succeeded();
    assert_eq!(run.fact("app1", "release"), Some("20260101000000"));
    assert_eq!(site.read("app1", "current/name").as_deref(), Some("Ada\n"));
}

/// Has `name` be what `current` leads to on `app1`, as somebody on the server can.
fn have_live(site: &Site, name: &str) {
    let (folder, current) = (site.path("app1", &format!("releases/{name}")), site.path("app1", "current"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink(folder, current).unwrap();
}

#[test]
fn a_release_from_the_future_is_no_reason_to_believe_that_a_rollback_did_anything() {
    let site = site();
    site.release("20260101000000");
    site.release("20260102000000");
    have_live(&site, "99999999999999");
    let failure = site.run("deploy:rollback").failure();
    assert!(failure.contains("app1 has `99999999999999` live, whose name is no time"), "{failure}");
    site.task("deploy:rollback").option("release", "20260101000000").run().succeeded();
    assert!(site.read("app1", "current/REVISION").unwrap().ends_with("20260101000000\n"));
    have_live(&site, "20991231235959");
    let deploy = site.run("deploy");
    deploy.succeeded();
    assert_eq!(deploy.fact("app1", "switched"), deploy.fact("app1", "release"));
    assert!(deploy.fact("app1", "switched").unwrap() < "20991231235959");
}

#[test]
fn what_is_live_and_is_no_release_stops_a_run_before_it_changes_anything() {
    let site = site();
    site.release("20260101000000");
    have_live(&site, "elsewhere");
    for flow in ["deploy", "deploy:rollback", "deploy:status"] {
        let failure = site.run(flow).failure();
        assert!(failure.contains("reported `live` as `elsewhere`, which is no release name"), "{flow}: {failure}");
    }
    assert!(std::fs::read_dir(site.path("app1", "releases")).unwrap().count() == 2);
}

#[test]
fn the_status_shows_a_revision_that_is_no_commit() {
    let site = site();
    site.release("20260101000000");
    site.write("app1", "current/REVISION", &format!("{}\n", "ö".repeat(30)));
    let status = site.run("deploy:status");
    status.succeeded();
    assert!(status.printed().contains(&format!(" {})", "ö".repeat(10))), "{}", status.printed());
    site.write("app1", "current/REVISION", "\u{1b}[2J\n");
    assert!(site.run("deploy:status").failure().contains("reported `live_revision` as `\\u{1b}[2J`"));
}

#[test]
fn a_failure_is_told_and_leaves_what_was_live() {
    let site = site();
    site.release("20260101000000");
    site.program("greet", "echo 'no voice' >&2; exit 3");
    let run = site.run("deploy");
    let failure = run.failure();
    assert!(failure.contains("`greet`: ended with status 3"), "{failure}");
    assert!(failure.contains("no voice"), "{failure}");
    assert!(run.order().contains(&"deploy:discard_release"), "{:?}", run.order());
    assert!(site.read("app1", "current/REVISION").unwrap().ends_with("20260101000000\n"));
}

#[test]
fn options_answers_and_facts_are_given_to_a_run() {
    let site = site();
    site.release("20260101000000");
    assert_eq!(site.task("greet").switch("loud").run().calls(), ["greet 'good day' true"]);
    let run = site.task("ask").answer("yes").run();
    assert_eq!((run.fact("app1", "answer"), run.questions()), (Some("Some(true)"), &["really?".to_owned()][..]));
    assert_eq!(run.printed(), "asked\n");
    assert_eq!(site.run("ask").fact("app1", "answer"), Some("None"));
    site.file("name", "Bob\n");
    site.release("20260102000000");
    assert_eq!(site.task("greet").fact("release", "20260101000000").run().output(), ["Ada"]);
}

#[test]
#[should_panic(expected = "`greet` has no option `--lod`")]
fn an_option_that_nobody_could_type_is_refused() {
    let _ = site().task("greet").switch("lod").run();
}

#[test]
fn a_run_can_be_for_some_servers_only() {
    let site = site().servers(&["app1 app", "app2 app"]);
    site.release("20260101000000");
    let run = site.task("greet").hosts(&["app2"]).run();
    assert_eq!(run.calls_on("app2").len(), run.calls().len());
    assert_eq!((run.execs("app1"), run.execs("app2")), (0, 1));
}

#[test]
fn what_has_nothing_to_do_says_why() {
    let site = site();
    site.without("name");
    site.release("20260101000000");
    let run = site.run("greet");
    assert_eq!(run.skipped("greet", "app1"), Some("nobody is there"));
    assert_eq!(run.calls(), [""; 0]);
}

#[test]
fn order_tree_and_script_need_no_run() {
    let site = site();
    let order = site.order("deploy");
    let at = |id: &str| order.iter().position(|other| other == id).unwrap();
    assert!(at("git:create_release") < at("greet") && at("greet") < at("deploy:symlink:release"));
    assert!(site.tree("deploy").contains("  deploy:updated\n    [after]\n      greet\n"), "{}", site.tree("deploy"));
    assert_eq!((site.execs("deploy", "app1"), site.execs("greet", "app1")), (2, 1));
    assert!(site.script("greet", "app1").contains("TO=all greet 'good day'"), "{}", site.script("greet", "app1"));
    site.shellcheck("greet");
}

#[test]
fn every_shell_runs_it() {
    for shell in SHELLS {
        let site = site().shell(shell);
        let run = site.run("deploy");
        run.succeeded();
        assert_eq!(run.calls(), ["greet 'good day'"]);
    }
}

#[test]
fn nothing_of_the_environment_of_the_tests_is_left() {
    let site = site();
    site.release("20260101000000");
    let run = site.run("greet");
    assert_eq!(run.calls()[0].var("CARGO_MANIFEST_DIR"), None);
    assert!(run.calls()[0].var("HOME").unwrap().ends_with("/servers/app1"));
}
