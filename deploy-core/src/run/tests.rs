//! The executor on this machine: real shells, several "servers", each with a folder of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Finished, Run, Stop};
use crate::config::{Config, Server, Stage};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Events, Outcome};
use crate::flow;
use crate::plan::testing::{id, registry, script, stage};
use crate::plan::{Filter, Plan};
use crate::registry::Tasks;
use crate::script::{Script, WorkDir};
use crate::sh;
use crate::task::{Effect, Facts, Job, Kind, Phase, ServerCx, Servers, Task, When};
use crate::transport::local::Local;
use crate::transport::{Connect, Transport};
use crate::ui::Nobody;

/// A stage on this machine.
struct Bench {
    folder: TempDir,
    config: Config,
    stage: Stage,
}

impl Bench {
    fn new(servers: usize) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<_> = (1..=servers).map(|number| format!("app{number} app")).collect();
        let mut stage = stage(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for server in &mut stage.servers {
            server.deploy_to = folder.path().join(&server.host).display().to_string();
        }
        let root = folder.path().to_owned();
        let config = Config {
            work_dir: root.join("work"),
            file: root.join("deploy.toml"),
            root,
            stages: Vec::new(),
            commands: Vec::new(),
            led_elsewhere: Vec::new(),
        };
        Bench { folder, config, stage }
    }

    fn run(&self, tasks: &Tasks, root: &str) -> Finished {
        self.start(tasks, root, &Local::new(self.folder.path()), &Stop::default(), Events::nowhere())
    }

    fn start(&self, tasks: &Tasks, root: &str, connect: &dyn Connect, stop: &Stop, events: Events) -> Finished {
        let plan = Plan::new(tasks, &id(root), &self.stage, &Filter::default()).unwrap();
        Run {
            config: &self.config,
            stage: &self.stage,
            plan: &plan,
            options: Default::default(),
            connect,
            events,
            ask: &Nobody,
            stop: stop.clone(),
            lock_wait: Duration::ZERO,
            facts: flow::lock::facts(&self.stage, &plan, &crate::script::nonce().unwrap()),
        }
        .execute()
    }

    /// What tasks wrote into the file `log` that all servers share.
    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A script that adds `word` and its server to the log. Commands start in the folder that all servers share.
fn says(word: &'static str) -> impl Fn(&ServerCx<'_>) -> Script + Send + Sync + 'static {
    move |cx| sh!("echo {} >>log", format!("{word} {}", cx.server.host))
}

fn task(name: &str, body: impl Fn(&ServerCx<'_>) -> Script + Send + Sync + 'static) -> Task {
    Task::script(id(name), name.to_owned(), Servers::all(), body)
}

fn fails_on(server: &'static str) -> impl Fn(&ServerCx<'_>) -> Script + Send + Sync + 'static {
    move |cx| if cx.server.host == server { sh!("exit 3") } else { says("well")(cx) }
}

#[test]
fn facts_of_servers_reach_local_tasks_and_later_scripts() {
    let tasks = [
        task("a", |cx| sh!("deploy_fact name {}", format!("I am {}", cx.server.host))),
        Task::local(id("b"), "b", |local| {
            let both = [0, 1].map(|server| local.fact(server, "name").unwrap());
            local.set("both", both.join(" and "));
            Ok(())
        }),
        task("c", |cx| sh!("echo {} >>log", cx.fact("both"))),
        Task::group(id("all"), "all", [id("a"), id("b"), id("c")]),
    ];
    let bench = Bench::new(2);
    let finished = bench.run(&registry(tasks, ""), "all");
    assert!(finished.error.is_none(), "{:?}", finished.error);
    assert_eq!(bench.log(), ["I am app1 and I am app2"; 2]);
}

