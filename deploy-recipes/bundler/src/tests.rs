use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use deploy_core::config::RecipeTable;
use deploy_core::event::Stream;
use deploy_core::script::{Decoder, Report, Shell, TaskScript, WorkDir, compile};
use tempfile::TempDir;

use super::*;

/// A Bundler that notes what it is told. `check` fails unless all gems are there.
const FAKE: &str = r#"#!/bin/sh
echo "${BUNDLE_GEMFILE:+BUNDLE_GEMFILE=$BUNDLE_GEMFILE }bundle $*" >>"$CALLS"
case $1 in
  check) [ -e "$GEMS" ] ;;
  install) [ ! -e "$BROKEN" ] ;;
esac
"#;

/// A release beside a fake `bundle`.
struct Site(TempDir);

impl Site {
    fn new() -> Site {
        let site = Site(tempfile::tempdir().unwrap());
        for folder in ["bin", "release/.bundle"] {
            std::fs::create_dir_all(site.path(folder)).unwrap();
        }
        std::fs::write(site.path("bin/bundle"), FAKE).unwrap();
        let mut executable = Command::new("chmod");
        assert!(executable.arg("755").arg(site.path("bin/bundle")).status().unwrap().success());
        site
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn with(self, file: &str, text: &str) -> Site {
        std::fs::write(self.path(file), text).unwrap();
        self
    }

    /// What Bundler was told, and what the script reported, when `script` ran in the release.
    fn run(&self, script: Script) -> (Vec<String>, Vec<Report>) {
        let tasks = [TaskScript { script, dir: WorkDir::In(self.path("release")), ..TaskScript::default() }];
        let program = compile(&tasks, &Shell { nonce: "00ff".into(), ..Shell::default() }).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &program.command()])
            .env("PATH", format!("{}:{}", self.path("bin"), std::env::var("PATH").unwrap()))
            .env("CALLS", self.path("calls"))
            .env("GEMS", self.path("gems"))
            .env("BROKEN", self.path("broken"))
            .env_remove("BUNDLE_GEMFILE")
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
        (lines(&self.path("calls")), reports)
    }

    /// What Bundler was told by a script that succeeded.
    fn calls(&self, script: Script) -> Vec<String> {
        let (calls, reports) = self.run(script);
        assert!(reports.contains(&Report::Ended(0, 0)), "{reports:?}");
        calls
    }
}

fn lines(file: &str) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn recipe(toml: &str) -> Bundler {
    RecipeTable::from_toml("bundler", toml).unwrap().read().unwrap()
}

#[test]
fn settings_come_before_the_check_and_the_check_before_the_installation() {
    let calls = Site::new().calls(Bundler::default().bundle("/srv/shop/shared"));
    assert_eq!(
        calls,
        [
            "bundle config set --local deployment true",
            "bundle config set --local path /srv/shop/shared/bundle",
            "bundle config set --local without development:test",
            "bundle check",
            "bundle install --jobs 4 --quiet",
        ]
    );
}

#[test]
fn nothing_is_installed_where_every_gem_is_there() {
    let calls = Site::new().with("gems", "").calls(Bundler::default().bundle("/srv/shop/shared"));
    assert_eq!(calls.last().unwrap(), "bundle check");
}

#[test]
fn the_check_can_be_left_out() {
    let calls = Site::new().with("gems", "").calls(recipe("check_before_install = false").bundle("/s"));
    assert_eq!(calls[3..], ["bundle install --jobs 4 --quiet"]);
}

#[test]
fn every_setting_reaches_bundler() {
    let own = "path = '/opt/my gems'\nwithout = ['ci']\ndeployment = false\ngemfile = 'Gemfile.next'\njobs = 2\nflags = ['--retry', '3']\nbinstubs = 'bin'";
    let calls = Site::new().calls(recipe(own).bundle("/srv/shop/shared"));
    assert_eq!(
        calls,
        [
            "BUNDLE_GEMFILE=Gemfile bundle config set --local gemfile Gemfile.next",
            "bundle config set --local deployment false",
            "bundle config set --local path /opt/my gems",
            "bundle config set --local without ci",
            "bundle check",
            "bundle install --jobs 2 --retry 3",
            "bundle binstubs --all --path bin",
        ]
    );
}

#[test]
fn what_is_set_no_more_is_unset() {
    let left = "---\nBUNDLE_GEMFILE: \"Gemfile.next\"\nBUNDLE_WITHOUT: \"ci\"\n";
    let site = Site::new().with("gems", "").with("release/.bundle/config", left);
    assert_eq!(
        site.calls(recipe("without = []").bundle("/s")),
        [
            "BUNDLE_GEMFILE=Gemfile bundle config unset --local gemfile",
            "bundle config set --local deployment true",
            "bundle config set --local path /s/bundle",
            "bundle config unset --local without",
            "bundle check",
        ]
    );
}

#[test]
fn an_installation_that_fails_fails_the_task() {
    let (_, reports) = Site::new().with("broken", "").run(Bundler::default().bundle("/s"));
    let failed = reports.iter().any(|report| matches!(report, Report::Ended(0, status) if *status != 0));
    assert!(failed, "{reports:?}");
}

#[test]
fn cleaning_knows_the_settings() {
    let calls = Site::new().calls(recipe("clean_flags = ['--dry-run']").clean("/srv/shop/shared"));
    assert_eq!(calls[1], "bundle config set --local path /srv/shop/shared/bundle");
    assert_eq!(calls.last().unwrap(), "bundle clean --dry-run");
}

#[test]
fn it_stands_before_updated_and_before_a_release_is_reverted_to() {
    let mut tasks = Tasks::default();
    for id in [flow::UPDATED, flow::REVERT_RELEASE, flow::FINISHING] {
        tasks.task(Task::group(id, "A task of the flows", []));
    }
    recipe("clean = true").register(&mut tasks);
    assert_eq!(tasks.check(), [""; 0]);
    assert_eq!(tasks.before(&flow::UPDATED), [BUNDLE]);
    assert_eq!(tasks.after(&flow::FINISHING), [CLEAN]);
}

#[test]
fn it_goes_with_the_flows() {
    Xtask::new().recipe::<Bundler>().check().unwrap();
}

#[test]
fn a_wrong_key_is_shown_with_the_nearest() {
    let error = RecipeTable::from_toml("bundler", "job = 3").unwrap().read::<Bundler>().unwrap_err();
    assert!(error.to_string().contains("did you mean `jobs`?"), "{error}");
}

/// Serde's own list of the keys, against the table at the top.
#[test]
fn the_table_of_settings_is_complete() {
    let error = RecipeTable::from_toml("bundler", "zzz = 1").unwrap().read::<Bundler>().unwrap_err().to_string();
    let (_, known) = error.split_once("known: ").expect("a list of what is known");
    let mut keys: Vec<_> = known.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut rows: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    keys.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, keys);
}
