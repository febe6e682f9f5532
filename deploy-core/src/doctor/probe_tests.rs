use std::fs;
use std::path::Path;

use super::super::facts::Facts;
use super::super::testing::stage;
use super::*;
use crate::script::testing::run;
use crate::script::{Report, Shell};

const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

/// What the questions bring under `shell` on this machine, for a deployment at `root`.
fn ask(shell: &str, root: &Path, change: impl Fn(&mut Stage)) -> Facts {
    let mut stage = stage(&["config/database.yml", "master key"]);
    stage.servers[0].deploy_to = root.display().to_string();
    stage.settings.tmp_dir = root.parent().unwrap().display().to_string();
    change(&mut stage);
    let task = script(&stage, &stage.servers[0], None);
    let settings = Shell::default();
    let ran = run(shell, &[task], &settings, b"");
    assert_eq!(ran.status(), Some(0), "{shell}: {:?} {:?}", ran.culprit(), ran.reports);
    let mut facts = Facts::default();
    for report in ran.reports {
        match report {
            Report::Fact(name, value) => facts.insert(name, value),
            Report::Line { line, .. } => panic!("{shell}: {}", String::from_utf8_lossy(&line)),
            _ => {}
        }
    }
    facts
}

#[test]
fn every_shell_answers_every_question() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        let facts = ask(shell, folder.path(), |_| {});
        for name in ["clock", "user", "sh", "path", "place_owner", "space", "git"] {
            assert!(facts.get(name).is_some(), "{shell}: {name}: {facts:?}");
        }
        assert_eq!(facts.get("place_use"), Some("writable"), "{shell}");
        assert_eq!(facts.get("current"), Some("none"), "{shell}");
        assert_eq!(facts.get("mirror"), Some("none"), "{shell}");
        assert_eq!(facts.get("tools_missing"), None, "{shell}: {facts:?}");
        assert_eq!(facts.get("no_rename"), None, "{shell}");
        let shared = folder.path().join("shared").display().to_string();
        let lines =
            [format!("missing missing {shared}/config/database.yml"), format!("missing missing {shared}/master key")];
        assert_eq!(facts.lines("linked"), lines, "{shell}");
    }
}

#[test]
fn nothing_is_left_behind() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("site");
        ask(shell, &root, |_| {});
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{shell}: nothing is made");
        fs::create_dir(&root).unwrap();
        ask(shell, &root, |_| {});
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "{shell}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{shell}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_looked_for_further_up() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        let facts = ask(shell, &folder.path().join("a/b"), |stage| stage.settings.tmp_dir = "/nonexistent".into());
        assert_eq!(facts.get("place"), folder.path().to_str(), "{shell}");
        assert_eq!(facts.get("place_use"), Some("writable"), "{shell}");
        assert_eq!(facts.get("tmp"), Some("missing"), "{shell}");
        fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(ask(shell, &folder.path().join("a"), |_| {}).get("place_use"), Some("file"), "{shell}");
    }
}

#[test]
fn lock_link_mirror_and_linked_files_are_seen() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("it's here");
        fs::create_dir_all(root.join(".deploy")).unwrap();
        fs::create_dir_all(root.join("repo")).unwrap();
        fs::create_dir_all(root.join("shared/config/database.yml")).unwrap();
        fs::write(root.join("shared/master key"), "").unwrap();
        fs::write(root.join(".deploy/lock"), "token\nada on laptop\napp1\n").unwrap();
        fs::write(root.join(".deploy/lock.token.beat"), "12 monkeys\n").unwrap();
        std::os::unix::fs::symlink(root.join("releases/20261122101500"), root.join("current")).unwrap();
        let facts = ask(shell, &root, |_| {});
        assert_eq!(facts.get("lock"), Some("ada on laptop"), "{shell}");
        assert!(facts.number("lock_age").unwrap() > 1_000_000_000, "{shell}: a beat that is no number is none");
        assert_eq!((facts.get("current"), facts.get("live")), (Some("dangling"), Some("20261122101500")), "{shell}");
        assert_eq!(facts.get("mirror"), Some("damaged"), "{shell}");
        let file = root.join("shared/config/database.yml");
        assert_eq!(facts.lines("linked"), [format!("folder there {}", file.display())], "{shell}");
    }
}

#[test]
fn servers_without_releases_are_asked_nothing_about_them() {
    let facts = ask("dash", &tempfile::tempdir().unwrap().path().join("x"), |stage| stage.servers[0].no_release = true);
    assert!(facts.knows("clock") && !facts.knows("place") && !facts.knows("git"), "{facts:?}");
}

#[test]
fn the_questions_are_clean_shell() {
    let mut stage = stage(&["config/database.yml"]);
    stage.settings.git.strategy = GitStrategy::Fetch;
    let task = script(&stage, &stage.servers[0], Some("git@example.com:shop.git"));
    let settings = Shell::default();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), crate::script::compile(&[task], &settings).unwrap().text(&settings)).unwrap();
    let output = std::process::Command::new("shellcheck").arg(file.path()).output().expect("shellcheck is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_program_stays_far_below_what_ssh_can_carry_at_once() {
    let stage = stage(&["config/database.yml"]);
    let task = script(&stage, &stage.servers[0], None);
    let program = crate::script::compile(&[task], &Shell::default()).unwrap();
    let bytes = program.text(&Shell::default()).len();
    assert!(bytes < 12_000, "{bytes}");
}
