//! What is deployed: branches, tags, commits.

use e2e::Project;
use insta::assert_snapshot;

const STRATEGIES: [&str; 2] = ["push", "fetch"];

/// `main` says one, the branch `next` and the tag `v2` say two, then `main` says three.
fn project_with(strategy: &str) -> Project {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.tables(&format!("[git]\nstrategy = {strategy:?}"));
    project.repo.branch("feature/next");
    project.repo.write("index.html", "two\n").commit("Say two");
    project.repo.tag("v2");
    project.repo.switch("main");
    project.repo.write("index.html", "three\n").commit("Say three");
    project
}

fn assert_live(project: &Project, text: &str, commit: &str) {
    for site in project.sites() {
        assert_eq!(site.read("current/index.html"), text);
        assert_eq!(site.read("current/REVISION").trim(), commit);
    }
}

#[test]
fn another_branch_can_be_named_on_the_command_line() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.xtask("deploy staging --branch feature/next").success();
        assert_live(&project, "two\n", &project.repo.git(&["rev-parse", "feature/next"]));
        let log = project.server("app1").site.revisions().join("\n");
        assert!(log.starts_with("Branch feature/next (at "), "{log}");
    }
}

#[test]
fn an_annotated_tag_is_deployed_as_its_commit() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.xtask("deploy staging --branch v2").success();
        assert_live(&project, "two\n", &project.repo.git(&["rev-parse", "v2^{commit}"]));
    }
}

#[test]
fn a_whole_commit_id_is_deployed() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        let first = project.repo.git(&["rev-parse", "main^"]);
        project.xtask(&format!("deploy staging --revision {first}")).success();
        assert_live(&project, "one\n", &first);
    }
}

#[test]
fn an_abbreviated_commit_id_is_deployed() {
    let project = project_with("push");
    let first = project.repo.git(&["rev-parse", "main^"]);
    project.xtask(&format!("deploy staging --revision {}", &first[..9])).success();
    assert_live(&project, "one\n", &first);
}

#[test]
fn the_stage_may_name_the_branch() {
    let mut project = project_with("push");
    project.stage("branch = \"feature/next\"");
    project.xtask("deploy staging").success();
    assert_live(&project, "two\n", &project.repo.git(&["rev-parse", "feature/next"]));
}

#[test]
fn head_is_what_the_repository_has_checked_out() {
    for strategy in STRATEGIES {
        let mut project = project_with(strategy);
        project.repo.switch("feature/next");
        project.top("branch = \"HEAD\"");
        project.xtask("deploy staging").success();
        assert_live(&project, "two\n", &project.repo.head());
    }
}

#[test]
fn a_branch_that_does_not_exist_is_an_error_that_names_near_ones() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        let output = project.xtask("deploy staging --branch feature/nxt").fails();
        assert!(project.sites().iter().all(|site| site.releases().is_empty()), "{output}");
        output.says("`feature/nxt`").says("`feature/next`");
    }
}

#[test]
fn a_missing_branch_reads_like_this() {
    let project = project_with("push");
    assert_snapshot!(project.xtask("deploy staging --branch mian").fails().errors(), @r"

    git:resolve failed
      reason: the repository has no branch, tag or commit `mian`
      hint: did you mean `main`?
      hint: it has feature/next, main, v2; has the branch been pushed?
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy.log
    error: `deploy` failed
      nothing is live on deploy@app1, deploy@app2
    [exit status: 1]
    ");
}

#[test]
fn a_repository_that_is_not_there_reads_like_this() {
    let mut project = project_with("push");
    project.top(&format!("repo_url = {:?}", project.sandbox.join("no/such/repo")));
    assert_snapshot!(project.xtask("deploy staging").fails().errors(), @r"

    git:resolve failed
      reason: can't read the repository `$SANDBOX/no/such/repo`
      last lines of output:
        | fatal: '$SANDBOX/no/such/repo' does not appear to be a git repository
        | fatal: Could not read from remote repository.
      hint: see repo_url in deploy.toml
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy.log
    error: `deploy` failed
      nothing is live on deploy@app1, deploy@app2
    [exit status: 4]
    ");
}

#[test]
fn a_commit_that_is_not_there_changes_nothing() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.xtask("deploy staging --revision 0123456789abcdef0123456789abcdef01234567").fails();
        assert!(project.sites().iter().all(|site| !site.has_current()));
    }
}

