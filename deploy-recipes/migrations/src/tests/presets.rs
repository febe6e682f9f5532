use super::*;

/// What a deploy calls, with `programs` for stand-ins.
fn deployed(table: &str, programs: &[(&str, &str)]) -> Ran {
    let site = site(table);
    for (name, body) in programs {
        site.program(name, body);
    }
    let run = site.run("deploy");
    run.succeeded();
    run
}

#[test]
fn a_command_of_the_users_own_always_runs_and_the_database_is_asked_all_the_same() {
    let own = "command = 'rake db:prepare'";
    let site = site(own);
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(calls(&run), ["rake xtask:pending", "rake db:prepare"]);
    site.write("app1", "pending", "1 CreatePosts\n");
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(
        (run.fact("app1", "migrations_pending"), run.fact("app1", "migrations_ran")),
        (Some("1"), Some("1 CreatePosts"))
    );
    // A database that isn't there yet can't be asked; the command may make it.
    let site = super::site(own);
    site.program("rake", "case $* in *xtask:pending) echo 'no database' >&2; exit 1 ;; esac");
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(calls(&run), ["rake xtask:pending", "rake db:prepare"]);
    let run = super::site(own).task("deploy:migrate").fact("migrations_pending", "0").run();
    assert_eq!(calls(&run), ["rake db:prepare"]);
}

#[test]
fn a_command_with_a_condition_of_its_own_runs_where_that_says_so() {
    let site = site("command = 'rake db:prepare'\npending = 'cat ../../pending'");
    assert_eq!(calls(&site.run("deploy")), [""; 0]);
    site.write("app1", "pending", "something\n");
    assert_eq!(calls(&site.run("deploy")), ["rake db:prepare"]);
}

/// What `sqlx migrate info` prints, and an application of which the second migration is pending.
const SQLX: &str =
    "case $2 in info) echo '20260101000000/installed create posts'; echo '20260102000000/pending add body' ;; esac";

#[test]
fn sqlx_is_asked_and_run() {
    let run = deployed("preset = 'sqlx'", &[("sqlx", SQLX)]);
    assert_eq!(calls(&run), ["sqlx migrate info", "sqlx migrate run"]);
    assert_eq!(run.fact("app1", "pending_migrations"), Some("20260102000000 add body"));
    assert_eq!(run.calls()[0].var("RAILS_ENV"), None);
    let run = deployed("preset = 'sqlx'", &[("sqlx", "echo '20260101000000/installed create posts'")]);
    assert_eq!(calls(&run), ["sqlx migrate info"]);
}

#[test]
fn diesel_is_asked_and_run() {
    let list = "case $2 in list) printf 'Migrations:\\n  [X] 2026-01-01-000000_posts\\n  [ ] 2026-01-02-000000_body\\n' ;; esac";
    let run = deployed("preset = 'diesel'", &[("diesel", list)]);
    assert_eq!(calls(&run), ["diesel migration list", "diesel migration run"]);
    assert_eq!(run.fact("app1", "pending_migrations"), Some("2026-01-02-000000_body"));
}

#[test]
fn what_fails_to_answer_fails_the_deploy() {
    for (preset, program) in [("sqlx", "sqlx"), ("diesel", "diesel")] {
        let site = site(&format!("preset = '{preset}'"));
        site.program(program, "echo 'connection refused' >&2; exit 1");
        let failure = site.run("deploy").failure();
        assert!(failure.contains("connection refused"), "{failure}");
        assert_eq!(site.run("deploy").calls().len(), 1);
    }
}

#[test]
fn anything_else_is_asked_as_the_user_says() {
    let own = "preset = 'custom'\ncommand = 'flyway migrate'\npending = 'flyway pending'";
    let run = deployed(own, &[("flyway", "case $1 in pending) echo V2 ;; esac")]);
    assert_eq!(calls(&run), ["flyway pending", "flyway migrate"]);
    let run = deployed(own, &[("flyway", "")]);
    assert_eq!(calls(&run), ["flyway pending"]);
}

#[test]
fn without_a_way_to_ask_the_command_always_runs() {
    let own = "preset = 'custom'\ncommand = 'flyway migrate'";
    let run = deployed(own, &[("flyway", "")]);
    assert_eq!(calls(&run), ["flyway migrate"]);
    let site = site(own);
    let run = site.run("deploy:migrate:pending");
    assert_eq!(run.fact("app1", "migrations_pending"), None);
    assert!(run.skipped("deploy:migrate:pending", "app1").unwrap().contains("no `pending`"));
    assert!(site.run("deploy:migrate:status").failure().contains("[recipes.migrations] status"));
    assert!(!site.order("deploy:rollback").iter().any(|id| id.contains("newer")));
}

#[test]
#[should_panic(expected = "needs a `command` that migrates")]
fn custom_migrations_need_a_command() {
    site("preset = 'custom'");
}