#[test]
fn a_server_that_reports_what_a_fact_cannot_be_fails() {
    let lie = |cx: &ServerCx<'_>| {
        let live = if cx.server.host == "app2" { "--upload-pack=id" } else { "20260101000000" };
        sh!("deploy_fact live {}", live)
    };
    let live = Kind::Maybe(&Kind::Release);
    let honest = task("honest", |_| sh!("deploy_fact live ''")).reports("live", live);
    let tasks = [
        honest,
        task("lie", lie).reports("live", live),
        Task::local(id("b"), "b", |_| Ok(())),
        task("next", |cx| sh!("echo {} >>log", cx.fact("live"))),
        Task::group(id("all"), "all", ["honest", "lie", "b", "next"].map(id)),
    ];
    let bench = Bench::new(2);
    let finished = bench.run(&registry(tasks, ""), "all");
    let error = finished.error.unwrap();
    let told = "app2: `lie`: reported `live` as `--upload-pack=id`, which is no release name";
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!([0, 1].map(|server| finished.facts.get(server, "live")), [Some("20260101000000"), Some("")]);
    assert_eq!(bench.log(), Vec::<String>::new());
}

/// A fact of the run is the run's, and a fact that one task declares is no other's to report.
#[test]
fn a_server_reports_only_what_is_its_own_and_its_tasks() {
    let names = |fact: &'static str| {
        let tasks = [
            Task::local(id("name"), "name", |local| {
                local.set("release", "20260101000000");
                Ok(())
            })
            .sets("release"),
            task("look", |_| sh!("deploy_fact live ''")).reports("live", Kind::Maybe(&Kind::Release)),
            task("lie", move |_| sh!("deploy_fact {} 20990101000000", fact)),
            task("next", |cx| sh!("echo {} >>log", cx.fact("release"))),
            Task::group(id("all"), "all", ["lie", "name", "look", "next"].map(id)),
        ];
        let bench = Bench::new(1);
        let error = bench.run(&registry(tasks, ""), "all").error.map(|error| error.to_string());
        (error.unwrap_or_default(), bench.log())
    };
    for (fact, told) in [("release", "which is not for a server to say"), ("live", "which another task reports")] {
        let (error, log) = names(fact);
        assert!(error.contains(&format!("app1: `lie`: reported `{fact}`, {told}")), "{error}");
        assert!(log.is_empty(), "{log:?}");
    }
    assert_eq!(names("harmless"), (String::new(), vec!["20260101000000".to_owned()]));
}

/// Where nobody declared a fact, the run's own word counts all the same.
#[test]
fn what_a_server_reports_does_not_hide_what_is_the_runs() {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<BTreeMap<_, _>>()
    };
    let servers = [(0, pairs(&[("release", "server"), ("other", "own")]))].into();
    let facts = Facts { run: pairs(&[("release", "run")]), servers };
    assert_eq!(["release", "other", "none"].map(|name| facts.get(0, name)), [Some("run"), Some("own"), None]);
}

#[test]
fn what_nobody_declared_is_text_without_control_characters() {
    let says = |value: &'static str| task("a", move |_| sh!("deploy_fact text {}", value));
    let bench = Bench::new(1);
    assert!(bench.run(&registry([says("a\tb\nc ö")], ""), "a").error.is_none());
    let error = bench.run(&registry([says("\u{1b}[2J")], ""), "a").error.unwrap();
    assert!(error.to_string().contains("app1: `a`: reported `text` as `\\u{1b}[2J`, which is no text of"), "{error}");
    let long = task("a", |_| sh!("text=$(printf '%70000s' x)\ndeploy_fact text \"$text\""));
    let error = bench.run(&registry([long], ""), "a").error.unwrap();
    assert!(error.to_string().contains("…`, which is no text of at most 65536 bytes"), "{error}");
}

#[test]
fn scripts_of_a_task_that_talks_to_a_server_are_not_believed_either() {
    let body = |host: &crate::task::Host<'_>| {
        let refused = host.run(sh!("deploy_fact jobs many")).unwrap_err();
        assert_eq!(refused.message(), "reported `jobs` as `many`, which is no count");
        assert_eq!(host.run(sh!("deploy_fact jobs 3"))?["jobs"], "3");
        Ok(())
    };
    let count = Task::on_host(id("count"), "count", Servers::all(), body).reports("jobs", Kind::Count);
    let finished = Bench::new(1).run(&registry([count], ""), "count");
    assert!(finished.error.is_none(), "{:?}", finished.error);
}

