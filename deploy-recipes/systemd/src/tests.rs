//! Which calls are made, in which order. systemd's programs are stand-ins here, which know no more of units than the test
//! tells them; what a real one makes of these calls is shown in `tests/tests/e2e/systemd`.

use deploy_core::testing::{Call, Ran, SHELLS, Site, check_table, refusal};

use super::*;

/// A systemctl. A file named like a unit says that it isn't well: `STATUS STATE RESTARTS`, where `STATUS` is that of
/// the restart itself, and `RESTARTS` how often systemd starts it again until it is asked for the second time.
const SYSTEMCTL: &str = r#"[ "$1" != --user ] || shift
action=$1
shift $(($# - 1))
unit=$HOME/deploy/units/$1
read -r status state restarts 2>/dev/null <"$unit" || { status=0 state=active restarts=0; }
case $action in
  restart | reload-or-restart) exit "$status" ;;
  show)
    mkdir -p "${unit%/*}"
    echo x >>"$unit.asked"
    case $(wc -l <"$unit.asked") in 3) ;; *) restarts=0 ;; esac
    printf '%s\n' "ActiveState=$state" Result=exit-code "MainPID=$(cat "$unit.main" 2>/dev/null)" "NRestarts=$restarts"
    ;;
  *) echo "this stand-in doesn't know $action" >&2; exit 64 ;;
esac"#;

/// What the recipe waits with; the lock, which runs beside it, really waits.
const SLEEP: &str = "case $1 in 2) ;; *) exec /bin/sleep \"$1\" ;; esac";

/// A server with `table` and a release, where somebody with the id 1000 logs in.
fn site(table: &str) -> Site {
    let site = Site::of::<Systemd>(table);
    let programs = [
        ("systemctl", SYSTEMCTL),
        ("journalctl", "echo 'shop[7]: no such port'"),
        ("loginctl", "echo Linger=yes"),
        ("sudo", "shift; exec \"$@\""),
        ("sleep", SLEEP),
    ];
    programs.into_iter().for_each(|(name, body)| site.program(name, body));
    log_in(&site, "1000");
    site.release("20260101000000");
    site
}

/// Somebody with this id logs in to `site`.
fn log_in(site: &Site, id: &str) {
    site.program("id", &format!("case $1 in -u) echo {id} ;; *) echo deploy ;; esac"));
}

/// What comes of a restart on a server with `table`, one of whose units is in `state`.
fn restart(table: &str, (unit, state): (&str, &str)) -> Ran {
    let site = site(table);
    site.write("app1", &format!("units/{unit}"), &format!("{state}\n"));
    site.run("systemd:restart")
}

/// What systemd was told.
fn told(run: &Ran) -> Vec<Call> {
    let others = |call: &&Call| match call.program() {
        "id" | "loginctl" => false,
        "sleep" => *call == &"sleep 2",
        "journalctl" => !call.to_string().contains("--since"),
        _ => true,
    };
    run.calls().iter().filter(others).cloned().collect()
}

/// The question that is asked of `unit`.
fn show(unit: &str) -> String {
    format!("systemctl show --property ActiveState,SubState,Result,MainPID,NRestarts {unit}")
}

#[test]
fn without_units_the_one_of_the_applications_name_restarts_through_sudo() {
    for shell in SHELLS {
        let run = site("").shell(shell).run("systemd:restart");
        run.succeeded();
        assert_eq!(
            told(&run),
            [
                show("shop").as_str(),
                "sudo -n systemctl restart shop",
                "systemctl restart shop",
                &show("shop"),
                "sleep 2",
                &show("shop"),
            ]
        );
    }
}

#[test]
fn root_needs_no_sudo_and_neither_does_who_says_so() {
    for (id, table) in [("0", ""), ("1000", "sudo = false")] {
        let site = site(table);
        log_in(&site, id);
        assert_eq!(told(&site.run("systemd:restart"))[1], "systemctl restart shop", "{table}");
    }
}

#[test]
fn each_unit_is_well_before_the_next_one_restarts() {
    for shell in SHELLS {
        let site = site("units = ['web@{1..3}']\nsudo = false\nsettle = 0").shell(shell);
        site.write("app1", "units/web@2", "0 failed 0\n");
        let run = site.run("systemd:restart");
        assert_eq!(
            told(&run),
            [
                show("web@1").as_str(),
                "systemctl restart web@1",
                &show("web@1"),
                &show("web@1"),
                &show("web@2"),
                "systemctl restart web@2",
                &show("web@2"),
                &show("web@2"),
                "journalctl --unit web@2 --lines 20 --no-pager",
            ]
        );
        assert!(run.failure().contains("the unit web@2 is failed (exit-code) after its restart"), "{}", run.failure());
    }
}

