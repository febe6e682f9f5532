//! Documents that say what the code says.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use deploy_core::config::{Config, LoadRequest};

use crate::none;
use crate::sources;

/// Documents whose commands and links are checked.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/CONFIGURATION.md",
    "docs/JSON.md",
    "docs/SECURITY.md",
];

#[test]
fn the_changelog_begins_with_this_version() {
    let changelog = sources::read("CHANGELOG.md");
    let versions = changelog.lines().filter_map(|line| line.strip_prefix("## [")?.split(']').next());
    let newest = versions.into_iter().find(|version| *version != "Unreleased");
    assert_eq!(newest, Some(env!("CARGO_PKG_VERSION")), "say in CHANGELOG.md what is new in this version");
}

#[test]
fn links_lead_somewhere() {
    let mut problems = Vec::new();
    for document in DOCUMENTS {
        let (text, folder) = (sources::read(document), Path::new(document).parent().expect("a file"));
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let local = targets.filter(|target| !target.is_empty() && !target.contains("://"));
        let dead = local.filter(|target| !sources::root().join(folder).join(target).exists());
        problems.extend(dead.map(|target| format!("{document}: {target}")));
    }
    none(&problems, "correct the link");
}

#[test]
fn files_that_the_architecture_names_exist() {
    let text = sources::read("ARCHITECTURE.md");
    let named = text.split('`').skip(1).step_by(2).filter(|path| path.ends_with(".rs") || path.ends_with(".sh"));
    let files = sources::all();
    let exists = |name: &str| files.iter().any(|file| format!("/{}", file.path).ends_with(&format!("/{name}")));
    let gone: Vec<_> = named.filter(|name| !exists(name)).map(str::to_owned).collect();
    none(&gone, "say in ARCHITECTURE.md where it is now");
}

/// `deploy.toml` as the README shows it: the whole file, then tables that are added to it.
#[test]
fn the_configuration_in_the_readme_is_valid() {
    let readme = sources::read("README.md");
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<_> =
        blocks.filter(|block| !block.starts_with("# Cargo.toml") && !block.starts_with("# xtask")).collect();
    assert!(blocks.len() >= 2, "the README shows a deploy.toml and tasks in it");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("deploy.toml"), blocks.join("\n")).expect("a file");
    let request = LoadRequest {
        start: folder.path().to_owned(),
        file: Some("deploy.toml".into()),
        recipes: crate::recipes::recipes().into_iter().map(|(name, _)| name).collect(),
        ..LoadRequest::default()
    };
    let config = Config::load(&request).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.stages.len(), 2);
}

#[test]
fn the_recipe_in_contributing_is_the_example() {
    let example = sources::read("deploy-core/examples/custom_recipe.rs");
    assert!(sources::read("CONTRIBUTING.md").contains(&format!("```rust\n{example}```\n")), "copy the example there");
    assert!(example.lines().count() < 40);
}

#[test]
fn commands_in_documents_exist() {
    let known = registered();
    let mut problems = Vec::new();
    for document in DOCUMENTS {
        let text = sources::read(document);
        let shown = tasks_of_examples(&text);
        for words in commands(&text) {
            let spelled: Vec<_> = words.iter().map(|word| word.replace('-', "_")).collect();
            // The last word may be a stage.
            let ids = [spelled.join(":"), spelled[..spelled.len() - 1].join(":")];
            if !ids.iter().any(|id| known.contains(id) || shown.contains(id)) {
                problems.push(format!("{document}: cargo xtask {}", words.join(" ")));
            }
        }
    }
    none(&problems, "`cargo xtask tasks --all` lists what there is; documents promise no more");
}

/// The words of every `cargo xtask …` up to an option, a placeholder or the end of the code.
fn commands(text: &str) -> Vec<Vec<&str>> {
    text.split("cargo xtask ").skip(1).map(words).filter(|words| !words.is_empty()).collect()
}

fn words(rest: &str) -> Vec<&str> {
    let code = rest.split(['`', '\n', '#', '|', '"']).next().unwrap_or_default();
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_:".contains(c);
    code.split_whitespace().take_while(|word| !word.starts_with('-') && word.chars().all(is_part)).collect()
}

/// The tasks and commands that a document adds in its examples.
fn tasks_of_examples(text: &str) -> Vec<String> {
    let between = |start: &str, end: &str| -> Vec<String> {
        text.split(start).skip(1).filter_map(|rest| rest.split(end).next()).map(str::to_owned).collect()
    };
    [between("[tasks.\"", "\"]"), between("TaskId::new(\"", "\")"), between("[commands.", "]")].concat()
}

/// What the tool of this workspace has.
fn registered() -> Vec<String> {
    let own = std::env::current_exe().expect("a process knows its program");
    let target = own.ancestors().nth(3).expect("target/PROFILE/deps/TEST");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(sources::root()).args(["run", "--quiet", "--package", "xtask", "--target-dir"]).arg(target);
    let output = cargo.args(["--", "tasks", "--all", "--json"]).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tasks: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("a list");
    let ids = tasks.iter().map(|task| task["id"].as_str().expect("an id").to_owned());
    let config = sources::read("deploy.toml");
    ids.chain(tasks_of_examples(&config)).chain(["tasks", "doctor"].map(str::to_owned)).collect()
}

#[test]
fn the_code_map_names_every_folder() {
    let text = sources::read("ARCHITECTURE.md");
    let map = text.split("## ").find(|part| part.starts_with("Code map")).expect("a code map");
    let below = |path: &str| {
        let folders = std::fs::read_dir(sources::root().join(path)).expect("a folder").flatten();
        let folders = folders.filter(|entry| entry.path().is_dir());
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let mut folders = below("deploy-core/src");
    folders.extend(["deploy-recipes".to_owned(), "tests".to_owned()]);
    let missing = folders.into_iter().filter(|folder| !map.contains(&format!("`{folder}`")));
    none(&missing.collect::<Vec<_>>(), "say in ARCHITECTURE.md's code map what the folder is for");
}

#[test]
fn tests_that_the_page_on_security_names_exist() {
    let text = sources::read("docs/SECURITY.md");
    let rows = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("| ---"));
    let shown = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit_once(" | ").map(|(_, cell)| cell));
    let named: Vec<&str> = shown.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 40, "the page names {} tests only", named.len());
    let mut tests = BTreeSet::new();
    for file in sources::rust() {
        let lines = file.text.lines().map(str::trim);
        let pairs = lines.clone().zip(lines.skip(1)).filter(|(attribute, _)| *attribute == "#[test]");
        tests.extend(pairs.filter_map(|(_, line)| Some(line.strip_prefix("fn ")?.split('(').next()?.to_owned())));
    }
    let gone: Vec<_> = named.iter().filter(|name| !tests.contains(**name)).map(ToString::to_string).collect();
    none(&gone, "name tests that there are in docs/SECURITY.md");
}
