use super::*;

/// A stage with two releases, whose database has the migrations `newer` beyond the first.
fn newer(table: &str, newer: &str) -> Site {
    let site = site(table);
    site.release("20260102000000");
    site.write("app1", "newer", newer);
    site
}

fn live(site: &Site) -> String {
    site.read("app1", "current/REVISION").unwrap().trim_start_matches('0').trim_end().to_owned()
}

#[test]
fn a_database_that_the_older_code_knows_raises_no_question() {
    for shell in SHELLS {
        let site = newer("", "").shell(shell);
        let run = site.run("deploy:rollback");
        run.succeeded();
        assert_eq!((run.questions().len(), live(&site).as_str()), (0, "20260101000000"));
        assert_eq!(calls(&run), ["rake xtask:newer"]);
        assert!(run.calls()[0].dir().ends_with("releases/20260101000000"), "{}", run.calls()[0].dir());
    }
}

#[test]
fn what_it_does_not_know_is_named_and_asked_about() {
    let site = newer("", "20260102 AddPrice\n20260103 DropName\n");
    let run = site.task("deploy:rollback").answer("yes").run();
    run.succeeded();
    assert_eq!(
        run.questions(),
        [
            "the database has 2 migrations that release 20260101000000 doesn't know: 20260102 AddPrice, 20260103 DropName; go back all the same?"
        ]
    );
    assert_eq!(live(&site), "20260101000000");
}

#[test]
fn a_no_leaves_everything_as_it_is() {
    let site = newer("", "20260102 AddPrice\n");
    let run = site.task("deploy:rollback").answer("no").run();
    assert!(run.failure().contains("not gone back: the answer was no"), "{}", run.failure());
    assert_eq!(live(&site), "20260102000000");
}

#[test]
fn without_a_terminal_the_switch_is_demanded_and_yes_is_not_enough() {
    let site = newer("", "20260102 AddPrice\n");
    for run in [site.run("deploy:rollback"), site.task("deploy:rollback").switch("yes").run()] {
        let failure = run.failure();
        assert!(
            failure.contains("a migration that release 20260101000000 doesn't know: 20260102 AddPrice"),
            "{failure}"
        );
        assert!(failure.contains("cargo xtask deploy rollback production --allow-newer-schema"), "{failure}");
        assert_eq!(live(&site), "20260102000000");
    }
    let run = site.task("deploy:rollback").switch("allow-newer-schema").run();
    run.succeeded();
    assert_eq!(run.calls(), [""; 0], "the application isn't started only to ask");
    assert_eq!((run.questions().len(), live(&site).as_str()), (0, "20260101000000"));
}

#[test]
fn many_are_counted() {
    let all: String = (1..=7).map(|number| format!("{number} M{number}\n")).collect();
    let failure = newer("", &all).run("deploy:rollback").failure();
    assert!(
        failure
            .contains("7 migrations that release 20260101000000 doesn't know: 1 M1, 2 M2, 3 M3, 4 M4, 5 M5 and 2 more"),
        "{failure}"
    );
}

#[test]
fn a_database_that_gives_no_answer_stops_the_rollback_unless_it_may_go_on() {
    let site = newer("", "");
    site.write("app1", "broken", "");
    let failure = site.run("deploy:rollback").failure();
    assert!(
        failure.contains("what release 20260101000000 doesn't know of the database can't be found out"),
        "{failure}"
    );
    assert!(failure.contains("PG::UndefinedTable"), "{failure}");
    assert!(failure.contains("--allow-newer-schema"), "{failure}");
    assert_eq!(live(&site), "20260102000000");
    site.task("deploy:rollback").switch("allow-newer-schema").run().succeeded();
    assert_eq!(live(&site), "20260101000000");
}

#[test]
fn the_release_that_is_named_is_the_one_that_is_asked() {
    let site = newer("", "");
    site.release("20260103000000");
    let run = site.task("deploy:rollback").option("release", "20260101000000").run();
    run.succeeded();
    assert!(run.calls()[0].dir().ends_with("releases/20260101000000"), "{}", run.calls()[0].dir());
}