#[test]
fn servers_restart_one_after_the_other_and_the_first_that_fails_is_the_last() {
    let site = site("wait = 0\nsettle = 0").servers(&["app1 app", "app2 app", "app3 app", "db1 db"]);
    site.release("20260101000000");
    let servers = |run: &Ran| -> Vec<String> { told(run).iter().map(|call| call.server().to_owned()).collect() };
    let run = site.run("deploy:restart");
    run.succeeded();
    let mut each = servers(&run);
    each.dedup();
    assert_eq!(each, ["app1", "app2", "app3"]);
    site.write("app2", "units/shop", "0 failed 0\n");
    let run = site.run("deploy:restart");
    assert!(run.failure().contains("app2: `systemd:restart`"), "{}", run.failure());
    assert!(!servers(&run).contains(&"app3".to_owned()));
}

#[test]
fn a_unit_that_is_not_active_is_told_with_its_journal() {
    let failure = restart("", ("shop", "0 activating 0")).failure();
    let wanted = ["the unit shop is activating after its restart", "on the server: systemctl status shop"];
    assert!(wanted.iter().all(|text| failure.contains(text)), "{failure}");
    assert!(failure.contains("shop[7]: no such port"), "{failure}");
}

#[test]
fn a_unit_that_systemd_had_to_start_again_is_not_well() {
    let run = restart("journal_lines = 5", ("shop", "0 active 4"));
    let said = "the unit shop ended after its restart, and systemd started it again";
    assert!(run.failure().contains(said), "{}", run.failure());
    assert_eq!(told(&run).last().unwrap(), &"journalctl --unit shop --lines 5 --no-pager");
}

#[test]
fn a_restart_that_fails_is_told() {
    let run = restart("action = 'reload-or-restart'", ("shop", "5 inactive 0"));
    assert_eq!(told(&run)[2], "systemctl reload-or-restart shop");
    assert!(run.failure().contains("systemctl reload-or-restart shop ended with status 5"), "{}", run.failure());
}

#[test]
fn units_of_the_user_are_asked_of_the_users_manager() {
    let site = site("user = true\nsettle = 0");
    log_in(&site, "/../../tmp");
    let run = site.run("systemd:restart");
    run.succeeded();
    let calls = told(&run);
    assert_eq!(calls[1], "systemctl --user restart shop");
    assert!(calls.iter().all(|call| call.var("XDG_RUNTIME_DIR") == Some("/run/user//../../tmp")));
}

#[test]
fn a_runtime_folder_that_is_known_stays() {
    let run = site("user = true\nsettle = 0\n[default_env]\nXDG_RUNTIME_DIR = '/tmp'").run("systemd:restart");
    assert_eq!(told(&run)[0].var("XDG_RUNTIME_DIR"), Some("/tmp"));
}

#[test]
fn a_user_without_a_manager_is_told_how_to_have_one() {
    let site = site("user = true");
    log_in(&site, "987654");
    let run = site.run("systemd:restart");
    for text in [
        "there is no /run/user/987654: the user manager of deploy does not run",
        "let it run without a login, once on the server: sudo loginctl enable-linger deploy",
    ] {
        assert!(run.failure().contains(text), "{}", run.failure());
    }
    assert_eq!(told(&run), [""; 0]);
}

#[test]
fn a_user_without_linger_is_told_how_to_have_it() {
    let site = site("user = true\nsettle = 0");
    log_in(&site, "/../../tmp");
    site.program("loginctl", "echo Linger=no");
    for task in ["systemd:check", "systemd:restart"] {
        let run = site.run(task);
        for text in ["the units of deploy end soon after its last login", "sudo loginctl enable-linger deploy"] {
            assert!(run.failure().contains(text), "{}", run.failure());
        }
        assert_eq!(told(&run), [""; 0]);
    }
}

#[test]
fn a_command_of_ones_own_takes_the_place_of_systemctl_and_units_are_checked() {
    let table = "command = 'systemctl restart all-of-it'\nunits = ['web', 'job']\nsettle = 0";
    let calls = told(&restart(table, ("job", "0 failed 0")));
    let actions: Vec<_> = calls.into_iter().filter(|call| call.args()[0] != "show").collect();
    assert_eq!(actions, ["systemctl restart all-of-it", "journalctl --unit job --lines 20 --no-pager",]);
    let failure = site("command = 'exit 3'").run("systemd:restart").failure();
    assert!(failure.contains("ended with status 3"), "{failure}");
}

#[test]
fn the_scripts_pass_shellcheck() {
    for table in ["", "sudo = false", "user = true", "command = 'x \"$y\"'\nunits = ['a@{1,2}']"] {
        let site = Site::of::<Systemd>(table);
        site.shellcheck("systemd:restart");
        if table.contains("user") {
            site.shellcheck("systemd:check");
        }
    }
}

/// Two services, one of which has a socket.
const SERVICES: &str = "user = true\nsettle = 0\n[recipes.systemd.services.web]\ncommand = 'bin/web'\nport = 19292\n[recipes.systemd.services.job]\n\
    roles = ['job']\ncommand = 'bin/job'\nreload = 'kill -HUP $MAINPID'\nenvironment_file = 'job.env'";

