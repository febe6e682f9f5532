//! The README's way to a workspace of one's own, followed to the letter in a fresh folder.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Where the README says that this repository is.
const PUBLISHED: &str = "https://git.example.com/ops/deploy.git";

/// The blocks of the README's section `title`: the language and the text of each.
fn blocks(title: &str) -> Vec<(String, String)> {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with(title)).expect("the section");
    let blocks = section.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').expect("a block"));
    blocks.map(|(language, text)| (language.to_owned(), text.to_owned())).collect()
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// This repository as it is here, committed or not, as a repository of one commit.
fn publish(folder: &Path) {
    let script = "git ls-files -z -co --exclude-standard | tar -c --null --ignore-failed-read -T - -f - | tar -x -C \"$1\"\n\
         cd \"$1\" && git init -q && git add -A && git commit -q -m 'As it is here'";
    fs::create_dir(folder).unwrap();
    let mut git = Command::new("sh");
    git.current_dir(workspace()).args(["-ec", script, "publish"]).arg(folder);
    let author = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    assert!(git.envs(author.map(|name| (name, "ann"))).status().unwrap().success());
}

/// Does what the section says: writes files, runs commands.
fn follow(folder: &Path, published: &Path) {
    for (language, text) in blocks("In your own workspace") {
        match language.as_str() {
            "toml" => {
                let name = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("the file's name");
                fs::write(folder.join(name), &text).unwrap();
            }
            "sh" => {
                let mut shell = Command::new("sh");
                shell.current_dir(folder).args(["-ec", &text]).env("GIT_CONFIG_COUNT", "1");
                shell.env("GIT_CONFIG_KEY_0", format!("url.{}.insteadOf", published.display()));
                assert!(shell.env("GIT_CONFIG_VALUE_0", PUBLISHED).status().unwrap().success(), "{text}");
            }
            other => panic!("a block of `{other}`"),
        }
    }
}

fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git").current_dir(folder).args(words).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// As somebody who types it: without what cargo tells the tests.
fn cargo(folder: &Path, words: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    let told = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_"));
    for (name, _) in told.filter(|(name, _)| name != "CARGO_HOME") {
        cargo.env_remove(name);
    }
    let output = cargo.current_dir(folder).args(words).env("CARGO_NET_OFFLINE", "true").output().unwrap();
    assert!(output.status.success(), "cargo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_readme_makes_a_workspace_that_builds_and_can_be_deployed() {
    // What is built there is too much for a folder in memory.
    let folder = tempfile::tempdir_in(e2e::target_folder()).unwrap();
    let (published, shop) = (folder.path().join("published"), folder.path().join("shop"));
    publish(&published);
    fs::create_dir(&shop).unwrap();
    git(&shop, &["init", "-q"]);
    follow(&shop, &published);
    let stages = blocks("A first stage").into_iter().find(|(language, _)| language == "toml");
    fs::write(shop.join("deploy.toml"), stages.unwrap().1).unwrap();

    // The copy is files of the repository, not a repository in it.
    git(&shop, &["add", "-A"]);
    let staged = git(&shop, &["ls-files", "-s"]);
    assert!(staged.contains("vendor/deploy/deploy-core/Cargo.toml") && !staged.contains("160000 "), "{staged}");
    assert!(!staged.contains("target/"), "{staged}");
    let tree = cargo(&shop, &["tree", "--package", "xtask"]);
    assert!(tree.contains("deploy-systemd") && tree.contains("deploy-core"), "{tree}");
    if e2e::full() {
        assert!(cargo(&shop, &["xtask", "tasks"]).contains("cargo xtask deploy STAGE"));
        assert!(cargo(&shop, &["xtask", "deploy", "staging", "--plan"]).contains("staging.example.com"));
    }
}
