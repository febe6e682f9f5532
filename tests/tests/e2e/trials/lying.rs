//! A server that was taken over: it says what isn't so. The other server, the controller and the stage's future must be
//! none the worse for it.

use std::process::Command;
use std::time::Duration;

use e2e::{Liar, Lie, Project, Saying};
use rustix::process::Signal;

use crate::lies::{self, Case, Said, some};

use super::scene::{Sum, deploys_again, is_free, lives, revise, shop_of};

const DEPLOY: &str = "deploy staging";
const ROLLBACK: &str = "deploy rollback staging";
const STATUS: &str = "deploy status staging";

/// A stage whose first server lies, and a controller with a file that nobody may touch.
struct Scene {
    project: Project,
    liar: Liar,
    number: usize,
}

impl Scene {
    /// With two releases on each server.
    fn new() -> Scene {
        Scene::of(|_| ())
    }

    /// The same of a project that was changed first.
    fn of(change: impl Fn(&mut Project)) -> Scene {
        let mut project = Project::over_ssh(&[]);
        let liar = Liar::new(project.sandbox.join("lies"));
        project.add_server("app1", "app", &[&liar.option(env!("CARGO_BIN_EXE_liar"))]);
        project.add_server("app2", "app web", &[]);
        std::fs::write(project.folder().join("precious"), "precious\n").expect("a file can be written");
        let mut project = shop_of(project);
        change(&mut project);
        let scene = Scene { project, liar, number: 0 };
        scene.project.xtask("deploy staging").success();
        deploys_again(&scene.project, "two").unwrap();
        scene
    }

    /// Lies to `cargo xtask LINE` in each of these ways.
    fn each(mut self, line: &str, cases: &[Case]) {
        let mut sum = Sum::default();
        for case in cases {
            let result = self.lie(line, case);
            sum.add(&case.name, result);
        }
        sum.tell(&format!("`{line}` is lied to"));
    }

    fn lie(&mut self, line: &str, case: &Case) -> Result<(), String> {
        self.number += 1;
        let text = format!("lied to {}", self.number);
        revise(&self.project, &text);
        let (live, files) = (self.project.server("app2").site.current(), self.files());
        self.liar.tell(&case.lies);
        let told = Said::of(&self.project, line)?;
        let has_told = self.liar.has_told();
        self.liar.tell(&[]);
        if !has_told {
            return Err(format!("nobody lied\n{}", told.text));
        }
        told.is_harmless()
            .and_then(|()| told.names("app1"))
            .and_then(|()| self.judge(line, &told, &live, &files))
            .map_err(|problem| format!("{problem}\n{}", told.text))?;
        let is_gone_back = line == ROLLBACK && self.project.server("app2").site.current() != live;
        if is_gone_back || self.number.is_multiple_of(5) {
            deploys_again(&self.project, &format!("after {text}"))?;
        }
        Ok(())
    }

    /// What must hold of the other server and of the controller.
    fn judge(&self, line: &str, told: &Said, before: &str, files: &str) -> Result<(), String> {
        if self.files() != files {
            return Err("files of the controller's have changed".to_owned());
        }
        is_free(&self.project, Duration::from_secs(30))?;
        let live = &lives(&self.project)?[1];
        let is_new = *live != before;
        let has_text =
            self.project.server("app2").site.read("current/index.html").trim() == format!("lied to {}", self.number);
        match (is_new, line) {
            (true, DEPLOY) if !has_text => Err("another commit is live on app2".to_owned()),
            (true, ROLLBACK) if live.as_str() > before => Err("app2 went forward".to_owned()),
            (true, STATUS) => Err("to look has changed something".to_owned()),
            (false, DEPLOY | ROLLBACK) if told.is_success() => Err("nothing is live, and all is well".to_owned()),
            _ => Ok(()),
        }
    }

    /// The controller's files and their sums, without what every run writes.
    fn files(&self) -> String {
        let list = "find . \\( -path ./servers -o -path ./project/target -o -path ./project/log -o -path ./tmp -o -path './lies*' \\) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum";
        let output =
            Command::new("sh").args(["-c", list]).current_dir(self.project.sandbox.path()).output().expect("sh runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("names of ours")
    }
}

#[test]
fn a_deploy_is_lied_to() {
    let facts = lies::of_facts(&["live", "newest", "good", "git_tips", "switched"]);
    let others = [lies::shadows(), lies::of_markers(), lies::of_ends(), lies::noise(2)];
    let cases = facts.into_iter().chain(others.into_iter().flatten()).collect();
    let grave = [
        "newest is 99991231235958",
        "release beside what task 0 of program 4 reports",
        "`b 999` instead of `b 1`",
        "control characters",
    ];
    Scene::new().each(DEPLOY, &some(cases, &grave));
}

/// Only the servers can read the repository, so the first one says which commit is meant.
fn fetching(project: &mut Project) {
    let (nowhere, path) = ("ssh://127.0.0.1:1/shop", project.repo.path().display().to_string());
    project.top(&format!("repo_url = {nowhere:?}")).tables("[git]\nstrategy = \"fetch\"");
    let instead = format!("url.{path}.insteadOf");
    for server in &mut project.servers {
        for (name, value) in [("COUNT", "1"), ("KEY_0", &instead), ("VALUE_0", nowhere)] {
            server.sshd.set_env(&format!("GIT_CONFIG_{name}"), value);
        }
    }
}

#[test]
fn a_deploy_whose_servers_fetch_is_lied_to() {
    let scene = Scene::of(fetching);
    let repo = &scene.project.repo;
    repo.branch("unmerged");
    repo.write("index.html", "unmerged\n").commit("Say what nobody has seen");
    let unmerged = repo.git(&["rev-parse", "HEAD"]);
    repo.switch("main");
    let mut cases = lies::of_facts(&["found_revision"]);
    cases.push(lies::fact("found_revision", "a commit of another branch", &unmerged));
    let grave = ["found_revision is --upload-pack=touch /tmp/lied", "found_revision is a commit of another branch"];
    scene.each(DEPLOY, &some(cases, &grave));
}

#[test]
fn a_rollback_is_lied_to() {
    let cases = lies::of_facts(&["live", "newest", "good", "switched"]).into_iter().chain(lies::of_ends()).collect();
    Scene::new().each(ROLLBACK, &some(cases, &["live is 99999999999999"]));
}

#[test]
fn the_status_is_lied_about() {
    let mut cases = lies::of_facts(&["live", "live_revision", "releases", "lock"]);
    cases.extend(lies::noise(1));
    Scene::new().each(STATUS, &some(cases, &["lock is \\x1b[2J\\x1b]0;lied\\x07"]));
}

/// What a task may take nobody knows, so silence is no lie; but who waits for it can leave.
#[test]
fn a_server_that_falls_silent_is_left_by_one_ctrl_c() {
    if !e2e::full() {
        return;
    }
    let scene = Scene::new();
    let before = lives(&scene.project).unwrap();
    scene.liar.tell(&[Lie::at("b 0", 2, Saying::Silence)]);
    revise(&scene.project, "three");
    let run = scene.project.start(DEPLOY);
    while !scene.liar.has_told() {
        std::thread::sleep(Duration::from_millis(20));
    }
    run.signal(Signal::INT);
    run.wait().fails_with(130).says("app1");
    assert_eq!(lives(&scene.project).unwrap(), before);
    is_free(&scene.project, Duration::from_secs(30)).unwrap();
    scene.liar.tell(&[]);
    deploys_again(&scene.project, "four").unwrap();
}