/// What systemd was told to do.
fn done(run: &Ran) -> Vec<String> {
    let asks =
        |call: &String| ["show", "is-active"].iter().any(|verb| call.contains(verb)) || call.starts_with("journalctl");
    let calls = told(run).iter().map(|call| call.to_string().replace("systemctl --user ", "")).collect::<Vec<_>>();
    calls.into_iter().filter(|call| !asks(call)).collect()
}

fn services(shell: &str) -> Site {
    let site = site(SERVICES).shell(shell).servers(&["app1 app", "job1 job"]);
    log_in(&site, "/../../tmp");
    site.release("20260101000000");
    site.program("systemctl", "case $* in *is-active*) exit 3 ;; *show*) echo ActiveState=active ;; esac");
    site
}

#[test]
fn each_server_keeps_the_units_of_its_services() {
    for shell in SHELLS {
        let site = services(shell);
        let run = site.run("systemd:restart");
        run.succeeded();
        let on = |host: &str| -> Vec<String> {
            let calls = run
                .calls_on(host)
                .iter()
                .map(|call| call.to_string().replace("systemctl --user ", ""))
                .collect::<Vec<_>>();
            let verbs = ["daemon-reload", "enable", "start", "stop", "restart", "reload"];
            calls.into_iter().filter(|call| verbs.iter().any(|verb| call.starts_with(verb))).collect()
        };
        assert_eq!(
            on("app1"),
            [
                "daemon-reload",
                "enable --quiet shop-web.service",
                "enable --quiet shop-web.socket",
                "stop shop-web.socket shop-web.service",
                "start shop-web.socket",
                "restart shop-web.service",
            ]
        );
        let job = ["daemon-reload", "enable --quiet shop-job.service", "reload-or-restart shop-job.service"];
        assert_eq!(on("job1"), job);
        assert!(run.notes().iter().any(|note| note.contains("+ListenStream=127.0.0.1:19292")), "{:?}", run.notes());
        let again = site.run("systemd:setup");
        assert!(!done(&again).contains(&"daemon-reload".to_owned()), "{:?}", done(&again));
    }
}

#[test]
fn a_unit_that_is_asked_for_by_name_is_the_only_one() {
    let stop = |name: &str| services("dash").task("systemd:stop").option("unit", name).hosts(&["app1"]).run();
    for name in ["web", "shop-web", "shop-web.service"] {
        assert_eq!(done(&stop(name)), ["stop shop-web.socket shop-web.service"]);
    }
    assert!(stop("job").failure().contains("there is no unit `job` on this server"));
}

#[test]
fn the_scripts_for_services_pass_shellcheck() {
    for task in ["check", "setup", "diff", "status", "logs", "start", "stop", "restart"] {
        services("dash").shellcheck(&format!("systemd:{task}"));
    }
}

#[test]
fn services_need_the_users_manager_and_good_names() {
    let problems = |table: &str| {
        let mut tasks = Tasks::default();
        toml::from_str::<Systemd>(table).unwrap().register(&mut tasks);
        tasks.check().join("\n")
    };
    assert!(problems("[services.web]\ncommand = 'x'").contains("say `user = true`"));
    let text = problems("user = true\n[services.'a b']\ncommand = 'x'\n[services.c]\ncommand = ''");
    assert!(text.contains("[recipes.systemd.services.a b] its name has to be of letters"), "{text}");
    assert!(text.contains("[recipes.systemd.services.c] `command` is empty"), "{text}");
}

#[test]
fn the_table_of_a_services_settings_is_complete() {
    let refusal = refusal::<Systemd>("[services.web]\ncommand = 'x'\nthere_is_no_such_key = 1");
    let known = refusal.split_once("known: ").expect("a list of what is known").1.lines().next().unwrap();
    let mut known: Vec<_> = known.split('`').skip(1).step_by(2).collect();
    let rows = include_str!("service.rs").lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
    let mut rows: Vec<_> = rows.collect();
    known.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, known);
}

#[test]
fn deploys_and_rollbacks_restart_after_they_published() {
    Xtask::new().recipe::<Systemd>().check().unwrap();
    for flow in ["deploy", "deploy:rollback"] {
        let order = site("").order(flow);
        let at = |id: &str| order.iter().position(|known| known == id).unwrap_or_else(|| panic!("no {id}: {order:?}"));
        assert!(at("deploy:symlink:release") < at("systemd:restart"));
    }
}

#[test]
fn a_wrong_unit_is_shown_in_its_place() {
    let refusal = refusal::<Systemd>("units = ['web@{1']");
    assert!(refusal.contains("expected `{1,2}` or `{1..4}` in the braces"), "{refusal}");
}

#[test]
fn the_table_of_settings_is_complete() {
    check_table::<Systemd>(include_str!("lib.rs"));
}