#[test]
fn what_a_server_tells_a_task_on_the_controller_has_no_control_characters() {
    let work = Task::local(id("ask"), "ask", |local| {
        let machine = local.reach.reach(local.stage, &local.stage.servers[0])?;
        let job = |script: Script| vec![Job { script, dir: WorkDir::Home }];
        let mut heard = Vec::new();
        let lie = sh!("deploy_fact rows {}\ndeploy_fact live {}", "1", "\u{1b}[2J");
        let refused = machine.run(job(lie), &mut |name, _| heard.push(name.to_owned())).unwrap_err();
        assert!(refused.message().starts_with("reported `live` as `\\u{1b}[2J`, which is no text"), "{refused}");
        assert_eq!(heard, ["rows"]);
        assert_eq!(machine.run(job(sh!("deploy_fact rows 'a\t1\nb\t2'")), &mut |_, _| {})?["rows"], "a\t1\nb\t2");
        Ok(())
    });
    let finished = Bench::new(1).run(&registry([work], ""), "ask");
    assert!(finished.error.is_none(), "{:?}", finished.error);
}

/// A run that says that it switches to a release, after which servers say that `live` is.
fn switches(live: [&'static str; 2]) -> Option<Error> {
    let body = move |cx: &ServerCx<'_>| match live[usize::from(cx.server.host == "app2")] {
        "silent" => Script::new(),
        live => sh!("deploy_fact switched {}", live),
    };
    let tasks = [
        Task::local(id("choose"), "choose", |local| {
            local.set("release", "20260102000000");
            Ok(())
        }),
        task("deploy:symlink:release", body),
        Task::group(id("all"), "all", ["choose", "deploy:symlink:release"].map(id)),
    ];
    Bench::new(2).run(&registry(tasks, ""), "all").error
}

#[test]
fn a_run_succeeds_only_where_every_server_has_read_back_that_its_release_is_live() {
    assert!(switches(["20260102000000"; 2]).is_none());
    for (said, told) in [
        ("20260101000000", "  release 20260101000000 is live on app2"),
        ("", "  nothing is live on app2"),
        ("silent", "  what is live is not known of app2"),
    ] {
        let error = switches(["20260102000000", said]).unwrap().to_string();
        assert!(error.starts_with("all tasks have ended well, and yet release 20260102000000 isn't live on app2"));
        assert!(error.contains(told) && error.contains("  release 20260102000000 is live on app1"), "{error}");
    }
}

#[test]
fn a_failure_lets_the_others_finish_and_runs_the_failure_path() {
    let phase = |name: &'static str, task: &str| Phase { name, tasks: vec![id(task)] };
    let tasks = [
        task("first", says("first")).undo(says("undo_first")),
        task("second", fails_on("app2")).undo(says("undo_second")),
        task("third", says("third")),
        task("failed", says("failed")),
        Task::flow(
            id("go"),
            "go",
            [phase("one", "first"), phase("two", "second"), phase("three", "third")],
            id("failed"),
        ),
    ];
    let bench = Bench::new(2);
    let error = bench.run(&registry(tasks, ""), "go").error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Task);
    assert!(error.to_string().contains("app2: `second`: ended with status 3"), "{error}");
    let mut log = bench.log();
    log.sort();
    let expected =
        ["failed app1", "failed app2", "first app1", "first app2", "undo_second app1", "undo_second app2", "well app1"];
    assert_eq!(log, expected);
}

#[test]
fn on_one_server_only_the_phase_that_failed_is_taken_back() {
    let phase = |name: &'static str, task: &str| Phase { name, tasks: vec![id(task)] };
    let tasks = [
        task("switch", says("switch")).undo(says("undo_switch")),
        task("restart", fails_on("app1")).undo(says("undo_restart")),
        task("failed", says("failed")),
        Task::flow(id("go"), "go", [phase("switch", "switch"), phase("activate", "restart")], id("failed")),
    ];
    let bench = Bench::new(1);
    assert!(bench.run(&registry(tasks, ""), "go").error.is_some());
    assert_eq!(bench.log(), ["switch app1", "undo_restart app1", "failed app1"]);
}

#[test]
fn a_rolling_task_goes_from_group_to_group() {
    let slow = |cx: &ServerCx<'_>| says("begin")(cx).then(sh!("sleep 0.2")).then(says("end")(cx));
    let rolling = task("restart", slow).rolling(2, Duration::from_millis(10));
    let bench = Bench::new(3);
    assert!(bench.run(&registry([rolling], ""), "restart").error.is_none());
    let log = bench.log();
    assert!(log[..4].iter().all(|line| line.ends_with("app1") || line.ends_with("app2")), "{log:?}");
    assert_eq!(log[4..], ["begin app3", "end app3"]);
}