#[test]
fn options_of_git_cannot_be_smuggled_in() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        let mark = project.sandbox.join("smuggled");
        let option = format!("--upload-pack=touch {}", mark.display());
        for words in [["--branch", option.as_str()], ["--revision", option.as_str()]] {
            let joined = format!("{}={}", words[0], words[1]);
            project.xtask_with(&["deploy", "staging", &joined]).fails();
        }
        project.xtask_with(&["deploy", "staging", "--set", &format!("repo_url={option}")]).fails();
        project.xtask_with(&["deploy", "staging", "--set", &format!("repo_url=ext::touch {}", mark.display())]).fails();
        assert!(!mark.exists(), "{strategy}");
    }
}

#[test]
fn a_branch_and_a_tag_of_one_name_are_not_confused() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.repo.git(&["branch", "v2", "main"]);
        project.xtask("deploy staging --branch v2").success();
        assert_live(&project, "three\n", &project.repo.git(&["rev-parse", "refs/heads/v2"]));
    }
}

#[test]
fn a_branch_like_an_option_name_or_with_odd_letters_is_deployed() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        let name = "fix/it's-$(id)-%s;`id`&-ünïcode";
        project.repo.git(&["branch", name, "feature/next"]);
        project.xtask_with(&["deploy", "staging", "--branch", name]).success();
        assert_live(&project, "two\n", &project.repo.git(&["rev-parse", "feature/next"]));
        let log = project.server("app1").site.revisions().join("\n");
        assert!(log.starts_with(&format!("Branch {name} (at ")), "{log}");
    }
}

#[test]
fn a_branch_whose_name_was_a_folder_before_is_deployed() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.xtask("deploy staging --branch feature/next").success();
        project.repo.git(&["branch", "--move", "feature/next", "elsewhere"]);
        project.repo.git(&["branch", "feature", "elsewhere"]);
        project.xtask("deploy staging --branch feature").success();
        project.repo.git(&["branch", "--move", "feature", "elsewhere2"]);
        project.repo.git(&["branch", "feature/next", "main"]);
        project.xtask("deploy staging --branch feature/next").success();
        assert_live(&project, "three\n", &project.repo.git(&["rev-parse", "main"]));
    }
}

#[test]
fn a_shallow_mirror_holds_one_commit() {
    for strategy in STRATEGIES {
        let mut project = project_with(strategy);
        project.no_tables().tables(&format!("[git]\nstrategy = {strategy:?}\nshallow = true"));
        // A path is copied whole; only a URL goes through the protocol that knows of depth.
        project.top(&format!("repo_url = \"file://{}\"", project.repo.path().display()));
        project.xtask("deploy staging").success();
        project.repo.write("index.html", "four\n").commit("Say four");
        project.xtask("deploy staging").success();
        assert_live(&project, "four\n", &project.repo.head());
        let mirror = project.server("app1").site.join("repo");
        let mut git = project.sandbox.command("git");
        git.arg("--git-dir").arg(&mirror).args(["rev-list", "--count", &project.repo.head()]);
        assert_eq!(project.sandbox.run(git).success().stdout(), "1\n", "{strategy}");
    }
}

#[test]
fn one_commit_is_deployed_everywhere_though_the_branch_moves() {
    let mut project = project_with("push");
    project.xtask("deploy staging").success();
    let repo = project.repo.path().display().to_string();
    // While the first phase runs, somebody pushes.
    project.tables(&format!(
        "[tasks.\"move:on\"]\nrun = \"git -C {repo} branch --force main feature/next\"\nroles = [\"app\"]\n\
         after = \"deploy:starting\"\n"
    ));
    project.repo.git(&["switch", "--quiet", "--detach"]);
    let before = project.repo.git(&["rev-parse", "main"]);
    project.xtask("deploy staging").success();
    assert_ne!(project.repo.git(&["rev-parse", "main"]), before, "the branch did move");
    assert_live(&project, "three\n", &before);
}

#[test]
fn submodules_are_refused_unless_they_are_to_be_ignored() {
    for strategy in STRATEGIES {
        let mut project = project_with(strategy);
        let library = e2e::Repo::new(&project.sandbox, "library");
        library.write("lib.txt", "library\n").commit("Start the library");
        let url = library.path().display().to_string();
        project.repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "vendor/library"]);
        project.repo.commit("Use the library");
        project.xtask("deploy staging").fails().says("submodule");
        project.no_tables().tables(&format!("[git]\nstrategy = {strategy:?}\nignore_submodules = true"));
        project.xtask("deploy staging").success();
        assert_live(&project, "three\n", &project.repo.head());
    }
}