#[test]
fn servers_that_go_further_back_than_was_asked_about_raise_the_question() {
    let site = site("").servers(&["app1 app", "db1 db"]);
    site.release("20260101000000");
    site.release("20260102000000");
    site.release("20260103000000");
    std::fs::remove_dir_all(site.path("app1", "releases/20260102000000")).unwrap();
    site.write("db1", "newer", "");
    let run = site.task("deploy:rollback").answer("y").run();
    run.succeeded();
    assert_eq!(
        run.questions(),
        ["what release 20260101000000 doesn't know of the database wasn't found out; go back all the same?"]
    );
}

#[test]
fn with_nothing_to_go_back_to_the_rollback_says_so() {
    let failure = site("").run("deploy:rollback").failure();
    assert!(failure.contains("there is nothing to go back to"), "{failure}");
}

/// A stage whose live release has two migrations, and the one before it the first of them.
fn two_releases(table: &str, files: [&str; 2]) -> Site {
    let site = Site::of::<Migrations>(table);
    for (file, stamp) in files.into_iter().zip(["20260101000000", "20260102000000"]) {
        site.file(file, "");
        site.release(stamp);
    }
    site
}

const SQLX_FILES: [&str; 2] = ["migrations/20260101000000_posts.sql", "migrations/20260102000000_body.up.sql"];

#[test]
fn sqlx_is_asked_about_the_migrations_of_the_live_release() {
    let site = two_releases("preset = 'sqlx'", SQLX_FILES);
    site.program("sqlx", "echo '20260101000000/installed posts'; echo '20260102000000/installed body'");
    let run = site.run("deploy:rollback");
    assert!(
        run.failure().contains("a migration that release 20260101000000 doesn't know: 20260102000000 body\n"),
        "{}",
        run.failure()
    );
    assert_eq!(calls(&run), ["sqlx migrate info --source ../../current/migrations"]);
    site.program("sqlx", "echo '20260101000000/installed posts'; echo '20260102000000/pending body'");
    site.run("deploy:rollback").succeeded();
}

#[test]
fn sqlx_that_fails_gives_no_answer() {
    let site = two_releases("preset = 'sqlx'", SQLX_FILES);
    site.program("sqlx", "echo 'connection refused' >&2; exit 1");
    let failure = site.run("deploy:rollback").failure();
    assert!(failure.contains("connection refused") && failure.contains("can't be found out"), "{failure}");
}

#[test]
fn what_the_live_release_does_not_know_either_is_no_news() {
    let own = "preset = 'custom'\ncommand = 'true'\nnewer = 'cat newer'";
    let site = Site::of::<Migrations>(own);
    site.file("newer", "plugin\nprices\n");
    site.release("20260101000000");
    site.file("newer", "plugin\n");
    site.release("20260102000000");
    let failure = site.run("deploy:rollback").failure();
    assert!(failure.contains("doesn't know: prices\n"), "{failure}");
    site.file("newer", "plugin\nprices\n");
    site.release("20260103000000");
    site.write("app1", "releases/20260102000000/newer", "prices\nplugin\n");
    site.run("deploy:rollback").succeeded();
}

#[test]
fn diesel_is_asked_in_the_live_release() {
    let site = Site::of::<Migrations>("preset = 'diesel'");
    site.file("migrations/2026-01-01-000000_posts/up.sql", "");
    site.release("20260101000000");
    site.file("migrations/2026-01-02-000000_body/up.sql", "");
    site.release("20260102000000");
    let list = "printf 'Migrations:\\n  [X] 2026-01-01-000000_posts\\n  [X] 2026-01-02-000000_body\\n'";
    site.program("diesel", list);
    let run = site.run("deploy:rollback");
    assert!(run.failure().contains("doesn't know: 2026-01-02-000000_body"), "{}", run.failure());
    assert_eq!(calls(&run), ["diesel migration list --migration-dir ../../current/migrations"]);
}