#[test]
fn a_failure_stops_a_rolling_task() {
    let bench = Bench::new(3);
    let tasks = registry([task("restart", fails_on("app2")).rolling(1, Duration::ZERO)], "");
    assert!(bench.run(&tasks, "restart").error.is_some());
    assert_eq!(bench.log(), ["well app1"]);
}

#[test]
fn a_limited_task_lets_no_more_in_than_allowed() {
    let body = |cx: &ServerCx<'_>| says("in")(cx).then(sh!("sleep 0.1")).then(says("out")(cx));
    let bench = Bench::new(5);
    assert!(bench.run(&registry([task("fetch", body).limit(2)], ""), "fetch").error.is_none());
    let mut inside: i32 = 0;
    for line in bench.log() {
        inside += if line.starts_with("in") { 1 } else { -1 };
        assert!(inside <= 2, "{:?}", bench.log());
    }
    assert_eq!(bench.log().len(), 10);
}

#[test]
fn a_task_on_a_host_runs_scripts_and_uploads_files() {
    let body = |host: &crate::task::Host<'_>| {
        let facts = host.run(sh!("deploy_fact answer 42"))?;
        assert_eq!(facts["answer"], "42");
        let local = tempfile::NamedTempFile::new()?;
        std::fs::write(local.path(), vec![7u8; 200_000])?;
        host.upload(local.path(), &format!("uploaded-{}", host.cx.server.host), "0640")?;
        let refused = host.run(sh!("deploy_fail 'not today' 'try tomorrow'")).unwrap_err();
        assert_eq!(refused.message(), "not today");
        Ok(())
    };
    let bench = Bench::new(2);
    let finished = bench.run(&registry([Task::on_host(id("up"), "up", Servers::all(), body)], ""), "up");
    assert!(finished.error.is_none(), "{:?}", finished.error);
    for server in ["app1", "app2"] {
        use std::os::unix::fs::PermissionsExt;
        let file = bench.folder.path().join(format!("uploaded-{server}"));
        assert_eq!(std::fs::read(&file).unwrap(), vec![7u8; 200_000]);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

#[test]
fn a_run_that_is_told_to_stop_ends_what_it_started() {
    let bench = Bench::new(2);
    let tasks = registry([task("long", |cx| says("begin")(cx).then(sh!("sleep 30")).then(says("end")(cx)))], "");
    let stop = Stop::default();
    let begun = Instant::now();
    let finished = std::thread::scope(|scope| {
        let run =
            scope.spawn(|| bench.start(&tasks, "long", &Local::new(bench.folder.path()), &stop, Events::nowhere()));
        while bench.log().len() < 2 {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.now(ErrorKind::Interrupted);
        run.join().unwrap()
    });
    assert_eq!(finished.error.unwrap().kind(), ErrorKind::Interrupted);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(bench.log().len(), 2);
}

/// Reaches every server but one.
struct AllBut(&'static str, Local);

impl Connect for AllBut {
    fn connect(&self, stage: &Stage, server: &Server) -> Result<Arc<dyn Transport>> {
        if server.host == self.0 {
            Err(Error::connection(format!("`{}` is down", self.0))
                .because(anyhow::anyhow!("no route"))
                .detail("tried: one key")
                .hint("look after it"))
        } else {
            self.1.connect(stage, server)
        }
    }
}

#[test]
fn a_server_that_is_down_is_named_and_what_follows_runs_nowhere() {
    let bench = Bench::new(2);
    let phase = |name: &'static str, task: &str| Phase { name, tasks: vec![id(task)] };
    let tasks = registry(
        [
            task("check", says("check")).effect(Effect::Prepares),
            task("change", says("change")),
            script("failed", "all"),
            Task::flow(id("go"), "go", [phase("one", "check"), phase("two", "change")], id("failed")),
        ],
        "",
    );
    let connect = AllBut("app2", Local::new(bench.folder.path()));
    let error = bench.start(&tasks, "go", &connect, &Stop::default(), Events::nowhere()).error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let told = "app2: `app2` is down\n      tried: one key\n      cause: no route\n  hint: look after it";
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(error.kind().exit_code(), 4);
    assert_eq!(bench.log(), ["check app1"]);
}

#[test]
fn events_tell_of_each_task_on_each_server() {
    let bench = Bench::new(2);
    let (sender, receiver) = channel();
    let tasks = registry([task("a", |_| sh!("deploy_skip 'nothing to do'")), task("b", says("b"))], "b after a");
    let local = Local::new(bench.folder.path());
    assert!(bench.start(&tasks, "a", &local, &Stop::default(), Events::to(sender)).error.is_none());
    let outcomes: Vec<_> = receiver
        .iter()
        .filter_map(|(_, event)| match event {
            Event::StepFinished { step, server, outcome, .. } => Some((server, step, outcome)),
            _ => None,
        })
        .collect();
    for server in [0, 1] {
        let own: Vec<_> =
            outcomes.iter().filter(|(at, ..)| *at == Some(server)).map(|(_, _, outcome)| outcome).collect();
        assert_eq!(own, [&Outcome::Skipped("nothing to do".into()), &Outcome::Done]);
    }
}

/// The stock tasks, with one more that takes its time.
fn stock() -> Tasks {
    let mut tasks = Tasks::default();
    flow::register(&mut tasks);
    tasks.task(task("slow", |cx| says("begin")(cx).then(sh!("sleep 0.05")).then(says("end")(cx))));
    tasks
}

#[test]
fn of_two_runs_at_once_exactly_one_goes_on() {
    let tasks = stock();
    for _ in 0..10 {
        let bench = Bench::new(3);
        let results: Vec<_> = std::thread::scope(|scope| {
            let run = || scope.spawn(|| bench.run(&tasks, "slow").error);
            let both = [run(), run()];
            both.into_iter().map(|run| run.join().unwrap()).collect()
        });
        // A run may also begin after the other has ended: then both went on, one after the other.
        let won = results.iter().filter(|result| result.is_none()).count();
        assert!(won >= 1, "{results:?}");
        assert!(results.iter().flatten().all(|error| error.kind() == ErrorKind::Locked), "{results:?}");
        assert_eq!(bench.log().len(), won * 6, "{:?}", bench.log());
        for server in ["app1", "app2", "app3"] {
            let left = std::fs::read_dir(bench.folder.path().join(server).join(".deploy")).unwrap();
            let left: Vec<_> =
                left.flatten().map(|file| (file.file_name(), std::fs::read_to_string(file.path()))).collect();
            assert!(left.is_empty(), "{left:?} {results:?}");
        }
    }
}

#[test]
fn a_hook_before_everything_waits_for_the_lock_of_all_servers() {
    let mut tasks = stock();
    tasks.hook(When::Before(id("slow")), id("early"));
    tasks.task(task("early", says("early")));
    let bench = Bench::new(2);
    // Another run holds the lock of the second server.
    let records = bench.folder.path().join("app2/.deploy");
    std::fs::create_dir_all(&records).unwrap();
    std::fs::write(records.join("lock"), "other\nBob on vm since noon: deploy\napp2\n").unwrap();
    let error = bench.run(&tasks, "slow").error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("app2: `deploy:lock`: the stage is locked by Bob on vm since noon"), "{error}");
    assert_eq!(bench.log(), Vec::<String>::new());
    assert!(!bench.folder.path().join("app1/.deploy/lock").exists());
}

#[test]
fn a_task_that_panics_leaves_no_lock() {
    let mut tasks = stock();
    tasks.task(Task::local(id("panic"), "Panic", |_| panic!("a mistake in a task")));
    tasks.hook(When::After(id("slow")), id("panic"));
    let bench = Bench::new(2);
    let error = bench.run(&tasks, "slow").error.unwrap();
    assert!(error.to_string().contains("`panic`: a task panicked"), "{error}");
    assert!(error.to_string().contains("a mistake in a task"), "{error}");
    assert_eq!(bench.log().len(), 4, "{:?}", bench.log());
    for server in ["app1", "app2"] {
        assert!(!bench.folder.path().join(server).join(".deploy/lock").exists());
    }
}
