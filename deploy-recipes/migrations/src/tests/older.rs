//! Deploys of a commit that is older than what is live.

use super::*;

#[test]
fn a_commit_that_the_server_has_is_compared_with_what_is_live_before_anything_happens() {
    let sqlx = "preset = 'sqlx'";
    let applications = [("", "db/migrate", ""), (sqlx, "migrations", ""), ("", "db/migrate", "apps/shop")];
    for ((table, folder, tree), shell) in applications.into_iter().zip(SHELLS) {
        let xtask = || Xtask::new().recipe::<Migrations>();
        let top = if tree.is_empty() { String::new() } else { format!("repo_tree = '{tree}'\n") };
        let site = Site::new(xtask(), &format!("{top}[recipes.migrations]\n{table}")).shell(shell);
        site.file(&format!("{folder}/20250101000000_cleared_away.rb"), "");
        site.file(&format!("{folder}/20260101000000_posts.rb"), "");
        site.file(&format!("{folder}/20260102000000_body.rb"), "");
        site.release("20260101000000");
        let git = |command: &str| {
            let script = format!("cd {:?} && {command}", site.path("app1", ""));
            let output = std::process::Command::new("sh").args(["-euc", &script]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let inside = if tree.is_empty() { folder.to_owned() } else { format!("{tree}/{folder}") };
        let commit = git(&format!(
            "git init -q work && cd work && mkdir -p {inside} && touch {inside}/20260101000000_renamed.rb && git add . && \
             git -c user.name=a -c user.email=a@b commit -qm one && git clone -q --bare . ../repo && git rev-parse HEAD"
        ));
        let run = site.task("deploy:migrate:older").fact("revision", &commit).run();
        run.succeeded();
        assert_eq!(run.fact("app1", "older_migrations"), Some("20260102000000_body"), "{table} {tree}");
        let unknown = "0".repeat(40);
        let run = site.task("deploy:migrate:older").fact("revision", &unknown).run();
        run.succeeded();
        assert_eq!(run.fact("app1", "older_migrations"), None);
    }
}

/// A stage whose live release has a migration that the commit doesn't have.
fn ahead() -> Site {
    let site = Site::of::<Migrations>("");
    site.program("rake", RAKE);
    site.write("app1", "pending", "");
    site.program("git", "case $* in *ls-tree*) echo db/migrate/20260101000000_posts.rb ;; esac");
    site.file("db/migrate/20260101000000_posts.rb", "");
    site.file("db/migrate/20260102000000_body.rb", "");
    site.release("20260101000000");
    site
}

fn rakes(run: &Ran) -> Vec<Option<&str>> {
    let calls = run.calls().iter().filter(|call| call.program() == "rake");
    calls.map(|call| call.var("XTASK_NEWER")).collect()
}

#[test]
fn an_older_commit_is_asked_about() {
    let run = ahead().task("deploy").answer("yes").run();
    run.succeeded();
    assert_eq!(
        run.questions(),
        [
            "the live release has a migration that the commit 8d3f5a0 doesn't know: 20260102000000_body; deploy all the same?"
        ]
    );
    assert_eq!(rakes(&run), [None], "what was agreed to isn't refused");
    let run = ahead().task("deploy").answer("no").run();
    assert!(run.failure().contains("not deployed: the answer was no"), "{}", run.failure());
    assert_eq!(rakes(&run), []);
}

#[test]
fn without_a_terminal_the_switch_is_demanded() {
    for run in [ahead().run("deploy"), ahead().task("deploy:migrations").switch("yes").run()] {
        let failure = run.failure();
        assert!(failure.contains("20260102000000_body"), "{failure}");
        assert!(failure.contains("cargo xtask deploy production --allow-newer-schema"), "{failure}");
        assert_eq!(rakes(&run), []);
    }
    let run = ahead().task("deploy").switch("allow-newer-schema").run();
    run.succeeded();
    assert_eq!((run.questions().len(), rakes(&run)), (0, vec![None]));
}
