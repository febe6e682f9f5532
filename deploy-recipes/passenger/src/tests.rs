use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use deploy_core::config::RecipeTable;
use deploy_core::event::Stream;
use deploy_core::script::{Decoder, Program, Report, Shell, TaskScript, compile};
use tempfile::TempDir;

use super::*;

mod answers;
mod instances;
mod registration;
mod versions;

/// Stands in for every program that a server has: it notes how it was called, then does what the test says.
const FAKE: &str = r#"#!/bin/sh
name=${0##*/}
echo "$name $*" >>"$SITE/calls"
[ ! -e "$SITE/$name.sh" ] || . "$SITE/$name.sh"
"#;

/// A Passenger of a recent version that restarts what it is told to.
const MODERN: &str = "Phusion Passenger(R) 6.0.17";

/// What a server of the tests says: the text of each stand-in.
#[derive(Clone, Default)]
struct Site {
    programs: Vec<(&'static str, String)>,
    env: Vec<(&'static str, &'static str)>,
}

/// What came of a script.
#[derive(Debug, PartialEq)]
struct Outcome {
    calls: Vec<String>,
    notes: Vec<String>,
    /// Why it failed, and what to do.
    failure: Vec<String>,
    status: Option<i32>,
}

impl Site {
    /// A server whose `passenger-config` says `version` of itself, and otherwise does what `restart` says.
    fn new(version: &str, restart: &str) -> Site {
        let text = format!("case $1 in --version) echo '{version}' ;; *) {restart} ;; esac");
        Site::default().program("passenger-config", &text)
    }

    fn modern() -> Site {
        Site::new(MODERN, "echo Restarting /srv/shop/current")
    }

    fn program(mut self, name: &'static str, text: &str) -> Site {
        self.programs.push((name, text.to_owned()));
        self
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Site {
        self.env.push((name, value));
        self
    }

    /// What comes of `script`, which is the same in every shell that servers have. `SITE` stands for the server's folder.
    fn run(&self, script: impl Fn(&str) -> Script) -> Outcome {
        let outcomes = ["dash", "bash", "busybox"].map(|shell| (shell, self.run_in(shell, &script)));
        for (shell, outcome) in &outcomes {
            assert_eq!(*outcome, outcomes[0].1, "{shell}");
        }
        let [(_, outcome), ..] = outcomes;
        outcome
    }

    fn run_in(&self, shell: &str, script: impl Fn(&str) -> Script) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        self.set_up(folder.path(), shell);
        let tasks = [TaskScript { script: script(&root), ..TaskScript::default() }];
        let program = compile(&tasks, &Shell { nonce: "00ff".into(), ..Shell::default() }).unwrap();
        let mut outcome = outcome(&folder, &self.reports(&folder, &program));
        let lines = [&mut outcome.calls, &mut outcome.notes, &mut outcome.failure].into_iter().flatten();
        lines.for_each(|line| *line = line.replace(&root, "SITE"));
        outcome
    }

    fn set_up(&self, folder: &Path, shell: &str) {
        let bin = folder.join("bin");
        std::fs::create_dir_all(folder.join("current")).unwrap();
        std::fs::create_dir(&bin).unwrap();
        symlink(format!("/bin/{shell}"), bin.join("sh")).unwrap();
        for (name, text) in &self.programs {
            std::fs::write(folder.join(format!("{name}.sh")), text).unwrap();
            std::fs::write(bin.join(name), FAKE).unwrap();
            std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
    }

    fn reports(&self, folder: &TempDir, program: &Program) -> Vec<Report> {
        let mut child = Command::new("sh")
            .args(["-c", &program.command()])
            .env("PATH", format!("{}:/usr/bin:/bin", folder.path().join("bin").display()))
            .env("SITE", folder.path())
            .envs(self.env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&program.text).unwrap();
        let output = child.wait_with_output().unwrap();
        let mut reports = Vec::new();
        let mut decoder = Decoder::new("00ff");
        decoder.feed(Stream::Stdout, &output.stdout, &mut |report| reports.push(report));
        decoder.feed(Stream::Stderr, &output.stderr, &mut |report| reports.push(report));
        reports
    }
}

fn outcome(folder: &TempDir, reports: &[Report]) -> Outcome {
    let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap_or_default();
    let mut outcome = Outcome {
        calls: calls.lines().map(str::to_owned).collect(),
        notes: Vec::new(),
        failure: Vec::new(),
        status: None,
    };
    for report in reports {
        match report {
            Report::Note(text) => outcome.notes.push(text.clone()),
            Report::Message(text) | Report::Hint(text) => outcome.failure.push(text.clone()),
            Report::Ended(_, status) => outcome.status = Some(*status),
            _ => {}
        }
    }
    outcome
}

#[test]
fn the_scripts_pass_shellcheck() {
    let own = recipe("health_url = '/up'\nsudo = true\nenv = { A = 'b' }\nflags = ['-x']\ninstances = ['a b', 'c']");
    let health = own.health_check(own.health_url.as_ref().unwrap(), "app1", "production");
    for script in [own.script("/srv/my shop", &[]).then(health), recipe("method = 'touch'").script("/srv/shop", &[])] {
        let tasks = [TaskScript { script, ..TaskScript::default() }];
        let program = compile(&tasks, &Shell { nonce: "00ff".into(), ..Shell::default() }).unwrap();
        let mut checker = Command::new("shellcheck");
        let mut child = checker.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&program.text).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

fn recipe(toml: &str) -> Passenger {
    RecipeTable::from_toml("passenger", toml).unwrap().read().unwrap()
}

/// What comes of restarting `/srv/shop` on `site`.
fn restart(site: &Site, toml: &str) -> Outcome {
    site.run(|_| recipe(toml).script("/srv/shop", &[]))
}
