//! A server that was taken over: it says what isn't so. The other server, the controller and the stage's future must be
//! none the worse for it.

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Liar, Project};
use rustix::process::Signal;

use super::lies::{self, Case};
use super::scene::{Sum, deploys_again, lives, revise, shop_of};

/// How long a run may take that is lied to.
const PATIENCE: Duration = Duration::from_secs(100);

/// How much memory, in KiB.
const MEMORY: usize = 256 << 10;

/// A stage whose first server lies, and a controller with a file that nobody may touch.
struct Scene {
    project: Project,
    liar: Liar,
    number: usize,
}

impl Scene {
    /// With two releases on each server.
    fn new(settings: &str) -> Scene {
        let mut project = Project::over_ssh(&[]);
        let liar = Liar::new(project.sandbox.join("lies"));
        project.add_server("app1", "app", &[&liar.option(env!("CARGO_BIN_EXE_liar"))]);
        project.add_server("app2", "app web", &[]);
        project.top(settings);
        std::fs::write(project.folder().join("precious"), "precious\n").expect("a file can be written");
        let project = shop_of(project);
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
        let told = self.run(line)?;
        self.liar.tell(&[]);
        let is_honest = told.is_harmless().map_err(|problem| format!("{problem}\n{}", told.text));
        is_honest
            .and_then(|()| self.judge(line, &told, &live, &files))
            .map_err(|problem| format!("{problem}\n{}", told.text))?;
        if self.number.is_multiple_of(5) {
            deploys_again(&self.project, &format!("after {text}"))?;
        }
        Ok(())
    }

    fn run(&self, line: &str) -> Result<Said, String> {
        let start = Instant::now();
        let mut run = self.project.start(line);
        let mut memory = 0;
        while !run.is_over() {
            memory = memory.max(run.peak_memory());
            if start.elapsed() > PATIENCE {
                run.signal(Signal::KILL);
                return Err(format!("it didn't end within {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = run.wait();
        let raw = [output.stdout(), output.stderr()].concat();
        Ok(Said { ending: output.ending(), text: output.to_string(), raw, memory })
    }

    /// What must hold of the other server and of the controller.
    fn judge(&self, line: &str, told: &Said, before: &str, files: &str) -> Result<(), String> {
        if self.files() != files {
            return Err("files of the controller's have changed".to_owned());
        }
        let live = &lives(&self.project)?[1];
        let is_new = *live != before;
        let has_text =
            self.project.server("app2").site.read("current/index.html").trim() == format!("lied to {}", self.number);
        match (is_new, line) {
            (true, "deploy staging") if !has_text => Err("another commit is live on app2".to_owned()),
            (true, "deploy status staging") => Err("to look has changed something".to_owned()),
            (false, "deploy staging") if told.is_success() => Err("nothing is live, and all is well".to_owned()),
            _ => Ok(()),
        }
    }

    /// The controller's files and their sums, without what every run writes.
    fn files(&self) -> String {
        let list = "find . \\( -path ./servers -o -path ./project/target -o -path ./project/log -o -path ./tmp -o -path ./lies \\) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum";
        let output =
            Command::new("sh").args(["-c", list]).current_dir(self.project.sandbox.path()).output().expect("sh runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("names of ours")
    }
}

/// What a run said that was lied to.
struct Said {
    ending: String,
    /// As people read it, with names instead of addresses.
    text: String,
    /// As it came.
    raw: String,
    memory: usize,
}

impl Said {
    fn is_success(&self) -> bool {
        self.ending == "exit status: 0"
    }

    /// What must hold of its words.
    fn is_harmless(&self) -> Result<(), String> {
        let acts = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        if let Some(line) = self.raw.lines().find(|line| line.contains(acts) || line.starts_with("::")) {
            return Err(format!("this reaches the screen: {}", line.escape_debug()));
        }
        if self.memory > MEMORY {
            return Err(format!("it took {} KiB", self.memory));
        }
        let is_orderly = (0..=5).any(|status| self.ending == format!("exit status: {status}"));
        if !is_orderly {
            return Err(format!("it ended with {}", self.ending));
        }
        if self.is_success() || self.text.contains("app1") { Ok(()) } else { Err("the liar isn't named".to_owned()) }
    }
}

/// A few of the gravest in every run, and all of them at full length.
fn some(cases: Vec<Case>, grave: &[&str]) -> Vec<Case> {
    let is_meant = |case: &Case| e2e::full() || grave.contains(&case.name.as_str());
    cases.into_iter().filter(is_meant).collect()
}

#[test]
fn a_deploy_is_lied_to() {
    let facts = lies::of_facts(&["live", "newest", "good", "git_tips", "switched"]);
    let others = [lies::shadows(), lies::of_markers(), lies::of_ends(), lies::noise()];
    let cases = facts.into_iter().chain(others.into_iter().flatten()).collect();
    let grave = [
        "newest is 99991231235958",
        "release beside what task 0 of program 4 reports",
        "`b 999` instead of `b 1`",
        "control characters",
    ];
    Scene::new("").each("deploy staging", &some(cases, &grave));
}

#[test]
fn a_deploy_whose_servers_fetch_is_lied_to() {
    let grave = ["found_revision is --upload-pack=touch /tmp/lied"];
    let cases = some(lies::of_facts(&["found_revision"]), &grave);
    Scene::new("git = { strategy = \"fetch\" }").each("deploy staging", &cases);
}
