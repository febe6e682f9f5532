//! A directory that Capistrano deployed is taken over, and handed back.

use e2e::{Capistrano, Project, Site};

fn project() -> Project {
    let mut project = Project::over_ssh(&[("app1", "app web db")]);
    project.top("linked_dirs = [\"log\"]\nlinked_files = [\"config/database.yml\"]");
    project.server("app1").site.write("shared/config/database.yml", "shared\n");
    project
}

fn capistrano(project: &Project) -> Capistrano<'_> {
    let mut capistrano = Capistrano::new(project, "app1");
    capistrano.set("set :linked_dirs, %w[log]\nset :linked_files, %w[config/database.yml]");
    capistrano
}

fn say(project: &Project, text: &str) {
    project.repo.write("index.html", text).commit("Say something else");
}

fn live(site: &Site) -> String {
    site.current();
    site.read("current/index.html")
}

#[test]
fn a_directory_changes_hands_and_back() {
    for strategy in ["push", "fetch"] {
        let mut project = project();
        project.tables(&format!("[git]\nstrategy = {strategy:?}"));
        let site = Site::new(project.server("app1").site.path());
        let cap = capistrano(&project);
        say(&project, "capistrano's\n");
        cap.cap("deploy").success();

        say(&project, "ours\n");
        project.xtask("deploy staging").success();
        assert_eq!(live(&site), "ours\n", "{strategy}");
        assert_eq!(site.releases().len(), 2, "{strategy}");

        project.xtask("deploy rollback staging").success();
        assert_eq!(live(&site), "capistrano's\n", "{strategy}");

        say(&project, "ours again\n");
        project.xtask("deploy staging").success();
        cap.cap("deploy:rollback").success();
        assert_ne!(live(&site), "ours again\n", "{strategy}");

        say(&project, "capistrano's again\n");
        cap.cap("deploy").success();
        assert_eq!(live(&site), "capistrano's again\n", "{strategy}");
        project.xtask("deploy staging").success();
        assert_eq!(live(&site), "capistrano's again\n", "{strategy}");
        assert_eq!(site.current(), site.releases().pop().unwrap(), "{strategy}");
    }
}

#[test]
fn the_layouts_are_the_same() {
    let theirs = project();
    capistrano(&theirs).cap("deploy").success();
    let ours = project();
    ours.xtask("deploy staging").success();
    let tree = |project: &Project| {
        let tree = project.sandbox.redact(&project.server("app1").site.tree());
        // Capistrano 3.17 writes no time, and no records.
        let lines = tree.lines().filter(|line| !line.starts_with(".deploy") && !line.ends_with("/REVISION_TIME"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(tree(&theirs), tree(&ours));
}

#[test]
fn the_logs_of_revisions_are_the_same() {
    let logs = [true, false].map(|is_capistrano| {
        let project = project();
        for text in ["one\n", "two\n"] {
            say(&project, text);
            if is_capistrano {
                capistrano(&project).cap("deploy").success()
            } else {
                project.xtask("deploy staging").success()
            };
        }
        if is_capistrano {
            capistrano(&project).cap("deploy:rollback").success()
        } else {
            project.xtask("deploy rollback staging").success()
        };
        let site = &project.server("app1").site;
        let commits = project.repo.git(&["log", "--format=%H"]);
        let mut log = site.revisions().join("\n");
        for (number, commit) in commits.lines().enumerate() {
            log = log.replace(commit, &format!("COMMIT{number}"));
        }
        project.sandbox.redact(&log)
    });
    assert_eq!(logs[0], logs[1]);
}

#[test]
fn capistranos_mirror_is_used_and_stays_usable() {
    for strategy in ["push", "fetch"] {
        let mut project = project();
        project.tables(&format!("[git]\nstrategy = {strategy:?}"));
        let cap = capistrano(&project);
        cap.cap("deploy").success();
        project.xtask("deploy staging").success();
        let mirror = project.server("app1").site.join("repo");
        let config = |key: &str| {
            let mut git = project.sandbox.command("git");
            git.arg("--git-dir").arg(&mirror).args(["config", "--get-all", key]);
            project.sandbox.run(git).success().stdout().trim().to_owned()
        };
        assert_eq!(config("remote.origin.url"), project.repo.path().display().to_string());
        assert_eq!(config("remote.origin.fetch"), "+refs/*:refs/*");
        say(&project, "next\n");
        cap.cap("deploy").success();
        assert_eq!(live(&project.server("app1").site), "next\n", "{strategy}");
    }
}

#[test]
fn a_mirror_that_we_made_serves_capistrano() {
    for strategy in ["push", "fetch"] {
        let mut project = project();
        project.tables(&format!("[git]\nstrategy = {strategy:?}"));
        project.xtask("deploy staging").success();
        say(&project, "next\n");
        let output = capistrano(&project).cap("deploy").success();
        assert_eq!(live(&project.server("app1").site), "next\n", "{strategy}");
        output.says("git:update").says_not("git clone --mirror");
    }
}

#[test]
fn a_release_that_capistrano_left_half_made_is_not_gone_back_to() {
    let project = project();
    let mut cap = capistrano(&project);
    say(&project, "good\n");
    cap.cap("deploy").success();
    say(&project, "bad\n");
    cap.set("after 'deploy:updated', :break do\n  raise 'broken'\nend");
    cap.cap("deploy").fails_with(1);
    say(&project, "ours\n");
    project.xtask("deploy staging").success();
    project.xtask("deploy rollback staging").success();
    assert_eq!(live(&project.server("app1").site), "good\n");
}
